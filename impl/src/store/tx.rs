//! One write transaction: the [`State`] on disk that operations are applied to.
//!
//! Besides records and vectors it keeps what follows from a record's change: which bodies are now wanted, and which are
//! garbage (`body_table`).

use super::{
    BODIES, BOOKKEEPING, Error, LOG, OriginRow, RECORDS, STAGED, UPLOADS, bookkeeping::Row, envelope, keys,
};
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    crdt::{Applied, ApplyError, Record, State, apply, codec},
    object::{ChainHash, Op, RecordKey, chain_hash},
};
use redb::{ReadableTable, Table, WriteTransaction};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// The tables of one transaction, with the origins' rows in memory until [`Tx::flush`].
pub struct Tx<'t> {
    records: Table<'t, &'static [u8], &'static [u8]>,
    log: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) bodies: Table<'t, &'static [u8], &'static [u8]>,
    bookkeeping: Table<'t, &'static [u8], &'static [u8]>,
    staged: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) uploads: Table<'t, &'static [u8], &'static [u8]>,
    /// Files that nothing names any more once this is committed.
    pub(super) orphans: Vec<String>,
    own: (SiteId, Epoch),
    applied: VersionVector,
    origins: BTreeMap<(SiteId, Epoch), OriginRow>,
    dirty: BTreeSet<(SiteId, Epoch)>,
}

impl<'t> Tx<'t> {
    pub(super) fn new(transaction: &'t WriteTransaction, own: (SiteId, Epoch)) -> Result<Self, Error> {
        let bookkeeping = transaction.open_table(BOOKKEEPING)?;
        let origins = read_origins(&bookkeeping)?;
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            log: transaction.open_table(LOG)?,
            bodies: transaction.open_table(BODIES)?,
            staged: transaction.open_table(STAGED)?,
            uploads: transaction.open_table(UPLOADS)?,
            orphans: Vec::new(),
            bookkeeping,
            own,
            applied: vector_of(&origins),
            origins,
            dirty: BTreeSet::new(),
        })
    }

    /// Writes the origins' rows. The last act of a transaction.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        for origin in std::mem::take(&mut self.dirty) {
            let key = keys::origin_row(origin);
            let row = self.origins.get(&origin).expect("a dirty origin has a row");
            self.bookkeeping.insert(&key[..], &row.seal(&key)[..])?;
        }
        Ok(())
    }

    pub(super) fn orphans(&mut self) -> Vec<String> {
        std::mem::take(&mut self.orphans)
    }

    /// The dot that this opening's next operation takes.
    pub fn next_dot(&self) -> Dot {
        Dot { site: self.own.0, epoch: self.own.1, seq: self.applied.last_of(self.own) + 1 }
    }

    /// Applies an operation as it was encoded by its origin, logs it, and notes what it means for bodies.
    pub fn apply(&mut self, op: &Op, encoded: &[u8]) -> Result<Applied, ApplyError<Error>> {
        let applied = apply(self, op, chain_hash(encoded))?;
        if let Applied::Changed { before, after } = &applied {
            let key = keys::log(op.dot, keys::record_hash(&op.record.encode()));
            self.log.insert(&key[..], &envelope::seal(&key, encoded)[..]).map_err(Error::from)?;
            self.bodies_follow(&op.record, before, after, &[op.dot])?;
        }
        Ok(applied)
    }

    /// This opening's name as an origin.
    pub fn own(&self) -> (SiteId, Epoch) {
        self.own
    }

    /// Replaces a record by its merged or repaired state.
    pub fn replace(&mut self, key: &RecordKey, before: &Record, after: &Record) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        self.put_record(key, after)?;
        let raised: Vec<Dot> =
            after.entries.keys().filter(|dot| !before.entries.contains_key(dot)).copied().collect();
        self.bodies_follow(key, before, after, &raised)
    }

    /// Reads a bookkeeping row.
    pub(crate) fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, Error> {
        self.bookkeeping.get(key)?.map(|sealed| R::unseal(key, sealed.value())).transpose()
    }

    /// Writes a bookkeeping row.
    pub(crate) fn put_row<R: Row>(&mut self, key: &[u8], row: &R) -> Result<(), Error> {
        self.bookkeeping.insert(key, &row.seal(key)[..])?;
        Ok(())
    }

    /// Removes a bookkeeping row.
    pub fn remove_row(&mut self, key: &[u8]) -> Result<(), Error> {
        self.bookkeeping.remove(key)?;
        Ok(())
    }

    /// Whether a record has been found damaged and not been repaired yet.
    pub fn is_damaged(&self, key: &RecordKey) -> Result<bool, Error> {
        Ok(self.bookkeeping.get(&keys::damaged(&key.encode())[..])?.is_some())
    }

    /// Whether any record below `prefix` holds a version, live or historic.
    pub fn holds_versions(&self, prefix: &[u8]) -> Result<bool, Error> {
        for row in self.records.range(prefix..)? {
            let (key, sealed) = row?;
            if !key.value().starts_with(prefix) {
                break;
            }
            // What cannot be read may hold one: a bucket is not deleted over it.
            if read_record(key.value(), sealed.value())
                .map_or(true, |record| record.versions().next().is_some())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything known of an origin.
    pub fn origin_row(&self, origin: (SiteId, Epoch)) -> Option<&OriginRow> {
        self.origins.get(&origin)
    }

    /// All origins known.
    pub fn origins(&self) -> impl Iterator<Item = ((SiteId, Epoch), &OriginRow)> {
        self.origins.iter().map(|(&origin, row)| (origin, row))
    }

    /// Takes the sender's vector over at the end of a state merge: the logs start anew above it.
    pub fn adopt(&mut self, origin: (SiteId, Epoch), last: u64, chain: ChainHash) -> Result<(), Error> {
        let row = self.origins.entry(origin).or_default();
        if last > row.last {
            let (low, before) = (row.low, row.last);
            drop_log(&mut self.log, origin, low, before)?;
            let row = self.origins.entry(origin).or_default();
            *row = OriginRow { last, low: last, chain, folded: row.folded };
            self.applied.advance(origin, last);
            self.dirty.insert(origin);
        }
        Ok(())
    }

    /// Keeps a peer's record until all of its state is here. No record marks one that is damaged there.
    pub fn stage(&mut self, key: &[u8], record: &[u8]) -> Result<(), Error> {
        self.staged.insert(key, &envelope::seal(key, record)[..])?;
        Ok(())
    }

    /// Forgets everything staged.
    pub fn clear_staged(&mut self) -> Result<(), Error> {
        self.staged.retain(|_, _| false)?;
        Ok(())
    }

    /// The staged record under a key; `None` within means that it is damaged there or rotted here.
    pub fn staged(&self, key: &[u8]) -> Result<Option<Option<Record>>, Error> {
        let found = self.staged.get(key)?;
        Ok(found.map(|sealed| {
            let payload = envelope::open(key, sealed.value())?;
            if payload.is_empty() { None } else { codec::decode_record(payload).ok() }
        }))
    }

    /// Up to `limit` keys above `after`, of records here and staged ones, in order.
    pub fn keys_to_fold(&self, after: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut keys = BTreeSet::new();
        for table in [&self.records, &self.staged] {
            for row in table.range::<&[u8]>((Bound::Excluded(after), Bound::Unbounded))?.take(limit) {
                keys.insert(row?.0.value().to_vec());
            }
        }
        Ok(keys.into_iter().take(limit).collect())
    }

    /// Marks an origin as agreed by all members.
    pub fn fold(&mut self, origin: (SiteId, Epoch)) {
        if let Some(row) = self.origins.get_mut(&origin) {
            row.folded = true;
            self.applied.fold(origin);
            self.dirty.insert(origin);
        }
    }

    /// Drops an origin's log entries up to `seq`, at most `limit` of them. Returns how many went.
    pub fn trim_log(&mut self, origin: (SiteId, Epoch), seq: u64, limit: usize) -> Result<usize, Error> {
        let Some(row) = self.origins.get_mut(&origin) else { return Ok(0) };
        let upto = seq.min(row.last).min(row.low + limit as u64);
        let trimmed = upto.saturating_sub(row.low);
        if trimmed > 0 {
            drop_log(&mut self.log, origin, row.low, upto)?;
            row.low = upto;
            self.dirty.insert(origin);
        }
        Ok(trimmed as usize)
    }

    /// The log's operations on one record, in log order of each origin: proof for a repair. Besides, the dots whose
    /// entries cannot be read any more: nobody knows what they were about.
    pub fn logged(&self, record: &RecordKey) -> Result<(Vec<Op>, Vec<Dot>), Error> {
        let (mut ops, mut unreadable) = (Vec::new(), Vec::new());
        let hash = keys::record_hash(&record.encode());
        for row in self.log.iter()? {
            let (key, sealed) = row?;
            let Some((dot, _)) = keys::log_of(key.value()).filter(|(_, about)| *about == hash) else {
                continue;
            };
            match read_op(key.value(), sealed.value()) {
                Ok(op) if op.record == *record => ops.push(op),
                Ok(_) => {}
                Err(_) => unreadable.push(dot),
            }
        }
        Ok((ops, unreadable))
    }

    /// What has been applied, as of this transaction.
    pub fn vector(&self) -> &VersionVector {
        &self.applied
    }
}

impl State for Tx<'_> {
    type Error = Error;

    fn applied(&self) -> &VersionVector {
        &self.applied
    }

    fn chain(&self, origin: (SiteId, Epoch)) -> Option<ChainHash> {
        self.origins.get(&origin).map(|row| row.chain)
    }

    /// A record that turns out corrupt is withdrawn on the spot: it reads as empty, is noted as damaged, is not served
    /// until it is repaired, and operations go on being applied to it.
    fn record(&mut self, key: &RecordKey) -> Result<Record, Error> {
        let encoded = key.encode();
        let read = match self.records.get(&encoded[..])? {
            Some(sealed) => read_record(&encoded, sealed.value()),
            None => return Ok(Record::default()),
        };
        match read {
            Err(Error::Corrupt { .. }) => {
                self.records.remove(&encoded[..])?;
                self.put_row(&keys::damaged(&encoded), &1u64)?;
                Ok(Record::default())
            }
            read => read,
        }
    }

    fn put_record(&mut self, key: &RecordKey, record: &Record) -> Result<(), Error> {
        let key = key.encode();
        let contested = keys::contested(&key);
        if record.is_contested() {
            self.put_row(&contested, &1u64)?;
        } else {
            self.remove_row(&contested)?;
        }
        if record.is_empty() {
            self.records.remove(&key[..])?;
        } else {
            let sealed = envelope::seal(&key, &codec::encode_record(record));
            self.records.insert(&key[..], &sealed[..])?;
        }
        Ok(())
    }

    fn advance(&mut self, dot: Dot, chain: ChainHash) -> Result<(), Error> {
        let row = self.origins.entry(dot.origin()).or_default();
        row.last = dot.seq;
        row.chain = chain;
        self.applied.advance(dot.origin(), dot.seq);
        self.dirty.insert(dot.origin());
        Ok(())
    }
}

/// Removes an origin's entries in `(low, last]`.
fn drop_log(
    log: &mut Table<'_, &'static [u8], &'static [u8]>,
    (site, epoch): (SiteId, Epoch),
    low: u64,
    last: u64,
) -> Result<(), Error> {
    let (start, end) =
        (keys::dot(Dot { site, epoch, seq: low + 1 }), keys::dot(Dot { site, epoch, seq: last + 1 }));
    log.retain_in::<&[u8], _>(&start[..]..&end[..], |_, _| false)?;
    Ok(())
}

pub(super) fn read_record(key: &[u8], sealed: &[u8]) -> Result<Record, Error> {
    let name = || RecordKey::decode(key).map_or_else(|| "an unreadable key".into(), |key| key.to_string());
    let payload = envelope::open(key, sealed).ok_or_else(|| Error::corrupt("record", name()))?;
    codec::decode_record(payload).map_err(Error::malformed("record", name()))
}

pub(super) fn read_op(key: &[u8], sealed: &[u8]) -> Result<Op, Error> {
    let name = || keys::log_of(key).map_or_else(|| "an unreadable key".into(), |(dot, _)| dot.to_string());
    let payload = envelope::open(key, sealed).ok_or_else(|| Error::corrupt("operation", name()))?;
    crate::object::wire::decode_op(payload).map_err(Error::malformed("operation", name()))
}

pub(super) fn read_origins(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<BTreeMap<(SiteId, Epoch), OriginRow>, Error> {
    let mut origins = BTreeMap::new();
    for row in table.range(&b"o"[..]..&b"p"[..])? {
        let (key, sealed) = row?;
        let Some((site, epoch)) = key.value()[1..].split_first_chunk::<2>() else { continue };
        let Ok(epoch) = <[u8; 8]>::try_from(epoch) else { continue };
        let origin = (SiteId(u16::from_be_bytes(*site)), Epoch(u64::from_be_bytes(epoch)));
        origins.insert(origin, OriginRow::unseal(key.value(), sealed.value())?);
    }
    Ok(origins)
}

pub(super) fn vector_of(origins: &BTreeMap<(SiteId, Epoch), OriginRow>) -> VersionVector {
    let mut vector: VersionVector = origins.iter().map(|(&origin, row)| (origin, row.last)).collect();
    for (&origin, row) in origins {
        if row.folded {
            vector.fold(origin);
        }
    }
    vector
}
