//! Judges a finished run by what clients saw, what the world delivered, and what can be read in the end. Nothing here asks
//! the engine: an engine that is wrong about itself must not be believed.
//!
//! | oracle | claim | source |
//! |---|---|---|
//! | [`accounting`] | every acknowledged write ends as one of eight things, and none is lost | design §3 |
//! | [`convergence`] | all sites show the same, and claim it only when it is so | strong eventual consistency |
//! | [`resurrection`] | what a client that saw it deleted stays deleted | no-resurrection |
//! | [`integrity`] | every byte read was once written, whole, under that key | – |
//! | [`durability`] | after a crash a site still shows what it had acknowledged, before any peer can help | – |
//! | [`order`] | a version that replaced another is listed as newer | causal order |
//! | [`session`] | a site reads its own writes | read your writes |
//! | [`token`] | a token of another key is refused | design §3 |
//! | [`liveness`] | everything has converged soon after the faults healed | – |

pub mod accounting;
mod convergence;
mod durability;
mod integrity;
mod liveness;
mod order;
mod resurrection;
mod session;
#[cfg(test)]
mod story;
mod token;

pub use accounting::{Accounts, End, LostKind};

use crate::{
    history::{Ending, History, WriteId},
    nemesis::Loss,
    outcome::Outcome,
    plan::PlannedOp,
    scenario::Expect,
};
use std::{collections::BTreeMap, time::Duration};

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Something wrong happened.
    Safety,
    /// Something right did not happen in time.
    Liveness,
}

/// A promise broken, with the evidence in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which oracle found it.
    pub oracle: &'static str,
    /// What kind of promise it is.
    pub promise: Promise,
    /// What was expected, what was found, where and when: one line each.
    pub evidence: Vec<String>,
}

/// What a run is worth.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Where every acknowledged write ended.
    pub accounts: Accounts,
    /// What was violated, safety first.
    pub violations: Vec<Violation>,
    /// Why the run proves nothing, if so.
    pub inconclusive: Vec<String>,
    /// Pairs of writes to one key of which neither client had seen the other.
    pub conflicts: u64,
    /// Faults that were in effect.
    pub faults: usize,
    /// Operations at healthy sites that were acknowledged, and all of those.
    pub acknowledged: (usize, usize),
}

impl Judgement {
    /// One word.
    pub fn verdict(&self) -> Verdict {
        match self.violations.first() {
            Some(violation) if violation.promise == Promise::Safety => Verdict::Unsafe,
            Some(_) => Verdict::NotLive,
            None if !self.inconclusive.is_empty() => Verdict::Inconclusive,
            None => Verdict::Pass,
        }
    }
}

/// A run's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All promises held, and the run was worth it.
    Pass,
    /// A safety promise was broken.
    Unsafe,
    /// A liveness promise was broken.
    NotLive,
    /// The run proves nothing.
    Inconclusive,
}

impl Verdict {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unsafe => "VIOLATION",
            Self::NotLive => "NOT LIVE",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A run with its plan's operations by number: what the oracles look things up in.
pub struct Case<'a> {
    /// The run.
    pub outcome: &'a Outcome,
    ops: BTreeMap<WriteId, &'a PlannedOp>,
}

impl<'a> Case<'a> {
    /// Indexes a run.
    pub fn new(outcome: &'a Outcome) -> Self {
        Self { outcome, ops: outcome.plan.ops.iter().map(|op| (op.id, op)).collect() }
    }

    /// The plan of an operation.
    pub fn op(&self, id: WriteId) -> &'a PlannedOp {
        self.ops[&id]
    }

    /// The clients' history.
    pub fn history(&self) -> &'a History {
        &self.outcome.history
    }

    /// Whether a lost disk or body can have taken an operation on this key with it: then what that operation had done to
    /// others is undone as well, and only accounting can follow it.
    pub fn is_touched_by_loss(&self, place: &(String, String)) -> bool {
        /// A backup taken just before an operation was acknowledged may or may not hold it.
        const GRACE: Duration = Duration::from_secs(2);
        let here = || self.history().operations.values().filter(|o| self.op(o.id).place() == *place);
        self.outcome.losses.iter().any(|loss| match loss {
            Loss::Body { write, .. } => self.op(*write).place() == *place,
            Loss::Disk { site, at, kept_until } => here().any(|o| {
                let done = o.completed.unwrap_or(Duration::MAX);
                self.op(o.id).site == *site && o.invoked <= *at && done.saturating_add(GRACE) >= *kept_until
            }),
        })
    }
}

/// Judges a run of Anabranch by every oracle.
pub fn judge(outcome: &Outcome, expect: &Expect) -> Judgement {
    let case = Case::new(outcome);
    let accounts = accounting::account(&case);
    let mut violations = accounting::violations(&case, &accounts);
    for oracle in [
        integrity::judge,
        durability::judge,
        resurrection::judge,
        order::judge,
        session::judge,
        token::judge,
        convergence::judge,
        liveness::judge,
    ] {
        violations.extend(oracle(&case));
    }
    violations.sort_by_key(|violation| violation.promise);
    finish(&case, accounts, violations, expect)
}

fn finish(case: &Case<'_>, accounts: Accounts, violations: Vec<Violation>, expect: &Expect) -> Judgement {
    const ACKNOWLEDGED_MIN: f64 = 0.95;
    let (outcome, conflicts) = (case.outcome, conflicts(case));
    let acknowledged = acknowledged(case);
    let faults = outcome.effective.len();
    let mut inconclusive = Vec::new();
    if acknowledged.1 == 0 || (acknowledged.0 as f64) < acknowledged.1 as f64 * ACKNOWLEDGED_MIN {
        inconclusive.push(format!(
            "only {} of {} operations at healthy sites were answered",
            acknowledged.0, acknowledged.1
        ));
    }
    if conflicts < expect.conflicts_min {
        inconclusive.push(format!("{conflicts} conflicts, {} expected", expect.conflicts_min));
    }
    if (faults as u64) < expect.faults_min {
        inconclusive.push(format!("{faults} faults in effect, {} expected", expect.faults_min));
    }
    Judgement { accounts, violations, inconclusive, conflicts, faults, acknowledged }
}

/// Pairs of acknowledged puts to one key at different sites, each begun before it could have seen the other.
fn conflicts(case: &Case<'_>) -> u64 {
    let mut by_key: BTreeMap<(&str, &str), Vec<(&PlannedOp, &crate::history::Operation)>> = BTreeMap::new();
    for operation in case.history().operations.values().filter(|o| o.ending == Ending::Acked) {
        let op = case.op(operation.id);
        if op.action.is_put() {
            by_key.entry((&op.bucket, &op.key)).or_default().push((op, operation));
        }
    }
    let mut pairs = 0;
    for writes in by_key.values() {
        for (n, (a, ra)) in writes.iter().enumerate() {
            for (b, rb) in &writes[n + 1..] {
                // The soonest that one could have reached the other's site is one link's delay later.
                let delay = case
                    .outcome
                    .plan
                    .links
                    .get(&(a.site, b.site))
                    .map_or_else(Default::default, |l| l.latency);
                pairs += u64::from(a.site != b.site && rb.invoked < ra.invoked + delay);
            }
        }
    }
    pairs
}

/// Of the operations whose site was up and undisturbed: how many were answered, and how many there were.
fn acknowledged(case: &Case<'_>) -> (usize, usize) {
    use crate::{nemesis::Fault, workload::PATIENCE};
    /// How long a site may take to be itself again.
    const RECOVERY: std::time::Duration = std::time::Duration::from_secs(3);
    let plan = &case.outcome.plan;
    let loses_bodies = plan.faults.iter().any(|planned| matches!(planned.fault, Fault::BodyLost { .. }));
    let disturbed = |site: u16, at: std::time::Duration| {
        let by_fault = plan.faults.iter().any(|planned| {
            let hits = match &planned.fault {
                Fault::Restore { site: s, .. }
                | Fault::Rebuild { site: s }
                | Fault::Crash { site: s, .. } => *s == site,
                Fault::DiskFull { site: s, .. } | Fault::SyncFail { site: s } | Fault::Pause { site: s } => {
                    *s == site
                }
                Fault::BitRot { site: s } => *s == site,
                _ => false,
            };
            hits && at + PATIENCE >= planned.at && at <= planned.until + RECOVERY
        });
        // A site that was rebuilt answers 503 until it has caught up.
        let by_outage = case.outcome.outages.iter().any(|outage| {
            outage.site == site && at + PATIENCE >= outage.at && at <= outage.back_at + RECOVERY
        });
        by_fault || by_outage
    };
    let healthy = case.history().operations.values().filter(|o| {
        let op = case.op(o.id);
        !disturbed(op.site, o.invoked)
    });
    healthy.fold((0, 0), |(answered, all), operation| {
        let is_answer = match &operation.ending {
            Ending::Acked => true,
            // Of a body that was lost, to be told whose it is is all the answer there can be.
            Ending::Refused(why) if loses_bodies && why.contains("the body is at") => true,
            // An answer that the client's own request earned is an answer.
            Ending::Refused(why) => !why.contains("not available") && !why.contains("no connection"),
            Ending::Unknown => false,
        };
        (answered + usize::from(is_answer), all + 1)
    })
}
