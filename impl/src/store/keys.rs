//! The keys of the tables, ordered so that what is read together lies together.
//!
//! | table | key | value |
//! |---|---|---|
//! | records | [`RecordKey::encode`](crate::object::RecordKey::encode) | record |
//! | log | origin, seq (big endian), hash of the record's key | operation as its origin encoded it |
//! | bodies | `h`eld, `w`anted or `g`arbage, dot | what is known of a body |
//! | bodies | `s`, dot, number of a segment (big endian) | the file that the segment lies in |
//! | uploads | `u`, upload | a multipart upload under way |
//! | uploads | `p`, upload, number (big endian) | one part of it |
//! | staged | as records | a peer's record, until all of its state is here |
//! | bookkeeping | `o` origin; `d` damaged record; `c` record that may hold a conflict; names | [`super::bookkeeping`] |

use crate::causality::{Dot, Epoch, SiteId};

/// Length of an encoded dot.
pub const DOT: usize = 18;

/// An origin, so that its dots sort behind it in order.
pub fn origin((site, epoch): (SiteId, Epoch)) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&site.0.to_be_bytes());
    key[2..].copy_from_slice(&epoch.0.to_be_bytes());
    key
}

/// A dot as a log key.
pub fn dot(dot: Dot) -> [u8; DOT] {
    let mut key = [0; DOT];
    key[..10].copy_from_slice(&origin(dot.origin()));
    key[10..].copy_from_slice(&dot.seq.to_be_bytes());
    key
}

/// Which record an entry of the log is about, in 8 bytes.
pub type RecordHash = [u8; 8];

/// The hash of a record's encoded key.
pub fn record_hash(record: &[u8]) -> RecordHash {
    let hash = blake3::hash(record);
    hash.as_bytes()[..8].try_into().expect("a blake3 hash has 32 bytes")
}

/// An entry of the log. It says which record it is about, so that an entry that rotted stands in the way of repairing
/// that record only.
pub fn log(of: Dot, record: RecordHash) -> [u8; DOT + 8] {
    let mut key = [0; DOT + 8];
    key[..DOT].copy_from_slice(&dot(of));
    key[DOT..].copy_from_slice(&record);
    key
}

/// Reads [`log`] back.
pub fn log_of(key: &[u8]) -> Option<(Dot, RecordHash)> {
    let (of, record) = key.split_at_checked(DOT)?;
    Some((dot_of(of)?, record.try_into().ok()?))
}

/// Reads [`dot`] back.
pub fn dot_of(key: &[u8]) -> Option<Dot> {
    let key: &[u8; DOT] = key.try_into().ok()?;
    Some(Dot {
        site: SiteId(u16::from_be_bytes(key[..2].try_into().ok()?)),
        epoch: Epoch(u64::from_be_bytes(key[2..10].try_into().ok()?)),
        seq: u64::from_be_bytes(key[10..].try_into().ok()?),
    })
}

/// A row of the bodies table.
pub fn body(state: u8, of: Dot) -> [u8; DOT + 1] {
    let mut key = [state; DOT + 1];
    key[1..].copy_from_slice(&dot(of));
    key
}

/// All of the body lies in files here.
pub const HELD: u8 = b'h';
/// Something of the body is to be fetched.
pub const WANTED: u8 = b'w';
/// The body's version is purged; its files go once its superseder is safe.
pub const GARBAGE: u8 = b'g';

/// The row of one segment that lies in a file here, whatever the body's state.
pub fn segment(of: Dot, number: u32) -> [u8; DOT + 5] {
    let mut key = [b's'; DOT + 5];
    key[1..=DOT].copy_from_slice(&dot(of));
    key[DOT + 1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Reads the number of a [`segment`] back.
pub fn segment_number(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(DOT + 1..)?.try_into().ok()?))
}

/// An origin's row.
pub fn origin_row(of: (SiteId, Epoch)) -> [u8; 11] {
    let mut key = [b'o'; 11];
    key[1..].copy_from_slice(&origin(of));
    key
}

/// The note that a record may hold a conflict.
pub fn contested(record: &[u8]) -> Vec<u8> {
    [b"c", record].concat()
}

/// The note that a record is damaged.
pub fn damaged(record: &[u8]) -> Vec<u8> {
    [b"d", record].concat()
}

/// Who the data directory belongs to.
pub const IDENTITY: &[u8] = b"identity";
/// How often the store was opened.
pub const STARTS: &[u8] = b"starts";
/// The hybrid clock's ceiling.
pub const CEILING: &[u8] = b"ceiling";
/// Whether this store has caught up with a peer since it was created.
pub const MEMBERSHIP: &[u8] = b"membership";
/// How far a state merge has come.
pub const MERGE: &[u8] = b"merge";

/// The smallest key above every key that starts with `prefix`; `None` if there is none.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
