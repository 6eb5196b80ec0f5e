//! What this site knows of its links: who is heard, who calls, whose log is fenced.

use super::Audit;
use crate::{
    causality::{Epoch, SiteId},
    engine::SegmentOf,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

/// A link to a peer, as this side's own session shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether a session runs.
    pub up: bool,
    /// Since when it is so, by this site's monotonic clock; none before the first attempt ended.
    pub since: Option<Duration>,
    /// Why the last session did not come about, or ended.
    pub error: Option<String>,
    /// How long a question and its answer took at the last handshake.
    pub round_trip: Option<Duration>,
    /// How far the peer's wall clock was ahead of this site's when it last spoke, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// What the last comparison of records with it found.
    pub audit: Option<Audit>,
}

#[derive(Default)]
pub(super) struct Links {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since when each peer is called and not heard; absent while its session runs.
    unheard_since: BTreeMap<SiteId, Duration>,
    links: BTreeMap<SiteId, Link>,
    /// Sessions that each site's processes hold here.
    callers: BTreeMap<SiteId, BTreeMap<Epoch, usize>>,
    /// Sites whose log forked or cannot be read: nothing is pulled of them until an operator acts.
    fenced: BTreeSet<SiteId>,
    /// Segments that a worker is fetching, or waits before it tries again until that instant.
    fetching: BTreeMap<SegmentOf, Option<Duration>>,
}

impl Links {
    fn with<R>(&self, run: impl FnOnce(&mut State) -> R) -> R {
        run(&mut self.state.lock().expect("no holder of this lock panics"))
    }

    pub(super) fn heard(&self, peer: SiteId) {
        self.with(|state| state.unheard_since.remove(&peer));
    }

    pub(super) fn unheard(&self, peer: SiteId, now: Duration) {
        self.with(|state| *state.unheard_since.entry(peer).or_insert(now));
    }

    /// Notes that a session came about; says whether the link was down before.
    pub(super) fn opened(
        &self,
        peer: SiteId,
        round_trip: Option<Duration>,
        offset_ms: i64,
        now: Duration,
    ) -> bool {
        self.with(|state| {
            let link = state.links.entry(peer).or_default();
            let was_down = !std::mem::replace(&mut link.up, true);
            if was_down {
                link.since = Some(now);
            }
            link.error = None;
            link.round_trip = round_trip;
            link.clock_offset_ms = Some(offset_ms);
            was_down
        })
    }

    /// Notes why there is no session; says whether that is news.
    pub(super) fn closed(&self, peer: SiteId, error: &str, now: Duration) -> bool {
        self.with(|state| {
            let link = state.links.entry(peer).or_default();
            if std::mem::take(&mut link.up) || link.since.is_none() {
                link.since = Some(now);
            }
            let is_news = link.error.as_deref() != Some(error);
            link.error = Some(error.to_owned());
            is_news
        })
    }

    /// Notes what the peer's clock says.
    pub(super) fn clock(&self, peer: SiteId, offset_ms: i64) {
        self.with(|state| state.links.entry(peer).or_default().clock_offset_ms = Some(offset_ms));
    }

    /// Notes what a comparison of records found. One that could not compare everything and found nothing says nothing
    /// new: the one before stands.
    pub(super) fn audited(&self, peer: SiteId, audit: Audit) {
        self.with(|state| {
            let noted = &mut state.links.entry(peer).or_default().audit;
            if noted.is_none() || audit.is_whole || !audit.differing.is_empty() {
                *noted = Some(audit);
            }
        });
    }

    /// Whether this side's session to a peer runs.
    pub(super) fn is_up(&self, peer: SiteId) -> bool {
        self.with(|state| state.links.get(&peer).is_some_and(|link| link.up))
    }

    /// All links that were ever tried.
    pub(super) fn all(&self) -> BTreeMap<SiteId, Link> {
        self.with(|state| state.links.clone())
    }

    /// Whether a peer has been out of reach for so long.
    pub(super) fn is_out_of_reach(&self, peer: SiteId, for_at_least: Duration, now: Duration) -> bool {
        self.with(|state| {
            state.unheard_since.get(&peer).is_some_and(|since| now.saturating_sub(*since) >= for_at_least)
        })
    }

    /// Admits a caller unless its site runs in a newer epoch at the same time.
    pub(super) fn admit(&self, site: SiteId, epoch: Epoch) -> bool {
        self.with(|state| {
            let sessions = state.callers.entry(site).or_default();
            if sessions.keys().any(|running| *running > epoch) {
                return false;
            }
            *sessions.entry(epoch).or_default() += 1;
            true
        })
    }

    pub(super) fn leave(&self, site: SiteId, epoch: Epoch) {
        self.with(|state| {
            if let Some(sessions) = state.callers.get_mut(&site)
                && let Some(count) = sessions.get_mut(&epoch)
            {
                *count -= 1;
                if *count == 0 {
                    sessions.remove(&epoch);
                }
            }
        });
    }

    pub(super) fn fence(&self, site: SiteId) {
        self.with(|state| state.fenced.insert(site));
    }

    pub(super) fn is_fenced(&self, site: SiteId) -> bool {
        self.with(|state| state.fenced.contains(&site))
    }

    /// Takes the first of `wanted` that nobody fetches or that has waited long enough.
    pub(super) fn claim(&self, wanted: impl Iterator<Item = SegmentOf>, now: Duration) -> Option<SegmentOf> {
        self.with(|state| {
            let is_free = |fetching: Option<&Option<Duration>>| match fetching {
                None => true,
                Some(None) => false,
                Some(Some(until)) => *until <= now,
            };
            let mut wanted = wanted;
            let of = wanted.find(|of| is_free(state.fetching.get(of)))?;
            state.fetching.insert(of, None);
            Some(of)
        })
    }

    /// Gives a claimed segment back: done, or to be tried again at an instant.
    pub(super) fn release(&self, of: SegmentOf, again_at: Option<Duration>) {
        self.with(|state| match again_at {
            Some(until) => state.fetching.insert(of, Some(until)),
            None => state.fetching.remove(&of),
        });
    }
}
