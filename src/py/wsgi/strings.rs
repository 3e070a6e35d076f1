//! Native strings (PEP 3333): bytes as Latin-1 text, and text as Latin-1 bytes, without a detour over Rust strings.
//! Beside them a question to CPython that PyO3 has no safe form of.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// How many references to `object` there are.
pub(super) fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: attached, and the object is alive.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) as isize }
}

/// The native string of these bytes: one character per byte.
pub(super) fn native<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: attached; pointer and length are those of a slice.
    let made = unsafe { ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), bytes.len() as isize, std::ptr::null()) };
    // SAFETY: a new reference, or null with an exception set.
    let text = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
    Ok(text.cast_into::<PyString>()?)
}

/// The bytes of a native string; `None` if a character is above U+00FF.
pub(super) fn latin1<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    let object = text.as_ptr();
    // SAFETY: a str object; on every supported version its representation is ready.
    if unsafe { ffi::PyUnicode_KIND(object) } != ffi::PyUnicode_1BYTE_KIND {
        return None;
    }
    // SAFETY: a str object of the one-byte kind.
    let start = unsafe { ffi::PyUnicode_DATA(object) }.cast::<u8>();
    // SAFETY: a str object.
    let len = unsafe { ffi::PyUnicode_GET_LENGTH(object) };
    // SAFETY: one-byte characters, as many as the length says, which live and do not change as long as the object.
    Some(unsafe { std::slice::from_raw_parts(start, len as usize) })
}
