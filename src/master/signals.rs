//! The signals that mean something to the master, by number.

use super::supervisor::Signal;

/// Signals that mean something to the master, by number.
const KNOWN_SIGNALS: [(i32, Signal); 10] = [
    (1, Signal::Hup),
    (2, Signal::Int),
    (3, Signal::Quit),
    (10, Signal::Usr1),
    (12, Signal::Usr2),
    (15, Signal::Term),
    (17, Signal::Chld),
    (21, Signal::Ttin),
    (22, Signal::Ttou),
    (28, Signal::Winch),
];

/// Those that the master handles.
pub(super) fn handled_signals() -> Vec<i32> {
    KNOWN_SIGNALS.iter().map(|(number, _)| *number).collect()
}

/// The signal of this number, if it means something.
pub(super) fn signal_of(number: i32) -> Option<Signal> {
    KNOWN_SIGNALS.iter().find(|(known, _)| *known == number).map(|(_, signal)| *signal)
}
