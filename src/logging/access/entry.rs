//! What the access log asks of an exchange. The worker implements it over what it has at hand when the last byte left.

use std::borrow::Cow;
use std::time::Duration;

/// One exchange that has ended. Nothing needs to be escaped or checked; an unknown text is empty.
pub trait Entry {
    /// Address of the peer, `REMOTE_ADDR`: that of the proxy behind a proxy. Empty for a unix socket.
    fn remote_addr(&self) -> &[u8];
    /// Address of the client after trusted proxies; the peer's own when no proxy is trusted.
    fn client_addr(&self) -> &[u8] {
        self.remote_addr()
    }
    /// Request method. Empty when no head was read, and then the request line shows as `-`.
    fn method(&self) -> &[u8];
    /// Request target exactly as sent.
    fn target(&self) -> &[u8];
    /// `PATH_INFO`: percent-decoded, any bytes.
    fn path(&self) -> Cow<'_, [u8]>;
    /// Query without `?`, undecoded.
    fn query(&self) -> &[u8];
    /// `HTTP/1.1` or `HTTP/1.0`.
    fn protocol(&self) -> &[u8];
    /// Status code of the answer, `None` when there was none.
    fn status(&self) -> Option<u16>;
    /// Bytes of the body that the kernel took.
    fn body_len(&self) -> u64;
    /// From the call of the application to the end of its iterable.
    fn duration(&self) -> Duration;
    /// From the complete head to the call of the application, where it was measured.
    fn queue_time(&self) -> Option<Duration> {
        None
    }
    /// Value of a request field; `name` is lower-case, of several the last one counts.
    fn request_field(&self, name: &str) -> Option<&[u8]>;
    /// All request fields, in wire order, as far as they are known.
    fn request_fields(&self) -> Vec<(&[u8], &[u8])> {
        Vec::new()
    }
    /// Value of an answer's field; `name` is lower-case, of several the last one counts.
    fn response_field(&self, name: &str) -> Option<&[u8]>;
    /// Value of an environ variable; one of [`Format::variables`](super::Format::variables), as the operator wrote it,
    /// to be compared without regard to case.
    fn variable(&self, name: &str) -> Option<&[u8]>;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An exchange made of plain values.
    #[derive(Clone, Debug)]
    pub struct Sample {
        pub remote_addr: Vec<u8>,
        pub method: Vec<u8>,
        pub target: Vec<u8>,
        pub path: Vec<u8>,
        pub query: Vec<u8>,
        pub protocol: Vec<u8>,
        pub status: Option<u16>,
        pub body_len: u64,
        pub duration: Duration,
        pub queue_time: Option<Duration>,
        pub request_fields: Vec<(&'static str, Vec<u8>)>,
        pub response_fields: Vec<(&'static str, Vec<u8>)>,
        pub variables: Vec<(&'static str, Vec<u8>)>,
    }

    impl Sample {
        /// `GET /a%20b?q=1` by curl, answered with 200 and 12 bytes after 1.25 s.
        pub fn new() -> Sample {
            Sample {
                remote_addr: b"127.0.0.1".to_vec(),
                method: b"GET".to_vec(),
                target: b"/a%20b?q=1".to_vec(),
                path: b"/a b".to_vec(),
                query: b"q=1".to_vec(),
                protocol: b"HTTP/1.1".to_vec(),
                status: Some(200),
                body_len: 12,
                duration: Duration::from_micros(1_250_042),
                queue_time: None,
                request_fields: vec![("user-agent", b"curl/8".to_vec())],
                response_fields: vec![("content-type", b"text/plain".to_vec())],
                variables: vec![("wsgi.url_scheme", b"http".to_vec())],
            }
        }

        pub fn with_field(name: &'static str, value: &[u8]) -> Sample {
            let mut sample = Sample::new();
            sample.request_fields.push((name, value.to_vec()));
            sample
        }
    }

    fn last<'a>(list: &'a [(&'static str, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
        let found = list.iter().rfind(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_slice())
    }

    impl Entry for Sample {
        fn remote_addr(&self) -> &[u8] {
            &self.remote_addr
        }
        fn method(&self) -> &[u8] {
            &self.method
        }
        fn target(&self) -> &[u8] {
            &self.target
        }
        fn path(&self) -> Cow<'_, [u8]> {
            Cow::Borrowed(&self.path)
        }
        fn query(&self) -> &[u8] {
            &self.query
        }
        fn protocol(&self) -> &[u8] {
            &self.protocol
        }
        fn status(&self) -> Option<u16> {
            self.status
        }
        fn body_len(&self) -> u64 {
            self.body_len
        }
        fn duration(&self) -> Duration {
            self.duration
        }
        fn queue_time(&self) -> Option<Duration> {
            self.queue_time
        }
        fn request_field(&self, name: &str) -> Option<&[u8]> {
            last(&self.request_fields, name)
        }
        fn response_field(&self, name: &str) -> Option<&[u8]> {
            last(&self.response_fields, name)
        }
        fn variable(&self, name: &str) -> Option<&[u8]> {
            last(&self.variables, &name.to_ascii_lowercase())
        }
    }
}
