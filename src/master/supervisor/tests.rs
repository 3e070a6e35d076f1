//! Scenes from the life of a master, one sentence each. Random lives are in `tests/master_sim.rs`.

use std::time::{Duration, Instant};

use super::*;

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
        timeout,
        graceful_timeout,
        boot_timeout: seconds(300.0),
    }
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

impl Scene {
    #[allow(
        clippy::disallowed_methods,
        reason = "any instant will do as the origin, and there is no other way to one"
    )]
    fn new(plan: Plan) -> Self {
        let (master, now) = (Supervisor::new(plan), Instant::now());
        Scene {
            master,
            now,
            next_pid: 101,
            silent: Vec::new(),
            log: Vec::new(),
        }
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
            Order::Spawn(berth) => format!(
                "spawn {} in seat {}, generation {}",
                berth.id.0, berth.seat.0, berth.generation.0
            ),
            Order::Tell { pid, word } => format!("tell {} {word:?}", pid.0),
            Order::Kill { pid, signal } => format!("kill {} {signal}", pid.0),
            Order::Reload => "reload".into(),
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
            self.now = self
                .master
                .next_deadline()
                .unwrap_or(end)
                .min(end)
                .min(beat);
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
        self.on(Fact::BootFailed {
            pid: Pid(pid),
            failure,
        })
    }

    fn retiring(&mut self, pid: i32) -> Vec<String> {
        self.on(Fact::Retiring { pid: Pid(pid) })
    }

    fn exited(&mut self, pid: i32, code: i32) -> Vec<String> {
        self.on(Fact::Exited {
            pid: Pid(pid),
            ended: Ended::Code(code),
        })
    }

    fn killed(&mut self, pid: i32, signal: i32) -> Vec<String> {
        self.on(Fact::Exited {
            pid: Pid(pid),
            ended: Ended::Signal(signal),
        })
    }

    fn signal(&mut self, signal: Signal) -> Vec<String> {
        self.on(Fact::Signal(signal))
    }

    fn reload(&mut self, workers: usize) -> Vec<String> {
        self.on(Fact::Reloaded(plan(workers)))
    }

    /// Whether a line with this text was logged; forgets all lines.
    #[track_caller]
    fn logged(&mut self, text: &str) {
        let log = mem::take(&mut self.log);
        assert!(
            log.iter().any(|line| line.contains(text)),
            "no {text:?} in {log:#?}"
        );
    }

    /// Whether nothing above DEBUG was logged; forgets all lines.
    #[track_caller]
    fn logged_nothing(&mut self) {
        let log = mem::take(&mut self.log);
        assert!(log.iter().all(|line| line.starts_with("Debug")), "{log:#?}");
    }

    fn states(&self) -> Vec<(i32, State)> {
        self.master
            .workers()
            .map(|(pid, _, state)| (pid.0, state))
            .collect()
    }
}

#[test]
fn nothing_is_spawned_before_the_listeners_are_bound() {
    let mut scene = Scene::new(plan(2));
    assert_eq!(scene.on(Fact::Tick), [""; 0]);
    let spawned = [
        "spawn 0 in seat 0, generation 1",
        "spawn 1 in seat 1, generation 1",
    ];
    assert_eq!(scene.on(Fact::Started), spawned);
    scene.logged("Debug 2 workers");
}

#[test]
fn no_workers_is_a_legal_number() {
    let mut scene = Scene::new(plan(0));
    assert_eq!(scene.on(Fact::Started), [""; 0]);
    assert_eq!(scene.master.next_deadline(), None);
    assert_eq!(scene.signal(Signal::Ttou), [""; 0]);
    assert_eq!(
        scene.signal(Signal::Ttin),
        ["spawn 0 in seat 0, generation 1"]
    );
    assert_eq!(scene.signal(Signal::Term), ["tell 101 Quit"]);
    assert_eq!(scene.exited(101, 0), ["exit 0"]);
}

#[test]
fn a_silent_worker_gets_sigabrt_then_sigkill_and_is_replaced_once_it_is_gone() {
    let mut scene = Scene::serving(2);
    scene.silent.push(102);
    assert_eq!(scene.pass(29.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["kill 102 6"]);
    scene.logged("Critical WORKER TIMEOUT (pid:102)");
    assert_eq!(scene.pass(0.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["kill 102 9"]);
    assert_eq!(scene.pass(60.0), [""; 0], "it is killed once");
    assert_eq!(
        scene.killed(102, SIGKILL),
        ["spawn 1 in seat 1, generation 1"]
    );
    scene.logged("Warning Worker (pid:102) was killed after WORKER TIMEOUT.");
}

#[test]
fn a_worker_is_not_silent_at_the_timeout_but_after_it() {
    let mut scene = Scene::serving(1);
    let beat = scene.now;
    scene.now += seconds(30.0);
    assert_eq!(scene.on(Fact::Tick), [""; 0]);
    scene.now += Duration::from_nanos(1);
    assert_eq!(scene.master.next_deadline(), Some(scene.now));
    scene.on(Fact::Beat {
        pid: Pid(101),
        at: beat,
    });
    assert_eq!(scene.on(Fact::Tick), ["kill 101 6"]);
}

#[test]
fn without_a_timeout_silence_is_allowed() {
    let mut scene = Scene::new(Plan {
        timeout: None,
        ..plan(1)
    });
    scene.on(Fact::Started);
    scene.booted(101);
    scene.silent.push(101);
    assert_eq!(scene.pass(100_000.0), [""; 0]);
}

#[test]
fn the_timeout_does_not_count_while_a_worker_boots_but_the_boot_timeout_does() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.exited(101, 1), ["spawn 0 in seat 0, generation 1"]);
    scene.silent.push(103);
    assert_eq!(scene.pass(299.0), [""; 0]);
    assert_eq!(scene.pass(1.1), ["kill 103 6"]);
    scene.logged("Critical WORKER TIMEOUT (pid:103) while booting: not ready after 300 s");
}

#[test]
fn each_end_has_its_line() {
    let mut scene = Scene::serving(8);
    scene.exited(101, 0);
    scene.logged_nothing();
    scene.exited(102, 7);
    scene.logged("Error Worker (pid:102) exited with code 7.");
    scene.killed(103, SIGKILL);
    scene.logged("Error Worker (pid:103) was sent SIGKILL! Perhaps out of memory?");
    scene.killed(104, 15);
    scene.logged("Info Worker (pid:104) was sent SIGTERM!");
    scene.killed(105, 11);
    scene.logged("Warning Worker (pid:105) was sent SIGSEGV!");
    scene.killed(106, 40);
    scene.logged("Warning Worker (pid:106) was sent signal 40!");
    assert_eq!(scene.killed(4711, SIGKILL), [""; 0]);
    scene.logged("Debug Unknown child (pid:4711)");
}

#[test]
fn a_sigkill_by_somebody_else_after_our_sigabrt_is_not_ours() {
    let mut scene = Scene::serving(1);
    scene.silent.push(101);
    assert_eq!(scene.pass(30.5), ["kill 101 6"]);
    scene.killed(101, SIGKILL);
    scene.logged("Perhaps out of memory?");
}

#[test]
fn a_first_boot_that_fails_ends_the_program_with_the_code_of_its_failure() {
    for (failure, code, reason) in [
        (BootFailure::Boot, 3, "Error Reason: Worker failed to boot."),
        (BootFailure::AppLoad, 4, "Error Reason: App failed to load."),
    ] {
        let mut scene = Scene::new(plan(3));
        scene.on(Fact::Started);
        assert_eq!(
            scene.boot_failed(102, failure),
            ["tell 101 Quit", "tell 103 Quit"]
        );
        // The others fail as well, in any order: nothing changes.
        assert_eq!(scene.boot_failed(103, failure), [""; 0]);
        assert_eq!(scene.exited(103, code), [""; 0]);
        assert_eq!(scene.exited(101, code), [""; 0]);
        assert_eq!(scene.exited(102, code), [format!("exit {code}")]);
        assert!(scene.log.contains(&"Error Shutting down: Master".into()));
        scene.logged(reason);
        assert_eq!(scene.on(Fact::Tick), [""; 0], "the exit is the last order");
    }
}

#[test]
fn a_first_boot_also_fails_by_an_exit_or_a_signal_that_was_not_announced() {
    for (ended, code) in [
        (Ended::Code(4), 4),
        (Ended::Code(3), 3),
        (Ended::Code(0), 3),
        (Ended::Signal(11), 3),
    ] {
        let mut scene = Scene::new(plan(1));
        scene.on(Fact::Started);
        assert_eq!(
            scene.on(Fact::Exited {
                pid: Pid(101),
                ended
            }),
            [format!("exit {code}")]
        );
    }
}

#[test]
fn a_first_boot_that_fails_waits_two_seconds_for_the_others() {
    let mut scene = Scene::new(plan(2));
    scene.on(Fact::Started);
    scene.boot_failed(101, BootFailure::Boot);
    assert_eq!(scene.pass(1.9), ["kill 102 3"]);
    assert_eq!(scene.pass(0.2), ["kill 101 9", "kill 102 9"]);
    assert_eq!(scene.killed(101, 9), [""; 0]);
    assert_eq!(scene.killed(102, 9), ["exit 3"]);
}

#[test]
fn a_first_boot_that_hangs_ends_the_program() {
    let mut scene = Scene::new(plan(1));
    scene.on(Fact::Started);
    assert_eq!(scene.pass(300.0), ["kill 101 6"]);
    assert_eq!(scene.killed(101, 6), ["exit 3"]);
}

#[test]
fn once_one_worker_has_booted_no_failure_ends_the_program() {
    let mut scene = Scene::new(plan(2));
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.boot_failed(102, BootFailure::Boot), [""; 0]);
    assert_eq!(scene.exited(102, 3), ["spawn 1 in seat 1, generation 1"]);
    assert_eq!(scene.states(), [(101, State::Serve), (103, State::Boot)]);
}

#[test]
fn a_seat_that_fails_is_tried_again_after_0_1_2_4_to_60_seconds() {
    let mut scene = Scene::serving(1);
    let mut pid = 101;
    for pause in [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
        let again = ["spawn 0 in seat 0, generation 1"];
        if pause == 0.0 {
            assert_eq!(scene.exited(pid, 3), again);
            assert!(!scene.log.iter().any(|line| line.contains("next try")));
        } else {
            assert_eq!(scene.exited(pid, 3), [""; 0]);
            scene.logged(&format!(
                "Warning Worker (pid:{pid}) exited with code 3; next try of its seat in {pause} s."
            ));
            assert_eq!(scene.pass(pause - 0.1), [""; 0]);
            assert_eq!(scene.pass(0.1), again);
        }
        pid += 1;
    }
    // It boots, and dies before it has proved anything: the pause stays. Then it lives a second: all is forgiven.
    scene.booted(pid);
    assert_eq!(scene.exited(pid, 1), [""; 0]);
    scene.pass(60.0);
    scene.booted(pid + 1);
    scene.pass(1.0);
    assert_eq!(
        scene.exited(pid + 1, 1),
        ["spawn 0 in seat 0, generation 1"]
    );
}

#[test]
fn a_fork_that_fails_is_tried_again_after_a_pause() {
    let mut scene = Scene::new(plan(1));
    let [Order::Spawn(berth)] = scene.raw(Fact::Started)[..] else {
        panic!("one spawn")
    };
    let failed = Fact::NotSpawned {
        berth,
        reason: "resource temporarily unavailable".into(),
    };
    assert_eq!(scene.on(failed), [""; 0]);
    scene.logged("Error Cannot start a worker for seat 0: resource temporarily unavailable; next try in 1 s.");
    assert_eq!(scene.pass(1.0), ["spawn 0 in seat 0, generation 1"]);
}

#[test]
fn a_hup_boots_a_whole_new_set_and_drains_each_old_worker_when_its_successor_has_booted() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.signal(Signal::Hup), ["reload"]);
    scene.logged("Info Hang up: Master");
    assert_eq!(
        scene.reload(2),
        [
            "spawn 2 in seat 0, generation 2",
            "spawn 3 in seat 1, generation 2"
        ]
    );
    assert_eq!(scene.booted(104), ["tell 102 Drain"]);
    assert_eq!(scene.booted(103), ["tell 101 Drain"]);
    assert_eq!(scene.exited(101, 0), [""; 0]);
    assert_eq!(scene.exited(102, 0), [""; 0]);
    assert_eq!(scene.states(), [(103, State::Serve), (104, State::Serve)]);
}

#[test]
fn a_hup_whose_settings_are_wrong_changes_nothing() {
    let mut scene = Scene::serving(2);
    scene.signal(Signal::Hup);
    assert_eq!(scene.on(Fact::ReloadFailed), [""; 0]);
    assert_eq!(scene.master.generation(), Generation(1));
}

#[test]
fn a_hup_with_fewer_workers_drains_the_surplus_only_when_the_new_generation_has_booted() {
    let mut scene = Scene::serving(3);
    assert_eq!(scene.reload(1).len(), 1);
    assert_eq!(scene.pass(10.0), [""; 0]);
    let mut drained = scene.booted(104);
    drained.sort();
    assert_eq!(
        drained,
        ["tell 101 Drain", "tell 102 Drain", "tell 103 Drain"]
    );
}

#[test]
fn a_hup_with_more_workers_adds_seats() {
    let mut scene = Scene::serving(1);
    let spawned = [
        "spawn 1 in seat 0, generation 2",
        "spawn 2 in seat 1, generation 2",
    ];
    assert_eq!(scene.reload(2), spawned);
    assert_eq!(
        scene.booted(103),
        [""; 0],
        "the new seat has nobody to drain"
    );
    assert_eq!(scene.booted(102), ["tell 101 Drain"]);
}

#[test]
fn a_reload_that_cannot_boot_is_abandoned_and_the_old_plan_returns() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.reload(3).len(), 3);
    assert_eq!(
        scene.boot_failed(104, BootFailure::Boot),
        ["tell 103 Quit", "tell 105 Quit"]
    );
    scene
        .logged("Error Reload abandoned: worker (pid:104) failed to boot. Generation 1 serves on.");
    assert!(!scene.master.is_reloading());
    for pid in [103, 104, 105] {
        assert_eq!(scene.exited(pid, 3), [""; 0]);
    }
    assert_eq!(scene.states(), [(101, State::Serve), (102, State::Serve)]);
    assert_eq!(scene.exited(101, 1), ["spawn 0 in seat 0, generation 1"]);
    // A number is never used for two loads.
    assert_eq!(
        scene.reload(2).last().unwrap(),
        "spawn 2 in seat 1, generation 3"
    );
}

#[test]
fn a_reload_that_hangs_in_booting_is_abandoned_too() {
    let mut scene = Scene::serving(1);
    scene.reload(1);
    assert_eq!(scene.pass(300.0), ["kill 102 6"]);
    scene.logged("Error Reload abandoned: worker (pid:102) did not boot within 300 s.");
}

#[test]
fn a_failed_boot_after_the_first_good_one_of_its_generation_does_not_abandon_the_reload() {
    let mut scene = Scene::serving(2);
    scene.reload(2);
    scene.booted(103);
    assert_eq!(scene.exited(104, 3), ["spawn 3 in seat 1, generation 2"]);
    assert_eq!(
        scene.exited(105, 3),
        [""; 0],
        "from the second failure on there is a pause"
    );
    assert!(
        scene.states().contains(&(102, State::Serve)),
        "the old worker holds the seat meanwhile"
    );
    assert_eq!(scene.pass(1.0), ["spawn 3 in seat 1, generation 2"]);
    assert_eq!(scene.booted(106), ["tell 102 Drain"]);
}

#[test]
fn a_second_hup_supersedes_the_first() {
    let mut scene = Scene::serving(2);
    scene.reload(2);
    scene.booted(103);
    // 103 serves in seat 0 and is old now; 104 has not booted in seat 1, where 102 still serves.
    assert_eq!(scene.reload(2), ["tell 104 Quit"]);
    assert_eq!(scene.exited(104, 0), ["spawn 3 in seat 1, generation 3"]);
    assert_eq!(scene.exited(101, 0), ["spawn 0 in seat 0, generation 3"]);
    assert_eq!(scene.booted(105), ["tell 102 Drain"]);
    assert_eq!(scene.booted(106), ["tell 103 Drain"]);
}

#[test]
fn a_superseded_reload_falls_back_to_the_generation_that_serves() {
    let mut scene = Scene::serving(1);
    scene.reload(1);
    assert_eq!(scene.reload(1), ["tell 102 Quit"]);
    assert_eq!(scene.exited(102, 0), ["spawn 1 in seat 0, generation 3"]);
    scene.boot_failed(103, BootFailure::Boot);
    scene.logged("Generation 1 serves on.");
}

#[test]
fn a_hup_before_anybody_has_booted_starts_again_with_the_new_settings() {
    let mut scene = Scene::new(plan(1));
    scene.on(Fact::Started);
    assert_eq!(scene.reload(1), ["tell 101 Quit"]);
    assert_eq!(
        scene.boot_failed(101, BootFailure::Boot),
        [""; 0],
        "it was told to leave"
    );
    assert_eq!(scene.exited(101, 3), ["spawn 0 in seat 0, generation 2"]);
    assert_eq!(scene.exited(102, 3), ["exit 3"]);
}

#[test]
fn a_reload_does_not_shorten_the_deadlines_of_those_that_serve() {
    let mut scene = Scene::serving(1);
    scene.silent.push(101);
    scene.on(Fact::Reloaded(Plan {
        timeout: Some(seconds(2.0)),
        ..plan(1)
    }));
    assert_eq!(scene.pass(29.0), [""; 0]);
    assert_eq!(scene.pass(2.0), ["kill 101 6"]);
}

#[test]
fn a_hup_while_stopping_is_ignored() {
    let mut scene = Scene::serving(1);
    scene.signal(Signal::Term);
    assert_eq!(scene.signal(Signal::Hup), [""; 0]);
    assert_eq!(scene.reload(4), [""; 0]);
}

#[test]
fn a_retiring_worker_drains_when_its_replacement_has_booted() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.retiring(101), ["spawn 2 in seat 0, generation 1"]);
    assert_eq!(scene.pass(10.0), [""; 0]);
    assert_eq!(scene.booted(103), ["tell 101 Drain"]);
    assert_eq!(scene.exited(101, 0), [""; 0]);
    scene.logged_nothing();
}

#[test]
fn only_as_many_as_the_lease_allows_are_replaced_at_once() {
    let mut scene = Scene::serving(20);
    assert_eq!(scene.retiring(101).len(), 1);
    assert_eq!(scene.retiring(102).len(), 1);
    assert_eq!(scene.retiring(103), [""; 0], "a tenth of 20 workers");
    assert_eq!(scene.booted(121), ["tell 101 Drain"]);
    assert_eq!(scene.exited(101, 0), ["spawn 0 in seat 2, generation 1"]);
}

#[test]
fn a_replacement_that_cannot_boot_leaves_the_retiring_worker_serving() {
    let mut scene = Scene::serving(1);
    scene.retiring(101);
    assert_eq!(scene.exited(102, 3), ["spawn 1 in seat 0, generation 1"]);
    assert_eq!(scene.exited(103, 3), [""; 0]);
    assert_eq!(scene.pass(1.0), ["spawn 1 in seat 0, generation 1"]);
    assert_eq!(scene.states(), [(101, State::Retire), (104, State::Boot)]);
    // It dies as well: its successor is on its way already.
    assert_eq!(scene.exited(101, 1), [""; 0]);
}

#[test]
fn a_worker_that_drains_too_long_is_killed() {
    let mut scene = Scene::serving(1);
    scene.retiring(101);
    scene.booted(102);
    assert_eq!(scene.pass(19.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["kill 101 9"]);
    scene.logged("Warning Not finished within graceful_timeout (pid:101): SIGKILL.");
    scene.killed(101, 9);
    scene.logged("Warning Worker (pid:101) was killed after graceful_timeout.");
}

#[test]
fn a_graceful_timeout_of_zero_kills_as_soon_as_the_loop_looks_again() {
    let mut scene = Scene::new(Plan {
        graceful_timeout: Duration::ZERO,
        ..plan(1)
    });
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.signal(Signal::Term), ["tell 101 Stop"]);
    assert_eq!(scene.master.next_deadline(), Some(scene.now));
    assert_eq!(scene.on(Fact::Tick), ["kill 101 9"]);
}

#[test]
fn ttin_adds_a_worker_and_ttou_drains_the_oldest() {
    let mut scene = Scene::serving(2);
    assert_eq!(
        scene.signal(Signal::Ttin),
        ["spawn 2 in seat 2, generation 1"]
    );
    assert_eq!(scene.master.target(), 3);
    scene.booted(103);
    assert_eq!(scene.signal(Signal::Ttou), ["tell 101 Drain"]);
    assert_eq!(scene.signal(Signal::Ttou), ["tell 102 Drain"]);
    assert_eq!(scene.signal(Signal::Ttou), [""; 0], "one worker stays");
    assert_eq!(scene.master.target(), 1);
    assert_eq!(scene.exited(101, 0), [""; 0]);
}

#[test]
fn ttou_drains_nobody_while_too_few_serve() {
    let mut scene = Scene::serving(2);
    scene.signal(Signal::Ttin);
    assert_eq!(
        scene.signal(Signal::Ttou),
        [""; 0],
        "the third has not booted"
    );
    assert_eq!(scene.booted(103), ["tell 101 Drain"]);
}

#[test]
fn a_hup_resets_what_ttin_changed() {
    let mut scene = Scene::serving(1);
    scene.signal(Signal::Ttin);
    scene.booted(102);
    assert_eq!(scene.reload(1).len(), 1);
    assert_eq!(scene.master.target(), 1);
    assert_eq!(scene.booted(103).len(), 2);
}

#[test]
fn ttin_during_a_reload_outlives_its_failure() {
    let mut scene = Scene::serving(1);
    scene.reload(1);
    scene.signal(Signal::Ttin);
    scene.boot_failed(102, BootFailure::Boot);
    assert_eq!(scene.master.target(), 2);
}

#[test]
fn usr1_reopens_every_log() {
    let mut scene = Scene::serving(2);
    assert_eq!(
        scene.signal(Signal::Usr1),
        ["reopen", "tell 101 Reopen", "tell 102 Reopen"]
    );
    scene.logged("Info Handling signal: usr1");
}

#[test]
fn signals_without_an_effect_say_so() {
    let mut scene = Scene::serving(1);
    assert_eq!(scene.signal(Signal::Usr2), [""; 0]);
    scene.logged("Warning USR2 signal ignored.");
    assert_eq!(scene.signal(Signal::Winch), [""; 0]);
    scene.logged("Debug SIGWINCH ignored. Not daemonized");
    assert_eq!(scene.signal(Signal::Chld), [""; 0]);
    scene.logged("Debug Handling signal: chld");
}

#[test]
fn term_stops_all_and_ends_with_zero_when_the_last_has_left() {
    let mut scene = Scene::serving(2);
    scene.signal(Signal::Ttin);
    assert_eq!(
        scene.signal(Signal::Term),
        ["tell 103 Quit", "tell 101 Stop", "tell 102 Stop"]
    );
    assert_eq!(scene.exited(103, 0), [""; 0]);
    assert_eq!(
        scene.exited(102, 0),
        [""; 0],
        "nobody is spawned once stopping"
    );
    assert_eq!(scene.exited(101, 0), ["exit 0"]);
    scene.logged("Info Shutting down: Master");
}

#[test]
fn term_kills_at_the_graceful_timeout() {
    let mut scene = Scene::serving(2);
    scene.signal(Signal::Term);
    assert_eq!(scene.pass(19.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["kill 101 9", "kill 102 9"]);
    scene.logged("Warning Not finished within graceful_timeout (pid:101, pid:102): SIGKILL.");
}

#[test]
fn int_and_quit_tell_then_signal_then_kill() {
    for signal in [Signal::Int, Signal::Quit] {
        let mut scene = Scene::serving(1);
        assert_eq!(scene.signal(signal), ["tell 101 Quit"]);
        assert_eq!(scene.pass(0.1), [""; 0]);
        assert_eq!(scene.pass(0.1), ["kill 101 3"]);
        assert_eq!(scene.pass(1.7), [""; 0]);
        assert_eq!(scene.pass(0.2), ["kill 101 9"]);
        assert_eq!(scene.killed(101, 9), ["exit 0"]);
    }
}

#[test]
fn a_second_signal_turns_a_stop_quick_once() {
    for signal in [Signal::Term, Signal::Int, Signal::Quit] {
        let mut scene = Scene::serving(1);
        scene.signal(Signal::Term);
        assert_eq!(scene.signal(signal), ["tell 101 Quit"]);
        scene.logged("Info Quick shutdown requested");
        assert_eq!(scene.signal(signal), [""; 0]);
        assert_eq!(scene.pass(0.2), ["kill 101 3"]);
        assert_eq!(scene.killed(101, SIGQUIT), ["exit 0"]);
        scene.logged("Info Worker (pid:101) was ended by SIGQUIT.");
    }
}

#[test]
fn a_stop_before_the_start_ends_at_once() {
    let mut scene = Scene::new(plan(2));
    assert_eq!(scene.signal(Signal::Term), ["exit 0"]);
}

#[test]
fn a_worker_whose_fork_was_under_way_when_the_stop_came_is_sent_away() {
    let mut scene = Scene::new(plan(1));
    let [Order::Spawn(berth)] = scene.raw(Fact::Started)[..] else {
        panic!("one spawn")
    };
    assert_eq!(
        scene.signal(Signal::Term),
        [""; 0],
        "the end waits for the answer"
    );
    assert_eq!(
        scene.on(Fact::Spawned {
            berth,
            pid: Pid(101)
        }),
        ["tell 101 Quit"]
    );
    assert_eq!(scene.exited(101, 0), ["exit 0"]);
}

#[test]
fn a_reload_of_very_many_workers_goes_on_as_ids_come_free() {
    let count = MOST_WORKERS - 24;
    let mut scene = Scene::serving(count);
    assert_eq!(
        scene.reload(count).len(),
        24,
        "as many as there are free slots"
    );
    for round in 0..3 {
        for idx in 0..24 {
            let old = 101 + 24 * round + idx;
            assert_eq!(
                scene.booted(old + count as i32),
                [format!("tell {old} Drain")]
            );
            assert_eq!(
                scene.exited(old, 0).len(),
                1,
                "the freed id is used at once"
            );
        }
    }
    scene.master.check();
    assert_eq!(scene.master.workers().count(), MOST_WORKERS);
}
