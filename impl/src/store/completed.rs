//! What the latest completed multipart uploads became, so that a client that lost the answer may ask for it again.
//!
//! Rows of this site only, beside those of uploads under way. Not a header of the version: the same upload sent to two
//! sites must leave equal contents, and ids differ. A ring of a fixed number holds them: the oldest goes when a new one
//! comes, so that they neither grow nor need a clock. A row that does not read is as one that has gone.

use super::{Error, Snapshot, UploadId, bookkeeping::Row, tx::Tx};
use crate::{causality::Dot, object::RecordKey};
use prost::Message;
use redb::ReadableTable;

/// How many are remembered: minutes of a busy site, months of a quiet one.
const COMPLETED_MAX: u64 = 10_000;

/// Where the ring goes on: the number of the next completion.
const NEXT: &[u8] = b"n";

/// What an upload became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedRow {
    /// The object.
    pub record: RecordKey,
    /// The version of it.
    pub version: Dot,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct CompletedMessage {
    #[prost(bytes = "vec", tag = "1")]
    record: Vec<u8>,
    #[prost(string, tag = "2")]
    version: String,
}

impl Row for CompletedRow {
    const WHAT: &'static str = "completed upload";

    fn encode(&self) -> Vec<u8> {
        CompletedMessage { record: self.record.encode(), version: self.version.to_string() }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = CompletedMessage::decode(bytes).ok()?;
        Some(Self { record: RecordKey::decode(&message.record)?, version: message.version.parse().ok()? })
    }
}

fn slot(number: u64) -> Vec<u8> {
    [&b"r"[..], &(number % COMPLETED_MAX).to_be_bytes()].concat()
}

impl Tx<'_> {
    /// Remembers what an upload became, in place of the oldest that is remembered.
    pub fn note_completed(&mut self, id: UploadId, row: &CompletedRow) -> Result<(), Error> {
        let next = self.uploads.get(NEXT)?.and_then(|sealed| u64::unseal(NEXT, sealed.value()).ok());
        let next = next.unwrap_or(0);
        let slot = slot(next);
        let oldest = self.uploads.get(&slot[..])?;
        let oldest = oldest.and_then(|sealed| String::unseal(&slot, sealed.value()).ok());
        if let Some(oldest) = oldest.as_deref().and_then(UploadId::parse) {
            self.uploads.remove(&oldest.key(b'c')[..])?;
        }
        let key = id.key(b'c');
        self.uploads.insert(&slot[..], &id.to_string().seal(&slot)[..])?;
        self.uploads.insert(&key[..], &row.seal(&key)[..])?;
        self.uploads.insert(NEXT, &next.wrapping_add(1).seal(NEXT)[..])?;
        Ok(())
    }
}

impl Snapshot {
    /// What an upload became, if it is remembered. Whether that version still exists is the record's to say.
    pub fn completed_upload(&self, id: UploadId) -> Result<Option<CompletedRow>, Error> {
        let key = id.key(b'c');
        let found = self.uploads.get(&key[..])?;
        Ok(found.and_then(|sealed| CompletedRow::unseal(&key, sealed.value()).ok()))
    }
}
