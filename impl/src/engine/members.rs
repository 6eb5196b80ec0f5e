//! What this site knows of the others: their durable vectors, and what follows from them.

use super::{Engine, lock};
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    env::Env,
};
use std::{collections::BTreeMap, time::Duration};

/// What a member said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The epoch that it runs in.
    pub epoch: Epoch,
    /// What it has applied and synced.
    pub vector: VersionVector,
    /// The part of it of which it has every body that it still needs.
    pub complete: VersionVector,
    /// What it said first in this epoch: whoever has all that has caught up with it, however fast it goes on.
    pub first: VersionVector,
    /// When it said so, by this site's monotonic clock.
    pub at: Duration,
    /// How far its wall clock was ahead of this site's then, in milliseconds; none if it did not say.
    pub ahead_ms: Option<i64>,
}

/// Counters of one opening.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges {
    pub(super) clock_suspects: u64,
    pub(super) repaired: u64,
    pub(super) bodies_lost: u64,
    pub(super) failure: Option<String>,
    pub(super) forks: u64,
}

/// A site's own account of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether it has caught up with a peer since its disk was created.
    pub joined: bool,
    /// Versions whose body is not here.
    pub bodies_wanted: usize,
    /// Records found damaged and not repaired yet.
    pub damaged: usize,
    /// Entries brought back by repair.
    pub repaired: u64,
    /// Versions whose body was declared lost here.
    pub bodies_lost: u64,
    /// Remote timestamps that were too far ahead to follow.
    pub clock_suspects: u64,
    /// Origins whose log was found forked.
    pub forks: u64,
}

impl<E: Env> Engine<E> {
    /// Notes what a member says that it has applied and synced, and, if it says so, of each origin the first operation
    /// whose body it lacks.
    pub fn report(
        &self,
        site: SiteId,
        epoch: Epoch,
        vector: VersionVector,
        lacks: Option<&[Dot]>,
        wall_ms: Option<u64>,
    ) {
        let at = self.env().monotonic();
        let ahead_ms = wall_ms.map(|wall_ms| wall_ms.cast_signed() - self.env().wall_ms().cast_signed());
        let mut members = lock(&self.shared.members);
        let before = members.get(&site).filter(|report| report.epoch == epoch);
        let first = before.map_or_else(|| vector.clone(), |report| report.first.clone());
        let complete = match lacks {
            Some(lacks) => vector.before(lacks),
            None => before.map_or_else(VersionVector::default, |report| report.complete.clone()),
        };
        let ahead_ms = ahead_ms.or_else(|| before.and_then(|report| report.ahead_ms));
        members.insert(site, Report { epoch, vector, complete, first, at, ahead_ms });
    }

    /// What the slowest clock of the cluster says, in milliseconds since the Unix epoch: a date that it has not passed is
    /// not past. A member that was not heard since this opening has no say.
    pub fn least_wall_ms(&self) -> u64 {
        let slowest = lock(&self.shared.members).values().filter_map(|report| report.ahead_ms).min();
        self.env().wall_ms().saturating_add_signed(slowest.unwrap_or(0).min(0))
    }

    /// What the other members said last.
    pub fn reports(&self) -> BTreeMap<SiteId, Report> {
        lock(&self.shared.members).clone()
    }

    /// What every member has applied; empty while any of them has not been heard since this opening.
    pub fn stable_cut(&self) -> VersionVector {
        self.cut(|report| &report.vector)
    }

    /// The part of the stable cut of which every other member has the bodies too.
    pub fn complete_cut(&self) -> VersionVector {
        self.cut(|report| &report.complete)
    }

    fn cut(&self, has: impl Fn(&Report) -> &VersionVector) -> VersionVector {
        let reports = lock(&self.shared.members);
        let mut cut = (*self.durable()).clone();
        for member in self.config().members.iter().filter(|member| **member != self.site()) {
            match reports.get(member) {
                Some(report) => cut = cut.meet(has(report)),
                None => return VersionVector::default(),
            }
        }
        cut
    }

    /// The site's account of itself.
    pub async fn status(&self) -> Result<Status, super::Error> {
        const COUNTED_MAX: usize = 100_000;
        let (bodies_wanted, damaged) = self
            .read(|snapshot| {
                let wanted = snapshot.bodies(crate::store::keys::WANTED, None, COUNTED_MAX)?.len();
                Ok((wanted, snapshot.damaged()?.len()))
            })
            .await?;
        let gauges = lock(&self.shared.gauges).clone();
        Ok(Status {
            joined: self.is_joined(),
            bodies_wanted,
            damaged,
            repaired: gauges.repaired,
            bodies_lost: gauges.bodies_lost,
            clock_suspects: gauges.clock_suspects,
            forks: gauges.forks,
        })
    }

    /// Why the engine failed, once it did.
    pub fn failure(&self) -> Option<String> {
        lock(&self.shared.gauges).failure.clone()
    }
}
