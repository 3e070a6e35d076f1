//! Limits that the system sets for this process.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the number of descriptors that may be open (soft `RLIMIT_NOFILE`) to `wanted`, or as far as the hard limit
/// allows; never lowers it. Gives the soft limit that holds now, which may be less than `wanted`.
///
/// Errors: as setrlimit(2); the limit is as before.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let target = wanted.min(hard);
    if target <= soft {
        return Ok(soft);
    }
    setrlimit(Resource::RLIMIT_NOFILE, target, hard)?;
    Ok(target)
}

/// The number of descriptors that may be open. Errors: as getrlimit(2).
pub fn descriptor_limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(raise_descriptor_limit(0).unwrap(), soft);
        assert_eq!(raise_descriptor_limit(soft).unwrap(), soft);
        let more = soft.saturating_add(1).min(hard);
        assert_eq!(raise_descriptor_limit(more).unwrap(), more);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (more, hard));
        assert_eq!(raise_descriptor_limit(u64::MAX).unwrap(), hard);
        assert_eq!(raise_descriptor_limit(soft).unwrap(), hard);
    }
}
