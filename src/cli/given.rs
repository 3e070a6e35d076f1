//! From what clap has parsed to values with their source.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::command::{APPLICATION, PYTHON};
use crate::config::{Kind, Raw, SETTINGS, Setting, Source, Value};

/// The settings that options give, in the order of the table. An option that is repeated counts with its last value;
/// one that makes a list, with all of them.
///
/// `source`: makes the source from the long form of the option.
pub(super) fn options(matches: &ArgMatches, source: impl Fn(String) -> Source) -> Raw {
    let mut raw = Raw::new();
    for setting in SETTINGS {
        if let Some(flag) = setting.flag()
            && let Some(value) = value(setting, matches)
        {
            raw.push(setting.name, value, source(flag));
        }
    }
    raw
}

/// The first positional word.
pub(super) fn application(matches: &ArgMatches) -> Option<String> {
    matches.get_many::<String>(APPLICATION)?.next().cloned()
}

/// The interpreter or virtual environment that `--python` names.
pub(super) fn python(matches: &ArgMatches) -> Option<PathBuf> {
    // Only one of the two doors knows the option.
    matches.try_get_one::<PathBuf>(PYTHON).ok().flatten().cloned()
}

fn value(setting: &Setting, matches: &ArgMatches) -> Option<Value> {
    if matches.value_source(setting.name) != Some(ValueSource::CommandLine) {
        return None;
    }
    Some(match setting.kind {
        Kind::Bool => Value::Bool(matches.get_flag(setting.name)),
        Kind::OffSwitch => Value::Bool(!matches.get_flag(setting.name)),
        Kind::Int { .. } | Kind::Seconds { .. } | Kind::Mode => Value::Int(*matches.get_one::<i64>(setting.name)?),
        Kind::Workers { .. } => matches.get_one::<Value>(setting.name)?.clone(),
        Kind::Addresses | Kind::Pairs | Kind::Texts => {
            Value::List(matches.get_many::<String>(setting.name)?.cloned().map(Value::Str).collect())
        }
        Kind::Text
        | Kind::OptionalText
        | Kind::Level
        | Kind::WorkerClass
        | Kind::Choice(_)
        | Kind::ProxyProtocol
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
        | Kind::Anything => Value::Str(matches.get_one::<String>(setting.name)?.clone()),
    })
}
