//! How long a client may take, and where its bytes wait meanwhile.
//!
//! A part of the table of settings.

use super::{BLANK, COUNT, Preset, Setting, Verdict};
use crate::config::kind::Kind;

const MIB: i64 = 1024 * 1024;

/// With less, every piece of a usual iterator would take its way through a file.
const LEAST_HIGH_WATER: i64 = 64 * 1024;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "header_timeout",
        section: "Slow clients",
        long: Some("header-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time for the head of a request to arrive whole.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "body_timeout",
        section: "Slow clients",
        long: Some("body-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(30),
        unit: "seconds",
        help: "Time without any byte of a request's body.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "write_timeout",
        section: "Slow clients",
        long: Some("write-timeout"),
        metavar: "SECONDS",
        kind: Kind::Seconds { least: 1 },
        default: Preset::Int(60),
        unit: "seconds",
        help: "Time in which a client takes no byte of its answer.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "body_min_rate",
        section: "Slow clients",
        long: Some("body-min-rate"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(256),
        unit: "bytes per second",
        help: "Slowest pace at which a request's body may arrive; 0: any.",
        more: "The mean over each 60 seconds. A body that is slower is answered with 408: `body_timeout` alone lets a \
               client send one byte every 29 seconds for ever.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "request_buffering",
        section: "Bodies and buffers",
        long: Some("no-request-buffering"),
        kind: Kind::OffSwitch,
        default: Preset::On,
        help: "Call the application before the body of the request is there.",
        more: "That is what the option does, and `request_buffering = False` in a settings file. The application then \
               waits for the client whenever it reads, under `body_timeout`, and a body that is cut short raises \
               `indrik.ClientDisconnected`. By default the body is received first, and a slow client costs no thread.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "body_memory",
        section: "Bodies and buffers",
        long: Some("body-memory"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(1_048_576),
        unit: "bytes",
        help: "Largest body of a request that is received into memory.",
        more: "A larger one goes to a file without a name in `tmp_upload_dir` before the application is called.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "buffer_memory",
        section: "Bodies and buffers",
        long: Some("buffer-memory"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(64 * MIB),
        unit: "bytes per worker",
        help: "Memory that all buffered bodies of a worker may take together.",
        more: "Above it a new body goes to a file at once, however small it is.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "tmp_upload_dir",
        section: "Bodies and buffers",
        default_note: "the system's directory for temporary files: `$TMPDIR`, else `/tmp`",
        help: "Directory for bodies that do not stay in memory.",
        more: "Their files have no name, and vanish with the worker. The directory must exist. A relative path starts \
               at `chdir`. In a directory that lives in memory (tmpfs) they take memory all the same.",
        verdict: Verdict::Adapted("it has an effect, which it lost in Gunicorn"),
        ..BLANK
    },
    Setting {
        name: "response_high_water",
        section: "Bodies and buffers",
        long: Some("response-high-water"),
        metavar: "BYTES",
        kind: Kind::Int { least: LEAST_HIGH_WATER, most: i64::MAX },
        default: Preset::Int(MIB),
        unit: "bytes per connection",
        help: "Part of an answer that waits in memory for its client.",
        more: "What an iterator gives beyond it goes to a file, as far as `response_spool` allows.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "response_spool",
        section: "Bodies and buffers",
        long: Some("response-spool"),
        metavar: "BYTES",
        kind: COUNT,
        default: Preset::Int(64 * MIB),
        unit: "bytes per connection",
        help: "Part of an answer that waits in a file for its client; 0: none.",
        more: "Only when this is full as well does the thread of the application wait for the client, under \
               `write_timeout`. The file lies in `tmp_upload_dir`.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "sendfile",
        section: "Bodies and buffers",
        long: Some("no-sendfile"),
        kind: Kind::OffSwitch,
        default: Preset::On,
        default_note: "with `SENDFILE` in the environment, whether that is `y`, `yes`, `true` or `1`",
        help: "Send files by read and write, not by sendfile(2).",
        more: "That is what the option does, and `sendfile = False` in a settings file.",
        verdict: Verdict::Adapted("`True` in a settings file means on; in Gunicorn any value there means off"),
        ..BLANK
    },
];
