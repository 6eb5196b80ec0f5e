//! Joining two states: for a site that is new, rebuilt, or was away longer than the logs reach back.
//!
//! For every dot the maximum of what both sides did to it, where *covered and absent* means purged and *not covered*
//! means its pending raise or nothing. Only for states whose vectors differ: at a common cut a difference is damage, and
//! [`super::repair`] never removes.

use super::{Raise, Record, Status};
use crate::causality::{Dot, VersionVector};
use std::collections::BTreeSet;

/// One record of the joined state.
#[must_use]
pub fn merge(
    mine: &Record,
    mine_applied: &VersionVector,
    theirs: &Record,
    theirs_applied: &VersionVector,
) -> Record {
    let dots: BTreeSet<Dot> = mine.entries.keys().chain(theirs.entries.keys()).copied().collect();
    let mut merged = Record::default();
    for dot in dots {
        let raise = raise_at(mine, mine_applied, dot).max(raise_at(theirs, theirs_applied, dot));
        let entry =
            mine.entries.get(&dot).or_else(|| theirs.entries.get(&dot)).expect("the dot is from one of both");
        if raise.status(&entry.payload) != Status::Purged {
            let mut entry = entry.clone();
            entry.raise = raise;
            merged.entries.insert(dot, entry);
        }
    }
    merged.pending.clone_from(&mine.pending);
    for (&dot, &raise) in &theirs.pending {
        let pending = merged.pending.entry(dot).or_default();
        *pending = raise.max(*pending);
    }
    merged.settle(&joined(mine_applied, theirs_applied));
    merged
}

/// What one side knows was done to a dot.
fn raise_at(record: &Record, applied: &VersionVector, dot: Dot) -> Raise {
    match record.entries.get(&dot) {
        Some(entry) => entry.raise,
        None if applied.covers(dot) => Raise::Purged,
        None => record.pending.get(&dot).copied().unwrap_or_default(),
    }
}

/// The joined state's vector.
pub fn joined(a: &VersionVector, b: &VersionVector) -> VersionVector {
    let mut both = a.clone();
    both.join(b);
    both
}
