//! A request body on its way in: into its final place where the length is known, into a growing buffer where it is not,
//! and into a file without a name where it is too large for memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::budget::Share;
use crate::app::Body;
use crate::sys;

/// What has come of a request's body.
#[derive(Debug)]
pub(super) enum Incoming<B> {
    /// The request has none, or it has been taken.
    None,
    /// The client waits for `100 Continue`; nothing of it has been read.
    Announced,
    /// It is read while the application asks for it, and has not ended.
    Streamed,
    /// `Content-Length`: `filled` bytes of the buffer are there.
    Sized { buffer: B, filled: usize },
    /// Chunked: as long as it has got.
    Growing(Vec<u8>),
    /// Too large for memory; nothing of it has come.
    ToSpool,
    /// On disk.
    Spooled { file: File, len: u64 },
}

/// How large bodies may get, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<'a> {
    /// Bytes of one body in memory (`body_memory`).
    pub(super) memory: u64,
    /// Bytes of one body (`limit_request_body`).
    pub(super) most: Option<u64>,
    /// Where larger ones go (`tmp_upload_dir`).
    pub(super) directory: &'a Path,
}

/// Why a body is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is larger than so many bytes.
    TooLarge(u64),
    /// It cannot be written; the text says where and why.
    Storage(String),
}

impl Bounds<'_> {
    /// May a body be so long? Errors: [`Trouble::TooLarge`].
    pub(super) fn check(&self, len: u64) -> Result<(), Trouble> {
        match self.most {
            Some(most) if len > most => Err(Trouble::TooLarge(most)),
            Some(_) | None => Ok(()),
        }
    }

    /// Errors: [`Trouble::Storage`].
    fn write(&self, mut file: &File, bytes: &[u8]) -> Result<(), Trouble> {
        file.write_all(bytes).map_err(|error| self.storage(&error))
    }

    fn storage(&self, error: &io::Error) -> Trouble {
        let directory = self.directory.display();
        Trouble::Storage(format!("cannot write to a temporary file in {directory} (setting tmp_upload_dir): {error}"))
    }
}

impl<B: AsMut<[u8]> + From<Vec<u8>>> Incoming<B> {
    /// Makes the place for a body that was announced with this length, `None` for a chunked one. `buffer` makes memory.
    ///
    /// Errors: [`Trouble`].
    pub(super) fn expect(
        length: Option<u64>,
        bounds: Bounds<'_>,
        share: &mut Share,
        buffer: impl FnOnce(usize) -> B,
    ) -> Result<Self, Trouble> {
        match length {
            None => Ok(Self::Growing(Vec::new())),
            Some(0) => Ok(Self::None),
            Some(length) => {
                bounds.check(length)?;
                if length <= bounds.memory && share.take(length) {
                    Ok(Self::Sized { buffer: buffer(length as usize), filled: 0 })
                } else {
                    // A client that only announces a body costs no descriptor.
                    Ok(Self::ToSpool)
                }
            }
        }
    }

    /// Adds bytes that came through the connection's buffer. Errors: [`Trouble`].
    pub(super) fn add(&mut self, bytes: &[u8], bounds: Bounds<'_>, share: &mut Share) -> Result<(), Trouble> {
        match self {
            Self::Sized { buffer, filled } => {
                let end = *filled + bytes.len();
                let space = buffer.as_mut();
                let most = space.len() as u64;
                space.get_mut(*filled..end).ok_or(Trouble::TooLarge(most))?.copy_from_slice(bytes);
                *filled = end;
            }
            Self::Growing(buffer) => {
                let len = (buffer.len() + bytes.len()) as u64;
                bounds.check(len)?;
                if len <= bounds.memory && share.take(bytes.len() as u64) {
                    buffer.extend_from_slice(bytes);
                } else {
                    let so_far = std::mem::take(buffer);
                    *self = Self::ToSpool;
                    share.give_back();
                    self.add(&so_far, bounds, share)?;
                    self.add(bytes, bounds, share)?;
                }
            }
            Self::ToSpool => {
                let file = sys::unlinked_file(bounds.directory).map_err(|error| bounds.storage(&error))?;
                *self = Self::Spooled { file, len: 0 };
                self.add(bytes, bounds, share)?;
            }
            Self::Spooled { file, len } => {
                bounds.check(*len + bytes.len() as u64)?;
                bounds.write(file, bytes)?;
                *len += bytes.len() as u64;
            }
            Self::None | Self::Announced | Self::Streamed => {}
        }
        Ok(())
    }

    /// Where the next bytes of a sized body belong.
    pub(super) fn space(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Sized { buffer, filled } => buffer.as_mut().get_mut(*filled..),
            Self::None | Self::Announced | Self::Streamed | Self::Growing(_) | Self::ToSpool | Self::Spooled { .. } => {
                None
            }
        }
    }

    /// That many bytes were put into [`Incoming::space`].
    pub(super) fn filled_by(&mut self, count: usize) {
        if let Self::Sized { filled, .. } = self {
            *filled += count;
        }
    }

    /// Takes the complete body. One that is still with the client stays so.
    pub(super) fn take(&mut self) -> Body<B> {
        match std::mem::replace(self, Self::None) {
            Self::Sized { buffer, .. } => Body::Complete(buffer),
            Self::Growing(buffer) if buffer.is_empty() => Body::Empty,
            Self::Growing(buffer) => Body::Complete(B::from(buffer)),
            Self::Spooled { file, len } => Body::Spooled { file, len },
            Self::None | Self::ToSpool => Body::Empty,
            Self::Announced => {
                *self = Self::Announced;
                Body::Announced
            }
            Self::Streamed => {
                *self = Self::Streamed;
                Body::Streamed
            }
        }
    }

    /// Is some of the body still with the client, because nobody has read it?
    pub(super) fn is_outstanding(&self) -> bool {
        matches!(self, Self::Announced | Self::Streamed)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::super::budget::Budget;
    use super::*;

    struct Place {
        directory: std::path::PathBuf,
        share: Share,
    }

    impl Place {
        fn new(budget: u64) -> Self {
            Self { directory: std::env::temp_dir(), share: Share::new(&Budget::new(budget)) }
        }

        fn bounds(&self) -> Bounds<'_> {
            Bounds { memory: 8, most: Some(20), directory: &self.directory }
        }
    }

    /// Takes a body in, piece by piece: in memory (`m:`) or on disk (`d:`), or the trouble.
    fn receive(place: &mut Place, length: Option<u64>, pieces: &[&str]) -> String {
        let directory = place.directory.clone();
        let bounds = Bounds { directory: &directory, ..place.bounds() };
        let taken = (|| {
            let mut body: Incoming<Vec<u8>> = Incoming::expect(length, bounds, &mut place.share, |len| vec![0; len])?;
            for piece in pieces {
                body.add(piece.as_bytes(), bounds, &mut place.share)?;
            }
            Ok(body.take())
        })();
        match taken {
            Ok(Body::Empty) => "empty".to_owned(),
            Ok(Body::Complete(bytes)) => format!("m:{}", String::from_utf8(bytes).unwrap()),
            Ok(Body::Spooled { file, len }) => {
                let mut bytes = vec![0; len as usize];
                file.read_exact_at(&mut bytes, 0).unwrap();
                format!("d:{}", String::from_utf8(bytes).unwrap())
            }
            Ok(Body::Announced | Body::Streamed) => unreachable!("not asked for"),
            Err(Trouble::TooLarge(most)) => format!("larger than {most}"),
            Err(Trouble::Storage(text)) => text,
        }
    }

    #[test]
    fn a_sized_body_is_put_together_in_its_final_place() {
        let place = &mut Place::new(100);
        let bounds = Bounds { memory: 8, most: None, directory: Path::new("/") };
        let mut body = Incoming::Sized { buffer: vec![0; 5], filled: 0 };
        body.add(b"he", bounds, &mut place.share).unwrap();
        body.space().unwrap()[..2].copy_from_slice(b"ll");
        body.filled_by(2);
        body.add(b"o", bounds, &mut place.share).unwrap();
        assert_eq!(body.add(b"!", bounds, &mut place.share), Err(Trouble::TooLarge(5)));
        assert!(matches!(body.take(), Body::Complete(bytes) if bytes == b"hello"));
        assert!(matches!(body.take(), Body::Empty));
    }

    #[test]
    fn what_is_too_large_for_memory_goes_to_disk() {
        let place = &mut Place::new(100);
        assert_eq!(receive(place, Some(8), &["1234", "5678"]), "m:12345678");
        assert_eq!(receive(place, Some(9), &["1234", "56789"]), "d:123456789");
        assert_eq!(receive(place, None, &["1234", "5678"]), "m:12345678");
        assert_eq!(receive(place, None, &["1234", "56789", "0"]), "d:1234567890");
        assert_eq!(receive(place, None, &[]), "empty");
        assert_eq!(receive(place, Some(0), &[]), "empty");
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_as_soon_as_it_is_known() {
        let place = &mut Place::new(100);
        assert_eq!(receive(place, Some(21), &[]), "larger than 20");
        assert_eq!(receive(place, None, &["1234567890", "1234567890"]), "d:12345678901234567890");
        assert_eq!(receive(place, None, &["1234567890", "1234567890", "1"]), "larger than 20");
    }

    #[test]
    fn bodies_go_to_disk_when_all_together_take_too_much() {
        let place = &mut Place::new(10);
        let mut other = Place::new(0);
        other.share = Share::new(place.share_budget());
        assert_eq!(receive(&mut other, Some(5), &["12345"]), "m:12345");
        assert_eq!(receive(place, Some(6), &["123456"]), "d:123456");
        assert_eq!(receive(place, None, &["123", "456"]), "d:123456");
        other.share.give_back();
        assert_eq!(receive(place, Some(6), &["123456"]), "m:123456");
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let mut place = Place::new(100);
        place.directory = "/nowhere".into();
        let text = receive(&mut place, Some(9), &["1"]);
        assert!(text.starts_with("cannot write to a temporary file in /nowhere (setting tmp_upload_dir): "), "{text}");
    }

    #[test]
    fn a_body_that_is_still_with_the_client_stays_so() {
        let mut body: Incoming<Vec<u8>> = Incoming::Announced;
        assert!(matches!(body.take(), Body::Announced));
        assert!(body.is_outstanding());
    }

    impl Place {
        fn share_budget(&self) -> &std::sync::Arc<Budget> {
            self.share.budget()
        }
    }
}
