//! Taking over a peer's state: for a new or rebuilt site, or one that was away longer than the logs reach back.
//!
//! The peer reads one snapshot; its vector is the *cut*. First its records are **staged** beside this site's own, by key
//! range, with the cursor in the same commit: until all are here, nothing else of this site changes, and giving up costs
//! nothing. Then they are **folded** in, step by step; that needs nobody, so a crash only delays it. `applied` rises in the
//! last step's commit: until then this site claims nothing of what it received. While it folds, its records are ahead of
//! its vector: it takes no operations from logs, and is no source for anyone.

use super::{Engine, Error, Unavailable, lock, writer::Purpose};
use crate::{
    causality::{Epoch, SiteId, VersionVector},
    crdt::{Record, State, merge},
    env::{Env, timeout},
    object::RecordKey,
    store::{self, Membership, MergeProgress, OriginRow, Tx, keys},
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How long a site waits for its damaged records to be mended before it sends its state without them.
const REPAIR_PATIENCE: Duration = Duration::from_secs(10);

/// Records folded in one commit: the writer is never held for long.
const STEP: usize = 200;

/// Every origin of a state with its last operation.
pub type Cut = BTreeMap<(SiteId, Epoch), OriginRow>;

/// One key range of a peer's snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRange {
    /// What the snapshot covers.
    pub cut: Cut,
    /// The last encoded key of the range before.
    pub after: Vec<u8>,
    /// The last encoded key of this range; `None` means to the end.
    pub upto: Option<Vec<u8>>,
    /// Encoded keys and records; an empty record is damaged at the peer.
    pub records: Vec<(Vec<u8>, Bytes)>,
}

/// What became of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is staged.
    Yes,
    /// It does not continue what is staged, which is forgotten: start over.
    StartOver,
}

/// Whether what is staged is being folded in. Operations wait for that: while it lasts the records are ahead of the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folding {
    No,
    /// The last range is on its way to the disk.
    Announced,
    /// All may be staged: the folding task looks.
    Due,
}

/// Dropped when the last range has gone to the disk, or whoever brought it is gone: either way it is looked at then.
struct Announced<'a, E: Env>(&'a Engine<E>);

impl<E: Env> Drop for Announced<'_, E> {
    fn drop(&mut self) {
        self.0.set_folding(Folding::Due);
    }
}

impl<E: Env> Engine<E> {
    fn set_folding(&self, to: Folding) {
        self.shared.folding.change(|folding| std::mem::replace(folding, to) != to);
    }

    /// Waits until nothing is being folded in; `false` if that takes longer than a request waits.
    pub(super) async fn folded(&self) -> bool {
        let mut folding = self.shared.folding.follow();
        let ended = folding.wait_for(|folding| *folding == Folding::No);
        timeout(self.env(), self.config().wait_max, ended).await.is_some()
    }

    /// Where a merge under way stands.
    pub async fn merge_progress(&self) -> Result<Option<MergeProgress>, Error> {
        Ok(self.read(store::Snapshot::merge).await?)
    }

    /// Stages one range; after the last one, folds all of it in.
    ///
    /// A range must continue at the persisted cursor and be from the same cut: parts of two snapshots do not make a state.
    pub async fn merge_range(&self, range: MergeRange) -> Result<Staged, Error> {
        let is_last = range.upto.is_none();
        let announced = is_last.then(|| {
            self.set_folding(Folding::Announced);
            Announced(self)
        });
        let staged = self.stage(range).await;
        drop(announced);
        match staged {
            // Folding goes on whether this session lives or not.
            Ok(Staged::Yes) if is_last => {
                let mut folding = self.shared.folding.follow();
                folding.wait_for(|folding| *folding == Folding::No).await;
            }
            Ok(Staged::StartOver) => self.env().mark("merge-started-over"),
            Ok(Staged::Yes) | Err(_) => {}
        }
        staged
    }

    async fn stage(&self, range: MergeRange) -> Result<Staged, Error> {
        self.shared.may_be_staged.store(true, Ordering::Relaxed);
        self.submit(Purpose::Grow, move |sequencer| {
            let tx = &mut *sequencer.tx;
            let progress: Option<MergeProgress> = tx.row(keys::MERGE)?;
            if progress.as_ref().is_some_and(|progress| progress.folding) {
                return Ok(Err(Unavailable::Rebuilding.into()));
            }
            let continues = match &progress {
                Some(progress) => progress.cursor == range.after && progress.origins == range.cut,
                None => range.after.is_empty(),
            };
            if !continues && !range.after.is_empty() {
                tx.clear_staged()?;
                tx.remove_row(keys::MERGE)?;
                return Ok(Ok(Staged::StartOver));
            }
            if !continues {
                tx.clear_staged()?;
            }
            for (key, record) in &range.records {
                tx.stage(key, record)?;
            }
            let folding = range.upto.is_none();
            let cursor = range.upto.unwrap_or_default();
            tx.put_row(keys::MERGE, &MergeProgress { origins: range.cut, folding, cursor })?;
            Ok(Ok(Staged::Yes))
        })
        .await
    }

    /// Folds what is staged into the records, to the end.
    async fn fold_staged(&self) -> Result<(), Error> {
        loop {
            let ended = self
                .submit(Purpose::Grow, |sequencer| {
                    let ended = fold_step(sequencer.tx)?;
                    if ended {
                        sequencer.state_merged();
                    }
                    Ok(Ok(ended))
                })
                .await?;
            self.bodies_changed();
            if ended {
                self.env().mark("merge-ended");
                self.set_joined();
                return Ok(());
            }
        }
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

    /// A consistent view of this site's state, for a peer that merges it; none while this site itself is no source.
    pub async fn state_to_send(&self) -> Result<Option<Arc<store::Snapshot>>, Error> {
        let store = self.shared.store.clone();
        let snapshot = self
            .env()
            .blocking(crate::env::Work::Read, move || {
                let snapshot = store.snapshot()?;
                let is_source = snapshot.merge()?.is_none_or(|progress| !progress.folding);
                let is_whole = snapshot.damaged()?.is_empty();
                Ok::<_, store::Error>(is_source.then_some((snapshot, is_whole)))
            })
            .await?;
        let now = self.env().monotonic();
        let mut damaged_since = lock(&self.shared.damaged_since);
        Ok(match snapshot {
            None => None,
            Some((snapshot, true)) => {
                *damaged_since = None;
                Some(snapshot)
            }
            // Damage is mended from peers within moments, if there is one that can: sending it on would only spread it.
            // Where nobody can, the rest of the state is better than none.
            Some((snapshot, false)) => {
                (now.saturating_sub(*damaged_since.get_or_insert(now)) >= REPAIR_PATIENCE).then_some(snapshot)
            }
        })
    }
}

/// Folds in whatever is staged whole, also after a crash. A full disk delays it.
pub(super) async fn run<E: Env>(engine: Engine<E>) {
    let mut folding = engine.shared.folding.follow();
    loop {
        folding.wait_for(|folding| *folding == Folding::Due).await;
        loop {
            // Asked of the writer, behind whatever the last range still has queued.
            let is_due = engine.submit(Purpose::Tidy, |sequencer| {
                let progress = sequencer.tx.row::<MergeProgress>(keys::MERGE)?;
                Ok(Ok(progress.is_some_and(|progress| progress.folding)))
            });
            match is_due.await {
                Ok(false) => break,
                Ok(true) if engine.fold_staged().await.is_ok() => {}
                Ok(true) | Err(_) => engine.env().sleep(Duration::from_millis(500)).await,
            }
        }
        engine.set_folding(Folding::No);
    }
}

/// Folds the next records. `true` if that was the last of it: now this site claims what it received.
fn fold_step(tx: &mut Tx<'_>) -> Result<bool, store::Error> {
    let Some(progress) = tx.row::<MergeProgress>(keys::MERGE)?.filter(|progress| progress.folding) else {
        return Ok(true);
    };
    // Keys that only this site has count too: the peer may know that they were purged.
    let keys_to_fold = tx.keys_to_fold(&progress.cursor, STEP)?;
    let cut: VersionVector = progress.origins.iter().map(|(&origin, row)| (origin, row.last)).collect();
    let applied = tx.vector().clone();
    for encoded in &keys_to_fold {
        let Some(key) = RecordKey::decode(encoded) else { continue };
        let theirs = match tx.staged(encoded)? {
            Some(Some(theirs)) => theirs,
            None => Record::default(),
            // Damaged there: what the peer knew of it is not known here either, until another one repairs it.
            Some(None) => {
                tx.put_row(&keys::damaged(encoded), &1u64)?;
                continue;
            }
        };
        let before = tx.record(&key)?;
        if tx.is_damaged(&key)? {
            continue; // absent here means damaged, not purged: repair refills it, from a peer that has it whole
        }
        let after = merge::merge(&before, &applied, &theirs, &cut);
        tx.replace(&key, &before, &after)?;
    }
    if let Some(cursor) = keys_to_fold.last().cloned() {
        tx.put_row(keys::MERGE, &MergeProgress { cursor, ..progress })?;
        return Ok(false);
    }
    for (origin, row) in progress.origins {
        tx.adopt(origin, row.last, row.chain)?;
        if row.folded {
            tx.fold(origin);
        }
    }
    tx.clear_staged()?;
    tx.remove_row(keys::MERGE)?;
    tx.put_row(keys::MEMBERSHIP, &Membership { joined: true })?;
    Ok(true)
}
