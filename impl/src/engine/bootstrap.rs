//! Taking over a peer's state: for a new or rebuilt site, or one that was away longer than the logs reach back.
//!
//! The peer reads one snapshot; its vector is the *cut*. Records come by key range and are merged as they come, with the
//! cursor in the same commit. `applied` rises only in the last commit: until then this site claims nothing of what it
//! received and is no source for others. A crash resumes at the cursor if the peer's cut still covers the persisted one,
//! else it starts over.

use super::{Engine, Error, writer::Purpose};
use crate::{
    causality::{Epoch, SiteId, VersionVector},
    crdt::{Record, State, codec, merge},
    env::Env,
    object::RecordKey,
    store::{self, Membership, MergeProgress, OriginRow, Tx, keys},
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Every origin of a state with its last operation.
pub type Cut = BTreeMap<(SiteId, Epoch), OriginRow>;

/// One key range of a peer's snapshot: every record above `after` up to `upto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRange {
    /// What the snapshot covers.
    pub cut: Cut,
    /// The last encoded key of the range before.
    pub after: Vec<u8>,
    /// The last encoded key of this range; `None` means to the end.
    pub upto: Option<Vec<u8>>,
    /// Encoded keys and records.
    pub records: Vec<(Vec<u8>, Bytes)>,
}

impl<E: Env> Engine<E> {
    /// Where a merge under way stands.
    pub async fn merge_progress(&self) -> Result<Option<MergeProgress>, Error> {
        Ok(self.read(crate::store::Snapshot::merge).await?)
    }

    /// Merges one range; with the last one this site claims what it received.
    ///
    /// `resumed` is the cut that an earlier part was merged from: only that may be claimed, though later ranges are
    /// from a newer snapshot and may hold more.
    pub async fn merge_range(&self, range: MergeRange, resumed: Option<Cut>) -> Result<(), Error> {
        let is_last = range.upto.is_none();
        self.submit(Purpose::Grow, move |sequencer| {
            let tx = &mut *sequencer.tx;
            let mut theirs = BTreeMap::new();
            for (key, encoded) in range.records {
                let (Some(_), Ok(record)) = (RecordKey::decode(&key), codec::decode_record(&encoded)) else {
                    return Ok(Err(Error::Invalid("a record of the peer's state cannot be decoded".into())));
                };
                theirs.insert(key, record);
            }
            // Keys that only this site has count too: the peer may know that they were purged.
            let end = range.upto.as_ref().map(|upto| [&upto[..], &[0]].concat());
            let mine = tx.record_keys(&[&range.after[..], &[0]].concat(), end.as_deref())?;
            let keys: BTreeSet<Vec<u8>> = mine.into_iter().chain(theirs.keys().cloned()).collect();
            let cut: VersionVector = range.cut.iter().map(|(&origin, row)| (origin, row.last)).collect();
            let (applied, empty) = (tx.vector().clone(), Record::default());
            for encoded in keys {
                let Some(key) = RecordKey::decode(&encoded) else { continue };
                let before = tx.record(&key)?;
                let after = merge::merge(&before, &applied, theirs.get(&encoded).unwrap_or(&empty), &cut);
                tx.replace(&key, &before, &after)?;
            }
            let origins = resumed.unwrap_or(range.cut);
            match range.upto {
                Some(cursor) => tx.put_row(keys::MERGE, &MergeProgress { origins, cursor })?,
                None => end_merge(tx, origins)?,
            }
            Ok(Ok(()))
        })
        .await?;
        self.bodies_changed();
        if is_last {
            self.env().mark("merge-ended");
            self.set_joined();
        }
        Ok(())
    }

    /// Forgets a merge that cannot be resumed: the next one starts at the beginning. What it brought stays, claimed by
    /// nobody, and is merged again.
    pub async fn merge_abandon(&self) -> Result<(), Error> {
        self.env().mark("merge-abandoned");
        self.submit(Purpose::Tidy, |sequencer| {
            sequencer.tx.remove_row(keys::MERGE)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Notes that this site has caught up with a peer without a merge.
    pub async fn joined(&self) -> Result<(), Error> {
        if self.is_joined() {
            return Ok(());
        }
        self.submit(Purpose::Tidy, |sequencer| {
            sequencer.tx.put_row(keys::MEMBERSHIP, &Membership { joined: true })?;
            Ok(Ok(()))
        })
        .await?;
        self.set_joined();
        Ok(())
    }

    /// A consistent view of this site's state, for a peer that merges it; none while this site itself is no source: it
    /// is merging, or has damaged records.
    pub async fn state_to_send(&self) -> Result<Option<crate::store::Snapshot>, Error> {
        let store = self.shared.store.clone();
        let snapshot = self
            .env()
            .blocking(crate::env::Work::Read, move || {
                let snapshot = store.snapshot()?;
                let is_source = snapshot.merge()?.is_none() && snapshot.damaged()?.is_empty();
                Ok::<_, crate::store::Error>(is_source.then_some(snapshot))
            })
            .await?;
        Ok(snapshot)
    }
}

/// Only now does this site claim what it received.
fn end_merge(tx: &mut Tx<'_>, origins: Cut) -> Result<(), store::Error> {
    for (origin, row) in origins {
        tx.adopt(origin, row.last, row.chain);
        if row.folded {
            tx.fold(origin);
        }
    }
    tx.remove_row(keys::MERGE)?;
    tx.put_row(keys::MEMBERSHIP, &Membership { joined: true })
}
