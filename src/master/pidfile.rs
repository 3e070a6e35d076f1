//! The pid file: says which process the master is, and that there is one already. Source: Gunicorn setting `pidfile`.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys;

/// Clocks are set, and the time of the boot is rounded.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// A file with this process's pid; removed when dropped by that process, if it still holds that pid.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    pid: u32,
}

/// Why there is no pid file.
#[derive(Debug)]
pub enum PidfileError {
    /// The directory does not exist.
    NoDirectory(PathBuf),
    /// Another master holds it.
    Running(u32, PathBuf),
    /// It cannot be written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for PidfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDirectory(path) => write!(f, "{} doesn't exist. Can't create pidfile.", path.display()),
            Self::Running(pid, path) => {
                write!(f, "Already running on PID {pid} (or pid file '{}' is stale)", path.display())
            }
            Self::Io(path, error) => write!(f, "cannot write pid file '{}': {error}", path.display()),
        }
    }
}

impl std::error::Error for PidfileError {}

impl Pidfile {
    /// Writes the pid of this process, in one step, for everybody to read. A file whose process is gone, or is plainly
    /// not a server of ours, is replaced.
    pub fn create(path: &Path) -> Result<Self, PidfileError> {
        let directory = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("/"),
        };
        if !directory.is_dir() {
            return Err(PidfileError::NoDirectory(directory.to_owned()));
        }
        let pid = std::process::id();
        if let Some(other) = holder(path).filter(|&other| other != pid && is_held(path, other)) {
            return Err(PidfileError::Running(other, path.to_owned()));
        }
        let failed = |error| PidfileError::Io(path.to_owned(), error);
        // Named after the file, so that two pid files in one directory do not meet.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!(".{name}.{pid}"));
        let written = (|| {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            writeln!(file, "{pid}")?;
            fs::rename(&temporary, path)
        })();
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(failed(error));
        }
        Ok(Self { path: path.to_owned(), pid })
    }

    /// Where the pid file of a second master is, beside the first one's. Source: Gunicorn.
    pub fn second(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".2");
        name.into()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // A forked child has a copy of this value; the file is not its to remove.
        if std::process::id() == self.pid && holder(&self.path) == Some(self.pid) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The pid in the file, if there is one.
fn holder(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// How the title of a master begins.
const MASTER: &[u8] = b"indrik: master";

/// Is the process with the pid in the file a server that may have written it? The number alone says nothing: after a restart of
/// a machine or a container it is somebody else's.
fn is_held(path: &Path, pid: u32) -> bool {
    if !sys::exists(pid) {
        return false;
    }
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        // Another user's, where processes are hidden.
        return true;
    };
    let has = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
    // Nobody writes a file before it is there.
    let is_younger = || {
        let written = fs::metadata(path).and_then(|found| found.modified()).ok()?;
        Some(sys::started_at(pid)? > written + CLOCK_SLACK)
    };
    let title: Vec<u8> = line.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let may_be_master = match title.starts_with(b"indrik: ") {
        // A title has no more room than the words that the process was started with.
        true => title.starts_with(MASTER) || MASTER.starts_with(&title),
        // One of Gunicorn's, or one that has just begun.
        false => has(b"indrik") || has(b"gunicorn"),
    };
    may_be_master && !is_younger().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    /// A process that sleeps under another name.
    struct Other(std::process::Child);

    impl Other {
        fn called(title: &str) -> Self {
            let other = Self(std::process::Command::new("sleep").arg0(title).arg("60").spawn().unwrap());
            // Until it has become that program it looks as we do.
            let is_there =
                || fs::read(format!("/proc/{}/cmdline", other.0.id())).unwrap().starts_with(title.as_bytes());
            while !is_there() {
                std::thread::yield_now();
            }
            other
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("indrik-{name}-{}.pid", std::process::id()))
    }

    #[test]
    fn it_is_written_for_all_to_read_and_removed_in_the_end() {
        let path = place("plain");
        let pidfile = Pidfile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        drop(pidfile);
        assert!(!path.exists());
    }

    #[test]
    fn a_living_holder_is_respected_and_a_dead_one_is_not() {
        let path = place("held");
        for title in ["indrik: master [shop]", "/usr/bin/gunicorn"] {
            let other = Other::called(title);
            fs::write(&path, format!("{}\n", other.0.id())).unwrap();
            assert!(matches!(Pidfile::create(&path), Err(PidfileError::Running(pid, _)) if pid == other.0.id()));
        }
        for stale in ["999999999\n", "", "junk", "0\n", "-1\n"] {
            fs::write(&path, stale).unwrap();
            drop(Pidfile::create(&path).unwrap());
        }
        assert!(!path.exists());
    }

    #[test]
    fn a_number_that_is_somebody_elses_by_now_holds_nothing() {
        let path = place("recycled");
        for title in ["sleep", "indrik: worker [shop]"] {
            let other = Other::called(title);
            fs::write(&path, format!("{}\n", other.0.id())).unwrap();
            drop(Pidfile::create(&path).unwrap());
        }
        let other = Other::called("/usr/bin/gunicorn");
        fs::write(&path, format!("{}\n", other.0.id())).unwrap();
        let long_ago = sys::started_at(other.0.id()).unwrap() - Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        drop(Pidfile::create(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_somebody_else_has_rewritten_stays() {
        let path = place("foreign");
        let pidfile = Pidfile::create(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(pidfile);
        assert!(path.exists());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = Pidfile::create(Path::new("/no/such/x.pid")).unwrap_err();
        assert_eq!(error.to_string(), "/no/such doesn't exist. Can't create pidfile.");
    }
}
