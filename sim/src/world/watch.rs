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

/// Scans delivered bytes, connection by connection.
#[derive(Default)]
pub struct PayloadWatch {
    /// The last bytes of each connection's direction: a mark may straddle two chunks.
    tails: BTreeMap<u64, Vec<u8>>,
    deliveries: Vec<Delivery>,
    opened: u64,
}

impl PayloadWatch {
    /// Names one direction of a new connection.
    pub fn open(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Takes bytes of a connection in.
    pub fn bytes(&mut self, conn: u64, bytes: &[u8], delivery: impl Fn(u32, Part) -> Delivery) {
        let mut tail = self.tails.remove(&conn).unwrap_or_default();
        let carried = tail.len();
        tail.extend_from_slice(&bytes[..bytes.len().min(MARK - 1)]);
        for at in memchr::memchr_iter(b'<', &tail) {
            // Marks that lie wholly in the new bytes are found below.
            if at < carried
                && let Some((write, part)) = read_mark(&tail[at..])
            {
                self.deliveries.push(delivery(write, part));
            }
        }
        for at in memchr::memchr_iter(b'<', bytes) {
            if let Some((write, part)) = read_mark(&bytes[at..]) {
                self.deliveries.push(delivery(write, part));
            }
        }
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
            let mut stream = Vec::new();
            for write in 0..5 {
                stream.extend_from_slice(&mark(write, Part::Start));
                stream.extend_from_slice(&vec![b'<'; write as usize * 3]);
                stream.extend_from_slice(&mark(write, Part::End));
            }
            let mut watch = PayloadWatch::default();
            let mut rest = &stream[..];
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                watch.bytes(1, chunk, |write, part| Delivery { write, part, from: 0, to: 1, at: Duration::ZERO });
                rest = after;
            }
            watch.bytes(1, rest, |write, part| Delivery { write, part, from: 0, to: 1, at: Duration::ZERO });
            let found: Vec<_> = watch.take().into_iter().map(|d| (d.write, d.part)).collect();
            let expected: Vec<_> = (0..5).flat_map(|w| [(w, Part::Start), (w, Part::End)]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
