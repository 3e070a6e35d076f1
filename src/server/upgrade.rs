//! A binary upgrade, from both sides: becoming the program as it lies on the disk by now, and being the one that was made so.
//!
//! Source: Gunicorn, USR2: `GUNICORN_PID` names the old master, `GUNICORN_FD` the sockets.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Door;
use crate::exit;
use crate::master::Heritage;
use crate::py::environment;
use crate::sys;

const OLD_MASTER: &str = "GUNICORN_PID";
const SOCKETS: &str = "GUNICORN_FD";

/// How this process was started: so a new master is started, too.
pub(super) struct Origin {
    directory: PathBuf,
    variables: Vec<(OsString, OsString)>,
    door: Door,
    argv: Vec<OsString>,
}

impl Origin {
    /// Called before anything has changed. Errors: the working directory is gone.
    pub(super) fn note(door: Door, argv: Vec<OsString>) -> Result<Self, String> {
        let directory = working_directory()?;
        Ok(Self { directory, variables: std::env::vars_os().collect(), door, argv })
    }

    /// Where the process was started.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Becomes a new master beside the one with pid `old`, at the same sockets. Returns if it cannot: why.
    ///
    /// `sockets`: how many of them are a service manager's, from descriptor 3 on; they are said to be this process's, too.
    pub(super) fn execute(&self, old: u32, descriptors: &[i32], sockets: usize) -> String {
        let argv = match self.door {
            Door::Binary => self.argv.clone(),
            Door::Wheel => match environment::command() {
                Ok(argv) => argv,
                Err(text) => return text,
            },
        };
        let mut variables = self.variables.clone();
        variables.retain(|(name, _)| name != OLD_MASTER && name != SOCKETS);
        let numbers: Vec<String> = descriptors.iter().map(i32::to_string).collect();
        if sockets > 0 {
            variables.retain(|(name, _)| name != "LISTEN_PID");
            variables.push(("LISTEN_PID".into(), std::process::id().to_string().into()));
        }
        variables.push((OLD_MASTER.into(), old.to_string().into()));
        variables.push((SOCKETS.into(), numbers.join(",").into()));
        let executed =
            std::env::set_current_dir(&self.directory).and_then(|()| sys::execute(&argv, &variables, descriptors));
        format!(
            "cannot execute {}: {}",
            argv.first().map(OsString::as_os_str).unwrap_or_default().display(),
            executed.err().map(|error| error.to_string()).unwrap_or_default()
        )
    }
}

/// What the master that has made this one by USR2 left in the environment, which forgets it. Errors: it makes no sense.
pub(super) fn heritage() -> Result<Option<Heritage>, String> {
    let (old, sockets) = (environment::variable(OLD_MASTER), environment::variable(SOCKETS));
    environment::remove_variable(OLD_MASTER);
    environment::remove_variable(SOCKETS);
    let Some(old) = old else { return Ok(None) };
    let wrong =
        |name: &str, value: &str| format!("the variable {name} says {value:?}: it is the server's own, unset it");
    let master = old.parse().map_err(|_| wrong(OLD_MASTER, &old))?;
    let sockets = sockets.unwrap_or_default();
    let numbers: Result<Vec<i32>, _> = sockets.split(',').filter(|text| !text.is_empty()).map(str::parse).collect();
    let descriptors = numbers.map_err(|_| wrong(SOCKETS, &sockets))?;
    Ok(Some(Heritage { master, descriptors }))
}

/// The working directory by the name that it was entered under: of `current`, a link to a release, the link. Then a reload
/// or an upgrade finds the next release there.
fn working_directory() -> Result<PathBuf, String> {
    let real = std::env::current_dir().map_err(|error| format!("cannot find the working directory: {error}"))?;
    let named = std::env::var_os("PWD").map(PathBuf::from).filter(|named| named.is_absolute());
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    Ok(named.filter(|named| identity(named).is_some_and(|one| Some(one) == identity(&real))).unwrap_or(real))
}

/// Says what went wrong, in a process that is neither the old master nor a new one, and ends it.
pub(super) fn fail(text: &str) -> ! {
    log::error!("No new master: {text}");
    sys::exit_now(exit::CONFIG)
}
