//! Who the workers run as, and what is made over to them: settings `user`, `group`, `initgroups`.

use std::fs::File;
use std::os::unix::fs::fchown;

use crate::config::{Account, Config, Layers};
use crate::sys::{self, Identity, IdentityError};

/// Replaces the names of users and groups by their numbers. Errors: there is none of that name; the text names the setting.
pub(super) fn number_accounts(config: &mut Config, layers: &Layers) -> Result<(), String> {
    let number = |name: &str, account: &mut Option<Account>, kind: &str, ask: fn(&str) -> _| {
        let Some(Account::Name(given)) = account else { return Ok(()) };
        let wrong = |text: String| format!("invalid value for {name} ({}): {text}", layers.source(name));
        let found: std::io::Result<Option<u32>> = ask(given);
        match found.map_err(|error| wrong(format!("cannot look up {kind} '{given}': {error}")))? {
            Some(found) => *account = Some(Account::Number(found)),
            None => return Err(wrong(format!("No such {kind}: '{given}'"))),
        }
        Ok(())
    };
    number("user", &mut config.user, "user", sys::user_number)?;
    number("group", &mut config.group, "group", sys::group_number)?;
    number("unix_socket_user", &mut config.unix_socket_user, "user", sys::user_number)?;
    number("unix_socket_group", &mut config.unix_socket_group, "group", sys::group_number)
}

/// In a new worker: becomes who the settings name. Errors: what could not be done.
pub(super) fn drop_to(config: &Config) -> Result<(), String> {
    let number = |account: &Option<Account>| account.as_ref().and_then(Account::number);
    let (user, group) = (number(&config.user), number(&config.group));
    let failed = |setting: &str, number: Option<u32>, error| {
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        format!(
            "cannot become {setting} {number} (setting {setting}): {error}\nhint: only root can give workers another user"
        )
    };
    sys::assume(Identity { user, group, with_groups: config.initgroups }).map_err(|error| match error {
        IdentityError::User(error) => failed("user", user, error),
        IdentityError::Group(error) => failed("group", group, error),
    })
}

/// Lets the workers open this log file anew. What is no file, such as /dev/null, stays whose it is.
///
/// Source: Gunicorn's logger, which passes over failures, too: whoever is not root owns the file already.
pub(super) fn give(file: &File, config: &Config) {
    let number = |account: &Option<Account>| account.as_ref().and_then(Account::number);
    let (user, group) = (number(&config.user), number(&config.group));
    if (user.is_some() || group.is_some()) && file.metadata().is_ok_and(|found| found.is_file()) {
        let _ = fchown(file, user, group);
    }
}

/// Says what a worker keeps of root's, where only half was asked for.
pub(super) fn report(config: &Config) {
    let leaves_root = config.user.as_ref().and_then(Account::number).is_some_and(|user| user != 0);
    if leaves_root && config.group.is_none() && !config.initgroups && sys::is_root() {
        log::warn!("the workers have a user (setting user) but no group of their own: they stay in the master's");
    }
}
