//! Multipart uploads under way: rows of this site only, never replicated. What they end in is.

use super::{Error, Snapshot, bookkeeping::Row, tx::Tx};
use crate::{
    causality::SiteId,
    object::{RecordKey, Segment},
};
use prost::Message;
use redb::ReadableTable;
use std::{collections::BTreeMap, fmt};

/// An upload: the site that keeps it, and a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId {
    /// The site that took the upload up.
    pub site: SiteId,
    /// What tells it from the site's other uploads.
    pub number: u64,
}

impl UploadId {
    /// Reads an id back as it is written out; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (text.len() == 20 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)?;
        let site = SiteId(u16::from_str_radix(&digits[..4], 16).ok()?);
        Some(Self { site, number: u64::from_str_radix(&digits[4..], 16).ok()? })
    }

    pub(super) fn key(self, kind: u8) -> Vec<u8> {
        [&[kind][..], &self.site.0.to_be_bytes(), &self.number.to_be_bytes()].concat()
    }

    fn part_key(self, number: u16) -> Vec<u8> {
        [&self.key(b'p')[..], &number.to_be_bytes()].concat()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}{:016x}", self.site.0, self.number)
    }
}

/// An upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// The object that it will become a version of.
    pub record: RecordKey,
    /// When it began, by this site's wall clock, in milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// User metadata and system headers of the object.
    pub headers: BTreeMap<String, String>,
    /// Who began it.
    pub initiator: String,
}

/// A segment in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSegment {
    /// Its size and hash.
    pub segment: Segment,
    /// The file.
    pub blob: String,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// Where its bytes are; none of an empty part.
    pub segments: Vec<StoredSegment>,
    /// Length in bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub md5: [u8; 16],
    /// Its checksum by the upload's algorithm: the digest's bytes.
    pub checksum: Option<Vec<u8>>,
    /// When it came, as [`UploadRow::began_ms`].
    pub at_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PairMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct UploadMessage {
    #[prost(bytes = "vec", tag = "1")]
    record: Vec<u8>,
    #[prost(uint64, tag = "2")]
    began_ms: u64,
    #[prost(message, repeated, tag = "3")]
    headers: Vec<PairMessage>,
    #[prost(string, tag = "4")]
    initiator: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct SegmentMessage {
    #[prost(uint64, tag = "1")]
    size: u64,
    #[prost(bytes = "vec", tag = "2")]
    blake3: Vec<u8>,
    #[prost(string, tag = "3")]
    blob: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PartMessage {
    #[prost(message, repeated, tag = "1")]
    segments: Vec<SegmentMessage>,
    #[prost(uint64, tag = "2")]
    size: u64,
    #[prost(bytes = "vec", tag = "3")]
    md5: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "4")]
    checksum: Option<Vec<u8>>,
    #[prost(uint64, tag = "5")]
    at_ms: u64,
}

impl Row for UploadRow {
    const WHAT: &'static str = "upload";

    fn encode(&self) -> Vec<u8> {
        let headers =
            self.headers.iter().map(|(name, value)| PairMessage { name: name.clone(), value: value.clone() });
        UploadMessage {
            record: self.record.encode(),
            began_ms: self.began_ms,
            headers: headers.collect(),
            initiator: self.initiator.clone(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = UploadMessage::decode(bytes).ok()?;
        Some(Self {
            record: RecordKey::decode(&message.record)?,
            began_ms: message.began_ms,
            headers: message.headers.into_iter().map(|pair| (pair.name, pair.value)).collect(),
            initiator: message.initiator,
        })
    }
}

impl Row for PartRow {
    const WHAT: &'static str = "part";

    fn encode(&self) -> Vec<u8> {
        let segments = self.segments.iter().map(|stored| SegmentMessage {
            size: stored.segment.size,
            blake3: stored.segment.blake3.to_vec(),
            blob: stored.blob.clone(),
        });
        PartMessage {
            segments: segments.collect(),
            size: self.size,
            md5: self.md5.to_vec(),
            checksum: self.checksum.clone(),
            at_ms: self.at_ms,
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = PartMessage::decode(bytes).ok()?;
        let segments = message.segments.into_iter().map(|stored| {
            let segment = Segment { size: stored.size, blake3: stored.blake3.try_into().ok()? };
            Some(StoredSegment { segment, blob: stored.blob })
        });
        Some(Self {
            segments: segments.collect::<Option<_>>()?,
            size: message.size,
            md5: message.md5.try_into().ok()?,
            checksum: message.checksum,
            at_ms: message.at_ms,
        })
    }
}

impl Tx<'_> {
    /// An upload under way.
    pub fn upload(&self, id: UploadId) -> Result<Option<UploadRow>, Error> {
        let key = id.key(b'u');
        self.uploads.get(&key[..])?.map(|sealed| UploadRow::unseal(&key, sealed.value())).transpose()
    }

    /// Begins an upload.
    pub fn put_upload(&mut self, id: UploadId, row: &UploadRow) -> Result<(), Error> {
        let key = id.key(b'u');
        self.uploads.insert(&key[..], &row.seal(&key)[..])?;
        Ok(())
    }

    /// Whether so many uploads are under way here.
    pub fn has_uploads(&self, count: usize) -> Result<bool, Error> {
        Ok(self.uploads.range(&b"u"[..]..&b"v"[..])?.nth(count.saturating_sub(1)).is_some())
    }

    /// Keeps a part; one of the same number goes.
    pub fn put_part(&mut self, id: UploadId, number: u16, row: &PartRow) -> Result<(), Error> {
        self.drop_part(id, number)?;
        let key = id.part_key(number);
        self.uploads.insert(&key[..], &row.seal(&key)[..])?;
        Ok(())
    }

    /// Removes a part's row without its files, which are the caller's then.
    pub fn take_part(&mut self, id: UploadId, number: u16) -> Result<Option<PartRow>, Error> {
        let key = id.part_key(number);
        let removed = self.uploads.remove(&key[..])?;
        removed.map(|sealed| PartRow::unseal(&key, sealed.value())).transpose()
    }

    /// A part.
    pub fn part(&self, id: UploadId, number: u16) -> Result<Option<PartRow>, Error> {
        let key = id.part_key(number);
        self.uploads.get(&key[..])?.map(|sealed| PartRow::unseal(&key, sealed.value())).transpose()
    }

    fn drop_part(&mut self, id: UploadId, number: u16) -> Result<(), Error> {
        if let Some(part) = self.take_part(id, number)? {
            self.orphans.extend(part.segments.into_iter().map(|segment| segment.blob));
        }
        Ok(())
    }

    /// Ends an upload: its row goes, and every part that was not taken. `false` if there is none.
    pub fn drop_upload(&mut self, id: UploadId) -> Result<bool, Error> {
        let is_known = self.uploads.remove(&id.key(b'u')[..])?.is_some();
        let (start, end) = (id.part_key(0), id.part_key(u16::MAX));
        let mut numbers = Vec::new();
        for row in self.uploads.range(&start[..]..&end[..])? {
            numbers.extend(part_number(row?.0.value()));
        }
        for number in numbers {
            self.drop_part(id, number)?;
        }
        Ok(is_known)
    }
}

impl Snapshot {
    /// An upload under way.
    pub fn upload(&self, id: UploadId) -> Result<Option<UploadRow>, Error> {
        let key = id.key(b'u');
        self.uploads.get(&key[..])?.map(|sealed| UploadRow::unseal(&key, sealed.value())).transpose()
    }

    /// All uploads under way here.
    pub fn uploads(&self) -> Result<Vec<(UploadId, UploadRow)>, Error> {
        let mut found = Vec::new();
        for row in self.uploads.range(&b"u"[..]..&b"v"[..])? {
            let (key, sealed) = row?;
            let Some((site, number)) = key.value()[1..].split_first_chunk::<2>() else { continue };
            let Ok(number) = <[u8; 8]>::try_from(number) else { continue };
            let id = UploadId { site: SiteId(u16::from_be_bytes(*site)), number: u64::from_be_bytes(number) };
            found.push((id, UploadRow::unseal(key.value(), sealed.value())?));
        }
        Ok(found)
    }

    /// The parts of an upload above a number, in order, at most `limit`.
    pub fn parts(&self, id: UploadId, after: u16, limit: usize) -> Result<Vec<(u16, PartRow)>, Error> {
        let (start, end) = (id.part_key(after.saturating_add(1)), id.part_key(u16::MAX));
        let mut found = Vec::new();
        for row in self.uploads.range(&start[..]..&end[..])?.take(limit) {
            let (key, sealed) = row?;
            if let Some(number) = part_number(key.value()) {
                found.push((number, PartRow::unseal(key.value(), sealed.value())?));
            }
        }
        Ok(found)
    }
}

fn part_number(key: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*key.last_chunk::<2>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_ids_read_back_and_nothing_else_does() {
        let id = UploadId { site: SiteId(3), number: 0x0123_4567_89ab_cdef };
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        for text in ["", "0003", "00030123456789abcdeg", "+0030123456789abcdef", "000301234567é9abcde"] {
            assert_eq!(UploadId::parse(text), None, "{text}");
        }
    }
}
