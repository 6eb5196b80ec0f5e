//! Sums over the records, for sites to find out whether equal vectors mean equal state: they must, and a difference is
//! damage that no checksum caught.
//!
//! Records fall into ranges by a hash of their key; a range's sum is that of its records' hashes, so that equal sums mean
//! equal ranges in whatever order they were read. Taking a digest reads every record: corrupt ones that nobody asked for
//! are found on the way.

use super::{Engine, Error};
use crate::{
    causality::VersionVector,
    crdt::{Record, codec},
    env::Env,
    object::RecordKey,
    store::{self, Snapshot, keys},
};
use std::collections::BTreeSet;

/// Ranges that the records fall into.
pub const RANGES: usize = 1024;

/// Hash of one record under its key.
pub type RecordSum = u64;

/// The sums of all ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// What had been applied.
    pub cut: VersionVector,
    /// One sum a range.
    pub sums: Vec<RecordSum>,
    /// How many records there were.
    pub records: u64,
}

/// The range that a record falls into.
fn range_of(key: &[u8]) -> usize {
    let hash = keys::record_hash(key);
    usize::from(u16::from_be_bytes([hash[0], hash[1]])) % RANGES
}

fn sum_of(key: &[u8], record: &Record) -> RecordSum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_be_bytes()).update(key).update(&codec::encode_record(record));
    let hash = hasher.finalize();
    u64::from_be_bytes(hash.as_bytes()[..8].try_into().expect("a blake3 hash has 32 bytes"))
}

/// Visits every record with its sum; returns the first key that turned out corrupt.
fn visit(
    snapshot: &Snapshot,
    mut each: impl FnMut(&[u8], RecordSum),
) -> Result<Option<RecordKey>, store::Error> {
    let mut corrupt = None;
    snapshot.scan(&[], &[], |key, record| {
        if let Ok(record) = record {
            each(key, sum_of(key, &record));
        } else {
            corrupt = RecordKey::decode(key);
        }
        corrupt.is_none()
    })?;
    Ok(corrupt)
}

impl<E: Env> Engine<E> {
    /// The sums of all ranges; none while records are damaged, or the state of a peer is folded in.
    pub async fn digest(&self) -> Result<Option<Digest>, Error> {
        self.summed(|snapshot| {
            let (mut sums, mut records) = (vec![0u64; RANGES], 0);
            let corrupt = visit(snapshot, |key, sum| {
                let total = &mut sums[range_of(key)];
                *total = total.wrapping_add(sum);
                records += 1;
            })?;
            Ok((Digest { cut: snapshot.vector()?, sums, records }, corrupt))
        })
        .await
    }

    /// The records of some ranges with their sums.
    pub async fn digest_records(
        &self,
        ranges: BTreeSet<usize>,
    ) -> Result<Option<Vec<(Vec<u8>, RecordSum)>>, Error> {
        self.summed(move |snapshot| {
            let mut found = Vec::new();
            let corrupt = visit(snapshot, |key, sum| {
                if ranges.contains(&range_of(key)) {
                    found.push((key.to_vec(), sum));
                }
            })?;
            Ok((found, corrupt))
        })
        .await
    }

    /// One record's sum, with what had been applied.
    pub async fn record_sum(&self, key: Vec<u8>) -> Result<Option<(VersionVector, RecordSum)>, Error> {
        let Some(of) = RecordKey::decode(&key) else { return Ok(None) };
        self.summed(move |snapshot| match snapshot.record(&of) {
            Ok(record) => Ok(((snapshot.vector()?, sum_of(&key, &record)), None)),
            Err(store::Error::Corrupt { .. }) => Ok(((VersionVector::default(), 0), Some(of))),
            Err(error) => Err(error),
        })
        .await
    }

    async fn summed<R: Send + 'static>(
        &self,
        sum: impl FnOnce(&Snapshot) -> Result<(R, Option<RecordKey>), store::Error> + Send + 'static,
    ) -> Result<Option<R>, Error> {
        let read = self.read(move |snapshot| {
            // What is only staged is not in the records yet.
            let is_folding = snapshot.merge()?.is_some_and(|progress| progress.folding);
            if is_folding || !snapshot.damaged()?.is_empty() {
                return Ok(None);
            }
            sum(snapshot).map(Some)
        });
        match read.await? {
            Some((found, None)) => Ok(Some(found)),
            Some((_, corrupt)) => {
                self.withdraw(corrupt).await;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}
