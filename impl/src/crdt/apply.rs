//! One operation into a state: the only way in besides [`super::merge`].
//!
//! Written once over [`State`], so that the exhaustive test, the property tests and the store on disk run the same rule.

use super::Record;
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    object::{ChainHash, Op, RecordKey},
};
use thiserror::Error;

/// A replica's state, in memory or in a transaction.
pub trait State {
    /// Reading or writing failed.
    type Error;

    /// What has been applied.
    fn applied(&self) -> &VersionVector;

    /// The chain hash of the last operation applied of an origin; `None` before the first.
    fn chain(&self, origin: (SiteId, Epoch)) -> Option<ChainHash>;

    /// The record under a key; empty if nothing is known of it.
    fn record(&mut self, key: &RecordKey) -> Result<Record, Self::Error>;

    /// Replaces a record.
    fn put_record(&mut self, key: &RecordKey, record: &Record) -> Result<(), Self::Error>;

    /// Notes that `dot` and everything before it in its log is applied, ending with this chain hash.
    fn advance(&mut self, dot: Dot, chain: ChainHash) -> Result<(), Self::Error>;
}

/// Why an operation was not applied.
#[derive(Debug, Error)]
pub enum ApplyError<E> {
    /// Operations before it are missing: pull again from the applied vector.
    #[error("operation {dot} leaves a gap after {last}: pull again from the applied vector")]
    Gap {
        /// The operation refused.
        dot: Dot,
        /// The last one applied of its origin.
        last: u64,
    },
    /// Its origin's log has another history than the one applied here: two lives share an epoch. The origin is fenced.
    #[error("operation {dot} does not follow what was applied of its origin: the origin's log has forked")]
    Fork {
        /// The operation refused.
        dot: Dot,
    },
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] E),
}

/// What applying did to the record: for the store's bookkeeping of bodies.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    /// The operation had been applied before.
    Already,
    /// The record went from one state to another.
    Changed {
        /// The record before.
        before: Record,
        /// The record now.
        after: Record,
    },
}

/// Applies one operation whose chain hash is `chain`.
pub fn apply<S: State>(state: &mut S, op: &Op, chain: ChainHash) -> Result<Applied, ApplyError<S::Error>> {
    let origin = op.dot.origin();
    let last = state.applied().last_of(origin);
    if op.dot.seq <= last {
        return Ok(Applied::Already);
    }
    if op.dot.seq != last + 1 {
        return Err(ApplyError::Gap { dot: op.dot, last });
    }
    if state.chain(origin).unwrap_or_default() != op.prev {
        return Err(ApplyError::Fork { dot: op.dot });
    }
    let before = state.record(&op.record)?;
    state.advance(op.dot, chain)?;
    let mut after = before.clone();
    after.apply(op, state.applied());
    state.put_record(&op.record, &after)?;
    Ok(Applied::Changed { before, after })
}
