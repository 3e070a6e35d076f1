//! The error log: Gunicorn's lines, `[time] [pid] [LEVEL] message`, from the `log` façade through env_logger.
//!
//! The logger is installed once per process and inherited through forks; what changes is the sink behind it. One entry
//! is one `write(2)`. Started by `server` before the first line, configured anew by a reload, reopened by USR1.
#![allow(clippy::disallowed_methods)] // A line says when it was written; nothing is decided by that time.

use std::fmt;
use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use env_logger::{Builder, Target};
use jiff::Zoned;
use log::{Level, LevelFilter};

use super::clock::local_time;
use super::destination::Destination;
use super::sink::Sink;

/// The target that makes an error a CRITICAL one; see [`critical!`](crate::critical).
const CRITICAL: &str = "critical";

/// Logs at CRITICAL, a level of Python's logging that `log` lacks: an error with the target `critical`.
#[macro_export]
macro_rules! critical {
    ($($message:tt)+) => {
        ::log::error!(target: "critical", $($message)+)
    };
}

/// Opens `destination` and logs what is at least as grave as `level` to it from now on; replaces an earlier start.
///
/// [`LevelFilter::Off`] is Gunicorn's `critical`: only CRITICAL is written, and it cannot be switched off.
///
/// Errors: the destination cannot be opened (an earlier one stays in use, with its level); another logger was installed
/// in this process before the first start.
///
/// Source: the settings `errorlog` and `loglevel`.
pub fn start(destination: &Destination, level: LevelFilter) -> io::Result<()> {
    let mut state = state();
    match &mut state.sink {
        Some(sink) if sink.destination() == destination => sink.reopen()?,
        sink => *sink = Some(Sink::open(destination)?),
    }
    if !state.is_installed {
        log::set_boxed_logger(Box::new(logger())).map_err(io::Error::other)?;
        state.is_installed = true;
    }
    ONLY_CRITICAL.store(level == LevelFilter::Off, Ordering::Relaxed);
    log::set_max_level(level.max(LevelFilter::Error));
    Ok(())
}

/// Where lines go instead of to the sink: level as Python names it, and text. `false`: to the sink as well.
pub type Relay = fn(level: &str, text: &str) -> bool;

/// Sends all lines through `relay` from now on, of at least `level`; `None`: to the sink again.
///
/// Source: Gunicorn's `logger_class`, `logconfig` and their kin.
pub fn relay(relay: Option<(Relay, LevelFilter)>) {
    match relay {
        Some((relay, level)) => {
            ONLY_CRITICAL.store(false, Ordering::Relaxed);
            log::set_max_level(level);
            *RELAY.write().unwrap_or_else(PoisonError::into_inner) = Some(relay);
        }
        None => *RELAY.write().unwrap_or_else(PoisonError::into_inner) = None,
    }
}

/// Opens a log file anew, after a rotation has moved it: to append, created with mode 0644, close-on-exec.
///
/// Errors: the file cannot be opened; the old one stays in use. Standard streams always succeed.
pub fn reopen() -> io::Result<()> {
    match &mut state().sink {
        Some(sink) => sink.reopen(),
        None => Ok(()),
    }
}

/// Appends `text` as it is, without a prefix: output that was captured, or what the application sent to `wsgi.errors`.
///
/// Before [`start`] it goes to the standard error stream.
pub fn write_raw(text: &[u8]) {
    match &mut state().sink {
        Some(sink) => sink.append(text),
        // A stream that is gone leaves nobody to tell.
        None => drop(io::stderr().write_all(text)),
    }
}

/// The filter that a word of the setting `loglevel` stands for, in any case; `None` for an unknown word.
pub fn level(word: &str) -> Option<LevelFilter> {
    let levels = [
        ("debug", LevelFilter::Debug),
        ("info", LevelFilter::Info),
        ("warning", LevelFilter::Warn),
        ("error", LevelFilter::Error),
        (CRITICAL, LevelFilter::Off),
    ];
    let known = levels.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, level)| *level)
}

struct State {
    sink: Option<Sink>,
    is_installed: bool,
}

static STATE: Mutex<State> = Mutex::new(State { sink: None, is_installed: false });

static RELAY: RwLock<Option<Relay>> = RwLock::new(None);

static ONLY_CRITICAL: AtomicBool = AtomicBool::new(false);

fn state() -> MutexGuard<'static, State> {
    // A panic while it was held can at worst have lost a line.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What env_logger writes to: whichever sink is open now.
struct CurrentSink;

impl Write for CurrentSink {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        write_raw(entry);
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Filters nothing itself: the level is `log`'s own, which a reload can change.
fn logger() -> env_logger::Logger {
    Builder::new()
        .filter_level(LevelFilter::Trace)
        .target(Target::Pipe(Box::new(CurrentSink)))
        .format(|entry, record| {
            let level = level_name(record.level(), record.target());
            if ONLY_CRITICAL.load(Ordering::Relaxed) && level != "CRITICAL" {
                return Ok(());
            }
            let relay = *RELAY.read().unwrap_or_else(PoisonError::into_inner);
            if relay.is_some_and(|relay| relay(level, &record.args().to_string())) {
                return Ok(());
            }
            // The pid is asked for each time: the logger was made before the fork.
            let now = local_time(SystemTime::now());
            write_entry(entry, &now, process::id(), level, record.args())
        })
        .build()
}

fn write_entry(
    entry: &mut impl Write,
    now: &Zoned,
    pid: u32,
    level: &str,
    message: impl fmt::Display,
) -> io::Result<()> {
    let time = now.strftime("%Y-%m-%d %H:%M:%S %z");
    writeln!(entry, "[{time}] [{pid}] [{level}] {message}")
}

/// Python's names; `Trace` has none there and counts as DEBUG.
fn level_name(level: Level, target: &str) -> &'static str {
    match level {
        Level::Error if target == CRITICAL => "CRITICAL",
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;
    use jiff::tz::{Offset, TimeZone};

    use super::*;
    use crate::logging::sink::tests::Folder;

    #[track_caller]
    fn check(level: Level, target: &str, message: &str, want: &str) {
        let time = Timestamp::from_second(1_795_357_118).expect("a time");
        let time = time.to_zoned(TimeZone::fixed(Offset::constant(-3)));
        let mut entry = Vec::new();
        let level = level_name(level, target);
        write_entry(&mut entry, &time, 21081, level, message).expect("a Vec takes everything");
        assert_eq!(String::from_utf8_lossy(&entry), want);
    }

    #[test]
    fn an_entry_is_a_line_of_gunicorn() {
        let head = "[2026-11-22 11:18:38 -0300] [21081]";
        let line = format!("{head} [INFO] Starting\n");
        check(Level::Info, "indrik::master", "Starting", &line);
        for (level, target, name) in [
            (Level::Error, "critical", "CRITICAL"),
            (Level::Error, "indrik", "ERROR"),
            (Level::Warn, "critical", "WARNING"),
            (Level::Debug, "indrik", "DEBUG"),
            (Level::Trace, "indrik", "DEBUG"),
        ] {
            check(level, target, "m", &format!("{head} [{name}] m\n"));
        }
        let traceback = format!("{head} [ERROR] Traceback:\n  a\nb\n");
        check(Level::Error, "indrik", "Traceback:\n  a\nb", &traceback);
    }

    #[test]
    fn the_words_of_loglevel_are_known_in_any_case() {
        for (word, want) in [
            ("debug", Some(LevelFilter::Debug)),
            ("Info", Some(LevelFilter::Info)),
            ("WARNING", Some(LevelFilter::Warn)),
            ("error", Some(LevelFilter::Error)),
            ("critical", Some(LevelFilter::Off)),
            ("warn", None),
            ("", None),
        ] {
            assert_eq!(level(word), want, "{word}");
        }
    }

    /// One test, because the logger belongs to the whole process; other tests may add lines of their own.
    #[test]
    fn a_start_is_replaced_reopened_and_kept_when_the_next_fails() {
        let folder = Folder::new("error");
        let file = |name: &str| Destination::File(folder.0.join(name));
        let lines = |name: &str| -> Vec<String> {
            let text = folder.read(name);
            let ours = text.lines().filter(|line| line.contains("step"));
            ours.map(|line| line.rsplit("] ").next().unwrap_or(line).to_owned()).collect()
        };
        start(&file("first"), LevelFilter::Info).expect("a file");
        log::info!("step 1");
        log::debug!("step unheard");
        write_raw(b"step raw\n");
        crate::critical!("step {}", 2);
        assert_eq!(lines("first"), ["step 1", "step raw", "step 2"]);
        let pid = format!("[{}] [CRITICAL] step 2\n", process::id());
        assert!(folder.read("first").contains(&pid));

        fs::rename(folder.0.join("first"), folder.0.join("first.1")).expect("a file");
        log::info!("step 3");
        reopen().expect("a file");
        log::info!("step 4");
        assert_eq!(lines("first.1").last().map(String::as_str), Some("step 3"));
        assert_eq!(lines("first"), ["step 4"]);

        assert!(start(&file("missing/log"), LevelFilter::Debug).is_err());
        log::info!("step 5");
        log::debug!("step unheard");
        assert_eq!(lines("first"), ["step 4", "step 5"]);

        start(&file("second"), LevelFilter::Off).expect("a file");
        log::error!("step unheard");
        crate::critical!("step 6");
        start(&file("second"), LevelFilter::Debug).expect("a file");
        log::debug!("step 7");
        assert_eq!(lines("second"), ["step 6", "step 7"]);
        assert_eq!(lines("first"), ["step 4", "step 5"]);

        let _ = std::thread::spawn(|| {
            let _held = STATE.lock();
            panic!("on purpose: a panic while the log is held")
        })
        .join();
        log::info!("step 8");
        assert_eq!(lines("second"), ["step 6", "step 7", "step 8"]);
        start(&Destination::Stderr, LevelFilter::Warn).expect("stderr");
        assert_eq!(lines("second").len(), 3);
    }
}
