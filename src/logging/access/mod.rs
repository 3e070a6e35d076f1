//! The access log: one line per exchange, in the operator's format.
//!
//! The format is compiled once; a line costs copies and no allocation. Workers keep an [`AccessLog`] each, describe an
//! exchange as an [`Entry`] and flush after every batch of events. Values come from peers, so all of them are escaped:
//! Gunicorn, which escapes quotes alone, lets a decoded path or a user name write lines of its own.

mod atom;
mod basic;
mod entry;
mod format;
mod json;
mod writer;

pub use self::entry::Entry;
pub use self::format::{Format, FormatError};
pub use self::writer::AccessLog;
pub use super::clock::{Clock, Stamp};
