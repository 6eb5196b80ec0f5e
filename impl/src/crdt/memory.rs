//! A state in memory: for the laws' tests and for models.

use super::{Record, State, merge};
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    object::{ChainHash, RecordKey},
};
use std::{collections::BTreeMap, convert::Infallible};

/// A replica's whole state in ordered maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    applied: VersionVector,
    chains: BTreeMap<(SiteId, Epoch), ChainHash>,
    records: BTreeMap<RecordKey, Record>,
}

impl MemoryState {
    /// All records that are not empty.
    pub fn records(&self) -> &BTreeMap<RecordKey, Record> {
        &self.records
    }

    /// Joins another replica's state into this one, as a state merge does at its end.
    pub fn merge(&mut self, other: &Self) {
        let joined = merge::joined(&self.applied, &other.applied);
        let keys: std::collections::BTreeSet<_> =
            self.records.keys().chain(other.records.keys()).cloned().collect();
        let empty = Record::default();
        for key in keys {
            let mine = self.records.get(&key).unwrap_or(&empty);
            let theirs = other.records.get(&key).unwrap_or(&empty);
            let record = merge::merge(mine, &self.applied, theirs, &other.applied);
            self.set(&key, record);
        }
        for (origin, chain) in &other.chains {
            if other.applied.last_of(*origin) > self.applied.last_of(*origin) {
                self.chains.insert(*origin, *chain);
            }
        }
        self.applied = joined;
    }

    fn set(&mut self, key: &RecordKey, record: Record) {
        if record.is_empty() {
            self.records.remove(key);
        } else {
            self.records.insert(key.clone(), record);
        }
    }
}

impl State for MemoryState {
    type Error = Infallible;

    fn applied(&self) -> &VersionVector {
        &self.applied
    }

    fn chain(&self, origin: (SiteId, Epoch)) -> Option<ChainHash> {
        self.chains.get(&origin).copied()
    }

    fn record(&mut self, key: &RecordKey) -> Result<Record, Infallible> {
        Ok(self.records.get(key).cloned().unwrap_or_default())
    }

    fn put_record(&mut self, key: &RecordKey, record: &Record) -> Result<(), Infallible> {
        self.set(key, record.clone());
        Ok(())
    }

    fn advance(&mut self, dot: Dot, chain: ChainHash) -> Result<(), Infallible> {
        self.applied.advance(dot.origin(), dot.seq);
        self.chains.insert(dot.origin(), chain);
        Ok(())
    }
}
