//! Mending a record that was found damaged: add-only, and never by [`super::merge`].
//!
//! A damaged site's vector claims dots whose entries it no longer has. Taken as a merge, each of them would read as
//! *covered and absent*, that is purged, and a flipped bit would delete acknowledged writes at every site. So repair asks
//! for proof: a dot counts as dead only if something still held names it; else it is restored from the peer.

use super::{Raise, Record, Status};
use crate::{
    causality::{Dot, VersionVector},
    object::Op,
};
use std::collections::BTreeMap;

/// A damaged record, refilled from a peer's and from the operations still in the log.
///
/// `log` holds every operation on this record that our own log still has, in log order; it proves deaths and restores
/// what the peer has not applied yet. Every dot that `mine_applied` covers must be covered by `theirs_applied` or be in
/// `log`: the caller checks that.
#[must_use]
pub fn repair(
    mine: &Record,
    mine_applied: &VersionVector,
    theirs: &Record,
    theirs_applied: &VersionVector,
    log: &[Op],
) -> Record {
    let deaths = deaths(mine, theirs, log);
    let mut repaired = mine.clone();
    for (&dot, entry) in &theirs.entries {
        if !mine_applied.covers(dot) {
            continue; // in flight: the log brings it
        }
        let held = repaired.entries.entry(dot).or_insert_with(|| entry.clone());
        held.raise = held.raise.max(entry.raise);
    }
    for (&dot, &raise) in &theirs.pending {
        repaired.pending.entry(dot).and_modify(|held| *held = raise.max(*held)).or_insert(raise);
    }
    for op in log.iter().filter(|op| !theirs_applied.covers(op.dot)) {
        repaired.apply(op, mine_applied);
    }
    for (dot, entry) in &mut repaired.entries {
        entry.raise = entry.raise.max(deaths.get(dot).copied().unwrap_or_default());
    }
    repaired.settle(mine_applied);
    repaired
}

/// Every raise that a record or a log entry still held speaks of.
fn deaths(mine: &Record, theirs: &Record, log: &[Op]) -> BTreeMap<Dot, Raise> {
    let mut deaths = BTreeMap::new();
    let held =
        mine.entries.values().chain(theirs.entries.values()).flat_map(|entry| entry.raises.iter().copied());
    let logged = log.iter().flat_map(|op| op.supersedes.iter().map(|&dot| (dot, Raise::by(op, dot))));
    for (dot, raise) in held.chain(logged).chain(mine.pending.iter().map(|(&dot, &raise)| (dot, raise))) {
        let known = deaths.entry(dot).or_default();
        *known = raise.max(*known);
    }
    deaths
}

/// How many entries repair brought back.
pub fn restored(before: &Record, after: &Record) -> usize {
    after
        .entries
        .iter()
        .filter(|(dot, entry)| entry.status() != Status::Purged && !before.entries.contains_key(dot))
        .count()
}
