//! The part of a file that the server can send by itself, without reading it through Python.
//!
//! Only objects of which it is known that `read()` gives the bytes of the descriptor, and nothing else: a GzipFile has a
//! descriptor too. Everything else, and everything in doubt, is left to be read in blocks.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Classes whose objects hand every read through to the object in their attribute `file`: module and name.
const HULLS: [(&str, &str); 2] = [("tempfile", "_TemporaryFileWrapper"), ("django.core.files.base", "File")];

/// How many hulls a file may have: a File of Django's around a temporary file, and one to spare.
const MOST_HULLS: usize = 3;

/// A piece of a regular file.
#[derive(Debug)]
pub(super) struct FileSpan {
    /// Our own descriptor, close-on-exec: the application may close its file at once.
    pub(super) file: OwnedFd,
    /// Where the piece begins, in bytes.
    pub(super) offset: u64,
    /// Its length in bytes, not 0.
    pub(super) len: u64,
}

impl FileSpan {
    /// What is left of `filelike` from its logical position on, which stays where it is. `None`: read it.
    pub(super) fn rest_of(filelike: &Bound<'_, PyAny>) -> Option<Self> {
        // What raises here raises again when the file is read, and is reported then.
        Self::find(filelike).ok().flatten()
    }

    fn find(filelike: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = filelike.py();
        let Some(plain) = plain_file(filelike)? else { return Ok(None) };
        if !plain.call_method0(intern!(py, "readable"))?.is_truthy()? {
            return Ok(None);
        }
        // What was written to it and is still with Python belongs to the file.
        plain.call_method0(intern!(py, "flush"))?;
        let offset: u64 = plain.call_method0(intern!(py, "tell"))?.extract()?;
        let file = File::from(duplicate(&plain)?);
        let metadata = file.metadata()?;
        let len = metadata.len().saturating_sub(offset);
        // Files of /proc say that they are empty, and are not.
        let is_known = metadata.is_file() && len > 0;
        Ok(is_known.then(|| Self { file: file.into(), offset, len }))
    }
}

/// The file of CPython's own that `filelike` is, or is a hull of: unbuffered, or buffered for reading.
fn plain_file<'py>(filelike: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = filelike.py();
    let io = py.import(intern!(py, "io"))?;
    let is_exactly =
        |object: &Bound<'py, PyAny>, name| -> PyResult<bool> { Ok(object.get_type().is(&io.getattr(name)?)) };
    let mut file = filelike.clone();
    for _ in 0..=MOST_HULLS {
        if is_exactly(&file, "FileIO")? {
            return Ok(reads_as_its_class(&file)?.then_some(file));
        }
        if is_exactly(&file, "BufferedReader")? || is_exactly(&file, "BufferedRandom")? {
            let is_over_a_file = is_exactly(&file.getattr(intern!(py, "raw"))?, "FileIO")?;
            return Ok((is_over_a_file && reads_as_its_class(&file)?).then_some(file));
        }
        if !is_hull(&file)? {
            return Ok(None);
        }
        file = file.getattr(intern!(py, "file"))?;
    }
    Ok(None)
}

fn is_hull(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = object.get_type();
    let (module, name) = (class.module()?, class.qualname()?);
    let (module, name) = (module.to_string_lossy(), name.to_string_lossy());
    Ok(HULLS.contains(&(&*module, &*name)))
}

/// Has nobody given this very object another `read`? Frameworks replace `close` that way, which is none of our business.
fn reads_as_its_class(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = file.py();
    let attributes = file.getattr_opt(intern!(py, "__dict__"))?;
    let Some(attributes) = attributes.and_then(|attributes| attributes.cast_into::<PyDict>().ok()) else {
        return Ok(true);
    };
    Ok(!attributes.contains(intern!(py, "read"))?)
}

fn duplicate(file: &Bound<'_, PyAny>) -> PyResult<OwnedFd> {
    let number: RawFd = file.call_method0(intern!(file.py(), "fileno"))?.extract()?;
    // SAFETY: the file object owns the descriptor, which is open since `fileno` has not raised; nothing runs in between
    // that could close it. Ours is a duplicate, closed when it is dropped.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(descriptor.try_clone_to_owned()?)
}
