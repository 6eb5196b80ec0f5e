//! Records found damaged, bodies found lost: taken out of service, and mended from peers.

use super::{
    Engine, Error, PIECE, SegmentOf, lock,
    writer::{Draft, Purpose},
};
use crate::{
    causality::{Dot, Timestamp, VersionVector},
    crdt::{Payload, Record, State, Status, repair},
    env::{Env, timeout},
    object::{Kind, RecordKey, Segment},
    store::keys,
};

use std::{collections::BTreeSet, time::Duration};

impl<E: Env> Engine<E> {
    /// Takes a corrupt record out of service until a peer has refilled it.
    pub async fn withdraw(&self, key: Option<RecordKey>) {
        let Some(key) = key else { return };
        self.env().mark("record-withdrawn");
        // Reading it inside a transaction is what withdraws it; if that fails, so does the next read.
        let _ = self.submit(Purpose::Tidy, move |sequencer| Ok(Ok(sequencer.tx.record(&key)?))).await;
    }

    /// The records to be refilled.
    pub async fn damaged_records(&self) -> Result<Vec<RecordKey>, Error> {
        Ok(self.read(crate::store::Snapshot::damaged).await?)
    }

    /// A record for a peer that repairs its own, with the vector it belongs to; none if this one is damaged too.
    pub async fn record_for_repair(&self, key: RecordKey) -> Result<Option<(Record, VersionVector)>, Error> {
        if self.merge_progress().await?.is_some_and(|progress| progress.folding) {
            return Ok(None);
        }
        // Both from one snapshot: a record that is ahead of its vector would pass deaths off as known.
        let wanted = key.clone();
        let read = self
            .read(move |snapshot| {
                Ok((snapshot.record(&wanted)?, snapshot.is_damaged(&wanted)?, snapshot.vector()?))
            })
            .await;
        match read {
            Err(crate::store::Error::Corrupt { .. }) => {
                self.withdraw(Some(key)).await;
                Ok(None)
            }
            Ok((record, false, vector)) => Ok(Some((record, vector))),
            Ok((_, true, _)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Refills a damaged record from a peer's and from the own log. `false` if the two together do not reach everything
    /// that this site claims to have applied: then another peer is asked. The peer may not be ahead: what it has purged
    /// for the sake of operations that are not here yet would be missing.
    pub async fn repair_record(
        &self,
        key: RecordKey,
        theirs: Record,
        cut: VersionVector,
    ) -> Result<bool, Error> {
        let mut durable = self.watch_durable();
        let target = cut.clone();
        if timeout(self.env(), self.config().wait_max, durable.wait_for(|here| here.dominates(&target)))
            .await
            .is_none()
        {
            return Ok(false);
        }
        let restored = self
            .submit(Purpose::Grow, move |sequencer| {
                let tx = &mut *sequencer.tx;
                let applied = tx.vector().clone();
                // Beyond the peer's vector the own log must reach back, whole.
                let reaches = applied.iter().all(|(origin, last)| {
                    let low = tx.origin_row(origin).map_or(0, |row| row.low);
                    last <= cut.last_of(origin) || low <= cut.last_of(origin)
                });
                if !reaches {
                    return Ok(Ok(None));
                }
                let (log, unreadable) = tx.logged(&key)?;
                if unreadable.iter().any(|dot| !cut.covers(*dot)) {
                    return Ok(Ok(None));
                }
                let before = tx.record(&key)?;
                // From nothing: what was applied since the record was withdrawn met a record without its past, and is in the
                // log or at the peer all the same.
                let after = repair::repair(&Record::default(), &applied, &theirs, &cut, &log);
                tx.replace(&key, &before, &after)?;
                tx.settle_bodies(&key, &after)?;
                tx.remove_row(&keys::damaged(&key.encode()))?;
                Ok(Ok(Some(repair::restored(&before, &after))))
            })
            .await?;
        if let Some(count) = restored {
            self.env().mark("record-repaired");
            lock(&self.shared.gauges).repaired += count as u64;
        }
        Ok(restored.is_some())
    }

    /// Adds to a record what a peer's has and it has not: the two differ although both sites have applied the same. Nothing
    /// is removed; what only this site has, the peer adds to its own. `false` if the two are not at one cut.
    pub async fn mend_difference(
        &self,
        key: RecordKey,
        theirs: Record,
        cut: VersionVector,
    ) -> Result<bool, Error> {
        let mended = self
            .submit(Purpose::Grow, move |sequencer| {
                let tx = &mut *sequencer.tx;
                let applied = tx.vector().clone();
                if !cut.dominates(&applied) || !applied.dominates(&cut) || tx.is_damaged(&key)? {
                    return Ok(Ok(None));
                }
                let before = tx.record(&key)?;
                let after = repair::repair(&before, &applied, &theirs, &cut, &[]);
                tx.replace(&key, &before, &after)?;
                Ok(Ok(Some(repair::restored(&before, &after))))
            })
            .await?;
        if let Some(count) = mended {
            self.env().mark("difference-mended");
            lock(&self.shared.gauges).repaired += count as u64;
        }
        Ok(mended.is_some())
    }

    /// Ends a version whose body is at no site: every member said so. What it had replaced shows again, as far as this
    /// site still holds it; without it only the version's own site ends it, so that a holder elsewhere comes first.
    pub async fn declare_lost(&self, dot: Dot, even_without_predecessor: bool) -> Result<(), Error> {
        let whole = self.whole_predecessors(dot).await?;
        let ended = self
            .submit(Purpose::Grow, move |sequencer| {
                let Some(wanted) = sequencer.tx.body_row(keys::WANTED, dot)? else { return Ok(Ok(false)) };
                let Some(key) = RecordKey::decode(&wanted.record) else { return Ok(Ok(false)) };
                let record = sequencer.tx.record(&key)?;
                let Some(entry) = record.entries.get(&dot).filter(|entry| entry.status() != Status::Purged)
                else {
                    return Ok(Ok(false));
                };
                let Payload::Version { versioning, .. } = entry.payload else { return Ok(Ok(false)) };
                let kept = sequencer.tx.purged_by(dot)?;
                let kept = kept.into_iter().filter(|(held, _)| whole.contains(held));
                let kept = kept.filter_map(|(held, row)| Some((held, row.content?.1)));
                let predecessors: Vec<_> = kept.collect();
                if predecessors.is_empty() && !even_without_predecessor {
                    return Ok(Ok(false));
                }
                let was_live = entry.status() == Status::Live;
                let restored: Vec<_> = predecessors.into_iter().filter(|_| was_live).map(Some).collect();
                for predecessor in if restored.is_empty() { vec![None] } else { restored } {
                    let (held, content) = predecessor.unzip();
                    let record = sequencer.tx.record(&key)?;
                    let draft = Draft {
                        record: key.clone(),
                        kind: Kind::BodyLost { versioning, restored: content },
                        supersedes: vec![dot],
                        context: true,
                        floor: Timestamp::default(),
                        asked_at: Duration::ZERO,
                    };
                    let op = sequencer.write(&record, draft)?;
                    if let Some(held) = held {
                        sequencer.tx.hand_over(held, op.dot)?;
                    }
                }
                Ok(Ok(true))
            })
            .await?;
        if ended {
            self.env().mark("body-lost");
            lock(&self.shared.gauges).bodies_lost += 1;
            self.bodies_changed();
        }
        Ok(())
    }

    /// What a version had replaced and is here with all its bytes: read, not only named, for what is brought back now may
    /// be the last copy that anybody asks for.
    async fn whole_predecessors(&self, dot: Dot) -> Result<BTreeSet<Dot>, Error> {
        let rows = self.submit(Purpose::Tidy, move |sequencer| Ok(Ok(sequencer.tx.purged_by(dot)?))).await?;
        let mut whole = BTreeSet::new();
        for (held, row) in rows {
            let Some((_, content)) = row.content else { continue };
            let mut is_whole = true;
            for (number, segment) in (0..).zip(content.manifest.body.segments()) {
                is_whole = is_whole && self.is_readable((held, number), *segment).await?;
            }
            if is_whole {
                whole.insert(held);
            }
        }
        Ok(whole)
    }

    /// Whether a segment is here and every block of it is what was written.
    async fn is_readable(&self, of: SegmentOf, segment: Segment) -> Result<bool, Error> {
        let Some(blob) = self.read(move |snapshot| snapshot.segment(of)).await? else { return Ok(false) };
        let mut offset = 0;
        while offset < segment.size {
            match self.read_file(of, blob.clone(), segment.size, offset, PIECE).await? {
                Some(bytes) => offset += bytes.len() as u64,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Publishes a segment that was fetched, checked and synced. `false` if nobody wants it any more.
    pub async fn segment_fetched(&self, (dot, number): SegmentOf, blob: String) -> Result<bool, Error> {
        let files = self.unpublished(blob);
        let wanted = self
            .submit(Purpose::Grow, move |sequencer| {
                let mut wanted = false;
                for blob in files.publish() {
                    wanted = sequencer.tx.segment_arrived(dot, number, &blob)?;
                }
                if sequencer.tx.body_row(keys::WANTED, dot)?.is_none() {
                    sequencer.body_became_readable(dot);
                }
                Ok(Ok(wanted))
            })
            .await?;
        if wanted {
            self.bodies_changed();
        }
        Ok(wanted)
    }
}
