//! Files without a name: for bytes that are too many for memory. The kernel frees them when the last descriptor closes,
//! so nothing is left behind by a worker that dies.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// Makes an empty file in `dir` that has no name, open for reading and writing, close-on-exec.
///
/// Errors: as open(2) with `O_TMPFILE`; a file system without that gets a file whose name is removed at once.
pub fn unlinked_file(dir: &Path) -> io::Result<File> {
    tempfile::tempfile_in(dir)
}

/// Is what lies in `dir` kept in memory? `false` when the kernel cannot say.
pub fn is_tmpfs(dir: &Path) -> bool {
    statfs(dir).is_ok_and(|facts| facts.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileExt, MetadataExt};

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn an_unlinked_file_has_no_name_and_is_not_inherited() {
        let file = unlinked_file(&std::env::temp_dir()).unwrap();
        file.write_all_at(b"abc", 5).unwrap();
        let facts = file.metadata().unwrap();
        assert_eq!((facts.len(), facts.nlink()), (8, 0));
        let flags = FdFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        assert_eq!(unlinked_file(Path::new("/nowhere/at/all")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_in_memory_is_recognised() {
        assert!(!is_tmpfs(Path::new("/proc")));
        assert!(!is_tmpfs(Path::new("/nowhere/at/all")));
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        for line in mounts.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if words[1] == "/dev/shm" {
                assert_eq!(is_tmpfs(Path::new("/dev/shm")), words[2] == "tmpfs", "{line}");
            }
        }
    }
}
