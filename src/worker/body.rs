//! A request body on its way in: into its final place where the length is known, into a growing buffer where it is not.

/// What has come of a request's body.
#[derive(Debug)]
pub(super) enum Incoming<B> {
    /// The request has none, or it has been taken.
    None,
    /// The client waits for `100 Continue`.
    Announced,
    /// `Content-Length`: `filled` bytes of the buffer are there.
    Sized { buffer: B, filled: usize },
    /// Chunked: as long as it has got.
    Growing(Vec<u8>),
}

/// The body would exceed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl<B: AsMut<[u8]> + From<Vec<u8>>> Incoming<B> {
    /// Adds bytes that came through the connection's buffer. `limit`: bytes of the whole body.
    pub(super) fn add(&mut self, bytes: &[u8], limit: u64) -> Result<(), TooLarge> {
        match self {
            Self::Sized { buffer, filled } => {
                let end = *filled + bytes.len();
                buffer.as_mut().get_mut(*filled..end).ok_or(TooLarge)?.copy_from_slice(bytes);
                *filled = end;
            }
            Self::Growing(buffer) => {
                if (buffer.len() + bytes.len()) as u64 > limit {
                    return Err(TooLarge);
                }
                buffer.extend_from_slice(bytes);
            }
            Self::None | Self::Announced => {}
        }
        Ok(())
    }

    /// Where the next bytes of a sized body belong.
    pub(super) fn space(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Sized { buffer, filled } => buffer.as_mut().get_mut(*filled..),
            Self::None | Self::Announced | Self::Growing(_) => None,
        }
    }

    /// That many bytes were put into [`Incoming::space`].
    pub(super) fn filled_by(&mut self, count: usize) {
        if let Self::Sized { filled, .. } = self {
            *filled += count;
        }
    }

    /// Takes the complete body; `None` if there is none.
    pub(super) fn take(&mut self) -> Option<B> {
        match std::mem::replace(self, Self::None) {
            Self::Sized { buffer, .. } => Some(buffer),
            Self::Growing(buffer) => (!buffer.is_empty()).then(|| B::from(buffer)),
            Self::None => None,
            Self::Announced => {
                *self = Self::Announced;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sized_body_is_put_together_in_its_final_place() {
        let mut body = Incoming::Sized { buffer: vec![0; 5], filled: 0 };
        body.add(b"he", 5).unwrap();
        body.space().unwrap()[..2].copy_from_slice(b"ll");
        body.filled_by(2);
        body.add(b"o", 5).unwrap();
        assert_eq!(body.add(b"!", 5), Err(TooLarge));
        assert_eq!(body.take().unwrap(), b"hello");
        assert!(body.take().is_none());
    }

    #[test]
    fn a_growing_body_stops_at_the_limit() {
        let mut body: Incoming<Vec<u8>> = Incoming::Growing(Vec::new());
        body.add(b"abc", 4).unwrap();
        assert_eq!(body.add(b"de", 4), Err(TooLarge));
        assert_eq!(body.take().unwrap(), b"abc");
    }

    #[test]
    fn an_announced_body_stays_announced() {
        let mut body: Incoming<Vec<u8>> = Incoming::Announced;
        assert!(body.take().is_none());
        assert!(matches!(body, Incoming::Announced));
    }
}
