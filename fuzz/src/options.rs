//! The first bytes of a fuzz input: switches, limits, who sends, where the rest is cut. The rest is what is received.

use crate::answer::{Length, Reply};
use crate::http::{HeaderMap, Limits, Policy};
use crate::reader::Peer;

/// How a stream is read.
#[derive(Debug)]
pub struct Options {
    /// All switches and limits.
    pub policy: Policy,
    /// Who sends.
    pub peer: Peer,
    /// Whether a FIN follows.
    pub is_ended: bool,
    cut: u8,
}

impl Options {
    /// Three bytes of options and the stream behind them; `None` if there are fewer bytes.
    pub fn take(input: &[u8]) -> Option<(Options, &[u8])> {
        let ([switches, more, cut], stream) = input.split_first_chunk()?;
        let is_on = |bit: u8| switches >> bit & 1 == 1;
        let names: &[&str] = match more >> 4 & 3 {
            0 => &["SCRIPT_NAME", "PATH_INFO"],
            1 => &["*"],
            _ => &[],
        };
        let policy = Policy {
            limits: match more & 3 {
                0 => Limits::default(),
                1 => Limits::new(40, 4, 31),
                2 => Limits::new(0, 0, 0),
                _ => Limits::new(60, 8, 80),
            },
            obsolete_folding: is_on(0),
            header_spaces: is_on(1),
            unconventional_method: is_on(2),
            unconventional_version: is_on(3),
            casefold_method: is_on(4),
            header_map: match switches >> 5 & 3 {
                1 => HeaderMap::Refuse,
                2 => HeaderMap::Dangerous,
                _ => HeaderMap::Drop,
            },
            forwarder_headers: names.iter().map(|&name| name.to_owned()).collect(),
            ..Policy::default()
        };
        let peer = if more >> 2 & 1 == 1 { Peer::Forwarder } else { Peer::Stranger };
        Some((Options { policy, peer, is_ended: more >> 3 & 1 == 1, cut: *cut }, stream))
    }

    /// `stream` in pieces of 1 to 64 bytes whose lengths follow from one byte of the input.
    pub fn cut<'a>(&self, stream: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let (mut rest, mut state) = (stream, self.cut);
        while !rest.is_empty() {
            state = state.wrapping_mul(5).wrapping_add(self.cut | 1);
            let (piece, behind) = rest.split_at(rest.len().min(1 + usize::from(state >> 2)));
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}

/// The answer that `choice` stands for.
pub fn reply(choice: u8) -> Reply {
    let status: &[u8] = match choice & 3 {
        0 => b"200 OK",
        1 => b"204",
        2 => b"304 Not Modified",
        _ => b"404 \xe9",
    };
    Reply {
        status: status.to_vec(),
        fields: (0..choice >> 2 & 1).map(|_| ("X-A".to_owned(), b" b\t".to_vec())).collect(),
        pieces: (0..choice >> 3 & 3).map(|number| vec![b'a' + number; usize::from(number) * 20]).collect(),
        length: match choice >> 5 & 3 {
            0 => Length::Known,
            1 => Length::Stated,
            _ => Length::Unknown,
        },
    }
}
