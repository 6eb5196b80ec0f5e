//! What has been applied: for each `(site, epoch)` the last sequence number, with nothing missing below it.
//!
//! One vector serves as causal summary, pull cursor, acknowledgement and proof of stability, because each origin's log
//! is applied without gaps.
//!
//! Every opening of a store adds an entry, so entries that all members agree on *fold*: they stay known here, but are
//! left out of the exchange between sites whose folded sets are equal ([`VersionVector::open_part`]). Nothing is
//! inferred from an epoch's number: a site restored from an old disk may start an epoch below one already folded.
//!
//! Invariants: `covers` never turns false; `join` is commutative, associative and idempotent; folding changes no answer
//! of `covers` (tests below).

use super::{Dot, Epoch, SiteId};
use std::collections::{BTreeMap, BTreeSet};

/// The set of dots that a site has applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector {
    last: BTreeMap<(SiteId, Epoch), u64>,
    folded: BTreeSet<(SiteId, Epoch)>,
}

impl VersionVector {
    /// Whether the write is among those applied.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.seq <= self.last_of(dot.origin())
    }

    /// The last sequence number applied of this origin; 0 if none.
    pub fn last_of(&self, origin: (SiteId, Epoch)) -> u64 {
        self.last.get(&origin).copied().unwrap_or(0)
    }

    /// Whether every dot of `other` is covered here.
    pub fn dominates(&self, other: &Self) -> bool {
        other.iter().all(|(origin, seq)| seq <= self.last_of(origin))
    }

    /// Raises one origin's entry; never lowers it.
    pub fn advance(&mut self, origin: (SiteId, Epoch), seq: u64) {
        if seq > 0 {
            let last = self.last.entry(origin).or_insert(0);
            *last = seq.max(*last);
        }
    }

    /// The union of both sets of dots.
    pub fn join(&mut self, other: &Self) {
        for (origin, seq) in other.iter() {
            self.advance(origin, seq);
        }
    }

    /// The dots that both sides have applied.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let last =
            self.last.iter().map(|(&o, &seq)| (o, seq.min(other.last_of(o)))).filter(|(_, seq)| *seq > 0);
        Self { last: last.collect(), folded: BTreeSet::new() }
    }

    /// The dots before the first gap of each origin: `gaps` are dots that something is missing of.
    #[must_use]
    pub fn before(&self, gaps: &[Dot]) -> Self {
        let mut last = self.last.clone();
        for gap in gaps {
            if let Some(last) = last.get_mut(&gap.origin()) {
                *last = gap.seq.saturating_sub(1).min(*last);
            }
        }
        last.retain(|_, seq| *seq > 0);
        Self { last, folded: BTreeSet::new() }
    }

    /// All entries in order of origin, folded ones included.
    pub fn iter(&self) -> impl Iterator<Item = ((SiteId, Epoch), u64)> + '_ {
        self.last.iter().map(|(&origin, &seq)| (origin, seq))
    }

    /// Whether nothing has been applied.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// How many operations lie in `self` beyond `other`: the backlog of a peer that reports `other`.
    pub fn beyond(&self, other: &Self) -> u64 {
        self.iter().map(|(origin, seq)| seq.saturating_sub(other.last_of(origin))).sum()
    }

    /// Marks an entry as agreed by every member. The caller has proof: see `engine/collect.rs`.
    pub fn fold(&mut self, origin: (SiteId, Epoch)) {
        if self.last.contains_key(&origin) {
            self.folded.insert(origin);
        }
    }

    /// The entries that still move, for the exchange with a site whose folded set is the same.
    pub fn open_part(&self) -> impl Iterator<Item = ((SiteId, Epoch), u64)> + '_ {
        self.iter().filter(|(origin, _)| !self.folded.contains(origin))
    }

    /// The folded entries with their last sequence numbers.
    pub fn folded(&self) -> impl Iterator<Item = ((SiteId, Epoch), u64)> + '_ {
        self.iter().filter(|(origin, _)| self.folded.contains(origin))
    }

    /// Whether this entry has been folded.
    pub fn is_folded(&self, origin: (SiteId, Epoch)) -> bool {
        self.folded.contains(&origin)
    }
}

impl FromIterator<((SiteId, Epoch), u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = ((SiteId, Epoch), u64)>>(entries: I) -> Self {
        let mut vector = Self::default();
        for (origin, seq) in entries {
            vector.advance(origin, seq);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors() -> impl Strategy<Value = VersionVector> {
        proptest::collection::vec(((0..3u16, 0..3u64), 0..6u64), 0..8).prop_map(|entries| {
            entries.into_iter().map(|((site, epoch), seq)| ((SiteId(site), Epoch(epoch)), seq)).collect()
        })
    }

    fn joined(a: &VersionVector, b: &VersionVector) -> VersionVector {
        let mut both = a.clone();
        both.join(b);
        both
    }

    proptest! {
        #[test]
        fn join_is_a_least_upper_bound(a in vectors(), b in vectors(), c in vectors()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(joined(&a, &a), a.clone());
            prop_assert!(joined(&a, &b).dominates(&a) && a.dominates(&a.meet(&b)));
            prop_assert_eq!(a.beyond(&b) == 0, b.dominates(&a));
        }

        #[test]
        fn folding_changes_no_answer(a in vectors(), fold in proptest::collection::vec((0..3u16, 0..3u64), 0..4)) {
            let mut folded = a.clone();
            for (site, epoch) in fold {
                folded.fold((SiteId(site), Epoch(epoch)));
            }
            prop_assert!(folded.dominates(&a) && a.dominates(&folded));
            let whole: VersionVector = folded.open_part().chain(folded.folded()).collect();
            prop_assert_eq!(whole, a);
        }
    }
}
