//! Deadlines: who is silent, who boots, drains or quits too long, and what is done about it.
//!
//! Only a `Tick` enforces them: before it the loop has told every sign of life that it could read.

use std::time::Instant;

use super::Supervisor;
use super::deaths::Loss;
use super::messages::{BootFailure, Level, Order, Pid, SIGABRT, SIGKILL, SIGQUIT, SIGTERM};
use super::process::{Cause, State};
use super::signals::{Ending, Pace};

impl Supervisor {
    /// Does what is due with each worker.
    pub(super) fn enforce(&mut self, now: Instant) {
        if self.leave_at.is_some_and(|at| at <= now) {
            self.stop(Ending::Asked, Pace::Graceful, now);
        }
        for pid in self.pids_that(|process| process.lifetime_end().is_some_and(|at| at <= now)) {
            self.log(Level::Info, format!("Worker (pid:{}) has lived for max_worker_lifetime: it is replaced.", pid.0));
            self.let_retire(pid, now);
        }
        let due = self.pids_that(|process| process.deadline().is_some_and(|at| at <= now));
        let mut late: Vec<Pid> = Vec::new();
        for pid in due {
            // What was done about an earlier one may have changed this one: a state just entered is not overdue.
            let process = &self.processes[&pid];
            if process.deadline().is_none_or(|at| at > now) {
                continue;
            }
            let is_late = process.graceful_end().is_some_and(|at| at <= now);
            match process.state {
                State::Boot => self.abort_boot(pid, now),
                State::Drain if is_late => late.push(pid),
                State::Serve | State::Retire | State::Drain => self.abort(pid, now),
                State::Recall | State::Quit | State::Fail => self.press(pid, now),
                State::Abort => {
                    self.log(Level::Warning, format!("Worker (pid:{}) survived SIGABRT: SIGKILL.", pid.0));
                    self.kill(pid, Cause::Timeout, now);
                }
                State::Kill => {}
            }
        }
        self.kill_late(&late, now);
    }

    /// A booted worker is silent.
    fn abort(&mut self, pid: Pid, now: Instant) {
        self.log(Level::Critical, format!("WORKER TIMEOUT (pid:{})", pid.0));
        let process = &self.processes[&pid];
        let loss = process.state.stays().then(|| Loss::new(pid, process, "timed out", now));
        self.signal(pid, SIGABRT, Cause::Timeout);
        self.enter(pid, State::Abort, now);
        if let Some(loss) = loss {
            self.miss(loss, now);
        }
    }

    /// A worker does not get ready.
    fn abort_boot(&mut self, pid: Pid, now: Instant) {
        let process = &self.processes[&pid];
        let limit = process.plan.boot_timeout.as_secs_f64();
        let loss = Loss::new(pid, process, format!("did not boot within {limit} s"), now);
        self.log(Level::Critical, format!("WORKER TIMEOUT (pid:{}) while booting: not ready after {limit} s", pid.0));
        self.signal(pid, SIGABRT, Cause::Timeout);
        self.enter(pid, State::Abort, now);
        self.miss_boot(loss, BootFailure::Boot, now);
    }

    /// A worker that should leave at once does not.
    fn press(&mut self, pid: Pid, now: Instant) {
        let process = &self.processes[&pid];
        if process.quit_end().is_some_and(|at| at > now) {
            let signal = if process.state == State::Recall { SIGTERM } else { SIGQUIT };
            self.signal(pid, signal, Cause::Quick);
        } else {
            self.log(Level::Warning, format!("Worker (pid:{}) has not quit: SIGKILL.", pid.0));
            self.kill(pid, Cause::Quick, now);
        }
    }

    /// Workers have drained as long as they may.
    fn kill_late(&mut self, late: &[Pid], now: Instant) {
        if late.is_empty() {
            return;
        }
        let names: Vec<String> = late.iter().map(|pid| format!("pid:{}", pid.0)).collect();
        self.log(Level::Warning, format!("Not finished within graceful_timeout ({}): SIGKILL.", names.join(", ")));
        for &pid in late {
            self.kill(pid, Cause::Grace, now);
        }
    }

    fn kill(&mut self, pid: Pid, cause: Cause, now: Instant) {
        self.signal(pid, SIGKILL, cause);
        self.enter(pid, State::Kill, now);
    }

    fn enter(&mut self, pid: Pid, state: State, now: Instant) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.enter(state, now);
        }
    }

    fn signal(&mut self, pid: Pid, signal: i32, cause: Cause) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.note(signal, cause);
            self.orders.push(Order::Kill { pid, signal });
        }
    }
}
