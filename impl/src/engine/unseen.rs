//! Which superseded versions a client without context cannot have seen.
//!
//! A blind PUT replaces what its site holds, but its client may never have seen that: a sibling that is not shown, or
//! another site's write that arrived a moment ago. Such versions are named `unseen` in the operation and stay readable.

use crate::{
    causality::{Dot, SiteId},
    conflict,
    crdt::Record,
};
use std::{collections::BTreeMap, time::Duration};

/// Arrivals remembered. At the bound the oldest are taken as seen before their window ends.
const ARRIVALS_MAX: usize = 65_536;

/// When other sites' versions became visible here.
pub(super) struct Unseen {
    site: SiteId,
    window: Duration,
    opened_at: Duration,
    arrivals: BTreeMap<Dot, Duration>,
    order: std::collections::VecDeque<(Duration, Dot)>,
}

impl Unseen {
    pub(super) fn new(site: SiteId, window: Duration, opened_at: Duration) -> Self {
        Self { site, window, opened_at, arrivals: BTreeMap::new(), order: std::collections::VecDeque::new() }
    }

    /// Notes that a peer's operation became visible now.
    pub(super) fn arrived(&mut self, dot: Dot, now: Duration) {
        while let Some(&(at, oldest)) = self.order.front()
            && (now.saturating_sub(at) >= self.window || self.order.len() >= ARRIVALS_MAX)
        {
            self.order.pop_front();
            self.arrivals.remove(&oldest);
        }
        self.arrivals.insert(dot, now);
        self.order.push_back((now, dot));
    }

    /// Those of `superseded` that a blind client, whose request came at `asked_at`, cannot have seen.
    pub(super) fn among(&self, record: &Record, superseded: &[Dot], asked_at: Duration) -> Vec<Dot> {
        let shown = conflict::current(record).map(|(stamp, _)| stamp.dot);
        superseded.iter().copied().filter(|dot| Some(*dot) != shown || self.is_recent(*dot, asked_at)).collect()
    }

    fn is_recent(&self, dot: Dot, asked_at: Duration) -> bool {
        if dot.site == self.site {
            return false;
        }
        // What was applied before this opening has no arrival time: it counts from the opening.
        let since = self.arrivals.get(&dot).copied().unwrap_or(self.opened_at);
        asked_at.saturating_sub(since) < self.window
    }
}
