//! The listeners: how the first are bound, patiently, and how a reload keeps those that it can.
#![allow(clippy::disallowed_methods)] // Waits between two tries, and reads the clock for it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::service::FIRST_SOCKET;
use super::signals::signal_of;
use super::supervisor::Signal;
use crate::config::{Account, Config};
use crate::net::{Access, Address, BindError, Listener, Manner};
use crate::sys::{self, Interest as Wait, SignalPipe};

/// How often a bind is tried, and how long apart: an old server may be about to leave. Source: Gunicorn.
const BIND_ATTEMPTS: u32 = 5;
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// Where to listen: at the `sockets` that a service manager has opened, if there are any, else where the settings say.
///
/// Source: Gunicorn, which knows no third.
fn addresses(config: &Config, sockets: usize) -> Result<Vec<Address>, String> {
    if sockets > 0 {
        return Ok((FIRST_SOCKET..).take(sockets).map(Address::Descriptor).collect());
    }
    config.bind.iter().map(|text| Address::parse(text).map_err(|error| error.to_string())).collect()
}

fn manner(config: &Config) -> Manner {
    let number = |account: &Option<Account>| account.as_ref().and_then(Account::number);
    let access = Access {
        mode: config.unix_socket_mode.unwrap_or(0o777 & !config.umask),
        user: number(&config.unix_socket_user),
        group: number(&config.unix_socket_group),
    };
    Manner { backlog: config.backlog as i32, reuses_port: config.reuse_port, access }
}

/// Keeps the sockets of addresses that are `held`, and binds the others. `sockets`: of a service manager.
///
/// Errors: one cannot be bound; the text says why.
pub(super) fn rebind(config: &Config, sockets: usize, held: &[Arc<Listener>]) -> Result<Vec<Arc<Listener>>, String> {
    let listen = |address: &Address| match held.iter().find(|listener| listener.address() == address) {
        Some(listener) => Ok(listener.clone()),
        None => Listener::bind(address, manner(config)).map(Arc::new).map_err(|error| {
            let overlap = match error {
                BindError::InUse(_) => "\nhint: if it overlaps with an address of this server, restart to change it",
                BindError::NoSuchAddress(_) | BindError::Other(_) => "",
            };
            format!("cannot bind {address}: {error}{}{overlap}", advice(address, &error))
        }),
    };
    addresses(config, sockets)?.iter().map(listen).collect()
}

/// The listeners that another master has left. Errors: a descriptor is no listener; the text says which.
pub(super) fn inherit(config: &Config, descriptors: &[i32]) -> Result<Vec<Arc<Listener>>, String> {
    let mut named = addresses(config, 0)?;
    if named.len() != descriptors.len() {
        log::warn!("bind names other addresses than the old master listens at: its sockets are used");
        named = descriptors.iter().map(|&number| Address::Descriptor(number)).collect();
    }
    let take = |(address, &number)| {
        Listener::succeed(address, number, manner(config))
            .map(Arc::new)
            .map_err(|error| format!("descriptor {number} of the old master is no listener: {error}"))
    };
    named.into_iter().zip(descriptors).map(take).collect()
}

/// Binds all addresses, each up to five times a second apart. A signal to stop ends the waiting. `sockets`: of a service manager.
pub(super) fn bind_all(config: &Config, sockets: usize, signals: &SignalPipe) -> Result<Vec<Arc<Listener>>, String> {
    let mut listeners = Vec::new();
    for address in addresses(config, sockets)? {
        listeners.push(Arc::new(bind_patiently(&address, manner(config), signals)?));
    }
    Ok(listeners)
}

fn bind_patiently(address: &Address, manner: Manner, signals: &SignalPipe) -> Result<Listener, String> {
    for attempt in 1..=BIND_ATTEMPTS {
        let error = match Listener::bind(address, manner) {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        match &error {
            BindError::InUse(_) => log::error!("Connection in use: {address}"),
            BindError::NoSuchAddress(_) => log::error!("Invalid address: {address}"),
            BindError::Other(_) => {
                return Err(format!("Can't connect to {address}: {error}{}", advice(address, &error)));
            }
        }
        log::error!("connection to {address} failed: {error}");
        if attempt < BIND_ATTEMPTS && is_told_to_stop(signals, BIND_PAUSE) {
            break;
        }
    }
    Err(format!(
        "Can't connect to {address}\nhint: find out who holds it (ss -lp), or name another address with --bind"
    ))
}

/// Waits, and says whether a signal to stop has come. Other signals mean nothing before there is anything to supervise.
fn is_told_to_stop(signals: &SignalPipe, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return false;
        }
        let _ = sys::wait_for(signals.descriptor(), Wait::Readable, Some(rest));
        let heard = signals.take().into_iter().filter_map(signal_of);
        if heard.into_iter().any(|signal| matches!(signal, Signal::Term | Signal::Int | Signal::Quit)) {
            return true;
        }
    }
}

fn advice(address: &Address, error: &BindError) -> &'static str {
    match (address, error.error().kind()) {
        (Address::Tcp { .. }, io::ErrorKind::PermissionDenied) => {
            "\nhint: bind a port above 1023 and put a proxy in front"
        }
        (Address::Unix(_), io::ErrorKind::PermissionDenied) => {
            "\nhint: this user must be allowed to write in the socket's directory"
        }
        (Address::Descriptor(_), _) => "\nhint: fd://N is a socket that whoever starts the server has opened, once",
        (Address::Unix(_), io::ErrorKind::NotFound) => "\nhint: the directory of a unix socket must exist",
        _ => "",
    }
}

/// Says where connections are accepted.
pub(super) fn announce(listeners: &[Arc<Listener>]) {
    let shown: Vec<String> = listeners.iter().map(|listener| listener.to_string()).collect();
    log::info!("Listening at: {} ({})", shown.join(","), std::process::id());
}
