//! Scenes: reloads, their trial, and their end.

use super::*;

#[test]
fn a_hup_tries_one_worker_and_then_hands_the_seats_over_one_by_one() {
    let mut scene = Scene::serving(3);
    assert_eq!(scene.signal(Signal::Hup), ["reload"]);
    scene.logged("Info Hang up: Master");
    assert_eq!(scene.reload(3), ["spawn 3 in seat 0, generation 2"]);
    assert_eq!(scene.pass(10.0), [""; 0], "the others wait for the first");
    assert_eq!(scene.booted(104), ["tell 101 Drain", "spawn 4 in seat 1, generation 2"]);
    assert_eq!(scene.exited(101, 0), [""; 0]);
    // Nobody waits for one that drains: a slow client would hold up the reload.
    assert_eq!(scene.booted(105), ["tell 102 Drain", "spawn 0 in seat 2, generation 2"]);
    assert_eq!(scene.booted(106), ["tell 103 Drain"]);
    assert_eq!(scene.exited(102, 0), [""; 0]);
    assert_eq!(scene.exited(103, 0), [""; 0]);
    assert_eq!(scene.states(), [(104, State::Serve), (105, State::Serve), (106, State::Serve)]);
}

#[test]
fn a_surge_hands_several_seats_over_at_once() {
    let mut scene = Scene::serving(4);
    let wide = Plan { reload_surge: 2, ..plan(4) };
    assert_eq!(scene.on(Fact::Reloaded(wide)).len(), 1, "the trial is of one worker");
    let spawned = ["spawn 5 in seat 1, generation 2", "spawn 6 in seat 2, generation 2"];
    assert_eq!(scene.booted(105), ["tell 101 Drain", spawned[0], spawned[1]]);
    assert_eq!(scene.exited(101, 0), [""; 0], "two boot");
    assert_eq!(scene.booted(107), ["tell 103 Drain", "spawn 0 in seat 3, generation 2"]);
}

#[test]
fn while_a_generation_is_on_trial_the_one_that_serves_is_kept_up() {
    let mut scene = Scene::serving(2);
    scene.reload(2);
    assert_eq!(scene.killed(102, 9), ["spawn 1 in seat 1, generation 1"]);
    assert_eq!(scene.booted(104), [""; 0]);
    assert!(scene.master.is_reloading());
    // Even beside the one on trial.
    assert_eq!(scene.killed(101, 9), ["spawn 0 in seat 0, generation 1"]);
    assert_eq!(scene.booted(105), [""; 0]);
    assert_eq!(scene.booted(103), ["tell 105 Drain", "spawn 3 in seat 1, generation 2"]);
}

#[test]
fn a_worker_of_the_old_generation_that_cannot_boot_during_a_trial_waits_like_any_other() {
    let mut scene = Scene::serving(2);
    scene.reload(2);
    assert_eq!(scene.killed(102, 9), ["spawn 1 in seat 1, generation 1"]);
    assert_eq!(scene.exited(104, 3), [""; 0]);
    scene.logged("next try of its seat in 1 s.");
    assert_eq!(scene.pass(1.0), ["spawn 1 in seat 1, generation 1"]);
    assert!(scene.master.is_reloading());
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
fn a_hup_with_more_workers_adds_seats_once_the_first_has_booted() {
    let mut scene = Scene::serving(1);
    assert_eq!(scene.reload(3), ["spawn 1 in seat 0, generation 2"]);
    let spawned = ["tell 101 Drain", "spawn 2 in seat 1, generation 2", "spawn 3 in seat 2, generation 2"];
    assert_eq!(scene.booted(102), spawned);
}

#[test]
fn a_reload_that_cannot_boot_is_abandoned_and_the_old_plan_returns() {
    let mut scene = Scene::serving(2);
    assert_eq!(scene.reload(3).len(), 1);
    assert_eq!(scene.boot_failed(103, BootFailure::Boot), [""; 0]);
    scene.logged("Error Reload abandoned: worker (pid:103) failed to boot. Generation 1 serves on.");
    assert!(!scene.master.is_reloading());
    assert_eq!(scene.exited(103, 3), [""; 0]);
    assert_eq!(scene.states(), [(101, State::Serve), (102, State::Serve)]);
    assert_eq!(scene.exited(101, 1), ["spawn 0 in seat 0, generation 1"]);
    // A number is never used for two loads.
    assert_eq!(scene.reload(2).last().unwrap(), "spawn 2 in seat 0, generation 3");
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
    assert_eq!(scene.booted(103), ["tell 101 Drain", "spawn 3 in seat 1, generation 2"]);
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
    assert_eq!(scene.booted(103), ["tell 101 Drain", "spawn 3 in seat 1, generation 2"]);
    // 103 serves in seat 0 and is old now; 104 has not booted in seat 1, where 102 still serves.
    assert_eq!(scene.reload(2), [""; 0], "each seat holds two");
    assert_eq!(scene.exited(101, 0), ["spawn 0 in seat 0, generation 3"]);
    assert_eq!(scene.states()[2], (104, State::Boot), "of the generation that serves now");
    assert_eq!(scene.booted(105), ["tell 104 Drain", "tell 103 Drain"]);
    assert_eq!(scene.exited(104, 0), ["spawn 3 in seat 1, generation 3"]);
    assert_eq!(scene.booted(106), ["tell 102 Drain"]);
}

#[test]
fn a_superseded_reload_falls_back_to_the_generation_that_serves() {
    let mut scene = Scene::serving(1);
    scene.reload(1);
    assert_eq!(scene.reload(1), ["tell 102 Drain"]);
    assert_eq!(scene.exited(102, 0), ["spawn 1 in seat 0, generation 3"]);
    scene.boot_failed(103, BootFailure::Boot);
    scene.logged("Generation 1 serves on.");
}

#[test]
fn a_hup_before_anybody_has_booted_starts_again_with_the_new_settings() {
    let mut scene = Scene::new(plan(1));
    scene.on(Fact::Started);
    assert_eq!(scene.reload(1), ["tell 101 Drain"]);
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
fn a_reload_tries_at_once_what_had_to_wait() {
    let mut scene = Scene::serving(2);
    scene.fail_in_a_row(4);
    scene.exited(106, 3);
    assert_eq!(scene.reload(2).len(), 2);
}

#[test]
fn a_reload_of_very_many_workers_goes_on_as_ids_come_free() {
    let count = MOST_WORKERS - 24;
    let mut scene = Scene::serving(count);
    assert_eq!(scene.on(Fact::Reloaded(Plan { reload_surge: 100, ..plan(count) })).len(), 1);
    let first = 101 + count as i32;
    assert_eq!(scene.booted(first).len(), 1 + 23, "as many as there are free slots");
    assert_eq!(scene.exited(101, 0).len(), 1, "the freed id is used at once");
    for idx in 1..24 {
        let old = 101 + idx;
        assert_eq!(scene.booted(old + count as i32), [format!("tell {old} Drain")]);
        assert_eq!(scene.exited(old, 0).len(), 1, "the freed id is used at once");
    }
    scene.master.check();
    assert_eq!(scene.master.workers().count(), MOST_WORKERS);
}
