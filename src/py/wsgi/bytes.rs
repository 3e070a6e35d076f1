//! Bytes that cross the border without a copy: pieces of an answer on their way out, a request's body on its way in.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Body bytes of an answer; Python holds them.
#[derive(Debug)]
pub struct Piece {
    start: *const u8,
    len: usize,
    /// Keeps the bytes alive. Dropped detached, the reference is given up by whoever attaches next.
    _bytes: Py<PyBytes>,
}

// SAFETY: the bytes are immutable and live as long as the reference; giving that up is safe on any thread.
unsafe impl Send for Piece {}

impl Piece {
    pub(super) fn new(bytes: &Bound<'_, PyBytes>) -> Self {
        let slice = bytes.as_bytes();
        Self { start: slice.as_ptr(), len: slice.len(), _bytes: bytes.clone().unbind() }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the contents of a bytes object neither move nor change while a reference to it is held.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// Memory of a request body: a bytes object that the application gets as it is, or plain memory.
#[derive(Debug)]
pub enum Buffer {
    /// Made by a thread that was attached.
    Bytes(OwnBytes),
    /// Made by a detached thread; copied once when the application wants it.
    Plain(Vec<u8>),
}

/// A bytes object that nobody else has seen yet, and whose contents may therefore still be written.
#[derive(Debug)]
pub struct OwnBytes {
    start: *mut u8,
    len: usize,
    bytes: Py<PyBytes>,
}

// SAFETY: this is the only reference to the object, so whoever holds it may read and write its contents.
unsafe impl Send for OwnBytes {}

impl Buffer {
    /// A bytes object of `len` bytes, if there is memory for it. The caller is attached.
    pub(super) fn bytes(len: usize) -> Self {
        // The empty bytes object is shared by everybody.
        if len == 0 || len > isize::MAX as usize {
            return Self::Plain(Vec::new());
        }
        // SAFETY: the caller is attached.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: attached; with a null pointer the contents are left for us to write.
        let made = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), len as isize) };
        // SAFETY: a new reference, or null with an exception set.
        let Ok(object) = (unsafe { Bound::from_owned_ptr_or_err(py, made) }) else {
            return Self::Plain(vec![0; len]);
        };
        // SAFETY: a bytes object; its contents start here.
        let start = unsafe { ffi::PyBytes_AsString(made) }.cast::<u8>();
        // SAFETY: `len` bytes that nobody else refers to. Filled, so that no stale memory can be seen.
        unsafe { std::ptr::write_bytes(start, 0, len) };
        match object.cast_into::<PyBytes>() {
            Ok(bytes) => Self::Bytes(OwnBytes { start, len, bytes: bytes.unbind() }),
            Err(_) => Self::Plain(vec![0; len]),
        }
    }

    /// The body as Python sees it. From here on it is immutable.
    pub(super) fn into_python(self, py: Python<'_>) -> Bound<'_, PyBytes> {
        match self {
            Self::Bytes(own) => own.bytes.into_bound(py),
            Self::Plain(plain) => PyBytes::new(py, &plain),
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(plain: Vec<u8>) -> Self {
        Self::Plain(plain)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            // SAFETY: `len` initialised bytes that live as long as the reference.
            Self::Bytes(own) => unsafe { std::slice::from_raw_parts(own.start, own.len) },
            Self::Plain(plain) => plain,
        }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            // SAFETY: as above, and nobody else refers to the object.
            Self::Bytes(own) => unsafe { std::slice::from_raw_parts_mut(own.start, own.len) },
            Self::Plain(plain) => plain,
        }
    }
}
