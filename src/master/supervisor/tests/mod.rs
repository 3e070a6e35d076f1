//! The stage on which scenes from the life of a master are played. The scenes, one sentence each, are in `workers.rs` (boots,
//! ends, deadlines), `reload.rs` and `operator.rs` (other signals, the stop); random lives are in `tests/master_sim.rs`.

use std::time::{Duration, Instant};

use super::*;

mod operator;
mod reload;
mod workers;

/// A master whose forks succeed at once: the first worker is pid 101, the next 102, and so on.
struct Scene {
    master: Supervisor,
    now: Instant,
    next_pid: i32,
    /// Those that give no sign of life.
    silent: Vec<i32>,
    /// All lines logged since `take_log`.
    log: Vec<String>,
}

fn plan(workers: usize) -> Plan {
    let (timeout, graceful_timeout) = (Some(seconds(30.0)), seconds(20.0));
    Plan {
        workers,
        is_daemon: false,
        timeout,
        graceful_timeout,
        boot_timeout: seconds(300.0),
        reload_surge: 1,
        shutdown_delay: Duration::ZERO,
        max_lifetime: None,
        lifetime_jitter: Duration::ZERO,
        max_memory: None,
    }
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

impl Scene {
    #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin, and there is no other way to one")]
    fn new(plan: Plan) -> Self {
        let (master, now) = (Supervisor::new(plan), Instant::now());
        Scene { master, now, next_pid: 101, silent: Vec::new(), log: Vec::new() }
    }

    /// A master whose `workers` serve, pids from 101.
    fn serving(workers: usize) -> Self {
        let mut scene = Scene::new(plan(workers));
        scene.on(Fact::Started);
        (0..workers).for_each(|idx| assert_eq!(scene.booted(101 + idx as i32), [""; 0]));
        scene.pass(5.0);
        scene.log.clear();
        scene
    }

    /// Tells a fact; returns the orders in short, without log lines. Forks succeed.
    fn on(&mut self, fact: Fact) -> Vec<String> {
        let mut shown = Vec::new();
        for order in self.raw(fact) {
            shown.extend(self.show(&order));
            if let Order::Spawn(berth) = order {
                let pid = Pid(self.next_pid);
                self.next_pid += 1;
                shown.extend(self.on(Fact::Spawned { berth, pid }));
            }
        }
        shown
    }

    fn raw(&mut self, fact: Fact) -> Vec<Order> {
        let orders = self.master.on(fact, self.now);
        if self.master.target() < 100 {
            // A crowd is checked by its own test, once: the check walks all workers.
            self.master.check();
        }
        orders
    }

    fn show(&mut self, order: &Order) -> Option<String> {
        Some(match order {
            Order::Spawn(berth) => {
                format!("spawn {} in seat {}, generation {}", berth.id.0, berth.seat.0, berth.generation.0)
            }
            Order::Tell { pid, word } => format!("tell {} {word:?}", pid.0),
            Order::Kill { pid, signal } => format!("kill {} {signal}", pid.0),
            Order::Reload => "reload".into(),
            Order::Upgrade => "upgrade".into(),
            Order::ReopenLogs => "reopen".into(),
            Order::Exit { code } => format!("exit {code}"),
            Order::Log(level, text) => {
                self.log.push(format!("{level:?} {text}"));
                return None;
            }
        })
    }

    /// Lets time pass, with a tick at each deadline and signs of life from all but the silent.
    fn pass(&mut self, count: f64) -> Vec<String> {
        let end = self.now + seconds(count);
        let mut shown = Vec::new();
        while self.now < end {
            let beat = self.now + seconds(1.0);
            self.now = self.master.next_deadline().unwrap_or(end).min(end).min(beat);
            let mut pids: Vec<Pid> = self.master.workers().map(|(pid, ..)| pid).collect();
            pids.retain(|pid| !self.silent.contains(&pid.0));
            for pid in pids {
                self.on(Fact::Beat { pid, at: self.now });
            }
            shown.extend(self.on(Fact::Tick));
        }
        shown
    }

    fn booted(&mut self, pid: i32) -> Vec<String> {
        self.on(Fact::Booted { pid: Pid(pid) })
    }

    fn boot_failed(&mut self, pid: i32, failure: BootFailure) -> Vec<String> {
        self.on(Fact::BootFailed { pid: Pid(pid), failure })
    }

    fn retiring(&mut self, pid: i32) -> Vec<String> {
        self.on(Fact::Retiring { pid: Pid(pid) })
    }

    fn exited(&mut self, pid: i32, code: i32) -> Vec<String> {
        self.ended(pid, Ended::Code(code), LastSight::default())
    }

    fn killed(&mut self, pid: i32, signal: i32) -> Vec<String> {
        self.ended(pid, Ended::Signal(signal), LastSight::default())
    }

    fn ended(&mut self, pid: i32, ended: Ended, last: LastSight) -> Vec<String> {
        self.on(Fact::Exited { pid: Pid(pid), ended, last })
    }

    fn signal(&mut self, signal: Signal) -> Vec<String> {
        self.on(Fact::Signal(signal))
    }

    fn reload(&mut self, workers: usize) -> Vec<String> {
        self.on(Fact::Reloaded(plan(workers)))
    }

    /// Pid 101, then its successors in seat 0, exit `count` times, each when its time comes; the last one spawned lives.
    fn fail_in_a_row(&mut self, count: usize) {
        let mut pid = 101;
        for _ in 0..count {
            let next = self.next_pid;
            self.exited(pid, 3);
            while self.next_pid == next {
                self.pass(1.0);
            }
            pid = next;
        }
    }

    /// Whether a line with this text was logged; forgets all lines.
    #[track_caller]
    fn logged(&mut self, text: &str) {
        let log = mem::take(&mut self.log);
        assert!(log.iter().any(|line| line.contains(text)), "no {text:?} in {log:#?}");
    }

    /// Whether nothing above DEBUG was logged; forgets all lines.
    #[track_caller]
    fn logged_nothing(&mut self) {
        let log = mem::take(&mut self.log);
        assert!(log.iter().all(|line| line.starts_with("Debug")), "{log:#?}");
    }

    fn states(&self) -> Vec<(i32, State)> {
        self.master.workers().map(|(pid, _, state)| (pid.0, state)).collect()
    }
}
