//! What the fuzz targets share: the pure rooms, taken in by path so that no Python is needed, and the corpus's reader.

extern crate self as indrik;

#[path = "../../tests/http_corpus/answer.rs"]
pub mod answer;
#[path = "../../src/http/mod.rs"]
pub mod http;
pub mod options;
#[path = "../../tests/http_corpus/reader.rs"]
pub mod reader;

use std::sync::Arc;

use answer::Reply;
use options::Options;
use reader::{Reader, Seen};

/// What is seen of `stream`, which must be the same whole, byte by byte, and cut as the options say.
pub fn read(options: &Options, stream: &[u8], reply: &Reply) -> Vec<Seen> {
    let policy = Arc::new(options.policy.clone());
    let reader = || Reader::new(&policy, options.peer).replying(reply.clone());
    let whole = reader().feed([stream], options.is_ended);
    let bytewise = reader().feed(stream.chunks(1), options.is_ended);
    assert_eq!(bytewise, whole, "byte by byte");
    let cut = reader().feed(options.cut(stream), options.is_ended);
    assert_eq!(cut, whole, "cut");
    whole
}
