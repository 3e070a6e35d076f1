//! The control group of this process: what the kernel has counted there.
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v2.rst; cgroups(7) for `/proc/PID/cgroup`.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// How many processes of this control group the kernel has killed for want of memory, ever. `None`: it is not told here.
pub fn memory_kills() -> Option<u64> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let events =
        directories(&membership).into_iter().find_map(|path| fs::read_to_string(path.join("memory.events")).ok());
    // The first version of control groups counts in another file.
    let events = events.or_else(|| fs::read_to_string(first_version(&membership)?.join("memory.oom_control")).ok())?;
    counted(&events)
}

/// Resident memory of a process, in MiB. `None`: there is no such process.
pub fn resident_memory(pid: i32) -> Option<u64> {
    let pages: u64 = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse().ok()?;
    // The size of a page never changes while a system runs; every Linux that matters here has it as a power of two.
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten()?;
    Some((pages * u64::try_from(page).ok()?) >> 20)
}

/// Where the files of the group may lie: in a container its own directory is often mounted as the root.
fn directories(membership: &str) -> Vec<PathBuf> {
    let own = membership.lines().find_map(|line| line.strip_prefix("0::"));
    own.into_iter().flat_map(|path| [Path::new(ROOT).join(path.trim_start_matches('/')), ROOT.into()]).collect()
}

fn first_version(membership: &str) -> Option<PathBuf> {
    let line = membership
        .lines()
        .find(|line| line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == "memory")))?;
    let path = Path::new(ROOT).join("memory").join(line.splitn(3, ':').nth(2)?.trim_start_matches('/'));
    Some(if path.is_dir() { path } else { Path::new(ROOT).join("memory") })
}

fn counted(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kills_stand_in_a_line_of_their_own() {
        assert_eq!(counted("low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(counted("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(counted("low 0\n"), None);
    }

    #[test]
    fn the_group_is_found_by_its_path_or_at_the_root() {
        let found = directories("0::/system.slice/shop.service\n");
        assert_eq!(found, [PathBuf::from("/sys/fs/cgroup/system.slice/shop.service"), PathBuf::from("/sys/fs/cgroup")]);
        assert!(directories("5:memory:/a\n").is_empty());
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(resident_memory(std::process::id() as i32).is_some_and(|memory| memory > 0));
        assert_eq!(resident_memory(i32::MAX), None);
    }
}
