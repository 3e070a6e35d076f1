//! Scenes: workers boot, fail, fall silent, retire and end.

use super::*;

#[test]
fn nothing_is_spawned_before_the_listeners_are_bound() {
    let mut scene = Scene::new(plan(2));
    assert_eq!(scene.on(Fact::Tick), [""; 0]);
    let spawned = ["spawn 0 in seat 0, generation 1", "spawn 1 in seat 1, generation 1"];
    assert_eq!(scene.on(Fact::Started), spawned);
    scene.logged("Debug 2 workers");
}

#[test]
fn no_workers_is_a_legal_number() {
    let mut scene = Scene::new(plan(0));
    assert_eq!(scene.on(Fact::Started), [""; 0]);
    assert_eq!(scene.master.next_deadline(), None);
    assert_eq!(scene.signal(Signal::Ttou), [""; 0]);
    assert_eq!(scene.signal(Signal::Ttin), ["spawn 0 in seat 0, generation 1"]);
    assert_eq!(scene.signal(Signal::Term), ["tell 101 Stop"]);
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
    assert_eq!(scene.killed(102, SIGKILL), ["spawn 1 in seat 1, generation 1"]);
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
    scene.on(Fact::Beat { pid: Pid(101), at: beat });
    assert_eq!(scene.on(Fact::Tick), ["kill 101 6"]);
}

#[test]
fn without_a_timeout_silence_is_allowed() {
    let mut scene = Scene::new(Plan { timeout: None, ..plan(1) });
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
    scene.logged("Error Worker (pid:105) was sent SIGSEGV! It has crashed.");
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
        assert_eq!(scene.boot_failed(102, failure), ["tell 101 Quit", "tell 103 Quit"]);
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
    for (ended, code) in [(Ended::Code(4), 4), (Ended::Code(3), 3), (Ended::Code(0), 3), (Ended::Signal(11), 3)] {
        let mut scene = Scene::new(plan(1));
        scene.on(Fact::Started);
        assert_eq!(scene.ended(101, ended, LastSight::default()), [format!("exit {code}")]);
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
            scene.logged(&format!("Warning Worker (pid:{pid}) exited with code 3; next try of its seat in {pause} s."));
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
    assert_eq!(scene.exited(pid + 1, 1), ["spawn 0 in seat 0, generation 1"]);
}

#[test]
fn a_timeout_counts_as_the_first_failure_of_its_seat() {
    let mut scene = Scene::serving(1);
    scene.fail_in_a_row(4);
    scene.log.clear();
    scene.booted(105);
    scene.silent.push(105);
    assert_eq!(scene.pass(30.5), ["kill 105 6"]);
    assert_eq!(scene.killed(105, SIGABRT), ["spawn 0 in seat 0, generation 1"]);
    assert_eq!(scene.exited(106, 3), [""; 0]);
    scene.logged("next try of its seat in 1 s.");
}

#[test]
fn the_death_of_one_whose_successor_boots_is_no_failure_of_the_seat() {
    let mut scene = Scene::serving(1);
    scene.fail_in_a_row(4);
    scene.booted(105);
    assert_eq!(scene.retiring(105), ["spawn 1 in seat 0, generation 1"]);
    scene.log.clear();
    assert_eq!(scene.exited(105, 0), [""; 0]);
    scene.logged_nothing();
}

#[test]
fn a_fork_that_fails_is_tried_again_after_a_pause() {
    let mut scene = Scene::new(plan(1));
    let [Order::Spawn(berth)] = scene.raw(Fact::Started)[..] else { panic!("one spawn") };
    let failed = Fact::NotSpawned { berth, reason: "resource temporarily unavailable".into() };
    assert_eq!(scene.on(failed), [""; 0]);
    scene.logged("Error Cannot start a worker for seat 0: resource temporarily unavailable; next try in 1 s.");
    assert_eq!(scene.pass(1.0), ["spawn 0 in seat 0, generation 1"]);
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
    let mut scene = Scene::new(Plan { graceful_timeout: Duration::ZERO, ..plan(1) });
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.signal(Signal::Term), ["tell 101 Stop"]);
    assert_eq!(scene.master.next_deadline(), Some(scene.now));
    assert_eq!(scene.on(Fact::Tick), ["kill 101 9"]);
}

#[test]
fn a_worker_that_has_lived_long_enough_is_replaced_first() {
    let mut scene = Scene::new(Plan { max_lifetime: Some(seconds(60.0)), ..plan(1) });
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.pass(59.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["spawn 1 in seat 0, generation 1"]);
    scene.logged("Info Worker (pid:101) has lived for max_worker_lifetime: it is replaced.");
    assert_eq!(scene.booted(102), ["tell 101 Drain"]);
}

#[test]
fn lifetimes_that_began_together_end_apart() {
    let plan = Plan { max_lifetime: Some(seconds(60.0)), lifetime_jitter: seconds(40.0), ..plan(4) };
    let mut scene = Scene::new(plan);
    scene.on(Fact::Started);
    let booted_at = scene.now;
    (101..105).for_each(|pid| assert_eq!(scene.booted(pid), [""; 0]));
    let mut ends = Vec::new();
    for pid in 105..109 {
        let next = scene.next_pid;
        while scene.next_pid == next {
            scene.pass(0.5);
        }
        ends.push((scene.now - booted_at).as_secs_f64());
        let drained = scene.booted(pid);
        let old: i32 = drained[0].split(' ').nth(1).unwrap().parse().unwrap();
        scene.exited(old, 0);
    }
    assert!(ends[0] >= 60.0 && ends[3] <= 100.5, "{ends:?}");
    assert!(ends.windows(2).all(|pair| pair[1] - pair[0] > 5.0), "{ends:?}");
}

#[test]
fn a_worker_with_too_much_memory_is_replaced_first() {
    let mut scene = Scene::new(Plan { max_memory: Some(200), ..plan(1) });
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.on(Fact::Weighed { pid: Pid(101), memory: 200 }), [""; 0]);
    assert_eq!(scene.on(Fact::Weighed { pid: Pid(101), memory: 201 }), ["spawn 1 in seat 0, generation 1"]);
    scene.logged("Info Worker (pid:101) has 201 MiB of memory (max_worker_memory is 200): it is replaced.");
    assert_eq!(scene.on(Fact::Weighed { pid: Pid(101), memory: 300 }), [""; 0], "it is said once");
    assert_eq!(scene.booted(102), ["tell 101 Drain"]);
}

#[test]
fn what_was_lost_with_a_worker_is_named() {
    let mut scene = Scene::serving(4);
    let lost = |memory| LastSight { lost: vec!["GET /report?id=7 (1.3 s)".into(), "POST /a (0.1 s)".into()], memory };
    scene.ended(101, Ended::Signal(11), lost(Memory::Unknown));
    scene.logged(
        "Error Worker (pid:101) was sent SIGSEGV! It has crashed. Requests lost: GET /report?id=7 (1.3 s), POST /a (0.1 s)",
    );
    scene.ended(102, Ended::Signal(SIGKILL), LastSight { lost: vec![], memory: Memory::Short });
    scene.logged("Error Worker (pid:102) was sent SIGKILL! Out of memory.");
    scene.ended(103, Ended::Signal(SIGKILL), lost(Memory::Enough));
    scene
        .logged("Error Worker (pid:103) was sent SIGKILL! By somebody else: neither the master nor want of memory did");
    scene.ended(104, Ended::Code(0), lost(Memory::Unknown));
    scene.logged("Warning Worker (pid:104) exited with code 0. Requests lost: GET /report?id=7 (1.3 s)");
}
