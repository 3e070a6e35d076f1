//! Settings: ONE table of what can be set, and the way from what was typed to what is meant.
//!
//! [`Layers`] hold what was typed, each value with its [`Source`]; [`resolve`] makes of them the [`Config`] that all
//! other rooms read and nobody changes. Pure: the command line, the environment and the settings file are read by
//! others, who hand their findings in. From the same table come `--help`, `--print-config` and `docs/settings.md`.

mod advice;
mod choice;
mod diagnosis;
mod docs;
mod error;
mod kind;
mod meant;
mod peers;
mod print;
mod raw;
mod resolve;
mod settle;
mod suggest;
mod table;
mod value;
mod worker_class;

pub use choice::{Account, ClientIpHeader, HeaderMap, ProxyProtocol};
pub use diagnosis::{Finding, Judgement, diagnose};
pub use docs::settings_markdown;
pub use error::{Error, Warning, hint};
pub use kind::{AUTO, Kind};
pub use meant::{Config, Level, WorkerClass};
pub use peers::Peers;
pub use print::{Effective, effective, print};
pub use raw::{Given, Layers, Raw, Source};
pub use resolve::resolve;
pub use settle::accept;
pub use table::{Preset, SETTINGS, Setting, Verdict};
pub use value::{FOREIGN_WORKER, UNFIT, Value, decimal, octal};

/// Settings files that are read when none is named: the first that exists in the working directory.
pub const SETTINGS_FILES: [&str; 2] = ["indrik.conf.py", "gunicorn.conf.py"];
