//! Memory that the master shares with the workers it forks.

use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Zeroed words in an anonymous shared mapping: what one process stores, the others read.
///
/// Made before the first fork. Pages that nobody touches cost nothing (`MAP_NORESERVE`).
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping is plain memory that lives until drop, and it is only ever seen as atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above; every access through a shared reference is atomic.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps `count` words, all zero. Errors: as mmap(2).
    pub fn new(count: NonZeroUsize) -> io::Result<Self> {
        let bytes = count
            .checked_mul(NonZeroUsize::new(size_of::<AtomicU64>()).expect("a word has a size"))
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE;
        // SAFETY: an anonymous mapping at an address the kernel chooses touches no memory of ours.
        let start = unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?;
        Ok(Self { start: start.cast(), count: count.get() })
    }

    /// All words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `count` words long, zeroed by the kernel, and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length; no reference outlives `self`.
        let _ = unsafe { munmap(self.start.cast(), self.count * size_of::<AtomicU64>()) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_start_at_zero_and_keep_what_is_stored() {
        let shared = SharedWords::new(NonZeroUsize::new(1024).unwrap()).unwrap();
        assert!(shared.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        shared.words()[1023].store(7, Ordering::Relaxed);
        assert_eq!(shared.words()[1023].load(Ordering::Relaxed), 7);
    }
}
