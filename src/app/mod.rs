//! What a worker asks of an application, and what an application may do with the exchange it is given.
//!
//! WSGI through PyO3 (`py::wsgi`) is one implementation, [`echo::Echo`] another. The worker knows neither: it calls
//! [`Caller::call`] and gets [`Exchange`] methods called back. An application may need to be *attached* to something (an
//! interpreter) while it runs; the worker attaches once per batch of ready events and never waits while attached.

pub mod echo;

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::http::{Fields, Head};

/// An application, shared by all threads of a worker.
pub trait App: Send + Sync + Sized + 'static {
    /// Bytes of an answer, kept without a copy until the kernel has them. May be dropped detached.
    type Piece: AsRef<[u8]> + Send;
    /// Memory for a request body that the application can use without a copy.
    type Buffer: AsRef<[u8]> + AsMut<[u8]> + From<Vec<u8>> + Send;
    /// What the application keeps with a connection between requests.
    type Memory: Default + Send;

    /// Runs `work` attached. Entered once per batch of ready events.
    fn attached<R>(&self, work: impl FnOnce(&mut dyn Caller<Self>) -> R) -> R;

    /// Memory for a body of `len` bytes; its contents are unspecified until the worker has filled them.
    fn buffer(&self, len: usize) -> Self::Buffer;

    /// Starts application thread number `index`, which runs `work` attached and ends with it.
    ///
    /// Errors: the text says why the thread cannot start.
    fn start_thread(self: &Arc<Self>, index: usize, work: ThreadWork<Self>) -> Result<(), String>;

    /// Readable after a signal arrived, for whoever waits detached; [`Caller::notices`] then says which.
    fn wake_descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Takes what signal handlers have posted. For a thread that stands in for the one that runs handlers.
    fn posted(&self) -> Notices {
        Notices::default()
    }

    /// Makes the application's own handlers of this notice run, for one that came over ipc and not as a signal. Attached or
    /// detached, on any thread.
    fn interrupt(&self, notice: Notice);

    /// Makes the application's call on the thread with this number end with an exception that says that its time is up, if
    /// the interpreter can do that. Attached or detached, on any thread.
    fn interrupt_call(&self, thread: i32);

    /// Has the application a function that is called before a request is given up? Source: Gunicorn's hook `worker_abort`.
    fn aborts(&self) -> bool {
        false
    }

    /// Has that function called in the thread where signal handlers run, which with one thread is the request's. Attached or
    /// detached, on any thread.
    fn abort_call(&self) {}

    /// What all threads are executing at this moment, as text; `thread` is the one that matters. Detached, and without
    /// waiting for whoever is attached. `None`: it cannot be found out.
    fn stacks(&self, thread: i32) -> Option<String>;

    /// Can several threads run the application at the same moment?
    fn spreads(&self) -> bool {
        false
    }

    /// Names of the request variables that the access log wants from the application.
    fn logged_variables(&self) -> &[String] {
        &[]
    }
}

/// What an application thread runs: the worker's loop.
pub type ThreadWork<A> = Box<dyn FnOnce(&mut dyn Caller<A>) + Send>;

/// A thread that is attached to the application.
pub trait Caller<A: App> {
    /// Runs the application for one exchange, to its end: the answer has been handed over and everything closed.
    ///
    /// Errors: [`Failure`]; it has been logged, and the worker ends the exchange.
    fn call(&mut self, exchange: &mut dyn Exchange<A>) -> Result<(), Failure>;

    /// Runs `wait` detached. Nothing may block outside of it.
    fn detached(&mut self, wait: &mut (dyn FnMut() + Send));

    /// Lets signal handlers run (on the thread that may run them) and takes what they posted since the last call.
    fn notices(&mut self) -> Notices;
}

/// The exchange in progress, as the application sees it.
pub trait Exchange<A: App>: Send {
    /// The request's head, where it came from, and what the application keeps with the connection.
    fn request(&mut self) -> (Head<'_>, &Origin, &mut A::Memory);

    /// Who the client is where a trusted proxy names it in a header; else the [`Origin`] says it.
    ///
    /// Source: setting `trusted_proxies`.
    fn client(&self) -> Option<Client>;

    /// How many requests this connection has brought, this one included.
    fn number(&self) -> u64;

    /// The request's body. A second call finds it empty.
    fn take_body(&mut self) -> Body<A::Buffer>;

    /// For [`Body::Announced`]: asks the client for the body, and waits a moment for all of it. Call it detached, and
    /// again while it gives `None`. What comes is none of the two that still have to come.
    ///
    /// Errors: [`Refusal`]; the exchange goes on, but the connection closes after it.
    fn receive_body(&mut self) -> Result<Option<Body<A::Buffer>>, Refusal>;

    /// For [`Body::Streamed`]: takes what has come of the body, at most `most` bytes, or waits a moment for more. Call it
    /// detached, and again while it gives [`Part::Wait`].
    ///
    /// Errors: [`Refusal`], again whenever it is called; the exchange goes on, but the connection closes after it.
    fn receive_part(&mut self, most: usize) -> Result<Part, Refusal>;

    /// Why the body did not come, if the application asked for it in vain.
    fn refusal(&self) -> Option<Refusal>;

    /// Starts the answer. `status`: code and reason; `length`: of the whole body in bytes, if it is known.
    ///
    /// Nothing is sent before the first [`Exchange::send`] with [`Flush::Now`] or [`Exchange::finish`].
    fn respond(&mut self, status: &[u8], fields: &Fields, length: Option<u64>) -> Result<(), Gone>;

    /// Sends `103 Early Hints` with these fields; nothing happens for HTTP/1.0 or after the answer has begun.
    ///
    /// Source: RFC 8297.
    fn hint(&mut self, fields: &Fields) -> Result<(), Gone>;

    /// Adds body bytes. With [`Flush::Now`] what the kernel takes is sent before the call returns.
    fn send(&mut self, piece: A::Piece, flush: Flush) -> Result<Room, Gone>;

    /// Makes room for more of the answer: puts what the client has not taken into a file, or waits a moment for the
    /// client to take it. Call it detached, and again while it gives [`Room::Full`].
    fn wait_for_room(&mut self) -> Result<Room, Gone>;

    /// Does the server send files itself? Source: Gunicorn setting `sendfile`.
    fn sends_files(&self) -> bool;

    /// Adds `len` bytes of a regular file from `offset` on as the body, or as a piece of it. The descriptor's own
    /// position is neither used nor moved.
    fn send_file(&mut self, file: OwnedFd, offset: u64, len: u64) -> Result<(), Gone>;

    /// Ends the answer. One that is shorter than announced goes out as far as it goes, and the connection closes behind it.
    fn finish(&mut self) -> Result<(), Gone>;

    /// Has the client ended its side, or reset the connection? One that has may still read its answer.
    fn has_hung_up(&self) -> bool;

    /// The socket, for looking at it. Nothing may be read, written or changed.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Gives the connection to the application: a blocking descriptor of its own, and what was read beyond the request.
    /// The server sends nothing more on it and forgets it when the call returns. What was sent before goes out first.
    ///
    /// Errors: no descriptors left, or the client has gone.
    fn take_over(&mut self) -> io::Result<(OwnedFd, Vec<u8>)>;

    /// Has the connection been taken over?
    fn is_taken_over(&self) -> bool;

    /// Has somebody else answered meanwhile, because the call took too long?
    fn is_given_up(&self) -> bool;

    /// Has the head of the answer been sent or queued?
    fn has_responded(&self) -> bool;

    /// Notes request variable `index` of [`App::logged_variables`] for the access log.
    fn note_variable(&mut self, index: usize, value: &[u8]);
}

/// A request's body.
#[derive(Debug)]
pub enum Body<B> {
    /// There is none.
    Empty,
    /// All of it.
    Complete(B),
    /// All of it, `len` bytes from the start of a file that has no name.
    Spooled {
        /// The file, its position unspecified.
        file: File,
        /// Bytes of the body.
        len: u64,
    },
    /// The client waits for a word (`Expect: 100-continue`): [`Exchange::receive_body`] gets all of it.
    Announced,
    /// It comes while the application reads it: [`Exchange::receive_part`]. Source: setting `request_buffering`.
    Streamed,
}

/// What has come of a body that is streamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// So much, and not nothing.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Wait,
    /// Nothing more: the body is complete.
    End,
}

/// Must what was added be on its way before the next piece is asked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// More follows at once.
    Later,
    /// As PEP 3333 wants for each item of an iterable: send now.
    Now,
}

/// Is there room for more of the answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Go on.
    Yes,
    /// The client is slower than the application: call [`Exchange::wait_for_room`].
    Full,
    /// The announced length is out: more would be thrown away.
    Never,
}

/// The answer cannot go on: the client has gone, or is too slow. Not the application's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why a body did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is, or claims to be, larger than `limit_request_body`; in bytes.
    TooLarge(u64),
    /// The client broke the protocol.
    Malformed {
        /// Status of the answer that says so.
        status: u16,
        /// What is wrong.
        text: String,
    },
    /// The client was too slow.
    TooSlow,
    /// The client has gone.
    Gone,
    /// It could not be stored; the text says why, and where.
    Storage(String),
}

impl Refusal {
    /// Status of the answer, if the application gives none.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::Malformed { status, .. } => *status,
            Self::TooSlow => 408,
            Self::Gone => 400,
            Self::Storage(_) => 507,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "request body is larger than {limit} bytes"),
            Self::Malformed { text, .. } => write!(f, "request body is malformed: {text}"),
            Self::TooSlow => write!(f, "request body was cut short: the client is too slow"),
            Self::Gone => write!(f, "request body was cut short: the client has gone"),
            Self::Storage(text) => write!(f, "request body could not be stored: {text}"),
        }
    }
}

/// How a call went wrong, after the application's side has logged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The application raised, or broke its contract: 500 if no byte of the answer is out, else the connection is cut.
    Application,
    /// The request cannot be answered: this status, if no byte of the answer is out.
    Request(u16),
    /// The client has gone; nothing to answer.
    Gone,
}

/// What somebody wants of the worker, as posted by a signal handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// SIGTERM: finish what you have.
    Drain,
    /// SIGINT, SIGQUIT: leave at once.
    Quit,
    /// SIGUSR1: open the log files anew.
    Reopen,
    /// SIGABRT: the master gave up on this worker.
    Abort,
}

/// A set of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notices(u32);

impl Notices {
    /// The set of the bits that [`Notices::bit`] gives.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// One notice as a bit, for handlers that post into an atomic.
    pub const fn bit(notice: Notice) -> u32 {
        1 << notice as u32
    }

    /// Is `notice` in the set?
    pub const fn has(self, notice: Notice) -> bool {
        self.0 & Self::bit(notice) != 0
    }

    /// Is the set empty?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds `notice`.
    pub const fn with(self, notice: Notice) -> Self {
        Self(self.0 | Self::bit(notice))
    }

    /// Everything in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Where a connection comes from; the same for all its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The socket's peer; `None` for a unix socket.
    pub remote: Option<SocketAddr>,
    /// The listener it came in by.
    pub server: Arc<Server>,
    /// What a load balancer said in front of the first request.
    pub proxied: Option<Proxied>,
}

impl Origin {
    /// Address and port of the client: as the load balancer says, else the peer's; `None` for a unix socket.
    pub fn client(&self) -> Option<SocketAddr> {
        let said = self.proxied.as_ref().and_then(|proxied| proxied.addresses);
        said.map(|(source, _)| source).or(self.remote)
    }
}

/// A PROXY header. Source: the PROXY protocol, versions 1 and 2; Gunicorn setting `proxy_protocol`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// `TCP4`, `TCP6`, `UNIX`, `UNKNOWN`, `LOCAL` or `UNSPEC`.
    pub protocol: &'static str,
    /// Client and the address that it connected to; `None`: the socket's own count.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

/// A client as a proxy's header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// Its port, which few proxies tell.
    pub port: Option<u16>,
}

/// A listener, as `SERVER_NAME` and `SERVER_PORT` show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Address and port it is bound to.
    Tcp {
        /// The address as text.
        name: String,
        /// The port.
        port: u16,
    },
    /// The path of its socket; the request's Host names the server.
    Unix {
        /// As given in `bind`.
        path: String,
    },
}
