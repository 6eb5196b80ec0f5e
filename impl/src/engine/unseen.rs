//! Which superseded versions a client without context cannot have seen.
//!
//! A blind PUT replaces what its site holds, but its client may never have seen that: a sibling that is not shown, a
//! write of another site that arrived a moment ago, or a version that shows again since a moment ago because another one
//! was deleted. Such versions are named `unseen` in the operation and stay readable.

use crate::{
    causality::{Dot, Epoch, SiteId},
    conflict,
    crdt::Record,
    object::Op,
};
use std::{collections::BTreeMap, time::Duration};

/// Arrivals remembered. At the bound the oldest are taken as seen before their window ends.
const ARRIVALS_MAX: usize = 65_536;

/// How long a request may be under way between its arrival and its turn: arrivals are remembered for as long.
const REQUEST_MAX: Duration = Duration::from_mins(1);

/// Since when versions are shown that no client of this site put there.
pub(super) struct Unseen {
    window: Duration,
    opened_at: Duration,
    arrivals: BTreeMap<Dot, Duration>,
    /// Shown by the batch that is being committed: nobody can have seen them yet.
    fresh: std::collections::BTreeSet<Dot>,
    order: std::collections::VecDeque<(Duration, Dot)>,
}

impl Unseen {
    pub(super) fn new(window: Duration, opened_at: Duration) -> Self {
        Self {
            window,
            opened_at,
            arrivals: BTreeMap::new(),
            fresh: std::collections::BTreeSet::new(),
            order: std::collections::VecDeque::new(),
        }
    }

    /// Notes what an operation made its key show instead of what it showed before.
    pub(super) fn applied(&mut self, op: &Op, before: &Record, after: &Record, own: (SiteId, Epoch)) {
        let shown = |record| conflict::current(record).map(|(stamp, _)| stamp.dot);
        if let Some(dot) = shown(after)
            && shown(before) != Some(dot)
            && (dot != op.dot || op.dot.origin() != own)
        {
            self.shown_next(dot);
        }
    }

    /// Notes that a version can be seen once the batch is committed.
    pub(super) fn shown_next(&mut self, dot: Dot) {
        self.fresh.insert(dot);
    }

    /// Notes that a peer's state was taken over: what it brought has no times of its own.
    pub(super) fn merged(&mut self, now: Duration) {
        self.opened_at = now;
        self.arrivals.clear();
        self.order.clear();
    }

    /// The batch is committed.
    pub(super) fn published(&mut self, now: Duration) {
        for dot in std::mem::take(&mut self.fresh) {
            self.shown_since(dot, now);
        }
    }

    fn shown_since(&mut self, dot: Dot, now: Duration) {
        while let Some(&(at, oldest)) = self.order.front()
            && (now.saturating_sub(at) >= self.window + REQUEST_MAX || self.order.len() >= ARRIVALS_MAX)
        {
            self.order.pop_front();
            // It may have been shown again since.
            if self.arrivals.get(&oldest) == Some(&at) {
                self.arrivals.remove(&oldest);
            }
        }
        self.arrivals.insert(dot, now);
        self.order.push_back((now, dot));
    }

    /// Those of `superseded` that a blind client, whose request came at `asked_at`, cannot have seen.
    pub(super) fn among(&self, record: &Record, superseded: &[Dot], asked_at: Duration) -> Vec<Dot> {
        let shown = conflict::current(record).map(|(stamp, _)| stamp.dot);
        superseded
            .iter()
            .copied()
            .filter(|dot| Some(*dot) != shown || self.is_recent(*dot, asked_at))
            .collect()
    }

    fn is_recent(&self, dot: Dot, asked_at: Duration) -> bool {
        if self.fresh.contains(&dot) {
            return true;
        }
        // What was shown before this opening has no time: it counts from the opening.
        let since = self.arrivals.get(&dot).copied().unwrap_or(self.opened_at);
        asked_at.saturating_sub(since) < self.window
    }
}
