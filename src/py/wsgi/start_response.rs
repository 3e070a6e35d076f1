//! `start_response` and the `write` it returns. What the application says is judged and serialised at once; nothing of
//! Python is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::{PyAssertionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::bytes::Piece;
use super::held::{Held, Taken};
use super::hints::Hints;
use super::link::Link;
use super::{answer, strings};
use crate::app::Room;
use crate::http::{self, Fields};

/// What a thread answers with: made once, used for every request that does not keep a part of it.
#[derive(Debug)]
pub(super) struct Responder {
    pub(super) state: Arc<State>,
    /// The bound method that applications get: a builtin, so calling it is as cheap as Python has it.
    pub(super) start: Py<PyAny>,
    pub(super) hints: Hints,
    object: Py<StartResponse>,
    write: Py<Write>,
}

/// What `start_response`, `write` and the server share during an exchange.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) link: Link,
    answer: Held<Answer>,
    /// Memory for the next answer: what the application says is judged outside of any lock, since judging may run code
    /// of the application.
    spare: Held<Answer>,
    /// Has `write()` found that the client has gone?
    pub(super) is_gone: AtomicBool,
}

/// What the application has said of its answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Code and reason; empty before `start_response` was called.
    pub(super) status: Vec<u8>,
    pub(super) fields: Fields,
    /// Has the application called, even if in vain?
    is_called: bool,
    /// Has the head been handed over? After that it cannot be replaced.
    pub(super) is_sent: bool,
}

impl Responder {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        let state = Arc::new(State::default());
        let write = Bound::new(py, Write { state: state.clone() })?;
        let object = Bound::new(py, StartResponse { state: state.clone(), write: write.clone().unbind() })?;
        let start = object.getattr("start_response")?.unbind();
        let hints = Hints::new(py, &state)?;
        Ok(Self { state, start, hints, object: object.unbind(), write: write.unbind() })
    }

    /// Has the application let go of everything it was given? Then it serves again.
    pub(super) fn is_free(&self, py: Python<'_>) -> bool {
        // Ours and, for the object, the bound method's; for `write` the object's.
        let counts =
            [self.start.bind(py), self.object.bind(py).as_any(), self.write.bind(py).as_any()].map(strings::references);
        // Ours, the four objects' and the thread's; a body that was announced and not read holds another.
        counts == [1, 2, 2] && self.hints.are_free(py) && Arc::strong_count(&self.state) == 6
    }
}

impl State {
    /// Forgets the last exchange.
    pub(super) fn restart(&self, py: Python<'_>) {
        self.answer(py).restart();
        self.is_gone.store(false, Relaxed);
    }

    fn take_spare(&self, py: Python<'_>) -> Answer {
        std::mem::take(&mut *self.spare.take(py))
    }

    fn keep_spare(&self, py: Python<'_>, answer: Answer) {
        *self.spare.take(py) = answer;
    }

    /// What the application has said. Nothing may run while it is held that runs code of the application.
    pub(super) fn answer(&self, py: Python<'_>) -> Taken<'_, Answer> {
        self.answer.take(py)
    }
}

impl Answer {
    pub(super) fn restart(&mut self) {
        self.status.clear();
        self.fields.clear();
        self.is_called = false;
        self.is_sent = false;
    }

    pub(super) fn is_started(&self) -> bool {
        !self.status.is_empty()
    }

    /// May `start_response` be called now?
    fn verdict(&self, has_exc_info: bool) -> Verdict {
        match has_exc_info {
            true if self.is_sent => Verdict::TooLate,
            false if self.is_called => Verdict::Twice,
            true | false => Verdict::Fine,
        }
    }

    fn set(&mut self, status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        self.restart();
        let line = status
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("status must be a str, not {}", type_name(status))))?;
        let line =
            strings::latin1(line).ok_or_else(|| PyValueError::new_err("status has characters beyond Latin-1"))?;
        http::status(line).map_err(|error| PyValueError::new_err(error.to_string()))?;
        if let Ok(list) = headers.cast_exact::<PyList>() {
            for item in list {
                self.add(&item)?;
            }
        } else {
            for item in headers.try_iter()? {
                self.add(&item?)?;
            }
        }
        self.status.extend_from_slice(line);
        Ok(())
    }

    fn add(&mut self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, value);
        match item.cast_exact::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => (name, value) = (pair.get_item(0)?, pair.get_item(1)?),
            _ => (name, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?,
        }
        let name_text = name
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("header names must be str, not {}", type_name(&name))))?;
        let value_text = value.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!("the value of header {name_text:?} must be a str, not {}", type_name(&value)))
        })?;
        let wide = || PyValueError::new_err(format!("header {name_text:?} has characters beyond Latin-1"));
        let name_bytes = strings::latin1(name_text).ok_or_else(wide)?;
        let value_bytes = strings::latin1(value_text).ok_or_else(wide)?;
        self.fields.push(name_bytes, value_bytes).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// The object whose method applications call.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
pub(super) struct StartResponse {
    state: Arc<State>,
    write: Py<Write>,
}

#[pymethods]
impl StartResponse {
    /// Begins the answer. `status`: `"200 OK"`; `headers`: list of (name, value) tuples of str; `exc_info`: as
    /// `sys.exc_info()`, to replace an answer of which nothing is sent. Returns `write(bytes)`. Source: PEP 3333.
    #[pyo3(signature = (status, headers, exc_info=None))]
    fn start_response(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Write>> {
        let exc_info = exc_info.filter(|exc_info| !exc_info.is_none());
        let verdict = {
            let mut answer = self.state.answer(py);
            let verdict = answer.verdict(exc_info.is_some());
            answer.is_called = true;
            verdict
        };
        verdict.into_result(exc_info)?;
        let mut fresh = self.state.take_spare(py);
        fresh.set(status, headers)?;
        let verdict = {
            let mut answer = self.state.answer(py);
            // Judging has run code of the application, which may have sent the answer meanwhile.
            let verdict = if answer.is_sent { Verdict::TooLate } else { Verdict::Fine };
            if verdict == Verdict::Fine {
                fresh.is_called = true;
                std::mem::swap(&mut *answer, &mut fresh);
            }
            verdict
        };
        self.state.keep_spare(py, fresh);
        verdict.into_result(exc_info)?;
        Ok(self.write.clone_ref(py))
    }
}

/// Whether an answer may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// Without `exc_info` it may be begun once.
    Twice,
    /// Its head is on its way: it can no longer be replaced.
    TooLate,
}

impl Verdict {
    /// Errors: AssertionError; where it is too late, the exception that the application wanted to report.
    fn into_result(self, exc_info: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        match (self, exc_info) {
            (Self::TooLate, Some(exc_info)) => Err(reraised(exc_info)?),
            (Self::Twice, _) | (Self::TooLate, None) => Err(PyAssertionError::new_err("Response headers already set!")),
            (Self::Fine, _) => Ok(()),
        }
    }
}

/// The exception of an `exc_info` tuple, with its traceback.
fn reraised(exc_info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let (_, value, traceback) = exc_info.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
    let value = value.call_method1("with_traceback", (traceback,))?;
    Ok(PyErr::from_value(value))
}

/// The imperative way to send a body. Source: PEP 3333, the write() callable.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug)]
pub(super) struct Write {
    state: Arc<State>,
}

#[pymethods]
impl Write {
    /// Sends `data` (bytes) before it returns.
    #[pyo3(signature = (data, /))]
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = data
            .cast::<PyBytes>()
            .map_err(|_| PyTypeError::new_err(format!("write() takes bytes, not {}", type_name(data))))?;
        if bytes.as_bytes().is_empty() {
            return Ok(());
        }
        let room = answer::send_piece(py, &self.state, Piece::new(bytes)).map_err(|stop| {
            self.state.is_gone.fetch_or(stop.is_gone(), Relaxed);
            stop.into_exception()
        })?;
        match room {
            // PEP 3333, Handling the Content-Length Header.
            Room::Never => Err(PyValueError::new_err("write() beyond Content-Length")),
            Room::Yes | Room::Full => Ok(()),
        }
    }
}
