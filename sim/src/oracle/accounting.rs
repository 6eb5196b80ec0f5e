//! Where every acknowledged write ended. The eight ends of design §3 add up to all acknowledged writes in every run.
//!
//! A write counts as superseded or deleted only by one that *had seen it*: its client was shown the write just before, at
//! that site or as its context, it wrote although its look was refused (503) and its site had the write by then, or both
//! were at work at the same site at the same time. And only
//! if the superseder's own end is not destruction: what replaced a write and then vanished with its disk must have left
//! the write before it standing, unless somebody wrote the key again after that.
//!
//! A write counts as destroyed only if the world took the disk or file that held it and had not delivered it whole
//! to any other site that could keep it.

use super::{Case, Promise, Violation};
use crate::{
    history::{Dump, Ending, Place, Shown, WriteId},
    nemesis::Loss,
    workload::Action,
    world::watch::{Part, SEGMENT},
};
use std::{collections::BTreeMap, time::Duration};

/// Why a write is nowhere, by what a perfect store could have done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostKind {
    /// Never visible, not even where it was acknowledged.
    AtBirth,
    /// Beaten by a write that had been acknowledged before this one began.
    OrderInverted,
    /// Its client had handed back context, and a writer that had not seen it won.
    LostUpdate,
    /// Beaten by a write at the same time that had not seen it.
    Concurrent,
}

/// How an acknowledged write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It is what its key shows.
    Current,
    /// It is live beside the winner.
    Sibling,
    /// It is readable as an older version, or as a retained loser.
    Noncurrent,
    /// A writer that had seen it replaced it.
    Superseded,
    /// A client that had seen it deleted it.
    Deleted,
    /// A rule of its bucket's owner ended it.
    Expired,
    /// It went with the only disk that held it.
    Destroyed,
    /// None of these.
    Lost(LostKind),
}

/// The ends of all acknowledged puts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Every acknowledged put with its end.
    pub ends: BTreeMap<WriteId, End>,
    /// Bytes of the destroyed ones.
    pub destroyed_bytes: u64,
    /// The longest time between a destroyed write's acknowledgement and its destruction.
    pub destroyed_age: Duration,
}

impl Accounts {
    /// How many ended like this.
    pub fn count(&self, matches: impl Fn(End) -> bool) -> usize {
        self.ends.values().filter(|end| matches(**end)).count()
    }

    /// How many were lost.
    pub fn lost(&self) -> usize {
        self.count(|end| matches!(end, End::Lost(_)))
    }

    /// How many were destroyed with their only disk.
    pub fn destroyed(&self) -> usize {
        self.count(|end| end == End::Destroyed)
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.ends.len()
    }
}

/// Follows every acknowledged put to its end.
pub fn account(case: &Case<'_>) -> Accounts {
    let found = Ends::new(case, |write| best_place(case, write));
    let mut accounts = Accounts::default();
    for operation in case.history().operations.values() {
        if operation.ending != Ending::Acked || !case.op(operation.id).action.is_put() {
            continue;
        }
        let end = found.end_of(operation.id);
        if end == End::Destroyed {
            accounts.destroyed_bytes += case.op(operation.id).action.bytes();
            let acked = operation.completed.unwrap_or(operation.invoked);
            let age = destroyed_at(case, operation.id).map_or(Duration::ZERO, |at| at.saturating_sub(acked));
            accounts.destroyed_age = accounts.destroyed_age.max(age);
        }
        accounts.ends.insert(operation.id, end);
    }
    accounts
}

/// Lost writes, as violations.
pub fn violations(case: &Case<'_>, accounts: &Accounts) -> Vec<Violation> {
    let lost: Vec<WriteId> = accounts
        .ends
        .iter()
        .filter(|(_, end)| matches!(end, End::Lost(_)))
        .map(|(write, _)| *write)
        .collect();
    let Some(first) = lost.first() else { return Vec::new() };
    let (op, operation) = (case.op(*first), &case.history().operations[first]);
    let mut evidence = vec![
        format!(
            "{} acknowledged writes are at no site and nobody who had seen them replaced them",
            lost.len()
        ),
        format!(
            "the first: write {first} of {}/{} at site {}, begun {:.3}s, acknowledged {:.3}s as version {}",
            op.bucket,
            op.key,
            op.site,
            operation.invoked.as_secs_f64(),
            operation.completed.unwrap_or_default().as_secs_f64(),
            operation.version.as_deref().unwrap_or("?"),
        ),
    ];
    evidence.extend(life_of_key(case, *first));
    vec![Violation { oracle: "accounting", promise: Promise::Safety, evidence }]
}

/// What was written to a write's key around it, and where the sites ended, in words.
pub(super) fn life_of_key(case: &Case<'_>, write: WriteId) -> Vec<String> {
    let place = case.op(write).place();
    let mut lines: Vec<String> = Vec::new();
    for operation in case.history().operations.values().filter(|o| case.op(o.id).place() == place) {
        let op = case.op(operation.id);
        if matches!(op.action, Action::Get | Action::Tag) {
            continue;
        }
        lines.push(format!(
            "  {:>8.3}s s{} #{} {:?} saw {:?}{} -> {:?}",
            operation.invoked.as_secs_f64(),
            op.site,
            op.id,
            op.action,
            operation.shown,
            if operation.by_context { " (context)" } else { "" },
            operation.ending,
        ));
    }
    for (site, dump) in &case.outcome.dumps {
        lines.push(format!("  in the end site {site}: {}", listed(dump, &place)));
    }
    lines
}

/// What a site lists of a key, in words.
pub(super) fn listed(dump: &Dump, place: &(String, String)) -> String {
    let versions = dump.keys.get(place).into_iter().flat_map(|read| &read.versions);
    let versions: Vec<_> = versions.map(|v| format!("{:?} {:?}", v.place, v.read)).collect();
    format!("[{}]", versions.join(", "))
}

/// The best place that any site lists a write in.
fn best_place(case: &Case<'_>, write: WriteId) -> Option<Place> {
    let place = case.op(write).place();
    case.outcome.dumps.values().filter_map(|dump| dump.place_of(&place, write)).min()
}

/// Follows writes to their ends, given where they are found.
pub struct Ends<'a, F> {
    case: &'a Case<'a>,
    found: F,
    by_key: BTreeMap<(String, String), Vec<WriteId>>,
    known: BTreeMap<WriteId, End>,
}

impl<'a, F: Fn(WriteId) -> Option<Place>> Ends<'a, F> {
    /// `found` says where a write is found.
    pub fn new(case: &'a Case<'a>, found: F) -> Self {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for operation in case.history().operations.values() {
            let op = case.op(operation.id);
            let writes = op.action.is_put() || matches!(op.action, Action::Delete | Action::DeleteVersion);
            if writes && !matches!(operation.ending, Ending::Refused(_)) {
                by_key.entry(op.place()).or_default().push(op.id);
            }
        }
        let mut ends = Self { case, found, by_key: BTreeMap::new(), known: BTreeMap::new() };
        for writes in by_key.values() {
            ends.follow(writes);
        }
        ends.by_key = by_key;
        ends
    }

    /// The end of an acknowledged put.
    pub fn end_of(&self, write: WriteId) -> End {
        self.known.get(&write).copied().unwrap_or_else(|| {
            let others = self.by_key.get(&self.case.op(write).place()).map_or(&[][..], Vec::as_slice);
            End::Lost(self.why(write, others))
        })
    }

    /// All writes of one key: from what is found, back along who had seen whom.
    fn follow(&mut self, writes: &[WriteId]) {
        let mut open: Vec<(WriteId, End)> = Vec::new();
        let deletes = writes.iter().filter(|write| !self.case.op(**write).action.is_put());
        open.extend(deletes.map(|write| (*write, End::Deleted)));
        // What is found is found, whatever somebody thought to have deleted.
        for &write in writes {
            if let Some(place) = (self.found)(write) {
                let end = match place {
                    Place::Current => End::Current,
                    Place::Sibling => End::Sibling,
                    Place::Noncurrent => End::Noncurrent,
                };
                open.push((write, end));
            }
        }
        self.spread(writes, open);
        let destroyed: Vec<WriteId> = writes
            .iter()
            .copied()
            .filter(|write| !self.known.contains_key(write) && destroyed_at(self.case, *write).is_some())
            .collect();
        self.spread(writes, destroyed.into_iter().map(|write| (write, End::Destroyed)).collect());
    }

    fn spread(&mut self, writes: &[WriteId], mut open: Vec<(WriteId, End)>) {
        for (write, end) in open.iter().filter(|(write, _)| self.case.op(*write).action.is_put()) {
            self.known.insert(*write, *end);
        }
        while let Some((write, end)) = open.pop() {
            let is_put = self.case.op(write).action.is_put();
            if end == End::Destroyed && !self.was_followed(write, writes) {
                continue;
            }
            let by_write = if is_put { End::Superseded } else { End::Deleted };
            for &earlier in writes {
                let is_open = self.case.op(earlier).action.is_put() && !self.known.contains_key(&earlier);
                if earlier != write && is_open && has_seen(self.case, write, earlier) {
                    self.known.insert(earlier, by_write);
                    open.push((earlier, by_write));
                }
            }
        }
    }

    /// Whether something else took the key after a write that is gone: then what that one had replaced need not come back.
    fn was_followed(&self, gone: WriteId, others: &[WriteId]) -> bool {
        let history = self.case.history();
        let acked = history.operations[&gone].completed.unwrap_or(Duration::MAX);
        let later = others.iter().map(|id| &history.operations[id]).filter(|o| o.id != gone);
        // One that was under way may have come after it.
        later.filter(|o| o.completed.is_none_or(|done| done >= acked)).any(|o| {
            let took_the_key = self.known.get(&o.id).is_some_and(|end| *end != End::Destroyed);
            took_the_key || matches!(self.case.op(o.id).action, Action::Delete)
        })
    }

    fn why(&self, write: WriteId, others: &[WriteId]) -> LostKind {
        let history = self.case.history();
        let operation = &history.operations[&write];
        let site = self.case.op(write).site;
        let acked = operation.completed.unwrap_or(operation.invoked);
        let was_shown = history.operations.values().any(|o| {
            let saw = o.shown == Some(Shown::Write(write)) || o.answer == Some(Shown::Write(write));
            saw && self.case.op(o.id).site == site
        });
        // The next look at its own site, soon enough that nothing else had been written there.
        let next_look = others
            .iter()
            .map(|id| &history.operations[id])
            .filter(|o| self.case.op(o.id).site == site && o.read_at.is_some_and(|at| at > acked))
            .min_by_key(|o| o.read_at);
        let winners = others
            .iter()
            .map(|id| &history.operations[id])
            .filter(|o| o.id != write && (self.found)(o.id).is_some());
        let inverted =
            winners.clone().any(|winner| winner.completed.is_some_and(|done| done < operation.invoked));
        if !was_shown && next_look.is_some_and(|look| look.shown != Some(Shown::Write(write))) && inverted {
            LostKind::AtBirth
        } else if inverted {
            LostKind::OrderInverted
        } else if operation.by_context {
            LostKind::LostUpdate
        } else {
            LostKind::Concurrent
        }
    }
}

/// Whether the client of `later` had seen `write` when it wrote or deleted.
pub fn has_seen(case: &Case<'_>, later: WriteId, write: WriteId) -> bool {
    let (operation, before) = (&case.history().operations[&later], &case.history().operations[&write]);
    if let Some((_, target)) = &operation.target {
        return *target == write;
    }
    if matches!(case.op(later).action, Action::DeleteVersion | Action::ForeignToken { .. }) {
        return false;
    }
    if operation.shown == Some(Shown::Write(write)) {
        return true;
    }
    // It was told to look elsewhere, and wrote all the same: what its site had by then it took upon itself to replace.
    if let (Some(Shown::Unavailable(_)), Some(looked)) = (&operation.shown, operation.read_at) {
        let site = case.op(later).site;
        let arrived =
            case.outcome.deliveries.iter().any(|d| d.write == write && d.to == site && d.at <= looked);
        if arrived || (case.op(write).site == site && before.completed.is_some_and(|acked| acked <= looked)) {
            return true;
        }
    }
    // Both at work at the same site at the same time: one store in one place may order them like this.
    if operation.by_context {
        return false;
    }
    let answered = operation.completed.unwrap_or(Duration::MAX);
    let same_site = case.op(later).site == case.op(write).site;
    same_site && before.invoked <= answered && before.completed.is_none_or(|acked| acked >= operation.invoked)
}

/// When the world took the last copy of a write that it can have had; none if some site must still have it.
pub fn destroyed_at(case: &Case<'_>, write: WriteId) -> Option<Duration> {
    /// Bytes read this shortly before that site itself failed may not have been synced.
    const GRACE: Duration = Duration::from_millis(500);
    let outcome = case.outcome;
    let (site, operation) = (case.op(write).site, &case.history().operations[&write]);
    let acked = operation.completed.unwrap_or(operation.invoked);
    // Each site that had all of it, with when the first and the last of it came; the writer's own first.
    let has_two_segments = case.op(write).action.bytes() > SEGMENT as u64;
    let parts = [Part::Start, Part::Middle, Part::End];
    let parts = parts.iter().filter(|part| **part != Part::Middle || has_two_segments);
    let mut holders = BTreeMap::from([(site, (acked.saturating_sub(GRACE), acked))]);
    for to in (0..outcome.plan.sites).filter(|to| *to != site) {
        let first = |part| {
            let mut here = outcome.deliveries.iter().filter(|d| d.write == write && d.to == to);
            here.find(|d| d.part == part).map(|d| d.at)
        };
        let came: Option<Vec<Duration>> = parts.clone().map(|part| first(*part)).collect();
        let span = came.and_then(|came| Some((*came.iter().min()?, *came.iter().max()?)));
        holders.extend(span.map(|span| (to, span)));
    }
    let mut last = None;
    for (holder, (from, since)) in holders {
        let taken = outcome.losses.iter().find_map(|loss| match loss {
            // A backup taken just before the write was acknowledged may or may not hold it.
            Loss::Disk { site, at, kept_until }
                if *site == holder && *at >= from && *kept_until <= since + GRACE =>
            {
                Some(*at)
            }
            Loss::Body { site, at, write: lost } if *site == holder && *lost == write && *at >= from => {
                Some(*at)
            }
            _ => None,
        });
        let never_kept = holder != site
            && (outcome.outages.iter().any(|o| o.site == holder && o.at >= from && o.at <= since + GRACE)
                || unable_to_keep(case, holder, since, GRACE)
                || came_with_a_broken_state(case, write, holder));
        match taken {
            Some(at) => last = Some(last.map_or(at, |last: Duration| last.max(at))),
            None if never_kept => {}
            None => return None,
        }
    }
    last
}

/// Whether a write came to a site only while that had to take over a state, from a sender that went before it can have
/// sent all of it: an unfinished state is nobody's, and log entries beyond it cannot be applied before it (design §3).
fn came_with_a_broken_state(case: &Case<'_>, write: WriteId, site: u16) -> bool {
    /// How long a site with a new disk takes to be itself again, and a state to come.
    const STATE_MAX: Duration = Duration::from_secs(3);
    let outages = &case.outcome.outages;
    case.outcome.deliveries.iter().filter(|d| d.to == site && d.write == write).all(|d| {
        let sender_went =
            outages.iter().any(|o| o.site == d.from && o.at >= d.at && o.at <= d.at + STATE_MAX);
        let has_new_disk = outages
            .iter()
            .any(|o| o.site == site && !o.disk_survived && o.at <= d.at && d.at <= o.back_at + STATE_MAX);
        sender_went && (d.in_state || has_new_disk)
    })
}

/// Whether a site could not write when the bytes came: its disk was full, or its sync failed.
fn unable_to_keep(case: &Case<'_>, site: u16, at: Duration, grace: Duration) -> bool {
    use crate::nemesis::Fault;
    case.outcome.plan.faults.iter().any(|planned| {
        let hits = match &planned.fault {
            Fault::DiskFull { site: s, .. } | Fault::SyncFail { site: s } | Fault::Pause { site: s } => {
                *s == site
            }
            _ => false,
        };
        hits && at + grace >= planned.at && at <= planned.until + grace
    })
}

#[cfg(test)]
mod tests;
