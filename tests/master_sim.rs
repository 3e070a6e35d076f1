//! Random lives of a master: thousands of seeds of crashes, hangs, slow boots, signals, reloads, failing forks and clock jumps.
//!
//! A small world obeys the supervisor's orders and checks its promises after each fact. A seed that breaks one is printed; with
//! `INDRIK_SEED=<seed>` it is lived alone, and every fact and order is printed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::panic::catch_unwind;
use std::thread;
use std::time::{Duration, Instant};

use indrik::exit;
use indrik::master::supervisor::{
    ABORT_LIMIT, Berth, BootFailure, Ended, Fact, Generation, LastSight, Order, Pid, Plan, QUIT_HINT, QUIT_LIMIT,
    SIGABRT, SIGKILL, SIGQUIT, SIGTERM, Signal, Supervisor, Word,
};

use child::{Child, Event};
use dice::Dice;

#[path = "master_sim/child.rs"]
mod child;
#[path = "master_sim/dice.rs"]
mod dice;

const SEEDS: u64 = 10_000;
const STEPS: usize = 200;

/// No plan grants more.
const LONGEST_GRACE: Duration = Duration::from_secs(12);

/// No plan serves on for longer once it shall stop.
const LONGEST_DELAY: Duration = Duration::from_secs(9);

/// Peace for longer than any pause, boot and drain together.
const PEACE: Duration = Duration::from_secs(240);

#[test]
fn no_promise_is_broken_in_any_life() {
    if let Ok(seed) = std::env::var("INDRIK_SEED") {
        World::new(seed.parse().expect("INDRIK_SEED is a number"), Report::Print).live();
        return;
    }
    let hands = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for hand in 0..hands {
            scope.spawn(move || {
                for seed in (hand as u64..SEEDS).step_by(hands) {
                    let life = catch_unwind(|| World::new(seed, Report::Silent).live());
                    assert!(life.is_ok(), "seed {seed} breaks a promise; replay it alone with INDRIK_SEED={seed}");
                }
            });
        }
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Report {
    Silent,
    Print,
}

/// Whether the world still makes trouble.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Trouble,
    Peace,
}

/// Which orders this operator gives.
#[derive(Clone, Copy, PartialEq)]
enum Operator {
    /// Only what changes no numbers: here the bound on processes is the strict one.
    Quiet,
    Busy,
}

struct World {
    dice: Dice,
    report: Report,
    mood: Mood,
    operator: Operator,
    now: Instant,
    master: Supervisor,
    children: BTreeMap<Pid, Child>,
    facts: VecDeque<Fact>,
    next_pid: i32,
    plans: BTreeMap<Generation, Plan>,
    /// Generations whose code cannot boot.
    broken: BTreeSet<Generation>,
    newest: Generation,
    highest_target: usize,
    kept_target: Option<usize>,
    forks_fail: bool,
    ever_booted: bool,
    /// When the end begins, once it has been asked for.
    leave_at: Option<Instant>,
    /// The other master that USR2 has made.
    upgrade: Option<Pid>,
    /// The exit code that is due, once the end has begun.
    due_code: Option<i32>,
    code: Option<i32>,
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin, and there is no other way to one")]
    fn new(seed: u64, report: Report) -> Self {
        let mut dice = Dice(seed);
        let operator = if dice.one_in(3) { Operator::Quiet } else { Operator::Busy };
        let plan = random_plan(&mut dice);
        let first = Generation(1);
        World {
            report,
            mood: Mood::Trouble,
            operator,
            now: Instant::now(),
            master: Supervisor::new(plan),
            children: BTreeMap::new(),
            facts: VecDeque::new(),
            next_pid: 1,
            plans: BTreeMap::from([(first, plan)]),
            broken: if dice.one_in(12) { BTreeSet::from([first]) } else { BTreeSet::new() },
            newest: first,
            highest_target: plan.workers,
            kept_target: None,
            forks_fail: false,
            ever_booted: false,
            leave_at: None,
            upgrade: None,
            due_code: None,
            code: None,
            dice,
        }
    }

    /// Trouble, then peace for some, then the stop.
    fn live(mut self) {
        self.tell(Fact::Started);
        for _ in 0..STEPS {
            self.make_trouble();
            self.step(Duration::from_secs(1));
            if self.code.is_some() {
                return;
            }
        }
        (self.mood, self.forks_fail) = (Mood::Peace, false);
        // A reload to no workers and a TTIN after it may have left us with broken code.
        self.broken.clear();
        if self.due_code.is_none() && self.dice.one_in(4) {
            self.rest();
        }
        self.stop();
    }

    /// After long enough without trouble all is as wanted. Where lifetimes are short, some are always being replaced.
    fn rest(&mut self) {
        let end = self.now + PEACE;
        while self.now < end && self.code.is_none() {
            self.step(Duration::from_secs(5));
        }
        if self.due_code.is_some() {
            return;
        }
        let target = self.master.target();
        let may_exceed = match self.plans[&self.master.generation()].max_lifetime {
            Some(_) => (target / 10).max(1),
            None => 0,
        };
        assert!(!self.master.is_reloading(), "a reload without end");
        assert!(self.children.len() <= target + may_exceed, "more workers than wanted");
        assert!(self.ready_count() >= target, "fewer workers than wanted");
        for (pid, child) in &self.children {
            assert!(may_exceed > 0 || child.is_ready(), "{pid:?} is not ready");
            assert_eq!(child.berth.generation, self.master.generation(), "{pid:?} is of another generation");
        }
    }

    /// A stop ends within `graceful_timeout` and the time the backstops take.
    fn stop(&mut self) {
        let end = self.now + LONGEST_DELAY + LONGEST_GRACE + QUIT_LIMIT + ABORT_LIMIT;
        if self.code.is_none() {
            let signal = self.dice.pick(&[Signal::Term, Signal::Term, Signal::Int, Signal::Quit]);
            self.tell(Fact::Signal(signal));
        }
        while self.code.is_none() {
            assert!(self.now <= end, "a stop without end: {:?}", self.master.workers().collect::<Vec<_>>());
            self.step(Duration::from_secs(1));
        }
        assert_eq!(self.master.next_deadline(), None, "a deadline after the end");
        assert_eq!(self.master.on(Fact::Tick, self.now), [], "an order after the end");
    }

    // ---- what happens in the world ----

    fn make_trouble(&mut self) {
        match self.dice.below(24) {
            0 | 1 => self.crash_somebody(),
            2 => self.hang_somebody(),
            3 => self.now += self.dice.span(Duration::from_secs(100)),
            4 => self.forks_fail = self.dice.one_in(3),
            5..=8 => self.send_signal(),
            9 => self.bury(Pid(-1), Ended::Code(1)),
            10 => self.weigh_somebody(),
            11 => {
                if let Some(pid) = self.upgrade.take() {
                    self.bury(pid, Ended::Code(0));
                }
            }
            _ => {}
        }
    }

    fn crash_somebody(&mut self) {
        let ended = self.dice.pick(&[
            Ended::Code(0),
            Ended::Code(1),
            Ended::Signal(SIGKILL),
            Ended::Signal(11),
            Ended::Signal(15),
        ]);
        if let Some(pid) = self.somebody() {
            self.plan_event(pid, Duration::ZERO, Event::Exit(ended));
        }
    }

    fn hang_somebody(&mut self) {
        if let Some(child) = self.somebody().and_then(|pid| self.children.get_mut(&pid))
            && !child.is_killed
        {
            (child.is_hung, child.next) = (true, None);
        }
    }

    fn weigh_somebody(&mut self) {
        let memory = self.dice.below(300);
        if let Some(pid) = self.somebody() {
            self.tell(Fact::Weighed { pid, memory });
        }
    }

    fn bury(&mut self, pid: Pid, ended: Ended) {
        self.tell(Fact::Exited { pid, ended, last: LastSight::default() });
    }

    fn somebody(&mut self) -> Option<Pid> {
        let pids: Vec<Pid> = self.children.keys().copied().collect();
        (!pids.is_empty()).then(|| self.dice.pick(&pids))
    }

    fn send_signal(&mut self) {
        let harmless = [Signal::Usr1, Signal::Usr2, Signal::Winch, Signal::Chld];
        let busy = [Signal::Hup, Signal::Hup, Signal::Hup, Signal::Ttin, Signal::Ttou, Signal::Ttou];
        let signal = match self.operator {
            _ if self.dice.one_in(120) => self.dice.pick(&[Signal::Term, Signal::Int, Signal::Quit]),
            Operator::Quiet => self.dice.pick(&harmless),
            Operator::Busy if self.dice.one_in(5) => self.dice.pick(&harmless),
            Operator::Busy => self.dice.pick(&busy),
        };
        self.tell(Fact::Signal(signal));
    }

    /// To the next thing that happens, at most `longest` ahead; then one round of the master's loop.
    fn step(&mut self, longest: Duration) {
        let by_children = self.children.values().filter_map(|child| child.next).map(|(at, _)| at).min();
        let ahead = self.now + self.dice.span(longest) + Duration::from_millis(1);
        let next = [Some(ahead), by_children, self.master.next_deadline()].into_iter().flatten().min();
        self.now = self.now.max(next.unwrap_or(ahead));
        for pid in self.children.keys().copied().collect::<Vec<_>>() {
            if let Some(child) = self.children.get_mut(&pid)
                && let Some((_, event)) = child.next.take_if(|(at, _)| *at <= self.now)
            {
                self.happen(pid, event);
            }
        }
        for pid in self.children.keys().copied().collect::<Vec<_>>() {
            let child = &self.children[&pid];
            if child.booted_at.is_some() && !child.is_hung {
                let at = self.now - self.dice.span(Duration::from_millis(400));
                self.beat(pid, at);
            }
        }
        self.tell(Fact::Tick);
        if self.master.next_deadline().is_some_and(|at| at <= self.now) {
            // A `graceful_timeout` of zero is over in the round that began it: the loop comes round once more.
            self.tell(Fact::Tick);
        }
        let deadline = self.master.next_deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "the loop would spin");
    }

    fn happen(&mut self, pid: Pid, event: Event) {
        match event {
            Event::Boot => {
                if self.dice.one_in(3) {
                    let after = self.dice.span(Duration::from_secs(20));
                    self.plan_event(pid, after, Event::Retire);
                }
                self.tell(Fact::Booted { pid });
            }
            Event::FailBoot(failure) => {
                let after = self.dice.span(Duration::from_millis(2_500));
                let code = if failure == BootFailure::AppLoad { exit::APP_LOAD } else { exit::BOOT };
                self.plan_event(pid, after, Event::Exit(Ended::Code(code)));
                self.tell(Fact::BootFailed { pid, failure });
            }
            Event::Retire => self.tell(Fact::Retiring { pid }),
            Event::Exit(ended) => self.bury(pid, ended),
        }
    }

    fn plan_event(&mut self, pid: Pid, after: Duration, event: Event) {
        let at = self.now + after;
        if let Some(child) = self.children.get_mut(&pid) {
            child.next = Some((at, event));
        }
    }

    // ---- the master's loop ----

    /// Tells a fact, and all that follows from it.
    fn tell(&mut self, fact: Fact) {
        self.facts.push_back(fact);
        while let Some(fact) = self.facts.pop_front() {
            if self.code.is_none() {
                self.tell_one(fact);
            }
            if self.mood == Mood::Trouble && !self.facts.is_empty() && self.dice.one_in(60) {
                // A signal may come between an order and its answer.
                let signal = self.dice.pick(&[Signal::Chld, Signal::Usr1, Signal::Chld, Signal::Term]);
                self.facts.push_front(Fact::Signal(signal));
            }
        }
    }

    /// Tells a sign of life. There are so many that they are not followed by the checks; they order nothing.
    fn beat(&mut self, pid: Pid, at: Instant) {
        let child = self.children.get_mut(&pid).expect("only the living beat");
        child.beat = child.beat.max(at);
        assert_eq!(self.master.on(Fact::Beat { pid, at }, self.now), []);
    }

    fn tell_one(&mut self, fact: Fact) {
        let (ready_before, target_before) = (self.ready_count(), self.master.target());
        let generation_before = self.master.generation();
        self.note(&fact);
        if self.report == Report::Print {
            show(&format!("{fact:?}"));
        }
        let orders = self.master.on(fact.clone(), self.now);
        self.master.check();
        let drained_count =
            orders.iter().filter(|order| matches!(order, Order::Tell { word: Word::Drain, .. })).count();
        for order in orders {
            if self.report == Report::Print {
                show(&format!("        {order:?}"));
            }
            assert_eq!(self.code, None, "an order after the exit");
            self.obey(order);
        }
        self.highest_target = self.highest_target.max(self.master.target());
        if self.master.generation() < generation_before {
            let target = Some(self.master.target());
            assert_eq!(target, self.kept_target, "an abandoned reload leaves its number of workers behind");
        }
        self.remember_target(&fact, target_before);
        if drained_count > 0 {
            let floor = self.master.target().max(self.kept_target.unwrap_or(0));
            let wanted = floor.min(ready_before);
            assert!(self.ready_count() >= wanted, "capacity dips: {} of {wanted} ready", self.ready_count());
        }
        self.check_numbers();
    }

    /// What the generation that serves wants, as long as a reload may return to it.
    fn remember_target(&mut self, fact: &Fact, target_before: usize) {
        match fact {
            _ if !self.master.is_reloading() => self.kept_target = None,
            Fact::Reloaded(_) => self.kept_target = self.kept_target.or(Some(target_before)),
            Fact::Signal(Signal::Ttin) => self.kept_target = self.kept_target.map(|target| target + 1),
            Fact::Signal(Signal::Ttou) => {
                self.kept_target = self.kept_target.map(|target| target - usize::from(target > 1));
            }
            _ => {}
        }
    }

    /// What the world itself learns from a fact.
    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Spawned { .. } | Fact::NotSpawned { .. } => {}
            Fact::Booted { pid } => {
                let child = self.children.get_mut(pid).expect("only the living boot");
                (child.booted_at, child.beat) = (Some(self.now), self.now);
                let is_current = child.berth.generation == self.master.generation();
                self.ever_booted |=
                    child.is_wanted() || (child.recalled_at.is_some() && child.quit_at.is_none() && is_current);
                if child.recalled_at.is_some() {
                    child.drained_at = Some(self.now);
                    let after = self.dice.span(child.plan.graceful_timeout * 3 / 2);
                    self.plan_event(*pid, after, Event::Exit(Ended::Code(0)));
                }
            }
            Fact::BootFailed { pid, failure } => {
                let child = self.children.get_mut(pid).expect("only the living fail");
                let was_wanted = child.is_wanted();
                child.failed_at = Some(self.now);
                if was_wanted {
                    let code = if *failure == BootFailure::AppLoad { exit::APP_LOAD } else { exit::BOOT };
                    self.miss_first_boot(code);
                }
            }
            Fact::Exited { pid, ended, .. } => {
                if let Some(child) = self.children.remove(pid)
                    && child.is_wanted()
                    && child.booted_at.is_none()
                {
                    let code = if *ended == Ended::Code(exit::APP_LOAD) { exit::APP_LOAD } else { exit::BOOT };
                    self.miss_first_boot(code);
                }
            }
            Fact::Signal(signal @ (Signal::Term | Signal::Int | Signal::Quit)) => {
                let delay = self.plans[&self.master.generation()].shutdown_delay;
                let is_first = self.due_code.is_none() && self.leave_at.is_none();
                if *signal == Signal::Term && is_first && self.ever_booted && !delay.is_zero() {
                    self.leave_at = Some(self.now + delay);
                } else {
                    self.due_code.get_or_insert(exit::OK);
                }
            }
            Fact::Tick => {
                if self.leave_at.is_some_and(|at| at <= self.now) {
                    self.due_code.get_or_insert(exit::OK);
                }
            }
            Fact::Upgraded { pid } => self.upgrade = Some(*pid),
            Fact::Started | Fact::Retiring { .. } | Fact::Beat { .. } | Fact::Weighed { .. } | Fact::Signal(_) => {}
            Fact::UpgradeFailed | Fact::Promoted => {}
            Fact::NotPreloaded { .. } => {}
            Fact::Reloaded(plan) => {
                if self.due_code.is_none() {
                    self.newest = Generation(self.newest.0 + 1);
                    self.plans.insert(self.newest, *plan);
                    if self.dice.one_in(3) {
                        self.broken.insert(self.newest);
                    }
                }
            }
            Fact::ReloadFailed => {}
        }
    }

    /// Before anybody has booted a failure is the end.
    fn miss_first_boot(&mut self, code: i32) {
        if !self.ever_booted {
            self.due_code.get_or_insert(code);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Spawn(berth) => self.spawn(berth),
            Order::Tell { pid, word } => self.hear(pid, word),
            Order::Kill { pid, signal } => self.kill(pid, signal),
            Order::Reload => {
                let fact = match self.dice.below(4) {
                    0 => Fact::ReloadFailed,
                    _ => Fact::Reloaded(random_plan(&mut self.dice)),
                };
                self.facts.push_back(fact);
            }
            Order::Upgrade => {
                assert_eq!(self.upgrade, None, "two new masters");
                let pid = Pid(self.next_pid);
                self.next_pid += 1;
                let fact = if self.dice.one_in(3) { Fact::UpgradeFailed } else { Fact::Upgraded { pid } };
                self.facts.push_back(fact);
            }
            Order::ReopenLogs | Order::Log(..) => {}
            Order::Exit { code } => {
                assert!(self.children.is_empty(), "an exit that leaves workers behind");
                assert_eq!(Some(code), self.due_code, "the exit code");
                self.code = Some(code);
            }
        }
    }

    fn spawn(&mut self, berth: Berth) {
        assert_eq!(self.due_code, None, "a worker is spawned once the end has begun");
        let plan = self.plans[&berth.generation];
        let used: BTreeSet<u16> = self.berths().map(|other| other.id.0).collect();
        assert_eq!(Some(berth.id.0), (0..).find(|id| !used.contains(id)), "not the lowest free id");
        self.check_surge(berth);
        let fails = self.forks_fail && self.dice.one_in(2);
        if fails {
            self.facts.push_back(Fact::NotSpawned { berth, reason: "no memory".into() });
            return;
        }
        let pid = Pid(self.next_pid);
        self.next_pid += 1;
        let (after, event) = self.fate(berth.generation, plan);
        let child = Child {
            berth,
            plan,
            next: event.map(|event| (self.now + after, event)),
            is_hung: event.is_none(),
            spawned_at: self.now,
            booted_at: None,
            beat: self.now,
            failed_at: None,
            drained_at: None,
            recalled_at: None,
            quit_at: None,
            aborted_at: None,
            is_killed: false,
        };
        self.children.insert(pid, child);
        self.facts.push_back(Fact::Spawned { berth, pid });
    }

    /// What becomes of the next child; nothing: it hangs.
    fn fate(&mut self, generation: Generation, plan: Plan) -> (Duration, Option<Event>) {
        let after = self.dice.span(Duration::from_secs(3)).min(plan.boot_timeout / 2);
        let fails = self.broken.contains(&generation)
            || (self.mood == Mood::Trouble && self.ever_booted && self.dice.one_in(6));
        if !fails {
            return (after, Some(Event::Boot));
        }
        let event = match self.dice.below(8) {
            0 => None,
            1 => Some(Event::Exit(Ended::Code(exit::BOOT))),
            2 => Some(Event::Exit(Ended::Code(exit::APP_LOAD))),
            3 => Some(Event::Exit(Ended::Signal(SIGKILL))),
            4 => Some(Event::Exit(Ended::Code(0))),
            5 => Some(Event::FailBoot(BootFailure::AppLoad)),
            _ => Some(Event::FailBoot(BootFailure::Boot)),
        };
        (after, event)
    }

    fn hear(&mut self, pid: Pid, word: Word) {
        let now = self.now;
        let child = self.children.get_mut(&pid).expect("an order names a worker that was reaped");
        let is_deaf = child.is_hung || child.is_killed;
        match word {
            Word::Drain | Word::Stop => {
                assert!(child.quit_at.is_none(), "a worker that quits is told to finish");
                let was_told = child.drained_at.or(child.recalled_at).is_some();
                assert!(word == Word::Stop || !was_told, "a worker is told twice to drain");
                assert!(word == Word::Drain || self.due_code.is_some(), "a stop that nobody asked for");
                if child.booted_at.is_none() {
                    child.recalled_at.get_or_insert(now);
                    return;
                }
                child.drained_at.get_or_insert(now);
                let after = self.dice.span(child.plan.graceful_timeout * 3 / 2);
                if !was_told && !is_deaf {
                    self.plan_event(pid, after, Event::Exit(Ended::Code(0)));
                }
            }
            Word::Quit => {
                assert!(child.quit_at.is_none(), "a worker is told twice to quit");
                let may = child.booted_at.is_none() || self.due_code.is_some();
                assert!(may, "requests are cut though the server does not stop");
                child.quit_at = Some(now);
                if !is_deaf && !self.dice.one_in(4) {
                    let after = self.dice.span(Duration::from_millis(250));
                    self.plan_event(pid, after, Event::Exit(Ended::Code(0)));
                }
            }
            Word::Reopen => {}
        }
    }

    /// Nobody is killed before a deadline.
    fn kill(&mut self, pid: Pid, signal: i32) {
        let now = self.now;
        let child = self.children.get_mut(&pid).expect("a signal names a worker that was reaped");
        assert!(!child.is_killed, "a worker is signalled after its SIGKILL");
        let is_over = |since: Option<Instant>, limit: Duration| since.is_some_and(|since| now >= since + limit);
        let Plan { timeout, graceful_timeout, boot_timeout, .. } = child.plan;
        match signal {
            SIGABRT => {
                assert!(child.is_hung, "{pid:?} gives signs of life and is aborted");
                assert!(child.aborted_at.is_none(), "a worker is aborted twice");
                let is_due = match child.booted_at {
                    None => now >= child.spawned_at + boot_timeout,
                    Some(_) => timeout.is_some_and(|timeout| now > child.beat + timeout),
                };
                assert!(is_due, "{pid:?} is aborted before its deadline");
                let is_first_boot = child.booted_at.is_none() && child.is_wanted();
                child.aborted_at = Some(now);
                if is_first_boot {
                    self.miss_first_boot(exit::BOOT);
                }
            }
            SIGTERM => {
                assert!(child.booted_at.is_none(), "{pid:?} has booted, and is told by signal");
                assert!(is_over(child.recalled_at, QUIT_HINT), "{pid:?} is sent SIGTERM too soon");
            }
            SIGQUIT => assert!(is_over(child.quit_at, QUIT_HINT), "{pid:?} is sent SIGQUIT too soon"),
            SIGKILL => {
                let is_due = is_over(child.aborted_at, ABORT_LIMIT)
                    || is_over(child.quit_at, QUIT_LIMIT)
                    || is_over(child.failed_at, QUIT_LIMIT)
                    || (child.booted_at.is_none() && is_over(child.recalled_at, QUIT_LIMIT))
                    || is_over(child.drained_at, graceful_timeout);
                assert!(is_due, "{pid:?} is killed before its deadline");
                child.is_killed = true;
            }
            other => panic!("signal {other} is none of ours"),
        }
        if signal == SIGKILL || !self.dice.one_in(4) {
            let after = self.dice.span(Duration::from_millis(40));
            self.plan_event(pid, after, Event::Exit(Ended::Signal(signal)));
        }
    }

    // ---- what must hold ----

    fn berths(&self) -> impl Iterator<Item = Berth> + '_ {
        let asked = self.facts.iter().filter_map(|fact| match fact {
            Fact::NotSpawned { berth, .. } => Some(*berth),
            _ => None,
        });
        self.children.values().map(|child| child.berth).chain(asked)
    }

    fn ready_count(&self) -> usize {
        self.children.values().filter(|child| child.is_ready()).count()
    }

    /// No more successors boot beside the workers that they replace than may at once. A trial is one more.
    fn check_surge(&self, berth: Berth) {
        let wanted = |seat| self.children.values().filter(move |child| child.berth.seat == seat && child.is_wanted());
        if self.master.is_reloading() || wanted(berth.seat).count() == 0 {
            return;
        }
        let boots = self.children.values().filter(|child| child.is_wanted() && child.booted_at.is_none());
        let successors = boots.filter(|child| wanted(child.berth.seat).count() > 1).count();
        let most = self.plans[&self.master.generation()].reload_surge.max(self.master.target() / 10).max(1);
        assert!(successors < most, "more than {most} seats are handed over at once");
    }

    /// Seats, ids and processes keep within their bounds.
    fn check_numbers(&self) {
        let count = self.berths().count();
        let mut in_seat: BTreeMap<u16, usize> = BTreeMap::new();
        self.berths().for_each(|berth| *in_seat.entry(berth.seat.0).or_default() += 1);
        assert!(in_seat.values().all(|&count| count <= 2), "three processes in a seat");
        assert!(in_seat.len() <= self.highest_target, "more seats than were ever wanted");
        assert!(count <= 2 * self.highest_target, "{count} processes");
        if self.operator == Operator::Quiet {
            let target = self.master.target();
            assert!(count <= target + (target / 10).max(1), "{count} processes for {target} wanted and the lease");
        }
    }
}

fn random_plan(dice: &mut Dice) -> Plan {
    let workers = if dice.one_in(40) { 12 + dice.below(20) } else { dice.below(6) };
    Plan {
        workers: workers as usize,
        timeout: (!dice.one_in(5)).then(|| Duration::from_secs(1 + dice.below(10))),
        graceful_timeout: if dice.one_in(8) { Duration::ZERO } else { dice.span(LONGEST_GRACE) },
        boot_timeout: Duration::from_secs(4 + dice.below(20)),
        reload_surge: 1 + dice.below(3) as usize,
        shutdown_delay: if dice.one_in(4) { dice.span(LONGEST_DELAY) } else { Duration::ZERO },
        max_lifetime: dice.one_in(4).then(|| Duration::from_secs(10 + dice.below(60))),
        is_daemon: false,
        lifetime_jitter: dice.span(Duration::from_secs(20)),
        max_memory: dice.one_in(4).then(|| 100 + dice.below(200)),
    }
}

#[allow(clippy::print_stdout, reason = "the one life that is replayed is to be read")]
fn show(line: &str) {
    println!("{line}");
}
