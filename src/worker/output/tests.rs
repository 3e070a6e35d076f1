//! The queue against a model, and against real sockets whose peers read slowly, leave, or take all they get.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use proptest::prelude::*;

use super::part::Way;
use super::*;
use crate::sys;

/// The smallest buffer a kernel gives.
const TINY: usize = 1;

/// As much as one wants.
const NO_BUDGET: u64 = u64::MAX;

/// Never refuses.
const NO_LIMIT: u64 = 1 << 40;

fn temporary() -> PathBuf {
    std::env::temp_dir()
}

fn file_of(bytes: &[u8]) -> File {
    let file = sys::unlinked_file(&temporary()).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// `len` bytes, none of which stands for another: a block that goes astray is seen.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next().to_ne_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Flushes and reads in turn until all is out, and what the peer has got by then.
fn drain(output: &mut Output<Vec<u8>>, stream: &mut Stream, peer: &mut UnixStream) -> Vec<u8> {
    let mut got = Vec::new();
    let mut space = [0; 64 * 1024];
    while output.flush(stream, NO_BUDGET).unwrap() != Flushed::All {
        let count = peer.read(&mut space).unwrap();
        got.extend_from_slice(&space[..count]);
    }
    got.extend_from_slice(&arrived(peer));
    got
}

/// What has arrived at the peer and was not read.
fn arrived(peer: &mut UnixStream) -> Vec<u8> {
    let mut got = Vec::new();
    peer.set_nonblocking(true).unwrap();
    let error = peer.read_to_end(&mut got).map(|_| io::ErrorKind::UnexpectedEof).unwrap_or_else(|error| error.kind());
    assert!(matches!(error, io::ErrorKind::WouldBlock | io::ErrorKind::UnexpectedEof), "{error}");
    peer.set_nonblocking(false).unwrap();
    got
}

#[test]
fn bytes_leave_in_order_whatever_the_kernel_takes() {
    for take in [1, 2, 7, 4096, 5000, 1 << 20] {
        let mut output = Output::default();
        let mut want = Vec::new();
        for (number, size) in [3, 4096, 5000, 1, 0, 9000, 12].into_iter().enumerate() {
            let piece = vec![number as u8; size];
            output.append(|tail| tail.push(b'#'));
            want.push(b'#');
            want.extend_from_slice(&piece);
            output.push(piece, size);
        }
        let mut got: Vec<u8> = Vec::new();
        while output.pending() > 0 {
            assert_eq!(output.slices().map(<[u8]>::len).sum::<usize>() as u64, output.pending());
            let before = got.len();
            got.extend(output.slices().flatten().take(take));
            let count = got.len() - before;
            output.advance(count);
        }
        assert_eq!(got, want, "taking {take}");
    }
}

#[test]
fn a_client_that_always_lags_does_not_make_it_grow() {
    let mut output: Output<Vec<u8>> = Output::default();
    output.push(vec![0; 4096], 4096);
    for _ in 0..10_000 {
        output.push(vec![0; 1000], 1000);
        output.advance(1000);
    }
    assert_eq!(output.pending(), 4096);
    assert!(output.tail.capacity() < 4 * COMPACT_LIMIT, "{}", output.tail.capacity());
}

#[test]
fn a_piece_may_be_cut() {
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let mut output = Output::default();
    output.push(vec![1; 10_000], 5000);
    output.push(vec![2; 10], 3);
    let got = drain(&mut output, &mut stream, &mut peer);
    assert_eq!((got.len(), got[4999], got[5000]), (5003, 1, 2));
}

#[test]
fn memory_is_given_away_only_when_nothing_is_queued() {
    let mut output: Output<Vec<u8>> = Output::default();
    output.append(|tail| tail.extend_from_slice(b"abc"));
    assert!(output.take_memory().is_none());
    output.clear();
    assert!(output.take_memory().is_some());
    assert!(output.wants_memory());
    output.lend_memory(Vec::with_capacity(16));
    output.push_file(file_of(b"x").into(), 0, 1);
    assert!(output.take_memory().is_none());
    output.clear();
    assert_eq!(output.pending(), 0);
    assert!(output.take_memory().is_some());
}

#[test]
fn a_part_of_a_file_stands_where_it_was_pushed_and_its_position_stays() {
    for way in [Way::Kernel, Way::Memory] {
        let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
        let bytes = pattern(1, 300_000);
        let mut file = file_of(&bytes);
        file.seek(io::SeekFrom::Start(7)).unwrap();
        let mut output: Output<Vec<u8>> = Output::default();
        output.append(|tail| tail.extend_from_slice(b"head"));
        output.push_file(OwnedFd::from(file.try_clone().unwrap()), 1000, 250_000);
        output.push_file(OwnedFd::from(file.try_clone().unwrap()), 5, 0);
        output.append(|tail| tail.extend_from_slice(b"tail"));
        set_way(&mut output, way);
        assert_eq!((output.memory(), output.pending()), (8, 250_008));
        let got = drain(&mut output, &mut stream, &mut peer);
        assert!(got == [b"head", &bytes[1000..251_000], b"tail"].concat(), "{way:?}");
        assert_eq!((output.memory(), output.pending()), (0, 0));
        assert_eq!(file.stream_position().unwrap(), 7);
    }
}

#[test]
fn a_file_goes_out_by_tcp() {
    let (mut stream, mut peer) = Stream::tcp_pair().unwrap();
    let bytes = pattern(2, 3_000_000);
    let mut output: Output<Vec<u8>> = Output::default();
    output.append(|tail| tail.extend_from_slice(b"head"));
    output.push_file(file_of(&bytes).into(), 0, bytes.len() as u64);
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).map(|_| got)
    });
    while output.flush(&mut stream, NO_BUDGET).unwrap() != Flushed::All {
        sys::wait_for(std::os::fd::AsFd::as_fd(&stream), sys::Interest::Writable, None).unwrap();
    }
    assert!(output.front.is_empty());
    drop(stream);
    assert!(reader.join().unwrap().unwrap() == [b"head", &bytes[..]].concat());
}

fn set_way(output: &mut Output<Vec<u8>>, way: Way) {
    for segment in &mut output.front {
        if let Segment::File(part) = segment {
            part.way = way;
        }
    }
}

#[test]
fn a_file_that_is_too_short_is_noticed_after_all_that_is_there() {
    for way in [Way::Kernel, Way::Memory] {
        let (mut stream, mut peer) = Stream::pair(1 << 16).unwrap();
        let mut output: Output<Vec<u8>> = Output::default();
        output.append(|tail| tail.extend_from_slice(b"head"));
        output.push_file(file_of(b"0123456789").into(), 4, 100);
        output.append(|tail| tail.extend_from_slice(b"tail"));
        set_way(&mut output, way);
        let error = output.flush(&mut stream, NO_BUDGET).unwrap_err();
        assert!(matches!(error, FlushError::Truncated { missing: 94 }), "{way:?}: {error}");
        assert_eq!(output.pending(), 98);
        assert_eq!(arrived(&mut peer), b"head456789");
    }
}

#[test]
fn a_file_that_cannot_be_sent_is_read() {
    let (mut stream, mut peer) = Stream::pair(1 << 16).unwrap();
    // sendfile(2) refuses what it cannot read in pages, which is so for some files of /proc.
    let want = std::fs::read("/proc/self/cmdline").unwrap();
    let file = File::open("/proc/self/cmdline").unwrap();
    let mut output: Output<Vec<u8>> = Output::default();
    output.push_file(file.into(), 0, want.len() as u64);
    assert_eq!(drain(&mut output, &mut stream, &mut peer), want);
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_a_client_that_has_gone() {
    let (mut stream, _peer) = Stream::pair(1 << 16).unwrap();
    let unreadable = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    for file in [File::open(temporary()).unwrap(), unreadable] {
        let mut output: Output<Vec<u8>> = Output::default();
        output.push_file(file.into(), 0, 10);
        let error = output.flush(&mut stream, NO_BUDGET).unwrap_err();
        assert!(matches!(error, FlushError::File(_)), "{error:?}");
    }
}

#[test]
fn a_client_that_has_gone_is_not_taken_for_a_bad_file() {
    let fill: [fn(&mut Output<Vec<u8>>); 4] = [
        |output| output.append(|tail| tail.push(b'x')),
        |output| output.push(vec![0; 5000], 5000),
        |output| output.push_file(file_of(b"0123456789").into(), 0, 10),
        |output| {
            output.push(vec![0; 5000], 5000);
            assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
        },
    ];
    for fill in fill {
        let (mut stream, peer) = Stream::pair(1 << 16).unwrap();
        drop(peer);
        let mut output = Output::default();
        fill(&mut output);
        let error = output.flush(&mut stream, NO_BUDGET).unwrap_err();
        assert!(matches!(error, FlushError::Gone(_)), "{error:?}");
    }
}

#[test]
fn a_fast_reader_gets_no_more_than_the_budget_at_once() {
    for way in [Way::Kernel, Way::Memory] {
        let (mut stream, mut peer) = Stream::pair(1 << 20).unwrap();
        let bytes = pattern(3, 100_000);
        let mut output: Output<Vec<u8>> = Output::default();
        output.push_file(file_of(&bytes).into(), 0, 100_000);
        set_way(&mut output, way);
        assert_eq!(output.flush(&mut stream, 0).unwrap(), Flushed::Budget);
        assert_eq!(output.pending(), 100_000);
        assert_eq!(output.flush(&mut stream, 30_000).unwrap(), Flushed::Budget);
        assert_eq!(output.pending(), 70_000);
        assert_eq!(output.flush(&mut stream, 70_000).unwrap(), Flushed::All);
        assert!(arrived(&mut peer) == bytes);
        assert_eq!(output.flush(&mut stream, 0).unwrap(), Flushed::All);
    }
}

#[test]
fn spooled_bytes_are_budgeted_too() {
    let (mut stream, mut peer) = Stream::pair(1 << 20).unwrap();
    let bytes = pattern(4, 100_000);
    let mut output = Output::default();
    output.push(bytes.clone(), bytes.len());
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
    assert_eq!(output.flush(&mut stream, 30_000).unwrap(), Flushed::Budget);
    assert_eq!(output.pending(), 70_000);
    assert_eq!(output.flush(&mut stream, NO_BUDGET).unwrap(), Flushed::All);
    assert!(arrived(&mut peer) == bytes);
}

#[test]
fn a_full_socket_blocks() {
    let (mut stream, _peer) = Stream::pair(TINY).unwrap();
    let mut output: Output<Vec<u8>> = Output::default();
    output.push_file(file_of(&pattern(5, 500_000)).into(), 0, 500_000);
    assert_eq!(output.flush(&mut stream, NO_BUDGET).unwrap(), Flushed::Blocked);
    let pending = output.pending();
    assert!(pending > 0 && pending < 500_000, "{pending}");
    assert_eq!(output.flush(&mut stream, NO_BUDGET).unwrap(), Flushed::Blocked);
    assert_eq!(output.pending(), pending);
}

#[test]
fn what_is_partly_written_is_spooled_from_there() {
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let mut output = Output::default();
    let bytes = pattern(6, 400_000);
    output.append(|tail| tail.extend_from_slice(&bytes[..100]));
    output.push(bytes[100..300_000].to_vec(), 299_900);
    assert_eq!(output.flush(&mut stream, NO_BUDGET).unwrap(), Flushed::Blocked);
    output.append(|tail| tail.extend_from_slice(&bytes[300_000..]));
    let pending = output.pending();
    assert!(pending < 400_000, "something went out");
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
    assert_eq!((output.memory(), output.pending()), (0, pending));
    assert_eq!(output.front.len(), 1, "one segment for all");
    assert!(output.tail.capacity() <= MOST_KEPT);
    assert!(drain(&mut output, &mut stream, &mut peer) == bytes);
}

#[test]
fn a_small_answer_that_is_partly_written_is_spooled_from_there() {
    let mut output: Output<Vec<u8>> = Output::default();
    output.append(|tail| tail.extend_from_slice(b"0123456789"));
    output.advance(4);
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
    assert_eq!((output.memory(), output.pending(), output.written), (0, 6, 0));
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    assert_eq!(drain(&mut output, &mut stream, &mut peer), b"456789");
}

#[test]
fn a_spool_that_is_full_takes_nothing() {
    let mut output: Output<Vec<u8>> = Output::default();
    assert!(output.spool(&temporary(), 0).unwrap(), "there is nothing to move");
    output.push(vec![1; 6000], 6000);
    assert!(!output.spool(&temporary(), 0).unwrap(), "switched off");
    assert!(output.spool.is_none());
    assert!(output.spool(&temporary(), 10_000).unwrap());
    output.push(vec![2; 4001], 4001);
    assert!(!output.spool(&temporary(), 10_000).unwrap());
    assert_eq!((output.memory(), output.pending()), (4001, 10_001));
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let got = drain(&mut output, &mut stream, &mut peer);
    assert_eq!((got.len(), got[5999], got[6000]), (10_001, 1, 2));
}

#[test]
fn spooled_bytes_and_files_keep_their_order() {
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let mut output: Output<Vec<u8>> = Output::default();
    output.append(|tail| tail.extend_from_slice(b"one "));
    output.push_file(file_of(b"two ").into(), 0, 4);
    output.append(|tail| tail.extend_from_slice(b"three "));
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
    output.append(|tail| tail.extend_from_slice(b"four "));
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
    output.push_file(file_of(b"five ").into(), 0, 5);
    output.append(|tail| tail.extend_from_slice(b"six"));
    assert_eq!(output.front.len(), 4);
    assert_eq!((output.memory(), output.pending()), (3, 27));
    assert_eq!(drain(&mut output, &mut stream, &mut peer), b"one two three four five six");
}

#[test]
fn the_spool_goes_with_its_last_byte() {
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let mut output = Output::default();
    for round in 0..3 {
        let bytes = pattern(round, 50_000);
        output.push(bytes.clone(), bytes.len());
        assert!(output.spool(&temporary(), NO_LIMIT).unwrap());
        assert!(output.spool.is_some());
        assert!(drain(&mut output, &mut stream, &mut peer) == bytes);
        assert!(output.spool.is_none());
    }
}

#[test]
fn what_the_client_has_not_read_yet_survives_the_reuse_of_its_place() {
    let (mut stream, mut peer) = Stream::pair(1 << 20).unwrap();
    let mut output = Output::default();
    let bytes = pattern(9, 15_000);
    output.push(bytes[..8000].to_vec(), 8000);
    assert!(output.spool(&temporary(), 10_000).unwrap());
    assert_eq!(output.flush(&mut stream, 6000).unwrap(), Flushed::Budget);
    output.push(bytes[8000..].to_vec(), 7000);
    assert!(output.spool(&temporary(), 10_000).unwrap());
    assert!(drain(&mut output, &mut stream, &mut peer) == bytes);
}

#[test]
fn a_disk_error_leaves_the_queue_as_it_was() {
    let (mut stream, mut peer) = Stream::pair(TINY).unwrap();
    let mut output = Output::default();
    let bytes = pattern(8, 50_000);
    output.append(|tail| tail.extend_from_slice(&bytes[..10]));
    output.push(bytes[10..].to_vec(), bytes.len() - 10);
    assert!(output.spool(Path::new("/nowhere/at/all"), NO_LIMIT).is_err());
    assert_eq!((output.memory(), output.pending()), (50_000, 50_000));
    assert!(output.spool(&temporary(), NO_LIMIT).unwrap(), "the next attempt may succeed");

    // A disk that is full when there is something in the spool already.
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert!(full.write(b"x").is_err());
    output.push(vec![9; 5000], 5000);
    let spool = output.spool.as_mut().unwrap();
    let before = spool.replace_file(full);
    assert!(output.spool(&temporary(), NO_LIMIT).is_err());
    assert_eq!((output.memory(), output.pending()), (5000, 55_000));
    output.spool.as_mut().unwrap().replace_file(before);
    assert!(drain(&mut output, &mut stream, &mut peer) == [&bytes[..], &[9; 5000]].concat());
}

#[derive(Clone, Debug)]
enum Deed {
    Append(usize),
    Push { size: usize, len: usize },
    PushFile { offset: usize, len: usize, way: Way },
    Spool { is_broken: bool },
    Flush { budget: u64 },
    Read { len: usize },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..3000_usize).prop_map(Deed::Append),
        (0..40_000_usize, 0..40_000_usize).prop_map(|(size, cut)| Deed::Push { size, len: size.saturating_sub(cut) }),
        (0..50_000_usize, 0..50_000_usize, any::<bool>()).prop_map(|(offset, len, is_sent)| Deed::PushFile {
            offset,
            len,
            way: if is_sent { Way::Kernel } else { Way::Memory },
        }),
        any::<bool>().prop_map(|is_broken| Deed::Spool { is_broken }),
        prop_oneof![0..20_000_u64, Just(NO_BUDGET)].prop_map(|budget| Deed::Flush { budget }),
        (1..60_000_usize).prop_map(|len| Deed::Read { len }),
    ]
}

/// One connection, and what must come out of it.
struct Model {
    output: Output<Vec<u8>>,
    stream: Stream,
    peer: UnixStream,
    want: Vec<u8>,
    got: Vec<u8>,
    most: u64,
    seed: u64,
}

impl Model {
    fn new(most: u64) -> Self {
        let (stream, peer) = Stream::pair(TINY).unwrap();
        peer.set_nonblocking(true).unwrap();
        Self { output: Output::default(), stream, peer, want: Vec::new(), got: Vec::new(), most, seed: 0 }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.seed += 1;
        pattern(self.seed, len)
    }

    fn perform(&mut self, deed: &Deed) {
        let before = (self.output.memory(), self.output.pending());
        match *deed {
            Deed::Append(len) => {
                let bytes = self.bytes(len);
                self.output.append(|tail| tail.extend_from_slice(&bytes));
                self.want.extend_from_slice(&bytes);
                assert_eq!(self.output.memory(), before.0 + len);
            }
            Deed::Push { size, len } => {
                let bytes = self.bytes(size);
                self.want.extend_from_slice(&bytes[..len]);
                self.output.push(bytes, len);
                assert_eq!(self.output.memory(), before.0 + len);
            }
            Deed::PushFile { offset, len, way } => {
                let bytes = self.bytes(offset + len);
                self.output.push_file(file_of(&bytes).into(), offset as u64, len as u64);
                if len > 0
                    && let Some(Segment::File(part)) = self.output.front.back_mut()
                {
                    part.way = way;
                }
                self.want.extend_from_slice(&bytes[offset..]);
                assert_eq!(self.output.pending(), before.1 + len as u64);
            }
            Deed::Spool { is_broken } => {
                let folder = if is_broken { PathBuf::from("/nowhere/at/all") } else { temporary() };
                let has_moved = self.output.spool(&folder, self.most).unwrap_or(false);
                assert_eq!(self.output.memory(), if has_moved { 0 } else { before.0 });
                assert_eq!(self.output.pending(), before.1);
            }
            Deed::Flush { budget } => self.flush(budget),
            Deed::Read { len } => self.read(len),
        }
        self.check();
    }

    fn flush(&mut self, budget: u64) {
        let flushed = self.output.flush(&mut self.stream, budget).unwrap();
        assert_eq!(flushed == Flushed::All, self.output.pending() == 0);
    }

    fn read(&mut self, len: usize) {
        let mut space = vec![0; len];
        match self.peer.read(&mut space) {
            Ok(count) => self.got.extend_from_slice(&space[..count]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(self.want.starts_with(&self.got));
    }

    /// Relations that hold between any two deeds.
    fn check(&self) {
        let output = &self.output;
        let sum = |of: fn(&Segment<Vec<u8>>) -> u64| output.front.iter().map(of).sum::<u64>();
        let spooled = sum(|segment| if let Segment::Spooled { len } = segment { *len } else { 0 });
        assert_eq!(output.spool.as_ref().map_or(0, Spool::len), spooled);
        assert_eq!(output.spool.is_some(), spooled > 0);
        assert!(spooled <= self.most);
        assert_eq!(output.slices().map(<[u8]>::len).sum::<usize>(), output.memory());
        assert!(self.want.len() as u64 - output.pending() >= self.got.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_byte_comes_out_once_and_in_order(
        deeds in proptest::collection::vec(deed(), 1..60),
        most in prop_oneof![Just(0), 1..200_000_u64, Just(NO_LIMIT)],
    ) {
        let mut model = Model::new(most);
        for deed in &deeds {
            model.perform(deed);
        }
        while model.output.pending() > 0 {
            model.perform(&Deed::Flush { budget: NO_BUDGET });
            model.perform(&Deed::Read { len: 60_000 });
        }
        let Model { mut peer, mut got, want, .. } = model;
        got.extend_from_slice(&arrived(&mut peer));
        prop_assert!(got == want);
    }
}
