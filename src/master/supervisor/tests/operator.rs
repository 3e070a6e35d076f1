//! Scenes: what the operator asks for, and what becomes of it.

use super::*;

#[test]
fn a_reload_tries_at_once_what_had_to_wait() {
    let mut scene = Scene::serving(2);
    scene.fail_in_a_row(4);
    scene.exited(106, 3);
    assert_eq!(scene.reload(2).len(), 2);
}

#[test]
fn a_seat_that_is_opened_again_has_no_past() {
    let mut scene = Scene::serving(2);
    scene.fail_in_a_row(4);
    scene.exited(106, 3);
    assert_eq!(scene.signal(Signal::Ttou), [""; 0], "the seat that nobody holds is closed");
    assert_eq!(scene.signal(Signal::Ttin), ["spawn 0 in seat 0, generation 1"]);
}

#[test]
fn a_hup_boots_a_whole_new_set_and_drains_each_old_worker_when_its_successor_has_booted() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.signal(Signal::Hup), ["reload"]);
    scene.logged("Info Hang up: Master");
    assert_eq!(scene.reload(2), ["spawn 2 in seat 0, generation 2", "spawn 3 in seat 1, generation 2"]);
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
    assert_eq!(drained, ["tell 101 Drain", "tell 102 Drain", "tell 103 Drain"]);
}

#[test]
fn a_hup_with_more_workers_adds_seats() {
    let mut scene = Scene::serving(1);
    let spawned = ["spawn 1 in seat 0, generation 2", "spawn 2 in seat 1, generation 2"];
    assert_eq!(scene.reload(2), spawned);
    assert_eq!(scene.booted(103), [""; 0], "the new seat has nobody to drain");
    assert_eq!(scene.booted(102), ["tell 101 Drain"]);
}

#[test]
fn a_reload_that_cannot_boot_is_abandoned_and_the_old_plan_returns() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.reload(3).len(), 3);
    assert_eq!(scene.boot_failed(104, BootFailure::Boot), ["tell 103 Quit", "tell 105 Quit"]);
    scene.logged("Error Reload abandoned: worker (pid:104) failed to boot. Generation 1 serves on.");
    assert!(!scene.master.is_reloading());
    for pid in [103, 104, 105] {
        assert_eq!(scene.exited(pid, 3), [""; 0]);
    }
    assert_eq!(scene.states(), [(101, State::Serve), (102, State::Serve)]);
    assert_eq!(scene.exited(101, 1), ["spawn 0 in seat 0, generation 1"]);
    // A number is never used for two loads.
    assert_eq!(scene.reload(2).last().unwrap(), "spawn 2 in seat 1, generation 3");
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
    assert_eq!(scene.exited(105, 3), [""; 0], "from the second failure on there is a pause");
    assert!(scene.states().contains(&(102, State::Serve)), "the old worker holds the seat meanwhile");
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
    assert_eq!(scene.boot_failed(101, BootFailure::Boot), [""; 0], "it was told to leave");
    assert_eq!(scene.exited(101, 3), ["spawn 0 in seat 0, generation 2"]);
    assert_eq!(scene.exited(102, 3), ["exit 3"]);
}

#[test]
fn a_reload_does_not_shorten_the_deadlines_of_those_that_serve() {
    let mut scene = Scene::serving(1);
    scene.silent.push(101);
    scene.on(Fact::Reloaded(Plan { timeout: Some(seconds(2.0)), ..plan(1) }));
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
    assert_eq!(scene.signal(Signal::Usr1), ["reopen", "tell 101 Reopen", "tell 102 Reopen"]);
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
    assert_eq!(scene.signal(Signal::Term), ["tell 103 Quit", "tell 101 Stop", "tell 102 Stop"]);
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
    assert_eq!(scene.on(Fact::Spawned { berth, pid: Pid(101) }), ["tell 101 Quit"]);
    assert_eq!(scene.exited(101, 0), ["exit 0"]);
}

#[test]
fn a_reload_of_very_many_workers_goes_on_as_ids_come_free() {
    let count = MOST_WORKERS - 24;
    let mut scene = Scene::serving(count);
    assert_eq!(scene.reload(count).len(), 24, "as many as there are free slots");
    for round in 0..3 {
        for idx in 0..24 {
            let old = 101 + 24 * round + idx;
            assert_eq!(scene.booted(old + count as i32), [format!("tell {old} Drain")]);
            assert_eq!(scene.exited(old, 0).len(), 1, "the freed id is used at once");
        }
    }
    scene.master.check();
    assert_eq!(scene.master.workers().count(), MOST_WORKERS);
}
