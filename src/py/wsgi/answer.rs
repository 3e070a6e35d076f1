//! One call of the application: from the environ to the end of its iterable, and `close()`, always.

use std::sync::atomic::Ordering::Relaxed;

use pyo3::exceptions::{PyBrokenPipeError, PyOSError, PyRuntimeError, PyStopIteration, PySystemExit, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::bytes::Piece;
use super::file_span::FileSpan;
use super::file_wrapper::FileWrapper;
use super::start_response::{Responder, State};
use super::{Tools, Wsgi, environ, errors, hints, hooked};
use crate::app::{Exchange, Failure, Flush, Gone, Refusal, Room};
use crate::http;
use crate::py::{signals, traceback};

/// Why an answer does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The application raised, or broke its contract.
    Raised(PyErr),
    /// The client has gone.
    Gone,
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl Stop {
    /// Has the client gone?
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// For `write()`, whose caller is the application.
    pub(super) fn into_exception(self) -> PyErr {
        match self {
            Self::Raised(error) => error,
            Self::Gone => PyBrokenPipeError::new_err("the client has gone"),
        }
    }
}

/// Calls the application for `exchange`. Errors: as [`crate::app::Caller::call`].
pub(super) fn call(
    py: Python<'_>,
    wsgi: &Wsgi,
    tools: &mut Tools,
    exchange: &mut dyn Exchange<Wsgi>,
) -> Result<(), Failure> {
    match wsgi.around {
        None => answer(py, wsgi, tools, exchange, None),
        Some(around) => hooked::call(py, wsgi, tools, exchange, around),
    }
}

/// The call itself. `observed`: what the operator's own Python code around it wants to know.
pub(super) fn answer<'py>(
    py: Python<'py>,
    wsgi: &Wsgi,
    tools: &mut Tools,
    exchange: &mut dyn Exchange<Wsgi>,
    mut observed: Option<&mut hooked::Request<'py>>,
) -> Result<(), Failure> {
    let responder = match tools.responder.take().filter(|responder| responder.is_free(py)) {
        Some(responder) => responder,
        None => match Responder::new(py) {
            Ok(responder) => {
                hints::follow(&responder.state);
                responder
            }
            Err(error) => return Err(fail(py, exchange, &error)),
        },
    };
    let state = &responder.state;
    state.restart(py);
    let environ = match environ::build(py, wsgi, tools, exchange, &responder) {
        Ok(environ) => environ,
        Err(environ::Unfit::Status(status)) => return Err(Failure::Request(status)),
        Err(environ::Unfit::Raised(error)) => return Err(fail(py, exchange, &error)),
    };
    if let Some(observed) = observed.as_deref_mut()
        && let Err(error) = observed.amend(&environ)
    {
        return Err(fail(py, exchange, &error));
    }
    let result = state.link.lend(py, exchange, || run(py, wsgi, state, &responder, &environ));
    if let Some(observed) = observed {
        observed.note(py, state);
    }
    for (index, name) in wsgi.variables.iter().enumerate() {
        let value = environ.get_item(name).ok().flatten().and_then(|value| value.str().ok());
        if let Some(value) = value {
            exchange.note_variable(index, value.to_string_lossy().as_bytes());
        }
    }
    let is_gone = state.is_gone.load(Relaxed);
    tools.responder = Some(responder);
    errors::finish_line();
    match result {
        Ok(()) => Ok(()),
        // Some applications end a connection that they took over this way.
        Err(Stop::Raised(error)) if exchange.is_taken_over() && error.is_instance_of::<PyStopIteration>(py) => Ok(()),
        Err(Stop::Gone) if exchange.is_taken_over() => Ok(()),
        // The application let the exception of `write()` pass: that is no fault of its own.
        Err(Stop::Raised(_)) if is_gone => {
            log::debug!("Ignored premature client disconnection. {}", request_line(exchange));
            Err(Failure::Gone)
        }
        Err(Stop::Gone) => {
            log::debug!("Ignored premature client disconnection. {}", request_line(exchange));
            Err(Failure::Gone)
        }
        // Our own handler's exception: the order is to leave at once, and the request is cut.
        Err(Stop::Raised(error)) if signals::is_quitting() && error.is_instance_of::<PySystemExit>(py) => {
            Err(Failure::Gone)
        }
        Err(Stop::Raised(error)) => match exchange.refusal() {
            // No fault of the application. What was wrong with the body is told by the worker, but for this.
            Some(refusal) if error.is_instance_of::<PyOSError>(py) => {
                if refusal == Refusal::Gone {
                    log::debug!("Ignored premature client disconnection. {}", request_line(exchange));
                }
                Err(Failure::Request(refusal.status()))
            }
            _ => Err(fail(py, exchange, &error)),
        },
    }
}

/// Logs what the application raised.
pub(super) fn fail(py: Python<'_>, exchange: &mut dyn Exchange<Wsgi>, error: &PyErr) -> Failure {
    log::error!("Error handling request {}\n{}", request_line(exchange), traceback::text(py, error));
    Failure::Application
}

fn request_line(exchange: &mut dyn Exchange<Wsgi>) -> String {
    let (head, ..) = exchange.request();
    format!("{} {}", head.method(), head.target())
}

fn run(
    py: Python<'_>,
    wsgi: &Wsgi,
    state: &State,
    responder: &Responder,
    environ: &Bound<'_, pyo3::types::PyDict>,
) -> Result<(), Stop> {
    let iterable = wsgi.callable.bind(py).call1((environ, responder.start.bind(py)))?;
    if signals::is_forked() {
        // A child of the application: the answer is its parent's to give.
        return Err(Stop::Gone);
    }
    let sent = send_all(py, state, &iterable);
    let closed = close(&iterable);
    if let Err(error) = closed {
        // The answer is out, or has failed for a reason of its own: only the log can still be told.
        log::error!("Exception in close() of a response\n{}", traceback::text(py, &error));
    }
    sent
}

/// Source: PEP 3333, "the application's close() method must be called", whatever happened before.
fn close(iterable: &Bound<'_, PyAny>) -> PyResult<()> {
    if iterable.is_exact_instance_of::<PyList>() || iterable.is_exact_instance_of::<PyTuple>() {
        return Ok(());
    }
    match iterable.getattr_opt(pyo3::intern!(iterable.py(), "close"))? {
        Some(close) => close.call0().map(drop),
        None => Ok(()),
    }
}

fn send_all(py: Python<'_>, state: &State, iterable: &Bound<'_, PyAny>) -> Result<(), Stop> {
    if state.link.with(py, |exchange| exchange.is_taken_over())? {
        return Ok(());
    }
    if let Some(body) = whole_body(iterable) {
        return send_whole(py, state, &body);
    }
    if let Some(span) = file_span(state, iterable)? {
        return send_file(py, state, span);
    }
    for item in iterable.try_iter()? {
        let item = item?;
        let bytes = item.cast::<PyBytes>().map_err(|_| not_bytes(&item))?;
        if !bytes.as_bytes().is_empty() && send_piece(py, state, Piece::new(bytes))? == Room::Never {
            // PEP 3333, Handling the Content-Length Header: iteration stops when enough has been sent.
            break;
        }
    }
    finish(py, state)
}

/// The items of a list or tuple, which hold all of the body; `None` for other iterables, and for items that are no bytes.
fn whole_body<'py>(iterable: &Bound<'py, PyAny>) -> Option<Whole<'py>> {
    let bytes = |item: Bound<'py, PyAny>| item.cast_into::<PyBytes>().ok();
    if let Ok(list) = iterable.cast_exact::<PyList>() {
        match list.len() {
            0 => Some(Whole::Empty),
            1 => list.get_item(0).ok().and_then(bytes).map(Whole::One),
            _ => list.iter().map(bytes).collect::<Option<_>>().map(Whole::Many),
        }
    } else if let Ok(tuple) = iterable.cast_exact::<PyTuple>() {
        match tuple.len() {
            0 => Some(Whole::Empty),
            1 => tuple.get_item(0).ok().and_then(bytes).map(Whole::One),
            _ => tuple.iter().map(bytes).collect::<Option<_>>().map(Whole::Many),
        }
    } else {
        None
    }
}

/// A body that is known as a whole. Nearly all have one item, and that costs no list.
enum Whole<'py> {
    Empty,
    One(Bound<'py, PyBytes>),
    Many(Vec<Bound<'py, PyBytes>>),
}

impl<'py> Whole<'py> {
    fn items(&self) -> &[Bound<'py, PyBytes>] {
        match self {
            Self::Empty => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

/// Sends a body that is known as a whole: its length is known, nothing needs to go out before its end, and what the client
/// does not take at once is queued by reference.
fn send_whole(py: Python<'_>, state: &State, body: &Whole<'_>) -> Result<(), Stop> {
    let mut answer = state.answer(py);
    if answer.is_sent {
        // `write()` was used before.
        drop(answer);
        for item in body.items().iter().filter(|item| !item.as_bytes().is_empty()) {
            send_piece(py, state, Piece::new(item))?;
        }
        return finish(py, state);
    }
    if !answer.is_started() {
        return Err(Stop::Raised(no_start_response()));
    }
    let length = body.items().iter().map(|item| item.as_bytes().len() as u64).sum();
    answer.is_sent = true;
    let answer = &*answer;
    state.link.with(py, |exchange| -> Result<(), Stop> {
        exchange.respond(&answer.status, &answer.fields, Some(length))?;
        for item in body.items() {
            exchange.send(Piece::new(item), Flush::Later)?;
        }
        Ok(exchange.finish()?)
    })?
}

/// The part of a file that is all of the body, where the server can send it without reading it.
///
/// Source: PEP 3333, optional platform-specific file handling: the object that the application returns, and no other.
fn file_span(state: &State, iterable: &Bound<'_, PyAny>) -> Result<Option<FileSpan>, Stop> {
    let py = iterable.py();
    let Ok(wrapper) = iterable.cast_exact::<FileWrapper>() else { return Ok(None) };
    // What `write()` has sent counts towards Content-Length: then blocks are easier to get right.
    if state.answer(py).is_sent || !state.link.with(py, |exchange| exchange.sends_files())? {
        return Ok(None);
    }
    Ok(wrapper.get().span(wrapper.py()))
}

fn send_file(py: Python<'_>, state: &State, span: FileSpan) -> Result<(), Stop> {
    let mut answer = state.answer(py);
    if !answer.is_started() {
        return Err(Stop::Raised(no_start_response()));
    }
    answer.is_sent = true;
    let answer = &*answer;
    let len = answer.fields.content_length().map_or(span.len, |announced| announced.min(span.len));
    let may_have_body = !matches!(http::status(&answer.status), Ok(100..=199 | 204 | 304));
    state.link.with(py, |exchange| -> Result<(), Stop> {
        exchange.respond(&answer.status, &answer.fields, Some(len))?;
        let is_head = exchange.request().0.method() == "HEAD";
        if len > 0 && may_have_body && !is_head {
            exchange.send_file(span.file, span.offset, len)?;
        }
        Ok(exchange.finish()?)
    })?
}

/// Sends the head, if it is due, and one piece of the body.
pub(super) fn send_piece(py: Python<'_>, state: &State, piece: Piece) -> Result<Room, Stop> {
    begin(py, state, None)?;
    let mut room = state.link.with(py, |exchange| exchange.send(piece, Flush::Now))??;
    while room == Room::Full {
        room = state.link.with_detached(py, |exchange| exchange.wait_for_room())??;
        // Signals are heard meanwhile; an order to leave at once ends the wait.
        py.check_signals()?;
    }
    Ok(room)
}

/// The body has ended. If nothing of it has come, its length is known after all.
fn finish(py: Python<'_>, state: &State) -> Result<(), Stop> {
    begin(py, state, Some(0))?;
    Ok(state.link.with(py, |exchange| exchange.finish())??)
}

/// Hands the head over, once. Source: PEP 3333: not before the first bytes that are not empty.
fn begin(py: Python<'_>, state: &State, length: Option<u64>) -> Result<(), Stop> {
    let mut answer = state.answer(py);
    if answer.is_sent {
        return Ok(());
    }
    if !answer.is_started() {
        return Err(Stop::Raised(no_start_response()));
    }
    answer.is_sent = true;
    let answer = &*answer;
    Ok(state.link.with(py, |exchange| exchange.respond(&answer.status, &answer.fields, length))??)
}

fn no_start_response() -> PyErr {
    PyRuntimeError::new_err("the application has not called start_response")
}

fn not_bytes(item: &Bound<'_, PyAny>) -> PyErr {
    let name = item.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("the application's iterable must yield bytes, not {name}"))
}
