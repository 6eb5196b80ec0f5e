//! Lost writes seen from the frontier: those that nobody saw before they were gone.
//!
//! There are two honest ways to count what last-writer-wins loses. The accounts ([`crate::oracle::accounting`]) follow
//! *effects*: a write is lost if no chain of clients who had seen each other's writes leads from it to what survives.
//! The *frontier* counts less: a write that a later one had seen is superseded, even if that one is lost in its turn.
//! Theory §1.4 defines both. Closed forms in the literature and in theory §1.5 are of the frontier, split by how a write
//! was lost; this file counts those, from what clients saw and from the stamps, which the models give out as versions.

use crate::{
    history::{Ending, Operation, Shown, WriteId},
    outcome::Outcome,
};
use std::collections::{BTreeMap, BTreeSet};

/// Acknowledged writes of a model's run that were lost at the frontier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// Acknowledged puts.
    pub acknowledged: u64,
    /// Of those: not what any site shows in the end, and no client was shown them before it wrote.
    pub lost: u64,
    /// Of the lost: beaten by a write that had been acknowledged before they began.
    pub inverted: u64,
    /// Of the lost: beaten by what their own site showed as they were written, and never visible.
    pub at_birth: u64,
}

impl Fates {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            lost: self.lost + other.lost,
            inverted: self.inverted + other.inverted,
            at_birth: self.at_birth + other.at_birth,
        }
    }
}

/// Counts them in an outcome of [`super::run`]. Only such an outcome has versions that sort as the rule does.
pub fn count(outcome: &Outcome) -> Fates {
    let found: BTreeSet<WriteId> = outcome
        .dumps
        .values()
        .flat_map(|dump| dump.keys.values())
        .flat_map(|key| &key.versions)
        .filter_map(|version| written(Some(&version.read)))
        .collect();
    let mut by_key: BTreeMap<(&str, &str), Vec<(&Operation, bool)>> = BTreeMap::new();
    for op in &outcome.plan.ops {
        // What took effect has a version, even if its client never learnt of it.
        if let Some(operation) = outcome.history.operations.get(&op.id).filter(|o| o.version.is_some()) {
            by_key.entry((&op.bucket, &op.key)).or_default().push((operation, op.action.is_put()));
        }
    }
    by_key.values().map(|writes| count_key(writes, &found)).fold(Fates::default(), Fates::plus)
}

fn written(shown: Option<&Shown>) -> Option<WriteId> {
    match shown {
        Some(Shown::Write(write)) => Some(*write),
        _ => None,
    }
}

/// One key's writes and deletes; whether each is a put.
fn count_key(writes: &[(&Operation, bool)], found: &BTreeSet<WriteId>) -> Fates {
    let seen: BTreeSet<WriteId> = writes
        .iter()
        .filter_map(|(o, _)| o.target.as_ref().map(|(_, write)| *write).or(written(o.shown.as_ref())))
        .collect();
    let version_of: BTreeMap<WriteId, &str> = writes.iter().map(|(o, _)| (o.id, version(o))).collect();
    let mut by_answer: Vec<&Operation> =
        writes.iter().map(|(o, _)| *o).filter(|o| o.completed.is_some()).collect();
    by_answer.sort_by_key(|o| o.completed);
    let mut by_begin: Vec<&Operation> =
        writes.iter().filter(|(_, is_put)| *is_put).map(|(o, _)| *o).collect();
    by_begin.sort_by_key(|o| o.invoked);
    let (mut fates, mut answered, mut greatest) = (Fates::default(), by_answer.into_iter().peekable(), "");
    for write in by_begin {
        while let Some(earlier) = answered.next_if(|earlier| earlier.completed < Some(write.invoked)) {
            greatest = greatest.max(version(earlier));
        }
        if write.ending != Ending::Acked {
            continue;
        }
        fates.acknowledged += 1;
        if found.contains(&write.id) || seen.contains(&write.id) {
            continue;
        }
        fates.lost += 1;
        fates.inverted += u64::from(greatest > version(write));
        let before = written(write.shown.as_ref()).and_then(|shown| version_of.get(&shown));
        fates.at_birth += u64::from(before.is_some_and(|before| *before > version(write)));
    }
    fates
}

fn version(operation: &Operation) -> &str {
    operation.version.as_deref().unwrap_or_default()
}
