//! Who drives the reactor: one value that one thread has at a time, and the rules by which it changes hands.
//!
//! The *leader* is the application thread that has the reactor and runs the application inline. It lays the reactor down
//! before each call, and takes it up again behind it; it does so too before it attaches to the interpreter, which somebody
//! may hold for long. The *deputy* relieves it when that takes long: it takes what lies there. When the leader comes back it
//! recalls the reactor, unless the deputy has begun to hand requests out to other threads; then the leader is one of these.
//! What the deputy offers to an idle thread it takes back in the same way: that thread may not get hold of the interpreter.
//!
//! The deputy sleeps on an alarm. One that wakes while there is nothing for it to take says so here before it sleeps again
//! without an alarm, and the next who lays the reactor down sets one: otherwise an alarm that goes off just before would
//! be lost, and the deputy sleep for ever.
//!
//! [`Watch`] holds the rules alone; the test explores every order of steps that it allows. docs/worker.md draws it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::sys::Monotonic;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Watch {
    /// An application thread has the reactor.
    Leading,
    /// The leader is in the application; the reactor lies there.
    Laid,
    /// The deputy has it while the leader is in the application.
    StandingIn,
    /// The same, and the leader is back and waits for it.
    Recalled,
    /// The deputy has it for good, and the application threads get their requests from it.
    HandingOut,
    /// The deputy wants an application thread to lead; the reactor lies there.
    Offered,
    /// The reactor is gone: the worker leaves.
    Over,
}

/// Whose the reactor is that lies at the helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// What became of the leader's wish to have the reactor again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// It lies there still.
    Yours,
    /// The deputy must be told, and gives it back.
    Wait,
    /// Others get requests now: the leader leads no more.
    Resigned,
    /// The worker leaves.
    Over,
}

impl Watch {
    /// The leader calls the application.
    fn lay_down(&mut self) {
        debug_assert_eq!(*self, Self::Leading);
        *self = Self::Laid;
    }

    /// The leader is back, or still waits. `is_its_own`: it is the one that laid the reactor down last; one that has led
    /// before, and comes back only now, leads no more.
    fn take_up(&mut self, is_its_own: bool) -> Back {
        match self {
            Self::Over => Back::Over,
            _ if !is_its_own => Back::Resigned,
            Self::Laid => {
                *self = Self::Leading;
                Back::Yours
            }
            Self::StandingIn | Self::Recalled => {
                *self = Self::Recalled;
                Back::Wait
            }
            Self::HandingOut | Self::Offered | Self::Leading => Back::Resigned,
        }
    }

    /// The deputy looks whether it must take what lies there. `true`: it has the reactor, and stands in or hands out.
    fn relieve(&mut self) -> bool {
        *self = match self {
            Self::Laid => Self::StandingIn,
            Self::Offered => Self::HandingOut,
            Self::Leading | Self::StandingIn | Self::Recalled | Self::HandingOut | Self::Over => return false,
        };
        true
    }

    /// The deputy begins to hand requests out, unless the leader is back already. `true`: it does.
    fn hand_out(&mut self) -> bool {
        let may = matches!(self, Self::StandingIn | Self::HandingOut);
        if may {
            *self = Self::HandingOut;
        }
        may
    }

    /// The deputy gives the reactor back to the leader that waits for it, or lays it down for one that does not.
    fn give_back(&mut self) {
        debug_assert!(matches!(self, Self::StandingIn | Self::Recalled));
        *self = Self::Laid;
    }

    /// The deputy that hands out wants an application thread to lead.
    fn offer(&mut self) {
        debug_assert_eq!(*self, Self::HandingOut);
        *self = Self::Offered;
    }

    /// An application thread with nothing to do takes what is offered. `true`: it leads now.
    fn accept(&mut self) -> bool {
        let is_offered = *self == Self::Offered;
        if is_offered {
            *self = Self::Leading;
        }
        is_offered
    }
}

/// The reactor, or where it is.
#[derive(Debug)]
pub(super) struct Helm<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
    /// The leader is back and waits: what the deputy looks at between two turns.
    is_recalled: AtomicBool,
    /// When the reactor was laid down or offered.
    laid_at: AtomicU64,
}

#[derive(Debug)]
struct State<R> {
    watch: Watch,
    reactor: Option<R>,
    /// The deputy sleeps, and no alarm will wake it.
    sleeps_soundly: bool,
    /// Of the leader that laid the reactor down last.
    ticket: u64,
}

/// What the deputy finds when it wakes.
#[derive(Debug)]
pub(super) enum Woken<R> {
    /// The reactor, which is its own now, while the leader is in the application.
    StandIn(R),
    /// The reactor, which is its own now: no thread has taken what it offered.
    HandOut(R),
    /// It has lain there only since this moment.
    Early(Monotonic),
    /// Nothing lies there. Whoever lays the reactor down sets the alarm.
    Nothing,
}

/// Who lays the reactor down must set the alarm: the deputy sleeps without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MustSetAlarm(pub(super) bool);

/// How the leader finds the helm when it comes back.
#[derive(Debug)]
pub(super) enum Found<R> {
    /// The reactor is its own again.
    Reactor(R),
    /// The deputy has it and must be woken; then [`Helm::wait`].
    Wait,
    /// Others get requests now.
    Resigned,
    /// The worker leaves.
    Over,
}

impl<R> Helm<R> {
    /// The calling thread has the reactor and leads.
    pub(super) fn leading() -> Self {
        Self::new(Watch::Leading)
    }

    /// The calling thread has the reactor, is the deputy, and hands requests out.
    pub(super) fn handing_out() -> Self {
        Self::new(Watch::HandingOut)
    }

    fn new(watch: Watch) -> Self {
        Self {
            state: Mutex::new(State { watch, reactor: None, sleeps_soundly: true, ticket: 0 }),
            changed: Condvar::new(),
            is_recalled: AtomicBool::new(false),
            laid_at: AtomicU64::new(0),
        }
    }

    /// The leader calls the application at `now`, or attaches.
    pub(super) fn lay_down(&self, reactor: R, now: Monotonic) -> (Ticket, MustSetAlarm) {
        self.laid_at.store(now.0, Relaxed);
        let mut state = self.lock();
        state.watch.lay_down();
        state.reactor = Some(reactor);
        state.ticket += 1;
        (Ticket(state.ticket), MustSetAlarm(std::mem::take(&mut state.sleeps_soundly)))
    }

    /// The leader is back. Does not wait.
    pub(super) fn take_up(&self, ticket: Ticket) -> Found<R> {
        let mut state = self.lock();
        let is_its_own = state.ticket == ticket.0;
        match (state.watch.take_up(is_its_own), state.reactor.take()) {
            (Back::Yours, Some(reactor)) => Found::Reactor(reactor),
            (Back::Wait, None) => {
                self.is_recalled.store(true, Relaxed);
                Found::Wait
            }
            (Back::Over | Back::Yours, _) => Found::Over,
            (Back::Resigned | Back::Wait, lying) => {
                state.reactor = lying;
                Found::Resigned
            }
        }
    }

    /// Waits until the deputy has given the reactor back. Called detached, after [`Found::Wait`] and a call of the deputy.
    ///
    /// [`Found::Wait`] again: an alarm has gone off in between and the deputy has taken it once more, knowing nothing of us.
    pub(super) fn wait(&self, ticket: Ticket) -> Found<R> {
        let mut state = self.lock();
        while state.watch == Watch::Recalled {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.take_up(ticket)
    }

    /// The deputy has woken: takes the reactor if it has lain there since `before` or earlier.
    pub(super) fn relieve(&self, before: Monotonic) -> Woken<R> {
        let mut state = self.lock();
        let laid_at = Monotonic(self.laid_at.load(Relaxed));
        if matches!(state.watch, Watch::Laid | Watch::Offered) && laid_at > before {
            return Woken::Early(laid_at);
        }
        let is_relieved = state.watch.relieve();
        match state.reactor.take_if(|_| is_relieved) {
            Some(reactor) => {
                self.is_recalled.store(false, Relaxed);
                if state.watch == Watch::HandingOut { Woken::HandOut(reactor) } else { Woken::StandIn(reactor) }
            }
            None => {
                state.sleeps_soundly = true;
                Woken::Nothing
            }
        }
    }

    /// Is the leader back, and waits for the deputy's reactor?
    pub(super) fn is_recalled(&self) -> bool {
        self.is_recalled.load(Relaxed)
    }

    /// The deputy gives the reactor back.
    pub(super) fn give_back(&self, reactor: R) {
        let mut state = self.lock();
        state.watch.give_back();
        state.reactor = Some(reactor);
        state.sleeps_soundly = true;
        drop(state);
        self.changed.notify_all();
    }

    /// The deputy begins to hand requests out. `false`: the leader is back and wants the reactor.
    pub(super) fn hand_out(&self) -> bool {
        self.lock().watch.hand_out()
    }

    /// The deputy, which hands out, wants an application thread to lead. It sets its alarm next: should no thread come, it
    /// takes the reactor again.
    pub(super) fn offer(&self, reactor: R, now: Monotonic) {
        self.laid_at.store(now.0, Relaxed);
        let mut state = self.lock();
        state.watch.offer();
        state.reactor = Some(reactor);
        state.sleeps_soundly = false;
    }

    /// Takes the reactor if it is offered. For an application thread that has nothing to do.
    pub(super) fn accept(&self) -> Option<R> {
        let mut state = self.lock();
        if state.watch.accept() { state.reactor.take() } else { None }
    }

    /// The worker leaves: whoever has the reactor drops it.
    pub(super) fn end(&self) {
        self.lock().watch = Watch::Over;
        self.changed.notify_all();
    }

    /// Does the reactor lie there for any application thread?
    pub(super) fn is_offered(&self) -> bool {
        self.lock().watch == Watch::Offered
    }

    /// Has the worker left?
    pub(super) fn is_over(&self) -> bool {
        self.lock().watch == Watch::Over
    }

    /// No code of ours panics while it holds the lock: each section is a few stores.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Where a thread stands between two steps. Each step is one section under the lock, so their orders are all there is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Thread {
        /// It has nothing to do and takes what is offered.
        Idle,
        /// It has the reactor and polls.
        Leads,
        /// It has laid the reactor down and has yet to set the alarm.
        Arms,
        /// It is in the application or attaches, and has laid the reactor down before.
        InCall,
        /// It waits for the deputy.
        Waits,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Deputy {
        Sleeps,
        StandsIn,
        HandsOut,
        /// It has offered the reactor and has yet to set its alarm.
        Arms,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct World {
        watch: Watch,
        /// Where the reactor is: with a thread, with the deputy, or lying.
        lies: bool,
        threads: [Thread; 3],
        deputy: Deputy,
        may_hand_out: bool,
        /// It will go off.
        alarm: bool,
        sleeps_soundly: bool,
        /// Which thread laid the reactor down last.
        owner: Option<usize>,
    }

    impl World {
        fn holders(&self) -> usize {
            let leaders = self.threads.iter().filter(|&&thread| thread == Thread::Leads).count();
            let has = matches!(self.deputy, Deputy::StandsIn | Deputy::HandsOut);
            leaders + usize::from(has) + usize::from(self.lies)
        }

        /// Every world that one step leads to.
        fn next(self) -> Vec<Self> {
            let mut worlds = Vec::new();
            for index in 0..self.threads.len() {
                let mut world = self;
                let thread = &mut world.threads[index];
                match self.threads[index] {
                    Thread::Leads => {
                        world.watch.lay_down();
                        world.lies = true;
                        world.owner = Some(index);
                        *thread = if std::mem::take(&mut world.sleeps_soundly) { Thread::Arms } else { Thread::InCall };
                    }
                    Thread::Arms => {
                        world.alarm = true;
                        *thread = Thread::InCall;
                    }
                    Thread::InCall | Thread::Waits => match world.watch.take_up(self.owner == Some(index)) {
                        Back::Yours => {
                            assert!(self.lies, "{self:?}");
                            world.lies = false;
                            *thread = Thread::Leads;
                        }
                        Back::Wait => *thread = Thread::Waits,
                        Back::Resigned => *thread = Thread::Idle,
                        Back::Over => unreachable!(),
                    },
                    Thread::Idle => {
                        if world.watch.accept() {
                            assert!(self.lies, "{self:?}");
                            world.lies = false;
                            *thread = Thread::Leads;
                        }
                    }
                }
                worlds.push(world);
            }
            let mut world = self;
            match self.deputy {
                Deputy::Sleeps => {
                    if self.alarm {
                        world.alarm = false;
                        if world.watch.relieve() {
                            assert!(self.lies, "{self:?}");
                            world.lies = false;
                            world.deputy = match world.watch {
                                Watch::HandingOut => Deputy::HandsOut,
                                _ => Deputy::StandsIn,
                            };
                        } else {
                            world.sleeps_soundly = true;
                        }
                    }
                }
                Deputy::StandsIn => {
                    if self.may_hand_out {
                        let mut other = self;
                        if other.watch.hand_out() {
                            other.deputy = Deputy::HandsOut;
                        }
                        worlds.push(other);
                    }
                    if self.watch == Watch::Recalled {
                        world.watch.give_back();
                        world.lies = true;
                        world.deputy = Deputy::Sleeps;
                        world.sleeps_soundly = true;
                    }
                }
                Deputy::HandsOut => {
                    world.watch.offer();
                    world.lies = true;
                    world.deputy = Deputy::Arms;
                    world.sleeps_soundly = false;
                }
                Deputy::Arms => {
                    world.alarm = true;
                    world.deputy = Deputy::Sleeps;
                }
            }
            worlds.push(world);
            worlds
        }
    }

    /// Goes through all worlds that can be reached, and checks each.
    fn explore(start: World) -> HashSet<World> {
        let mut seen = HashSet::from([start]);
        let mut left = vec![start];
        while let Some(world) = left.pop() {
            assert_eq!(world.holders(), 1, "the reactor is in one place: {world:?}");
            let somebody_acts = world.deputy == Deputy::Arms
                || world.threads.iter().any(|thread| matches!(thread, Thread::Arms | Thread::Waits));
            let will_be_relieved = !world.lies || world.alarm || somebody_acts;
            let is_lost = world.watch == Watch::Offered && !world.alarm && world.deputy != Deputy::Arms;
            assert!(!is_lost, "an offer is neither taken up nor taken back: {world:?}");
            assert!(will_be_relieved, "nobody may come for the reactor for ever, and the deputy sleeps: {world:?}");
            let next = world.next();
            assert!(next.iter().any(|other| *other != world), "everybody waits for somebody else: {world:?}");
            for other in next {
                if seen.insert(other) {
                    left.push(other);
                }
            }
        }
        seen
    }

    /// From each world that can be reached, a world that satisfies `goal` can be reached.
    fn can_always_reach(worlds: &HashSet<World>, goal: impl Fn(&World) -> bool) {
        let mut good: HashSet<World> = worlds.iter().copied().filter(|world| goal(world)).collect();
        loop {
            let before = good.len();
            let more: Vec<World> =
                worlds.iter().copied().filter(|world| world.next().iter().any(|next| good.contains(next))).collect();
            good.extend(more);
            if good.len() == before {
                break;
            }
        }
        let stuck: Vec<_> = worlds.difference(&good).collect();
        assert!(stuck.is_empty(), "from here it cannot be reached: {stuck:?}");
    }

    #[test]
    fn one_thread_and_its_deputy_never_both_have_the_reactor_nor_wait_for_each_other() {
        // The two other threads idle for ever: nothing is offered.
        let threads = [Thread::Leads, Thread::Idle, Thread::Idle];
        let start = World {
            watch: Watch::Leading,
            lies: false,
            threads,
            deputy: Deputy::Sleeps,
            may_hand_out: false,
            alarm: false,
            sleeps_soundly: true,
            owner: None,
        };
        let worlds = explore(start);
        assert!(worlds.iter().any(|world| world.threads[0] == Thread::Waits));
        can_always_reach(&worlds, |world| world.threads[0] == Thread::Leads);
        can_always_reach(&worlds, |world| world.deputy == Deputy::StandsIn);
    }

    #[test]
    fn several_threads_and_the_deputy_never_share_the_reactor_nor_wait_for_each_other() {
        let threads = [Thread::Idle; 3];
        let start = World {
            watch: Watch::HandingOut,
            lies: false,
            threads,
            deputy: Deputy::HandsOut,
            may_hand_out: true,
            alarm: false,
            sleeps_soundly: true,
            owner: None,
        };
        let worlds = explore(start);
        assert!(worlds.iter().any(|world| world.deputy == Deputy::HandsOut));
        can_always_reach(&worlds, |world| world.deputy == Deputy::HandsOut);
        for index in 0..3 {
            can_always_reach(&worlds, |world| world.threads[index] == Thread::Leads);
            can_always_reach(&worlds, |world| world.threads[index] == Thread::Idle);
        }
    }

    #[test]
    fn the_deputy_takes_only_what_has_lain_long_enough() {
        let helm = Helm::leading();
        assert!(matches!(helm.relieve(Monotonic(9)), Woken::Nothing));
        let (ticket, must_set_alarm) = helm.lay_down(7_u8, Monotonic(10));
        assert_eq!(must_set_alarm, MustSetAlarm(true));
        assert!(matches!(helm.relieve(Monotonic(9)), Woken::Early(Monotonic(10))));
        assert!(matches!(helm.relieve(Monotonic(10)), Woken::StandIn(7)));
        assert!(!helm.is_recalled());
        assert!(matches!(helm.take_up(ticket), Found::Wait));
        assert!(helm.is_recalled());
        helm.give_back(7);
        assert!(matches!(helm.wait(ticket), Found::Reactor(7)));
        let (ticket, must_set_alarm) = helm.lay_down(7_u8, Monotonic(11));
        assert_eq!(must_set_alarm, MustSetAlarm(true));
        assert!(matches!(helm.take_up(ticket), Found::Reactor(7)));
        let (ticket, must_set_alarm) = helm.lay_down(7_u8, Monotonic(12));
        assert_eq!(must_set_alarm, MustSetAlarm(false));
        helm.end();
        assert!(matches!(helm.take_up(ticket), Found::Over));
    }

    #[test]
    fn a_leader_that_wakes_too_late_recalls_the_reactor_again() {
        let helm = Helm::leading();
        let (ticket, _) = helm.lay_down(7_u8, Monotonic(1));
        assert!(matches!(helm.relieve(Monotonic(1)), Woken::StandIn(7)));
        assert!(matches!(helm.take_up(ticket), Found::Wait));
        // An alarm from before goes off while the leader is still asleep.
        helm.give_back(7);
        assert!(matches!(helm.relieve(Monotonic(1)), Woken::StandIn(7)));
        assert!(!helm.is_recalled());
        assert!(matches!(helm.wait(ticket), Found::Wait));
        assert!(helm.is_recalled());
        helm.give_back(7);
        assert!(matches!(helm.wait(ticket), Found::Reactor(7)));
    }

    #[test]
    fn a_leader_whose_work_is_handed_out_leads_no_more() {
        let helm = Helm::leading();
        let (ticket, _) = helm.lay_down(7_u8, Monotonic(1));
        assert!(matches!(helm.relieve(Monotonic(1)), Woken::StandIn(7)));
        assert!(helm.hand_out());
        assert!(matches!(helm.take_up(ticket), Found::Resigned));
        assert_eq!(helm.accept(), None);
        helm.offer(7, Monotonic(2));
        assert_eq!(helm.accept(), Some(7));
        assert_eq!(helm.accept(), None);
    }

    #[test]
    fn an_offer_that_nobody_takes_up_is_taken_back() {
        let helm = Helm::handing_out();
        helm.offer(7_u8, Monotonic(10));
        assert!(helm.is_offered());
        assert!(matches!(helm.relieve(Monotonic(9)), Woken::Early(Monotonic(10))));
        assert!(matches!(helm.relieve(Monotonic(10)), Woken::HandOut(7)));
        assert_eq!(helm.accept(), None);
        helm.offer(7, Monotonic(11));
        assert_eq!(helm.accept(), Some(7));
        assert!(matches!(helm.relieve(Monotonic(11)), Woken::Nothing));
        let (_, must_set_alarm) = helm.lay_down(7, Monotonic(12));
        assert_eq!(must_set_alarm, MustSetAlarm(true));
    }
}
