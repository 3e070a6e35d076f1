//! What `bind` names: Gunicorn's spellings, parsed.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The port where none is named. Source: Gunicorn setting `bind`.
const DEFAULT_PORT: u16 = 8000;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `HOST`, `HOST:PORT`, `:PORT`, `[v6]:PORT`, each also behind `tcp://`. The host is lower case, without brackets;
    /// empty means every IPv4 address.
    Tcp {
        /// A name or a number.
        host: String,
        /// 0 lets the kernel choose.
        port: u16,
    },
    /// `unix:PATH` and `unix://PATH`. A path that begins with a NUL byte is an abstract name.
    Unix(PathBuf),
    /// `fd://N`: a descriptor that this process has inherited.
    Descriptor(i32),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    reason: String,
}

impl Address {
    /// Parses one entry of the setting `bind`.
    ///
    /// Errors: a port that is no number up to 65535, an unclosed bracket, an empty unix path, `fd://` without a number.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let refuse = |reason: &str| AddressError { text: text.to_owned(), reason: reason.to_owned() };
        let lower = text.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix("fd://") {
            let number = number.parse().ok().filter(|number| *number >= 0);
            return number
                .map(Self::Descriptor)
                .ok_or_else(|| refuse("the number of a descriptor is wanted, as in fd://3"));
        }
        if lower.starts_with("unix:") {
            let path = &text["unix:".len()..];
            // `unix:///run/x` is absolute, `unix://x` relative: exactly two slashes belong to the scheme.
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(refuse("a unix socket needs a path"))
            } else {
                Ok(Self::Unix(PathBuf::from(path.replace("\\0", "\0"))))
            };
        }
        let rest = lower.strip_prefix("tcp://").unwrap_or(&lower);
        let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']').ok_or_else(|| refuse("`]` is missing"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(refuse("only `:PORT` may follow `]`")),
            }
        } else {
            match rest.rsplit_once(':') {
                Some((host, _)) if host.contains("//") || host.contains(',') => {
                    return Err(refuse("one HOST:PORT is wanted, without a scheme"));
                }
                Some((host, _)) if host.contains(':') => {
                    return Err(refuse("more than one `:`; an IPv6 address needs brackets, as in [::1]:8000"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().map_err(|_| refuse(&format!("'{port}' is not a valid port number")))?,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }

    /// The socket addresses to try; for a name IPv4 comes first, as Gunicorn binds names. Errors: the name is unknown.
    pub fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }

    /// Is this the name of an abstract unix socket, which has no file?
    pub fn is_abstract(path: &Path) -> bool {
        path.as_os_str().as_bytes().first() == Some(&0)
    }
}

/// As Gunicorn's log shows it: `('127.0.0.1', 8000)` or the path.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => {
                let host = if host.is_empty() { "0.0.0.0" } else { host };
                write!(f, "('{host}', {port})")
            }
            Self::Unix(path) => write!(f, "{}", path.to_string_lossy().replace('\0', "\\0")),
            Self::Descriptor(number) => write!(f, "fd://{number}"),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid address '{}': {}", self.text, self.reason)
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match Address::parse(text) {
            Ok(Address::Tcp { host, port }) => format!("tcp {host} {port}"),
            Ok(Address::Unix(path)) => format!("unix {}", path.display().to_string().replace('\0', "@")),
            Ok(Address::Descriptor(number)) => format!("fd {number}"),
            Err(error) => format!("refuse {}", error.reason),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn every_spelling_of_gunicorn_is_understood() {
        check("127.0.0.1", "tcp 127.0.0.1 8000");
        check("127.0.0.1:80", "tcp 127.0.0.1 80");
        check("LOCALHOST:9090", "tcp localhost 9090");
        check(":80", "tcp  80");
        check("", "tcp  8000");
        check("0.0.0.0", "tcp 0.0.0.0 8000");
        check("[::1]:80", "tcp ::1 80");
        check("[::]", "tcp :: 8000");
        check("tcp://h:1", "tcp h 1");
        check("unix:/tmp/x.sock", "unix /tmp/x.sock");
        check("unix:///tmp/X.sock", "unix /tmp/X.sock");
        check("unix://tmp/x.sock", "unix tmp/x.sock");
        check("unix:../x.sock", "unix ../x.sock");
        check("unix:\\0name", "unix @name");
        check("fd://3", "fd 3");
    }

    #[test]
    fn a_wrong_address_says_why() {
        check("h:x", "refuse 'x' is not a valid port number");
        check("h:65536", "refuse '65536' is not a valid port number");
        check("[::1", "refuse `]` is missing");
        check("::1", "refuse more than one `:`; an IPv6 address needs brackets, as in [::1]:8000");
        check("http://h:1", "refuse one HOST:PORT is wanted, without a scheme");
        check("a:1,b:2", "refuse one HOST:PORT is wanted, without a scheme");
        check("unix:", "refuse a unix socket needs a path");
        check("fd://x", "refuse the number of a descriptor is wanted, as in fd://3");
        check("fd://-1", "refuse the number of a descriptor is wanted, as in fd://3");
    }
}
