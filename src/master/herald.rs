//! What a service manager is told of the server: ready, reloading, stopping, how many workers serve, that the master lives.
//!
//! Pure: it sees the state of the supervisor and the time, and makes messages of it; `service.rs` sends them.
//!
//! Source: sd_notify(3), and `Type=notify-reload` in systemd.service(5).

use std::time::{Duration, Instant};

/// How often the manager is asked for patience while something takes its time, and for how much. What is asked for only ever
/// lengthens the time that the unit file allows.
const PATIENCE_EVERY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// The server, as the supervisor has it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// Workers that accept connections.
    pub(super) serving: usize,
    /// Workers there are, those that boot and those that finish included.
    pub(super) living: usize,
    /// Workers there shall be.
    pub(super) target: usize,
    /// The generation that new workers belong to.
    pub(super) generation: u32,
    /// Another generation is tried, or takes over.
    pub(super) is_reloading: bool,
    /// The server is about to end.
    pub(super) is_stopping: bool,
    /// The master that takes over, if there is one.
    pub(super) successor: Option<i32>,
    /// The master that made this one is still there.
    pub(super) has_predecessor: bool,
}

/// What the manager believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Starting,
    Ready,
    Reloading,
    Stopping,
    /// Another process is the service.
    Succeeded,
}

/// Knows what the manager was told, and tells what is new.
#[derive(Debug)]
pub(super) struct Herald {
    belief: Belief,
    /// The status that was told last.
    status: String,
    /// The generation that served when a reload was asked for.
    reload_from: Option<u32>,
    /// The last thing that went wrong in a reload.
    complaint: Option<String>,
    had_predecessor: bool,
    /// How often the manager wants a sign of life, at least.
    watchdog: Option<Duration>,
    sign_at: Option<Instant>,
    patience_at: Option<Instant>,
}

impl Herald {
    /// `watchdog`: the time without a sign of life after which the manager ends the service.
    pub(super) fn new(watchdog: Option<Duration>, now: Instant) -> Self {
        Self {
            belief: Belief::Starting,
            status: String::new(),
            reload_from: None,
            complaint: None,
            had_predecessor: false,
            // Twice as often as asked, as sd_watchdog_enabled(3) advises.
            watchdog: watchdog.map(|timeout| timeout / 2),
            sign_at: watchdog.map(|_| now),
            patience_at: Some(now),
        }
    }

    /// A reload was asked for, while `generation` served. Gives the message; `monotonic`: microseconds of that clock.
    pub(super) fn begin_reload(&mut self, generation: u32, monotonic: u64, now: Instant) -> Option<String> {
        match self.belief {
            // One that is asked for meanwhile takes the place of the first, and whoever asked waits for word of it.
            Belief::Ready | Belief::Reloading => {}
            Belief::Starting | Belief::Stopping | Belief::Succeeded => return None,
        }
        self.belief = Belief::Reloading;
        self.reload_from.get_or_insert(generation);
        self.complaint = None;
        self.patience_at = Some(now);
        Some(format!("RELOADING=1\nMONOTONIC_USEC={monotonic}"))
    }

    /// Something went wrong, and the log says so. Of a reload it is the reason, unless a later one follows.
    pub(super) fn hear_complaint(&mut self, text: &str) {
        if self.belief == Belief::Reloading {
            self.complaint = Some(first_line(text));
        }
    }

    /// What is to be said now, message by message.
    pub(super) fn look(&mut self, sight: &Sight, now: Instant) -> Vec<String> {
        let mut messages = Vec::new();
        if self.belief == Belief::Succeeded {
            return messages;
        }
        if std::mem::replace(&mut self.had_predecessor, sight.has_predecessor) && !sight.has_predecessor {
            // What was said before came from a process that was not the service yet.
            (self.belief, self.status) = (Belief::Starting, String::new());
        }
        let word = self.advance(sight);
        let status = self.describe(sight);
        let mut lines: Vec<String> = word.into_iter().collect();
        if status != self.status {
            lines.push(format!("STATUS={status}"));
            self.status = status;
        }
        if !lines.is_empty() {
            messages.push(lines.join("\n"));
        }
        if self.sign_at.is_some_and(|at| now >= at) {
            self.sign_at = self.watchdog.map(|interval| now + interval);
            messages.push("WATCHDOG=1".to_owned());
        }
        let is_slow = !matches!(self.belief, Belief::Ready | Belief::Succeeded);
        if !is_slow {
            self.patience_at = None;
        } else if self.patience_at.is_none_or(|at| now >= at) {
            self.patience_at = Some(now + PATIENCE_EVERY);
            messages.push(format!("EXTEND_TIMEOUT_USEC={}", PATIENCE.as_micros()));
        }
        messages
    }

    /// When there is something to say though nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.sign_at.into_iter().chain(self.patience_at).min()
    }

    /// Takes the step that `sight` asks for; gives what is said of it.
    fn advance(&mut self, sight: &Sight) -> Option<String> {
        if sight.is_stopping {
            return match (self.belief, sight.successor) {
                // From here on this process is none of the manager's business.
                (_, Some(successor)) => {
                    self.belief = Belief::Succeeded;
                    Some(format!("MAINPID={successor}"))
                }
                (Belief::Stopping | Belief::Succeeded, None) => None,
                (Belief::Starting | Belief::Ready | Belief::Reloading, None) => {
                    self.belief = Belief::Stopping;
                    Some("STOPPING=1".to_owned())
                }
            };
        }
        let is_due = match self.belief {
            Belief::Starting => sight.serving > 0 || sight.target == 0,
            Belief::Reloading => !sight.is_reloading,
            Belief::Ready | Belief::Stopping | Belief::Succeeded => false,
        };
        is_due.then(|| {
            self.belief = Belief::Ready;
            "READY=1".to_owned()
        })
    }

    fn describe(&mut self, sight: &Sight) -> String {
        let Sight { serving, living, target, generation, .. } = sight;
        let workers = format!("{serving} of {target} workers serve, generation {generation}");
        match self.belief {
            Belief::Starting => format!("Starting: {workers}"),
            Belief::Reloading => format!("Reloading: {workers}"),
            Belief::Stopping => format!("Stopping: {living} workers are left"),
            Belief::Succeeded => "Another master has taken over".to_owned(),
            Belief::Ready => {
                if self.reload_from.take().is_some_and(|before| before != *generation) {
                    self.complaint = None;
                }
                match &self.complaint {
                    Some(text) => format!("The last reload failed: {text}; {workers}"),
                    None => workers,
                }
            }
        }
    }
}

/// A status is one line, and a manager shows it in one.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches('.').chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    /// A herald at the start of its clock, and what it sees.
    struct Scene {
        herald: Herald,
        sight: Sight,
        start: Instant,
        second: u64,
    }

    impl Scene {
        fn new(watchdog: Option<u64>) -> Self {
            let start = Instant::now();
            let herald = Herald::new(watchdog.map(Duration::from_secs), start);
            let sight = Sight { target: 2, living: 2, generation: 1, ..Sight::default() };
            Self { herald, sight, start, second: 0 }
        }

        /// One that has started.
        fn ready() -> Self {
            let mut scene = Self::new(None);
            scene.sight.serving = 2;
            scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 1"]);
            scene
        }

        fn now(&self) -> Instant {
            self.start + Duration::from_secs(self.second)
        }

        fn reload(&mut self) -> Option<String> {
            self.herald.begin_reload(self.sight.generation, 7_000_000, self.now())
        }

        /// What is said, without the requests for patience; `|` is a line end.
        #[track_caller]
        fn expect(&mut self, want: &[&str]) {
            let said = self.herald.look(&self.sight, self.now());
            let said: Vec<String> = said.into_iter().filter(|text| !text.starts_with("EXTEND")).collect();
            assert_eq!(said, want.iter().map(|text| text.replace('|', "\n")).collect::<Vec<_>>());
        }

        fn asks_for_patience(&mut self) -> bool {
            let said = self.herald.look(&self.sight, self.now());
            said.iter().any(|text| text == "EXTEND_TIMEOUT_USEC=30000000")
        }
    }

    #[test]
    fn it_is_ready_when_the_first_worker_serves() {
        let mut scene = Scene::new(None);
        scene.expect(&["STATUS=Starting: 0 of 2 workers serve, generation 1"]);
        scene.expect(&[]);
        scene.sight.serving = 1;
        scene.expect(&["READY=1|STATUS=1 of 2 workers serve, generation 1"]);
        scene.sight.serving = 2;
        scene.expect(&["STATUS=2 of 2 workers serve, generation 1"]);
        scene.expect(&[]);
    }

    #[test]
    fn a_server_without_workers_is_ready_at_once() {
        let mut scene = Scene::new(None);
        scene.sight.target = 0;
        scene.expect(&["READY=1|STATUS=0 of 0 workers serve, generation 1"]);
    }

    #[test]
    fn a_reload_is_over_when_the_new_generation_has_taken_over() {
        let mut scene = Scene::ready();
        assert_eq!(scene.reload().unwrap(), "RELOADING=1\nMONOTONIC_USEC=7000000");
        (scene.sight.is_reloading, scene.sight.generation) = (true, 2);
        scene.expect(&["STATUS=Reloading: 2 of 2 workers serve, generation 2"]);
        scene.expect(&[]);
        scene.sight.is_reloading = false;
        scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 2"]);
    }

    #[test]
    fn a_reload_that_is_abandoned_is_over_too_and_says_why() {
        let mut scene = Scene::ready();
        scene.reload().unwrap();
        (scene.sight.is_reloading, scene.sight.generation) = (true, 2);
        scene.herald.look(&scene.sight.clone(), scene.now());
        scene
            .herald
            .hear_complaint("Reload abandoned: worker (pid:7) failed to boot. Generation 1 serves on.\nTraceback");
        (scene.sight.is_reloading, scene.sight.generation) = (false, 1);
        scene.expect(&[
            "READY=1|STATUS=The last reload failed: Reload abandoned: worker (pid:7) failed to boot. Generation 1 serves \
             on; 2 of 2 workers serve, generation 1",
        ]);
        // It is said until one succeeds, also where settings could not even be read.
        scene.reload().unwrap();
        scene.herald.hear_complaint("'x.py' doesn't exist");
        scene.expect(&[
            "READY=1|STATUS=The last reload failed: 'x.py' doesn't exist; 2 of 2 workers serve, generation 1",
        ]);
        scene.reload().unwrap();
        scene.sight.generation = 3;
        scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 3"]);
    }

    #[test]
    fn whoever_asks_for_a_reload_during_one_is_answered_too() {
        let mut scene = Scene::ready();
        scene.reload().unwrap();
        (scene.sight.is_reloading, scene.sight.generation) = (true, 2);
        scene.herald.look(&scene.sight.clone(), scene.now());
        assert!(scene.reload().is_some());
        (scene.sight.is_reloading, scene.sight.generation) = (false, 3);
        scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 3"]);
    }

    #[test]
    fn what_goes_wrong_outside_of_a_reload_is_not_its_reason() {
        let mut scene = Scene::ready();
        scene.herald.hear_complaint("Worker (pid:9) was sent SIGSEGV!");
        scene.sight.serving = 1;
        scene.expect(&["STATUS=1 of 2 workers serve, generation 1"]);
    }

    #[test]
    fn a_stop_is_told_once_and_counted_down() {
        let mut scene = Scene::ready();
        (scene.sight.is_stopping, scene.sight.serving) = (true, 0);
        scene.expect(&["STOPPING=1|STATUS=Stopping: 2 workers are left"]);
        assert_eq!(scene.reload(), None);
        scene.sight.living = 0;
        scene.expect(&["STATUS=Stopping: 0 workers are left"]);
    }

    #[test]
    fn who_leaves_to_a_successor_names_it_and_falls_silent() {
        let mut scene = Scene::ready();
        scene.sight.successor = Some(99);
        scene.expect(&[]);
        scene.sight.is_stopping = true;
        scene.expect(&["MAINPID=99|STATUS=Another master has taken over"]);
        (scene.sight.living, scene.sight.successor) = (0, None);
        scene.second = 60;
        scene.expect(&[]);
        assert!(!scene.asks_for_patience());
    }

    #[test]
    fn a_successor_says_everything_again_when_it_is_alone() {
        let mut scene = Scene::new(None);
        (scene.sight.has_predecessor, scene.sight.serving) = (true, 2);
        scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 1"]);
        scene.sight.has_predecessor = false;
        scene.expect(&["READY=1|STATUS=2 of 2 workers serve, generation 1"]);
        scene.expect(&[]);
    }

    #[test]
    fn the_watchdog_gets_its_sign_twice_as_often_as_it_asks() {
        let mut scene = Scene::new(Some(10));
        scene.sight.serving = 2;
        let first = scene.herald.look(&scene.sight.clone(), scene.now());
        assert!(first.contains(&"WATCHDOG=1".to_owned()), "{first:?}");
        scene.second = 4;
        scene.expect(&[]);
        assert_eq!(scene.herald.next_deadline(), Some(scene.start + Duration::from_secs(5)));
        scene.second = 5;
        scene.expect(&["WATCHDOG=1"]);
        scene.expect(&[]);
    }

    #[test]
    fn patience_is_asked_for_while_something_takes_its_time() {
        let mut scene = Scene::new(None);
        assert!(scene.asks_for_patience());
        scene.second = 9;
        assert!(!scene.asks_for_patience());
        scene.second = 10;
        assert!(scene.asks_for_patience());
        scene.sight.serving = 2;
        scene.second = 20;
        assert!(!scene.asks_for_patience(), "it is ready");
        assert_eq!(scene.herald.next_deadline(), None);
        scene.second = 30;
        scene.reload().unwrap();
        scene.sight.is_reloading = true;
        assert!(scene.asks_for_patience());
        scene.sight.is_reloading = false;
        assert!(!scene.asks_for_patience());
        scene.sight.is_stopping = true;
        assert!(scene.asks_for_patience());
    }
}
