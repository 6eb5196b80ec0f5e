//! A consistent view of the store: what readers, senders and a state merge work from.

use super::{
    BODIES, BOOKKEEPING, BodyRow, Error, LOG, Membership, MergeProgress, OriginRow, RECORDS, UPLOADS,
    bookkeeping::Row,
    envelope, keys,
    tx::{read_origins, read_record, vector_of},
};
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    crdt::Record,
    object::RecordKey,
};
use redb::{ReadOnlyTable, ReadTransaction};
use std::collections::BTreeMap;

type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// One moment of the store. Holding it keeps its pages from being reused: hold it no longer than a request or a merge.
pub struct Snapshot {
    records: ReadTable,
    log: ReadTable,
    bodies: ReadTable,
    bookkeeping: ReadTable,
    pub(super) uploads: ReadTable,
}

impl Snapshot {
    pub(super) fn new(transaction: &ReadTransaction) -> Result<Self, Error> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            log: transaction.open_table(LOG)?,
            bodies: transaction.open_table(BODIES)?,
            bookkeeping: transaction.open_table(BOOKKEEPING)?,
            uploads: transaction.open_table(UPLOADS)?,
        })
    }

    /// All origins with their rows.
    pub fn origins(&self) -> Result<BTreeMap<(SiteId, Epoch), OriginRow>, Error> {
        read_origins(&self.bookkeeping)
    }

    /// What has been applied.
    pub fn vector(&self) -> Result<VersionVector, Error> {
        Ok(vector_of(&self.origins()?))
    }

    /// One record; empty if nothing is known of it.
    pub fn record(&self, key: &RecordKey) -> Result<Record, Error> {
        let key = key.encode();
        match self.records.get(&key[..])? {
            Some(sealed) => read_record(&key, sealed.value()),
            None => Ok(Record::default()),
        }
    }

    /// Whether a record has been found damaged and not been repaired yet.
    pub fn is_damaged(&self, key: &RecordKey) -> Result<bool, Error> {
        Ok(self.bookkeeping.get(&keys::damaged(&key.encode())[..])?.is_some())
    }

    /// The keys of all damaged records.
    pub fn damaged(&self) -> Result<Vec<RecordKey>, Error> {
        let mut found = Vec::new();
        for row in self.bookkeeping.range(&b"d"[..]..&b"e"[..])? {
            found.extend(RecordKey::decode(&row?.0.value()[1..]));
        }
        Ok(found)
    }

    /// The keys of records that may hold a conflict, above `after`, at most `limit`.
    pub fn contested(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>, Error> {
        let start =
            after.map_or_else(|| b"c".to_vec(), |key| [&keys::contested(&key.encode())[..], &[0]].concat());
        let rows = self.bookkeeping.range(&start[..]..&b"d"[..])?;
        let keys = rows.take(limit).map(|row| Ok(RecordKey::decode(&row?.0.value()[1..])));
        Ok(keys.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
    }

    /// Visits the records whose encoded keys start with `prefix`, from a key on, until `visit` says stop. A corrupt record
    /// is handed over as the error it is.
    pub fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut visit: impl FnMut(&[u8], Result<Record, Error>) -> bool,
    ) -> Result<(), Error> {
        let start = from.max(prefix);
        for row in self.records.range(start..)? {
            let (key, sealed) = row?;
            if !key.value().starts_with(prefix) {
                break;
            }
            if !visit(key.value(), read_record(key.value(), sealed.value())) {
                break;
            }
        }
        Ok(())
    }

    /// The log of one origin above `seq`, as encoded by the origin, up to about `limit` bytes.
    pub fn log_after(
        &self,
        origin: (SiteId, Epoch),
        seq: u64,
        limit: usize,
    ) -> Result<Vec<(Dot, Vec<u8>)>, Error> {
        let dot = |seq| Dot { site: origin.0, epoch: origin.1, seq };
        let (start, end) = (keys::dot(dot(seq + 1)), keys::dot(dot(u64::MAX)));
        let (mut found, mut bytes) = (Vec::new(), 0);
        for row in self.log.range(&start[..]..&end[..])? {
            let (key, sealed) = row?;
            let (dot, _) =
                keys::log_of(key.value()).ok_or_else(|| Error::corrupt("log key", "of an unknown entry"))?;
            let op = envelope::open(key.value(), sealed.value())
                .ok_or_else(|| Error::corrupt("operation", dot))?;
            bytes += op.len();
            if bytes > limit && !found.is_empty() {
                break;
            }
            found.push((dot, op.to_vec()));
        }
        Ok(found)
    }

    /// A row of the bodies table. One that rotted is there, and says nothing any more.
    pub fn body(&self, state: u8, dot: Dot) -> Result<Option<BodyRow>, Error> {
        let key = keys::body(state, dot);
        let row = self.bodies.get(&key[..])?;
        Ok(row.map(|sealed| BodyRow::unseal(&key, sealed.value()).unwrap_or_default()))
    }

    /// The file that a segment of a body lies in; none if it is not here.
    pub fn segment(&self, (dot, number): (Dot, u32)) -> Result<Option<String>, Error> {
        let key = keys::segment(dot, number);
        // A row that rotted names no file any more: the segment is not here.
        Ok(self.bodies.get(&key[..])?.and_then(|sealed| String::unseal(&key, sealed.value()).ok()))
    }

    /// Rows of the bodies table in one state, in order of dot, above `after`, at most `limit`.
    pub fn bodies(&self, state: u8, after: Option<Dot>, limit: usize) -> Result<Vec<(Dot, BodyRow)>, Error> {
        let start = after.map_or_else(|| vec![state], |dot| keys::body(state, dot).to_vec());
        let mut found = Vec::new();
        for row in self.bodies.range(&start[..]..&[state + 1][..])? {
            let (key, sealed) = row?;
            let Some(dot) = keys::dot_of(&key.value()[1..]) else { continue };
            if Some(dot) == after {
                continue;
            }
            if found.len() == limit {
                break;
            }
            // A row that rotted names nothing that could be fetched or collected.
            found.extend(BodyRow::unseal(key.value(), sealed.value()).ok().map(|row| (dot, row)));
        }
        Ok(found)
    }

    /// Of each origin the first operation whose body is wanted.
    pub fn first_wanted(&self) -> Result<Vec<Dot>, Error> {
        let mut found: Vec<Dot> = Vec::new();
        let mut start = vec![keys::WANTED];
        while let Some(row) = self.bodies.range(&start[..]..&[keys::WANTED + 1][..])?.next() {
            let (key, _) = row?;
            let Some(dot) = keys::dot_of(&key.value()[1..]) else { break };
            found.push(dot);
            start = keys::body(keys::WANTED, Dot { seq: u64::MAX, ..dot }).to_vec();
        }
        Ok(found)
    }

    /// Where this store stands among the sites.
    pub fn membership(&self) -> Result<Membership, Error> {
        Ok(self.row(keys::MEMBERSHIP)?.unwrap_or_default())
    }

    /// The state merge under way, if there is one.
    pub fn merge(&self) -> Result<Option<MergeProgress>, Error> {
        self.row(keys::MERGE)
    }

    pub(super) fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, Error> {
        self.bookkeeping.get(key)?.map(|sealed| R::unseal(key, sealed.value())).transpose()
    }
}
