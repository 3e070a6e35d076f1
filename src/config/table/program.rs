//! What the program does around serving: checks, and its process.
//!
//! A part of the table of settings.

use super::{BLANK, Preset, Setting, Verdict};
use crate::config::kind::Kind;

/// Section by section.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "check_config",
        section: "Debugging",
        long: Some("check-config"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Check the settings, load the application and exit.",
        more: "The exit code is 0 if both are sound, else 1.",
        ..BLANK
    },
    Setting {
        name: "print_config",
        section: "Debugging",
        long: Some("print-config"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Print all settings, then go on as --check-config.",
        ..BLANK
    },
    Setting {
        name: "reload",
        section: "Debugging",
        long: Some("reload"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Replace the workers when a file of the application changes.",
        more: "For development: the files of all Python modules are looked at once a second. An application that cannot be \
               imported is answered with the traceback until it can.",
        verdict: Verdict::Adapted("every error of the import is survived, where Gunicorn survives syntax errors"),
        ..BLANK
    },
    Setting {
        name: "reload_engine",
        section: "Debugging",
        long: Some("reload-engine"),
        metavar: "NAME",
        kind: Kind::Choice(&["auto", "poll", "inotify"]),
        default: Preset::Text("auto"),
        help: "How changes are noticed: auto, poll or inotify.",
        verdict: Verdict::Adapted("all mean the same: the files are looked at once a second"),
        ..BLANK
    },
    Setting {
        name: "reload_extra_files",
        section: "Debugging",
        long: Some("reload-extra-file"),
        metavar: "FILE",
        kind: Kind::Texts,
        default: Preset::List(&[]),
        help: "File to watch besides those of the application; may be repeated.",
        more: "A pattern with `*`, `?` or `[` is a glob.",
        ..BLANK
    },
    Setting {
        name: "spew",
        section: "Debugging",
        long: Some("spew"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Print every line that Python executes.",
        verdict: Verdict::Later("no line is printed; use python -m trace"),
        ..BLANK
    },
    Setting {
        name: "preload_app",
        section: "Processes",
        long: Some("preload"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Load the application once, before the workers are forked.",
        more: "A process of its own, the mold, imports it and forks the workers, which share its memory. A reload makes a new \
               one, so it loads the new code. Without effect together with `reload`.",
        verdict: Verdict::Adapted(
            "the master itself imports nothing, and HUP loads the new code, which Gunicorn's does not",
        ),
        ..BLANK
    },
    Setting {
        name: "chdir",
        section: "Processes",
        long: Some("chdir"),
        metavar: "DIR",
        kind: Kind::Text,
        default: Preset::Text(""),
        default_note: "the directory that the server was started in",
        help: "Directory to change to before the application is loaded.",
        more: "It is put first on `sys.path`.",
        ..BLANK
    },
    Setting {
        name: "pythonpath",
        section: "Processes",
        long: Some("pythonpath"),
        metavar: "DIRS",
        help: "Directories to put first on sys.path, separated by commas.",
        more: "Relative ones start at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "raw_env",
        section: "Processes",
        short: Some('e'),
        long: Some("env"),
        metavar: "KEY=VALUE",
        kind: Kind::Pairs,
        default: Preset::List(&[]),
        help: "Environment variable for the application; may be repeated.",
        ..BLANK
    },
    Setting {
        name: "pidfile",
        section: "Processes",
        short: Some('p'),
        long: Some("pid"),
        metavar: "FILE",
        help: "File that holds the pid of the master while it runs.",
        more: "A relative path starts at `chdir`.",
        ..BLANK
    },
    Setting {
        name: "proc_name",
        section: "Processes",
        short: Some('n'),
        long: Some("name"),
        metavar: "NAME",
        default_note: "the application as it was named",
        help: "Name that the process titles show.",
        ..BLANK
    },
    Setting {
        name: "reuse_port",
        section: "Processes",
        long: Some("reuse-port"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Listen with SO_REUSEPORT: another server that does so, too, may hold the same port.",
        verdict: Verdict::Adapted("the workers of a server share one listener, where each of Gunicorn's has its own"),
        ..BLANK
    },
    Setting {
        name: "daemon",
        section: "Processes",
        short: Some('D'),
        long: Some("daemon"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Detach from the terminal and go on in the background.",
        more: "The program ends with code 0 when the settings have been read; what happens after that stands in `errorlog`, which \
               should be a file, as should `pidfile`. A service manager wants none of this.",
        ..BLANK
    },
    Setting {
        name: "worker_tmp_dir",
        section: "Processes",
        long: Some("worker-tmp-dir"),
        metavar: "DIR",
        help: "Must exist; then unused.",
        verdict: Verdict::Adapted("workers report through shared memory: there is no file to place"),
        ..BLANK
    },
    Setting {
        name: "user",
        section: "Processes",
        short: Some('u'),
        long: Some("user"),
        metavar: "USER",
        kind: Kind::Account,
        default_note: "the user who starts the server",
        help: "User that the workers run as: a name or a number.",
        more: "Only root can give another one. The master stays who it is; a worker changes after `post_fork` and before it \
               loads the application. Unix sockets and log files are made over to that user, too.",
        ..BLANK
    },
    Setting {
        name: "group",
        section: "Processes",
        short: Some('g'),
        long: Some("group"),
        metavar: "GROUP",
        kind: Kind::Account,
        default_note: "the group of who starts the server",
        help: "Group that the workers run as: a name or a number.",
        more: "Without it a `user` keeps the group of the master.",
        ..BLANK
    },
    Setting {
        name: "umask",
        section: "Processes",
        short: Some('m'),
        long: Some("umask"),
        metavar: "INT",
        kind: Kind::Mode,
        default: Preset::Int(0),
        help: "Permissions that unix sockets lack: 0 lets everybody connect.",
        more: "On the command line a leading 0 means octal; in a settings file write `0o022`. The mask of the processes stays as \
               it is. `unix_socket_mode` says it the other way round.",
        ..BLANK
    },
    Setting {
        name: "initgroups",
        section: "Processes",
        long: Some("initgroups"),
        kind: Kind::Bool,
        default: Preset::Off,
        help: "Give the workers all groups of their user.",
        more: "For a server that root starts: with `user`, and the groups are those of /etc/group. Without `group`, the first is the user's own.",
        verdict: Verdict::Adapted("without it, a worker that stops being root has no group but its own"),
        ..BLANK
    },
    Setting {
        name: "unix_socket_mode",
        section: "Processes",
        long: Some("unix-socket-mode"),
        metavar: "MODE",
        kind: Kind::Permissions,
        default_note: "everything that `umask` leaves",
        help: "Permissions of unix sockets, in octal; who may write may connect.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "unix_socket_user",
        section: "Processes",
        long: Some("unix-socket-user"),
        metavar: "USER",
        kind: Kind::Account,
        default_note: "`user`",
        help: "Owner of unix sockets: a name or a number.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "unix_socket_group",
        section: "Processes",
        long: Some("unix-socket-group"),
        metavar: "GROUP",
        kind: Kind::Account,
        default_note: "`group`",
        help: "Group of unix sockets: a name or a number.",
        more: "Whoever is no root may give a group that it is in, such as the one of the proxy.",
        verdict: Verdict::New,
        ..BLANK
    },
    Setting {
        name: "default_proc_name",
        section: "Processes",
        kind: Kind::OptionalText,
        default: Preset::Text("gunicorn"),
        help: "Name that the process titles show when there is neither proc_name nor an application by name.",
        ..BLANK
    },
    Setting {
        name: "http_parser",
        section: "Processes",
        long: Some("http-parser"),
        metavar: "NAME",
        kind: Kind::Choice(&["auto", "fast", "python"]),
        default: Preset::Text("auto"),
        help: "Which parser Gunicorn uses: auto, fast or python.",
        verdict: Verdict::Adapted("it has no effect: there is one parser, and it is native"),
        ..BLANK
    },
    Setting {
        name: "paste",
        section: "PasteDeploy",
        long: Some("paste"),
        aliases: &["paster"],
        metavar: "FILE",
        help: "Load the application from a PasteDeploy file: FILE or FILE#NAME.",
        more: "The package PasteDeploy must be installed. A section `[loggers]` makes the file the `logconfig`.",
        ..BLANK
    },
    Setting {
        name: "raw_paste_global_conf",
        section: "PasteDeploy",
        long: Some("paste-global"),
        metavar: "KEY=VALUE",
        kind: Kind::Texts,
        default: Preset::List(&[]),
        help: "Global variable of the PasteDeploy file; may be repeated.",
        more: "A `=` in the key is written `\\=`.",
        ..BLANK
    },
];
