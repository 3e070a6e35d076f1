//! indrik, a pre-fork WSGI application server.
//!
//! This file lists the rooms of the house; `docs/architecture.md` describes them and `tests/tidy.rs` holds who may use
//! whom. Two doors lead in: `main.rs` (the cargo binary, with an embedded interpreter) and `extension.rs` (the wheel's
//! `indrik._indrik`, loaded by the virtual environment's own Python). Both enter [`cli::run`].

pub mod app;
pub mod cli;
pub mod config;
pub mod exit;
pub mod extension;
pub mod http;
pub mod ipc;
pub mod logging;
pub mod master;
pub mod net;
pub mod py;
pub mod server;
pub mod sys;
pub mod worker;
