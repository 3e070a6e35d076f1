//! All of Python: the interpreter, forks under it, the settings file, signals, and the WSGI bridge.
//!
//! No Python object leaves this room. Calls come in detached; functions here attach for as long as they need to.

pub mod environment;
pub mod fork;
pub mod hooks;
pub mod interpreter;
mod interruptions;
pub mod loader;
pub mod own_answers;
pub mod package;
pub mod parting;
pub mod preload;
pub mod settings_file;
pub mod signals;
mod stacks;
pub mod standin;
mod traceback;
pub mod wsgi;
