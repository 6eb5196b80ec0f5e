//! The world's own knowledge of which write's bytes went where, read off the wire.
//!
//! Every body carries marks that name its write: at its start, at its end, and where its first segment ends. The world scans what processes read
//! from their sockets for them; bytes that nobody came to read were not delivered. So "another site had it" is known
//! from the bytes, not from what the engine says of itself.

use std::{collections::BTreeMap, time::Duration};

/// Which part of a body was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The first bytes.
    Start,
    /// The last bytes of the first of two segments.
    Middle,
    /// The last bytes.
    End,
}

/// How large a segment is in simulations: bodies have two at most, so that three marks tell whether all of one came.
pub const SEGMENT: usize = 32 << 10;
/// How much of a body one message carries in simulations.
pub const CHUNK: usize = 16 << 10;

/// A write's bytes read by a site's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which write.
    pub write: u32,
    /// Which part of it.
    pub part: Part,
    /// From which site.
    pub from: u16,
    /// To which site.
    pub to: u16,
    /// When.
    pub at: Duration,
    /// Whether they came as a part of a state, which is nobody's before all of it is there (design §3).
    pub in_state: bool,
}

/// Length of a mark.
pub const MARK: usize = 12;

/// The mark of a part of a write's body: `<<s0000002a>`, `<<m0000002a>` or `<<e0000002a>`.
pub fn mark(write: u32, part: Part) -> [u8; MARK] {
    let mut mark = *b"<<s00000000>";
    mark[2] = match part {
        Part::Start => b's',
        Part::Middle => b'm',
        Part::End => b'e',
    };
    mark[3..11].copy_from_slice(format!("{write:08x}").as_bytes());
    mark
}

/// Reads a mark back.
pub fn read_mark(bytes: &[u8]) -> Option<(u32, Part)> {
    if bytes.len() < MARK || &bytes[..2] != b"<<" || bytes[MARK - 1] != b'>' {
        return None;
    }
    let part = match bytes[2] {
        b's' => Part::Start,
        b'm' => Part::Middle,
        b'e' => Part::End,
        _ => return None,
    };
    let hex = std::str::from_utf8(&bytes[3..11]).ok()?;
    u32::from_str_radix(hex, 16).ok().map(|write| (write, part))
}

/// Where one direction of a connection stands among its frames: a head of 12 bytes that begins with the length, then a
/// message that begins with its kind. A frame whose length was corrupted ends the connection, and with it this account.
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    left: usize,
    is_state: bool,
    /// What was found in the message so far.
    marks: Vec<(u32, Part)>,
}

impl Frames {
    const HEAD: usize = 12;
    /// The first byte of a message that carries part of a state.
    const STATE: u8 = 7 << 3 | 2;

    /// How many of the bytes belong to one piece: of a head, or of a message, which `is_state` then tells of.
    fn next(&mut self, bytes: &[u8]) -> usize {
        if self.left == 0 {
            let len = (Self::HEAD - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..len]);
            if let Some(length) = self.head.first_chunk::<4>().filter(|_| self.head.len() == Self::HEAD) {
                self.left = u32::from_be_bytes(*length) as usize;
                self.head.clear();
            }
            return len;
        }
        if self.head.is_empty() {
            self.is_state = bytes[0] == Self::STATE;
            self.head.push(0); // the kind is known
        }
        let len = self.left.min(bytes.len());
        self.left -= len;
        if self.left == 0 {
            self.head.clear();
        }
        len
    }
}

/// Scans delivered bytes, connection by connection.
#[derive(Default)]
pub struct PayloadWatch {
    /// The last bytes of each connection's direction: a mark may straddle two chunks.
    tails: BTreeMap<u64, Vec<u8>>,
    frames: BTreeMap<u64, Frames>,
    deliveries: Vec<Delivery>,
    opened: u64,
}

impl PayloadWatch {
    /// Names one direction of a new connection.
    pub fn open(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Takes bytes of a connection in. A mark counts as delivered when the message that it is in is whole: what is missing of
    /// one makes all of it nothing. `delivery` is told of each mark whether it came as a part of a state.
    pub fn bytes(&mut self, conn: u64, bytes: &[u8], delivery: impl Fn(u32, Part, bool) -> Delivery) {
        let mut frames = self.frames.remove(&conn).unwrap_or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(frames.next(rest));
            self.scan(conn, piece, &mut frames.marks);
            if frames.left == 0 {
                let whole =
                    frames.marks.drain(..).map(|(write, part)| delivery(write, part, frames.is_state));
                self.deliveries.extend(whole);
            }
            rest = later;
        }
        self.frames.insert(conn, frames);
    }

    fn scan(&mut self, conn: u64, bytes: &[u8], found: &mut Vec<(u32, Part)>) {
        let mut tail = self.tails.remove(&conn).unwrap_or_default();
        let carried = tail.len();
        tail.extend_from_slice(&bytes[..bytes.len().min(MARK - 1)]);
        for at in memchr::memchr_iter(b'<', &tail) {
            // Marks that lie wholly in the new bytes are found below.
            if at < carried
                && let Some(mark) = read_mark(&tail[at..])
            {
                found.push(mark);
            }
        }
        found.extend(memchr::memchr_iter(b'<', bytes).filter_map(|at| read_mark(&bytes[at..])));
        let mut kept = if bytes.len() >= MARK - 1 { Vec::new() } else { tail[..carried].to_vec() };
        kept.extend_from_slice(bytes);
        let cut = kept.len().saturating_sub(MARK - 1);
        self.tails.insert(conn, kept.split_off(cut));
    }

    /// All deliveries so far, in order of time.
    pub fn seen(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Hands all deliveries over.
    pub fn take(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_are_found_however_the_stream_is_cut(cuts in proptest::collection::vec(1..30usize, 0..20)) {
            let delivery = |write, part, in_state| {
                Delivery { write, part, from: 0, to: 1, at: Duration::ZERO, in_state }
            };
            let mut stream = Vec::new();
            for write in 0..5 {
                let kind = if write % 2 == 0 { Frames::STATE } else { 26 };
                let filler = vec![b'<'; write as usize * 3];
                let message =
                    [&[kind][..], &mark(write, Part::Start), &filler, &mark(write, Part::End)].concat();
                stream.extend_from_slice(&(message.len() as u32).to_be_bytes());
                stream.extend_from_slice(&[0; 8]);
                stream.extend_from_slice(&message);
            }
            let mut watch = PayloadWatch::default();
            let mut rest = &stream[..];
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                watch.bytes(1, chunk, delivery);
                rest = after;
            }
            watch.bytes(1, rest, delivery);
            let found: Vec<_> = watch.take().into_iter().map(|d| (d.write, d.part, d.in_state)).collect();
            let expected: Vec<_> =
                (0..5).flat_map(|w| [(w, Part::Start, w % 2 == 0), (w, Part::End, w % 2 == 0)]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
