//! The worker with the echo application on one port, for the benches: what indrik's transport costs without Python.
//!
//! `transport PORT` serves until it is killed.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use indrik::app::echo::Echo;
use indrik::config::{self, Layers};
use indrik::ipc::{self, Scoreboard};
use indrik::net::{Address, Listener, Manner};
use indrik::worker::{self, Setup};

fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1) else {
        return ExitCode::from(2);
    };
    match serve(&port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(port: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (config, _) = config::resolve(&Layers::default(), Path::new("/"))?;
    let listener = Listener::bind(&Address::parse(&format!("127.0.0.1:{port}"))?, Manner::plain(2048))?;
    // Held open: its end of file would tell the worker that it is an orphan.
    let (_master, ipc) = ipc::pair()?;
    let setup = Setup {
        app: Arc::new(Echo),
        config: Arc::new(config),
        listeners: vec![Arc::new(listener)],
        ipc,
        line: Scoreboard::new()?.line(0),
        siblings: None,
        access: None,
        note_answer: None,
        max_requests: 0,
    };
    worker::run(setup).map(drop).map_err(Into::into)
}
