//! Users and groups: their numbers, and becoming one of them.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Group, Uid, User, geteuid, getuid, initgroups, setgid, setgroups, setuid};

/// Who a process shall be. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Number of the user.
    pub user: Option<u32>,
    /// Number of the group.
    pub group: Option<u32>,
    /// With all groups that the system knows the user to be in; without `group` its own one comes first.
    pub with_groups: bool,
}

/// Which step could not be taken.
#[derive(Debug)]
pub enum IdentityError {
    /// To the group, or the groups.
    Group(io::Error),
    /// To the user.
    User(io::Error),
}

/// The number of a user; `None` if there is none of that name. Errors: the system cannot be asked.
pub fn user_number(name: &str) -> io::Result<Option<u32>> {
    Ok(User::from_name(name)?.map(|user| user.uid.as_raw()))
}

/// The number of a group; `None` if there is none of that name. Errors: the system cannot be asked.
pub fn group_number(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// May this process do what only root may?
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes that user and group, for good. Who stops being root gives up the groups of root, too.
///
/// Source: Gunicorn's `set_owner_process`, which keeps root's groups.
pub fn assume(identity: Identity) -> Result<(), IdentityError> {
    let Identity { user, group, with_groups } = identity;
    let known = user.filter(|_| with_groups).and_then(|user| User::from_uid(Uid::from_raw(user)).ok().flatten());
    let group = group.map(Gid::from_raw).or(known.as_ref().map(|known| known.gid));
    let is_leaving = user.is_some_and(|user| user != getuid().as_raw());
    let failed = |error: nix::Error| IdentityError::Group(error.into());
    match known.and_then(|known| Some((CString::new(known.name).ok()?, group?))) {
        Some((name, group)) => initgroups(&name, group).map_err(failed)?,
        None if is_leaving && is_root() => setgroups(&Vec::from_iter(group)).map_err(failed)?,
        None => {}
    }
    if let Some(group) = group.filter(|group| *group != nix::unistd::getgid()) {
        setgid(group).map_err(failed)?;
    }
    match user {
        Some(user) if is_leaving => setuid(Uid::from_raw(user)).map_err(|error| IdentityError::User(error.into())),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_and_unknown_ones_have_none() {
        assert_eq!(user_number("root").unwrap(), Some(0));
        assert_eq!(group_number("root").unwrap(), Some(0));
        assert_eq!(user_number("no such user").unwrap(), None);
        assert_eq!(group_number("no such group").unwrap(), None);
    }

    #[test]
    fn who_shall_stay_stays() {
        assume(Identity::default()).unwrap();
        let own = Identity { user: Some(getuid().as_raw()), ..Identity::default() };
        assume(own).unwrap();
    }
}
