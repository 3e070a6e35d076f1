//! `gunicorn.socket`: the connection as a Python socket. Looking at it changes nothing; using it takes it over.
//!
//! Made once per connection, and cheap until it is used. After the take-over it stands for a real `socket.socket` with a
//! descriptor of its own, and the server forgets the connection. What the server had read already comes first.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyAttributeError, PyOSError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMemoryView, PySlice, PyTuple};

use super::hints;

/// Attributes that hand the descriptor itself out: bytes that are held back here would be lost to it.
const HAND_OUTS: [&str; 2] = ["fileno", "detach"];

/// The object in environ.
#[pyclass(frozen, module = "indrik")]
#[derive(Debug, Default)]
pub(super) struct ConnectionSocket {
    taken: Mutex<Option<Taken>>,
}

#[derive(Debug)]
struct Taken {
    socket: Py<PyAny>,
    /// Read by the server, not yet by the application.
    rest: Vec<u8>,
}

impl ConnectionSocket {
    fn taken(&self) -> MutexGuard<'_, Option<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The real socket; takes the connection over if that has not happened.
    fn real<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(taken) = &*self.taken() {
            return Ok(taken.socket.bind(py).clone());
        }
        let state = hints::current()?;
        let (descriptor, rest) = state.link.with_detached(py, |exchange| exchange.take_over())??;
        let socket = new_socket(py, descriptor.into_raw_fd())?;
        *self.taken() = Some(Taken { socket: socket.clone().unbind(), rest });
        Ok(socket)
    }

    fn has_rest(&self) -> bool {
        self.taken().as_ref().is_some_and(|taken| !taken.rest.is_empty())
    }

    /// Takes at most `most` of the bytes that the server had read.
    fn take_rest(&self, most: usize) -> Vec<u8> {
        match &mut *self.taken() {
            Some(taken) => {
                let count = taken.rest.len().min(most);
                taken.rest.drain(..count).collect()
            }
            None => Vec::new(),
        }
    }

    /// Looks at an attribute of the socket through a Python socket that lives for a moment.
    fn look<'py>(&self, py: Python<'py>, name: &str, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(taken) = &*self.taken() {
            let attribute = taken.socket.bind(py).getattr(name)?;
            return if attribute.is_callable() { attribute.call1(args) } else { Ok(attribute) };
        }
        let descriptor = hints::current()?.link.with(|exchange| exchange.socket().as_raw_fd())?;
        let socket = new_socket(py, descriptor)?;
        let looked =
            socket.getattr(name).and_then(|found| if found.is_callable() { found.call1(args) } else { Ok(found) });
        // The descriptor is the server's: without this it would be closed with the object.
        socket.call_method0("detach")?;
        looked
    }
}

fn new_socket(py: Python<'_>, descriptor: i32) -> PyResult<Bound<'_, PyAny>> {
    let options = PyDict::new(py);
    options.set_item("fileno", descriptor)?;
    py.import("socket")?.call_method("socket", (), Some(&options))
}

#[pymethods]
impl ConnectionSocket {
    /// `socket.socket`, so that `isinstance` says what it is used as.
    #[getter]
    fn __class__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("socket")?.getattr("socket")
    }

    #[getter]
    fn family<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "family", &PyTuple::empty(py))
    }

    #[getter]
    fn r#type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "type", &PyTuple::empty(py))
    }

    #[getter]
    fn proto<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "proto", &PyTuple::empty(py))
    }

    fn getpeername<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "getpeername", &PyTuple::empty(py))
    }

    fn getsockname<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "getsockname", &PyTuple::empty(py))
    }

    #[pyo3(signature = (*args))]
    fn getsockopt<'py>(&self, py: Python<'py>, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.look(py, "getsockopt", args)
    }

    /// Takes over; a file. Raises OSError while bytes that were read already wait for `recv()`.
    #[pyo3(signature = (*args, **options))]
    fn makefile<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let socket = self.real(py)?;
        if self.has_rest() {
            return Err(PyOSError::new_err(
                "the client has sent bytes already: read them with recv() before makefile()",
            ));
        }
        socket.call_method("makefile", args, options)
    }

    /// Takes over; at most `size` bytes.
    #[pyo3(signature = (size, flags=0))]
    fn recv<'py>(&self, py: Python<'py>, size: usize, flags: i32) -> PyResult<Bound<'py, PyAny>> {
        let socket = self.real(py)?;
        let rest = self.take_rest(size);
        if rest.is_empty() {
            socket.call_method1("recv", (size, flags))
        } else {
            Ok(PyBytes::new(py, &rest).into_any())
        }
    }

    /// Takes over; fills `buffer`, returns how many bytes.
    #[pyo3(signature = (buffer, nbytes=0, flags=0))]
    fn recv_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>, nbytes: usize, flags: i32) -> PyResult<usize> {
        let socket = self.real(py)?;
        let view = PyMemoryView::from(buffer)?.call_method1("cast", ("B",))?;
        let room = if nbytes == 0 { view.len()? } else { nbytes };
        let rest = self.take_rest(room);
        if rest.is_empty() {
            return socket.call_method1("recv_into", (buffer, nbytes, flags))?.extract();
        }
        view.set_item(PySlice::new(py, 0, rest.len() as isize, 1), PyBytes::new(py, &rest))?;
        Ok(rest.len())
    }

    /// Takes over; another object for the same connection, which brings the bytes that were read already.
    fn dup(&self, py: Python<'_>) -> PyResult<Self> {
        let socket = self.real(py)?.call_method0("dup")?.unbind();
        let rest = self.take_rest(usize::MAX);
        Ok(Self { taken: Mutex::new(Some(Taken { socket, rest })) })
    }

    /// Everything else is the real socket's, and takes over.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if name.starts_with("__") {
            return Err(PyAttributeError::new_err(name.to_owned()));
        }
        let socket = self.real(py)?;
        if self.has_rest() && HAND_OUTS.contains(&name) {
            let text =
                format!("{name}() would lose bytes that the client has sent already: read them with recv() first");
            return Err(PyOSError::new_err(text));
        }
        socket.getattr(name)
    }
}
