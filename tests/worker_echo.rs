//! The worker without Python: real sockets, the echo application, one thread and several.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indrik::app::echo::{Echo, GREETING};
use indrik::config::{self, Layers, Raw, Source, Value};
use indrik::ipc::{self, FromWorker, MasterEnd, Received, Scoreboard, ToWorker};
use indrik::net::{Address, Listener, Manner};
use indrik::worker::{self, Ended, Setup};

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct Worker {
    port: u16,
    master: MasterEnd,
    board: Scoreboard,
    thread: Option<JoinHandle<Result<Ended, String>>>,
}

impl Worker {
    fn start(settings: &[(&str, i64)]) -> Self {
        let mut command_line = Raw::new();
        for (name, value) in settings {
            command_line.push(*name, Value::Int(*value), Source::Flag { flag: format!("--{name}") });
        }
        let layers = Layers { command_line, ..Layers::default() };
        let (config, _) = config::resolve(&layers, Path::new("/")).unwrap();
        let listener = Listener::bind(&Address::parse("127.0.0.1:0").unwrap(), Manner::plain(64)).unwrap();
        let port = listener.server_name().unwrap().1;
        let (master, ipc) = ipc::pair().unwrap();
        let board = Scoreboard::new().unwrap();
        let setup = Setup {
            app: Arc::new(Echo),
            config: Arc::new(config),
            listeners: vec![Arc::new(listener)],
            ipc,
            line: board.line(0),
            siblings: None,
            access: None,
            note_answer: None,
            max_requests: 0,
        };
        let thread = Some(thread::spawn(move || worker::run(setup)));
        let worker = Self { port, master, board, thread };
        assert_eq!(worker.next_message(), FromWorker::Booted);
        worker
    }

    /// The worker's next word to its master.
    fn next_message(&self) -> FromWorker {
        loop {
            match self.master.next() {
                Received::Message(message) => return message,
                Received::Nothing => thread::yield_now(),
                Received::Closed => panic!("the worker has gone"),
            }
        }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { reader: BufReader::new(stream) }
    }

    fn end(mut self, word: ToWorker) -> Ended {
        self.master.tell(word).unwrap();
        self.thread.take().unwrap().join().unwrap().unwrap()
    }
}

struct Client {
    reader: BufReader<TcpStream>,
}

/// Status line, header lines, body.
type Answer = (String, Vec<String>, Vec<u8>);

impl Client {
    fn send(&mut self, wire: &str) {
        self.reader.get_mut().write_all(wire.replace('|', "\r\n").as_bytes()).unwrap();
    }

    /// Reads one answer that announces its length.
    fn receive(&mut self) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "closed after {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let length =
            lines.iter().find_map(|line| line.strip_prefix("Content-Length: ")).map(|len| len.parse().unwrap());
        let mut body = vec![0; length.unwrap_or(0)];
        self.reader.read_exact(&mut body).unwrap();
        (lines.remove(0), lines, body)
    }

    fn is_closed(&mut self) -> bool {
        self.reader.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

#[track_caller]
fn check(client: &mut Client, wire: &str, want: &[u8]) {
    client.send(wire);
    let (status, _, body) = client.receive();
    assert_eq!((status.as_str(), body.as_slice()), ("HTTP/1.1 200 OK", want));
}

fn both_modes(test: impl Fn(Worker)) {
    for threads in [1, 4] {
        test(Worker::start(&[("threads", threads)]));
    }
}

#[test]
fn a_connection_serves_many_requests() {
    both_modes(|worker| {
        let mut client = worker.connect();
        for _ in 0..100 {
            check(&mut client, "GET / HTTP/1.1|Host: a||", GREETING);
        }
        check(&mut client, "POST / HTTP/1.1|Host: a|Content-Length: 5||hello", b"hello");
        check(&mut client, "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|2|de|0||", b"abcde");
        let line = worker.board.line(0);
        drop(client);
        assert_eq!(worker.end(ToWorker::Drain), Ended::Drained);
        assert_eq!(line.requests(), 102);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    both_modes(|worker| {
        let mut client = worker.connect();
        let wire: String =
            (0..500).map(|number| format!("POST / HTTP/1.1|Host: a|Content-Length: 4||{number:04}")).collect();
        client.send(&wire);
        for number in 0..500 {
            assert_eq!(client.receive().2, format!("{number:04}").as_bytes());
        }
    });
}

#[test]
fn a_large_body_comes_back_whole() {
    both_modes(|worker| {
        let body = "0123456789abcdef".repeat(50_000);
        let mut client = worker.connect();
        let mut sender = client.reader.get_ref().try_clone().unwrap();
        let wire = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let sending = thread::spawn(move || sender.write_all(wire.as_bytes()).unwrap());
        assert_eq!(client.receive().2, body.as_bytes());
        sending.join().unwrap();
    });
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let worker = Worker::start(&[("limit_request_body", 10)]);
    let mut client = worker.connect();
    client.send("POST / HTTP/1.1|Host: a|Content-Length: 11||");
    assert_eq!(client.receive().0, "HTTP/1.1 413 Content Too Large");
    assert!(client.is_closed());
    let mut client = worker.connect();
    client.send("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||b|01234567890|0||");
    assert_eq!(client.receive().0, "HTTP/1.1 413 Content Too Large");
}

#[test]
fn a_body_too_large_for_memory_goes_through_a_file() {
    for settings in [[("body_memory", 10), ("threads", 1)], [("buffer_memory", 10), ("threads", 4)]] {
        let worker = Worker::start(&settings);
        let mut client = worker.connect();
        let body = "0123456789".repeat(1000);
        check(&mut client, &format!("POST / HTTP/1.1|Host: a|Content-Length: 10000||{body}"), body.as_bytes());
        let chunks = format!("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||a|0123456789|2710|{body}|0||");
        check(&mut client, &chunks, format!("0123456789{body}").as_bytes());
    }
}

#[test]
fn a_malformed_request_is_refused_and_the_next_client_served() {
    both_modes(|worker| {
        let mut rude = worker.connect();
        rude.send("GET / HTTP/1.1|Host : a||");
        assert_eq!(rude.receive().0, "HTTP/1.1 400 Bad Request");
        assert!(rude.is_closed());
        check(&mut worker.connect(), "GET / HTTP/1.1|Host: a||", GREETING);
    });
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    both_modes(|worker| {
        let mut client = worker.connect();
        client.send("GET / HTTP/1.1|Host: a||");
        client.reader.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.receive().2, GREETING);
        assert!(client.is_closed());
    });
}

#[test]
fn a_draining_worker_answers_what_runs_and_closes() {
    both_modes(|worker| {
        let mut client = worker.connect();
        check(&mut client, "GET / HTTP/1.1|Host: a||", GREETING);
        client.send("GET /sleep/300 HTTP/1.1|Host: a||");
        worker.master.tell(ToWorker::Reopen).unwrap();
        let ended = thread::spawn(move || worker.end(ToWorker::Stop));
        let (status, fields, _) = client.receive();
        assert_eq!(status, "HTTP/1.1 200 OK");
        // The order may have come before the request or while it ran.
        if fields.iter().any(|line| line == "Connection: close") {
            assert!(client.is_closed());
        }
        drop(client);
        assert_eq!(ended.join().unwrap(), Ended::Drained);
    });
}

#[test]
fn a_worker_whose_master_has_gone_leaves() {
    both_modes(|mut worker| {
        let thread = worker.thread.take().unwrap();
        drop(worker);
        assert_eq!(thread.join().unwrap().unwrap(), Ended::Drained);
    });
}

#[test]
fn several_threads_sleep_at_once() {
    let worker = Worker::start(&[("threads", 4)]);
    let mut sleepers: Vec<Client> = (0..3).map(|_| worker.connect()).collect();
    for sleeper in &mut sleepers {
        sleeper.send("GET /sleep/3000 HTTP/1.1|Host: a||");
    }
    // Answered while the three sleep: none of them has an answer yet.
    check(&mut worker.connect(), "GET / HTTP/1.1|Host: a||", GREETING);
    for sleeper in &mut sleepers {
        sleeper.reader.get_ref().set_nonblocking(true).unwrap();
        assert!(sleeper.reader.fill_buf().is_err(), "answered too early");
    }
}

#[test]
fn silent_connections_hold_up_nobody() {
    both_modes(|worker| {
        let mut crowd: Vec<Client> = (0..200).map(|_| worker.connect()).collect();
        for client in &mut crowd {
            client.send("G");
        }
        check(&mut worker.connect(), "GET / HTTP/1.1|Host: a||", GREETING);
    });
}
