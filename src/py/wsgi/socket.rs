//! `gunicorn.socket`: the connection as a Python socket. Looking at it changes nothing; using it takes it over.
//!
//! It is an instance of a subclass of `socket.socket` (socket.py, beside this file), made once per connection and without a
//! descriptor; at the first use it gets one of its own, and the server forgets the connection. What the server had read
//! already comes first.

use std::ffi::CString;
use std::os::fd::{AsRawFd, IntoRawFd};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule};

use super::{Memory, Wsgi, hints};
use crate::app::Exchange;

/// What the class is made of.
const SOURCE: &str = include_str!("socket.py");

/// Makes the objects in environ.
#[derive(Debug)]
pub(super) struct Sockets {
    class: Py<PyAny>,
    /// Its `__new__`, which makes one without a descriptor.
    new: Py<PyAny>,
}

impl Sockets {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        let module = PyModule::new(py, "indrik.socket")?;
        module.add_function(wrap_pyfunction!(borrow, &module)?)?;
        module.add_function(wrap_pyfunction!(take_over, &module)?)?;
        py.run(&CString::new(SOURCE)?, Some(&module.dict()), None)?;
        let class = module.getattr("ConnectionSocket")?;
        class.setattr("__module__", "indrik")?;
        let new = class.getattr("__new__")?;
        Ok(Self { class: class.unbind(), new: new.unbind() })
    }

    /// The socket of the connection that `memory` belongs to.
    pub(super) fn socket<'py>(&self, py: Python<'py>, memory: &mut Memory) -> PyResult<Bound<'py, PyAny>> {
        if let Some(socket) = &memory.socket {
            return Ok(socket.bind(py).clone());
        }
        let socket = self.new.bind(py).call1((self.class.bind(py),))?;
        memory.socket = Some(socket.clone().unbind());
        Ok(socket)
    }
}

/// The server's descriptor of the connection that `socket` stands for.
#[pyfunction]
fn borrow(socket: &Bound<'_, PyAny>) -> PyResult<i32> {
    hints::current()?.link.with(socket.py(), |exchange| {
        check(socket, exchange)?;
        Ok(exchange.socket().as_raw_fd())
    })?
}

/// A descriptor to keep, and what was read beyond the request.
#[pyfunction]
fn take_over<'py>(socket: &Bound<'py, PyAny>) -> PyResult<(i32, Bound<'py, PyBytes>)> {
    let py = socket.py();
    let state = hints::current()?;
    state.link.with(py, |exchange| check(socket, exchange))??;
    let (descriptor, rest) = state.link.with_detached(py, |exchange| {
        if exchange.is_taken_over() {
            return Err(std::io::Error::other("another thread has taken the connection over"));
        }
        exchange.take_over()
    })??;
    Ok((descriptor.into_raw_fd(), PyBytes::new(py, &rest)))
}

/// An application may have kept the socket of another connection.
fn check(socket: &Bound<'_, PyAny>, exchange: &mut dyn Exchange<Wsgi>) -> PyResult<()> {
    let (.., memory) = exchange.request();
    match &memory.socket {
        Some(own) if own.is(socket) => Ok(()),
        _ => Err(PyRuntimeError::new_err("this socket is not that of the request which runs in this thread")),
    }
}
