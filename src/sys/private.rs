//! Descriptors that are the server's alone: a process that the application forks must not keep them.
//!
//! Who opens one says so here, and takes it back before it is closed. The table is a bit per descriptor, without a lock, since
//! it is read in a child that has one thread of its parent's.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// Descriptors from this number on are not kept account of. As many as Linux allows a process by default (`fs.nr_open`).
const MOST: usize = 1 << 20;

static TABLE: [AtomicU64; MOST / 64] = [const { AtomicU64::new(0) }; MOST / 64];

/// A descriptor is private as long as this lives; it must go before the descriptor is closed.
#[derive(Debug)]
pub struct Private(RawFd);

impl Private {
    /// `descriptor` is the server's from now on.
    pub fn new(descriptor: &impl AsRawFd) -> Self {
        let number = descriptor.as_raw_fd();
        if let Some((word, bit)) = place(number) {
            word.fetch_or(bit, Relaxed);
        }
        Self(number)
    }
}

/// As [`Private::new`], for descriptors that stay private until somebody takes that upon itself anew, or the process ends.
pub fn keep_private<'a>(descriptors: impl Iterator<Item = BorrowedFd<'a>>) {
    descriptors.for_each(|descriptor| std::mem::forget(Private::new(&descriptor)));
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some((word, bit)) = place(self.0) {
            word.fetch_and(!bit, Relaxed);
        }
    }
}

/// Lets go of all private descriptors: in a child that was forked without regard to us. Each number stands for `/dev/null`
/// afterwards, so that nothing which still uses one meets a descriptor that the child opens later.
pub fn surrender_private() {
    // Without one the descriptors are closed: that is what matters most.
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).ok();
    for (index, word) in TABLE.iter().enumerate() {
        let mut bits = word.swap(0, Relaxed);
        while bits != 0 {
            let number = (index * 64) as RawFd + bits.trailing_zeros() as RawFd;
            bits &= bits - 1;
            match &null {
                // SAFETY: dup3(2) replaces a descriptor whose owner, in this process, is never dropped: the child leaves by
                // `_exit`, and what it still does with the number fails or is thrown away.
                Some(null) => unsafe { libc::dup3(null.as_raw_fd(), number, libc::O_CLOEXEC) },
                // SAFETY: as above.
                None => unsafe { libc::close(number) },
            };
        }
    }
}

fn place(number: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let number = usize::try_from(number).ok()?;
    Some((TABLE.get(number / 64)?, 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_marked(number: RawFd) -> bool {
        place(number).is_some_and(|(word, bit)| word.load(Relaxed) & bit != 0)
    }

    #[test]
    fn a_descriptor_is_private_as_long_as_somebody_says_so() {
        let (one, other) = crate::sys::pipe().unwrap();
        let private = Private::new(&one);
        assert!(is_marked(one.as_raw_fd()));
        assert!(!is_marked(other.as_raw_fd()));
        drop(private);
        assert!(!is_marked(one.as_raw_fd()));
        assert!(place(-1).is_none());
        assert!(place(MOST as RawFd).is_none());
    }
}
