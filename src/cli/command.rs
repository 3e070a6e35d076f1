//! The clap command, made from the table of settings, with argparse's ways.
//!
//! Options of what the server does not do are in it too, hidden: so what is an ambiguous abbreviation for Gunicorn stays
//! one, and whoever uses one learns the way out rather than that it does not exist.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Door, Stop};
use crate::config::{AUTO, Kind, Preset, SETTINGS, Setting, Value, Verdict, decimal, hint, octal};
use crate::exit;

/// The program's name, whatever it was started as.
pub(super) const NAME: &str = "indrik";

/// What `--help` and messages call the positional word.
pub(super) const APPLICATION: &str = "APP_MODULE";

/// Id of the option that names the interpreter.
pub(super) const PYTHON: &str = "python";

/// Columns of a line of help. The terminal is not asked: help is read in pipes and pages as well.
const HELP_WIDTH: usize = 58;

/// A default longer than this makes a line of help no clearer.
const SHORT_DEFAULT: usize = 24;

/// The options and the application among `words`, which do not begin with the program.
///
/// Errors: the text of `--help` and `--version`; a usage error, with the exit code that argparse gives it.
pub(super) fn parse(door: &Door, words: Vec<OsString>) -> Result<ArgMatches, Stop> {
    let mut command = command(door);
    command.try_get_matches_from_mut(words).map_err(|error| stop(error, &mut command))
}

fn stop(error: clap::Error, command: &mut Command) -> Stop {
    match error.kind() {
        ErrorKind::DisplayVersion => {
            Stop { text: format!("{NAME} (version {})\n", env!("CARGO_PKG_VERSION")), code: exit::OK }
        }
        ErrorKind::DisplayHelp => Stop { text: error.render().to_string(), code: exit::OK },
        _ => {
            let error = match ambiguity(&error, command) {
                Some(text) => command.error(ErrorKind::UnknownArgument, text),
                None => error,
            };
            Stop { text: error.render().to_string(), code: exit::USAGE }
        }
    }
}

/// What argparse says of an abbreviation that several options begin with; clap takes it for an unknown option.
fn ambiguity(error: &clap::Error, command: &Command) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let prefix = word.strip_prefix("--").filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    let longs = command.get_arguments().filter_map(Arg::get_long).filter(|long| long.starts_with(prefix));
    let longs: Vec<String> = longs.map(|long| format!("--{long}")).collect();
    (longs.len() > 1).then(|| format!("ambiguous option: {word} could match {}", longs.join(", ")))
}

fn command(door: &Door) -> Command {
    let mut command = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("A pre-fork WSGI application server.")
        .override_usage(format!("{NAME} [OPTIONS] [{APPLICATION}]"))
        .after_help(
            "Options are also taken from INDRIK_CMD_ARGS, else GUNICORN_CMD_ARGS, and settings from\n\
             ./indrik.conf.py, else ./gunicorn.conf.py, if there is one. The command line wins.",
        )
        .no_binary_name(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .args_override_self(true)
        .arg(
            Arg::new(APPLICATION)
                .num_args(0..)
                .action(ArgAction::Append)
                .help("The application, MODULE:NAME; further words are ignored"),
        )
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print version"));
    if matches!(door, Door::Binary) {
        let help = "Interpreter or virtual environment to use";
        let parser = value_parser!(PathBuf);
        command = command.arg(Arg::new(PYTHON).long("python").value_name("PATH").value_parser(parser).help(help));
    }
    command.args(SETTINGS.iter().filter_map(option))
}

/// The option of one setting, if it has one.
fn option(setting: &'static Setting) -> Option<Arg> {
    let long = setting.long?;
    let arg = Arg::new(setting.name)
        .long(long)
        .aliases(setting.aliases)
        .help_heading(setting.section)
        .hide(matches!(setting.verdict, Verdict::Refused(_)))
        .help(wrapped(&help(setting)));
    let arg = match setting.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    let arg = match setting.kind {
        Kind::Bool | Kind::OffSwitch => return Some(arg.action(ArgAction::SetTrue)),
        Kind::Int { .. } | Kind::Seconds { .. } => arg.value_parser(integer),
        Kind::Mode => arg.value_parser(mode),
        Kind::Workers { .. } => arg.value_parser(workers),
        Kind::Addresses | Kind::Pairs | Kind::Texts => arg.action(ArgAction::Append),
        Kind::ProxyProtocol => arg.num_args(0..=1).default_missing_value("auto"),
        Kind::Text
        | Kind::OptionalText
        | Kind::Level
        | Kind::WorkerClass
        | Kind::Choice(_)
        | Kind::AllowList
        | Kind::Proxies
        | Kind::Names
        | Kind::Paths
        | Kind::SchemeHeaders
        | Kind::Hook { .. }
        | Kind::Class
        | Kind::Dict
        | Kind::Account
        | Kind::Permissions
        | Kind::Protocols
        | Kind::Statsd
        | Kind::Anything => arg,
    };
    // No option looks like a negative number, so argparse takes one for a value; that it is too
    // small, the rules for settings say.
    Some(arg.value_name(setting.metavar).allow_negative_numbers(true))
}

/// Python's `int`, as argparse applies it.
fn integer(text: &str) -> Result<i64, String> {
    decimal(text).ok_or_else(|| match hint(text) {
        Some(hint) => format!("expected an integer ({hint})"),
        None => "expected an integer".to_owned(),
    })
}

/// The same, or the word that leaves the number to the machine.
fn workers(text: &str) -> Result<Value, String> {
    if text.trim().eq_ignore_ascii_case(AUTO) {
        return Ok(Value::Str(AUTO.to_owned()));
    }
    integer(text).map(Value::Int).map_err(|error| error.replace("an integer", "an integer or 'auto'"))
}

/// The same for a mode, where a leading 0 means octal.
fn mode(text: &str) -> Result<i64, String> {
    octal(text).ok_or_else(|| "expected an integer, such as 022".to_owned())
}

/// One sentence without its full stop, and a default that is worth a word in brackets.
fn help(setting: &Setting) -> String {
    let help = setting.help.trim_end_matches('.');
    let default = match setting.default {
        Preset::Int(number) => number.to_string(),
        Preset::Text(text) => text.to_owned(),
        Preset::List(texts) => texts.join(", "),
        Preset::None | Preset::Off | Preset::On | Preset::Dict(_) | Preset::Hook(_) => String::new(),
    };
    if default.is_empty() || default.len() > SHORT_DEFAULT { help.to_owned() } else { format!("{help} [{default}]") }
}

/// Breaks the text at blanks, so that it stands beside the options in 100 columns.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > HELP_WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}
