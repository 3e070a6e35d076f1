//! How many processors this process may use at once: as many as it may run on, or fewer where its control groups are given
//! less time than that.
//!
//! Source: the kernel's Documentation/admin-guide/cgroup-v2.rst (`cpu.max`) and cgroup-v1 (`cpu.cfs_quota_us`); cgroups(7).

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

const ROOT: &str = "/sys/fs/cgroup";

/// Processor time that a control group gets in each period, both in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    quota: u64,
    period: u64,
}

/// How many processors this process may use at once, rounded up; at least 1.
pub fn processors() -> usize {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    allowed(runnable(), &shares(Path::new(ROOT), &membership))
}

/// The processors that the scheduler may put this process on.
fn runnable() -> usize {
    let fallback = || std::thread::available_parallelism().map_or(1, usize::from);
    match sched_getaffinity(Pid::from_raw(0)) {
        Ok(set) => (0..CpuSet::count()).filter(|&number| set.is_set(number).unwrap_or(false)).count(),
        // More processors than the set has room for.
        Err(_) => fallback(),
    }
}

/// The tightest of all limits. Half a processor more is worth a process more: it is there to be used.
fn allowed(runnable: usize, shares: &[Share]) -> usize {
    let whole = |share: &Share| usize::try_from(share.quota.div_ceil(share.period)).unwrap_or(usize::MAX);
    shares.iter().map(whole).chain([runnable]).min().unwrap_or(1).max(1)
}

/// The limits of the group and of those that it is in. `root`: where the groups are mounted; `membership`: what
/// `/proc/self/cgroup` holds.
fn shares(root: &Path, membership: &str) -> Vec<Share> {
    let mut found = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        if controllers.is_empty() {
            found.extend(upwards(root, path).iter().filter_map(|group| second_version(group)));
        } else if controllers.split(',').any(|name| name == "cpu") {
            let mounts = [root.join("cpu"), root.join(controllers)];
            let mount = mounts.iter().find(|mount| mount.is_dir()).unwrap_or(&mounts[0]);
            found.extend(upwards(mount, path).iter().filter_map(|group| first_version(group)));
        }
    }
    found
}

/// The group at `path` and those above it, up to `root`. In a container its own group often is the root.
fn upwards(root: &Path, path: &str) -> Vec<PathBuf> {
    let own = root.join(path.trim_start_matches('/'));
    own.ancestors().take_while(|group| group.starts_with(root)).map(Path::to_owned).collect()
}

fn second_version(group: &Path) -> Option<Share> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut words = text.split_ascii_whitespace();
    // `max` in place of a number: no limit.
    share(words.next()?, words.next()?)
}

fn first_version(group: &Path) -> Option<Share> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    // -1: no limit.
    share(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

fn share(quota: &str, period: &str) -> Option<Share> {
    let share = Share { quota: quota.parse().ok()?, period: period.parse().ok()? };
    (share.period > 0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(quota: u64) -> Share {
        Share { quota, period: 100_000 }
    }

    #[test]
    fn the_tightest_limit_counts_and_a_part_counts_as_one() {
        for (runnable, shares, want) in [
            (8, vec![], 8),
            (8, vec![share(400_000)], 4),
            (2, vec![share(400_000)], 2),
            (8, vec![share(150_000)], 2),
            (8, vec![share(10_000)], 1),
            (8, vec![share(800_000), share(300_000), share(600_000)], 3),
            (0, vec![], 1),
            (8, vec![share(0)], 1),
        ] {
            assert_eq!(allowed(runnable, &shares), want, "{runnable} {shares:?}");
        }
    }

    #[test]
    fn limits_are_found_from_the_own_group_upwards() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("cpu.max", "max 100000\n");
        write("system.slice/cpu.max", "300000 100000\n");
        write("system.slice/shop.service/cpu.max", "150000 100000\n");
        let of = |membership: &str| shares(root.path(), membership);
        assert_eq!(of("0::/system.slice/shop.service\n"), [share(150_000), share(300_000)]);
        assert_eq!(of("0::/\n"), []);
        assert_eq!(of("0::/elsewhere\n"), [], "a path of the host, seen in a container");
        assert_eq!(of(""), []);
        // The first version, under either name of its mount.
        write("cpu,cpuacct/docker/a/cpu.cfs_quota_us", "50000\n");
        write("cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000\n");
        write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
        write("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
        assert_eq!(of("5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/\n"), [share(50_000)]);
    }

    #[test]
    fn this_process_may_use_some() {
        assert!((1..=runnable()).contains(&processors()));
    }
}
