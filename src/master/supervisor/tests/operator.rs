//! Scenes: what the operator asks for, and what becomes of it.

use super::*;

#[test]
fn a_seat_that_is_opened_again_has_no_past() {
    let mut scene = Scene::serving(2);
    scene.fail_in_a_row(4);
    scene.exited(106, 3);
    assert_eq!(scene.signal(Signal::Ttou), [""; 0], "the seat that nobody holds is closed");
    assert_eq!(scene.signal(Signal::Ttin), ["spawn 0 in seat 0, generation 1"]);
}

#[test]
fn ttin_adds_a_worker_and_ttou_drains_the_oldest() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.signal(Signal::Ttin), ["spawn 2 in seat 2, generation 1"]);
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
    assert_eq!(scene.signal(Signal::Ttou), [""; 0], "the third has not booted");
    assert_eq!(scene.booted(103), ["tell 101 Drain"]);
}

#[test]
fn usr1_reopens_every_log() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.signal(Signal::Usr1), ["reopen", "tell 101 Reopen", "tell 102 Reopen"]);
    scene.logged("Info Handling signal: usr1");
}

#[test]
fn signals_without_an_effect_say_so() {
    let mut scene = Scene::serving(1);
    assert_eq!(scene.signal(Signal::Winch), [""; 0]);
    scene.logged("Debug SIGWINCH ignored. Not daemonized");
    assert_eq!(scene.signal(Signal::Chld), [""; 0]);
    scene.logged("Debug Handling signal: chld");
}

#[test]
fn winch_empties_a_daemon_until_a_reload_or_a_wish_fills_it() {
    let mut scene = Scene::new(Plan { is_daemon: true, ..plan(2) });
    scene.on(Fact::Started);
    (101..=102).for_each(|pid| assert_eq!(scene.booted(pid), [""; 0]));
    assert_eq!(scene.signal(Signal::Winch), ["tell 101 Drain", "tell 102 Drain"]);
    scene.logged("Info graceful stop of workers");
    assert_eq!(scene.master.target(), 0);
    (101..=102).for_each(|pid| assert_eq!(scene.exited(pid, 0), [""; 0], "the master stays, alone"));
    assert_eq!(scene.signal(Signal::Ttin), ["spawn 0 in seat 0, generation 1"]);
}

#[test]
fn term_stops_all_and_ends_with_zero_when_the_last_has_left() {
    let mut scene = Scene::serving(2);
    scene.signal(Signal::Ttin);
    assert_eq!(scene.signal(Signal::Term), ["tell 103 Stop", "tell 101 Stop", "tell 102 Stop"]);
    assert_eq!(scene.exited(103, 0), [""; 0]);
    assert_eq!(scene.exited(102, 0), [""; 0], "nobody is spawned once stopping");
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
    let [Order::Spawn(berth)] = scene.raw(Fact::Started)[..] else { panic!("one spawn") };
    assert_eq!(scene.signal(Signal::Term), [""; 0], "the end waits for the answer");
    assert_eq!(scene.on(Fact::Spawned { berth, pid: Pid(101) }), ["tell 101 Stop"]);
    assert_eq!(scene.exited(101, 0), ["exit 0"]);
}

#[test]
fn a_shutdown_delay_serves_on_and_replaces_who_dies() {
    let mut scene = Scene::new(Plan { shutdown_delay: seconds(10.0), ..plan(1) });
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.signal(Signal::Term), [""; 0]);
    assert!(scene.master.is_stopping());
    assert_eq!(scene.signal(Signal::Hup), [""; 0], "what stops is not reloaded");
    assert_eq!(scene.pass(5.0), [""; 0]);
    assert_eq!(scene.exited(101, 1), ["spawn 0 in seat 0, generation 1"]);
    scene.booted(102);
    assert_eq!(scene.pass(5.0), ["tell 102 Stop"]);
    assert_eq!(scene.exited(102, 0), ["exit 0"]);
}

#[test]
fn a_second_term_cuts_the_shutdown_delay_short() {
    for signal in [Signal::Term, Signal::Int, Signal::Quit] {
        let mut scene = Scene::new(Plan { shutdown_delay: seconds(10.0), ..plan(1) });
        scene.on(Fact::Started);
        scene.booted(101);
        scene.signal(Signal::Term);
        assert_eq!(scene.signal(signal), ["tell 101 Quit"]);
        scene.logged("Info Quick shutdown requested");
        assert_eq!(scene.exited(101, 0), ["exit 0"]);
    }
}

#[test]
fn usr2_makes_one_new_master_at_a_time() {
    let mut scene = Scene::serving(1);
    assert_eq!(scene.signal(Signal::Usr2), ["upgrade"]);
    scene.on(Fact::Upgraded { pid: Pid(900) });
    assert!(scene.master.has_twin());
    assert_eq!(scene.signal(Signal::Usr2), [""; 0]);
    scene.logged("Warning USR2 signal ignored. Child exists.");
    assert_eq!(scene.exited(900, 3), [""; 0]);
    scene.logged("Warning New master (pid:900) exited with code 3: this one serves on.");
    assert_eq!(scene.signal(Signal::Usr2), ["upgrade"]);
    scene.on(Fact::UpgradeFailed);
    assert_eq!(scene.signal(Signal::Usr2), ["upgrade"]);
}

#[test]
fn a_new_master_makes_none_itself_until_it_is_promoted() {
    let mut scene = Scene::new(plan(1));
    scene.master = Supervisor::second(plan(1));
    scene.on(Fact::Started);
    scene.booted(101);
    assert_eq!(scene.signal(Signal::Usr2), [""; 0]);
    scene.logged("Warning USR2 signal ignored. Parent exists.");
    scene.on(Fact::Promoted);
    scene.logged("Info Master has been promoted.");
    assert!(!scene.master.has_twin());
    assert_eq!(scene.signal(Signal::Usr2), ["upgrade"]);
}

#[test]
fn a_worker_that_has_just_booted_when_it_is_told_to_leave_finishes_what_it_has() {
    let mut scene = Scene::serving(1);
    scene.signal(Signal::Ttin);
    assert_eq!(scene.signal(Signal::Term), ["tell 102 Stop", "tell 101 Stop"]);
    assert_eq!(scene.booted(102), [""; 0]);
    assert_eq!(scene.exited(101, 0), [""; 0]);
    assert_eq!(scene.pass(19.9), [""; 0]);
    assert_eq!(scene.pass(0.2), ["kill 102 9"]);
}

#[test]
fn a_worker_that_boots_and_does_not_hear_is_told_by_signal() {
    let mut scene = Scene::serving(1);
    scene.signal(Signal::Ttin);
    scene.signal(Signal::Term);
    scene.exited(101, 0);
    assert_eq!(scene.pass(0.2), ["kill 102 15"]);
    assert_eq!(scene.pass(1.9), ["kill 102 9"]);
    assert_eq!(scene.killed(102, 9), ["exit 0"]);
}
