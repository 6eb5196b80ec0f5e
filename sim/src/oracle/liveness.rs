//! Everything has converged soon after the last fault healed: within the quiesce time, and the backlog divided by the
//! bandwidth. A replicator that is stuck loses nothing and is useless.

use super::{Case, Promise, Violation};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let outcome = case.outcome;
    if outcome.converged_at.is_some() && outcome.dumps.len() == usize::from(outcome.plan.sites) {
        return None;
    }
    let (heal, deadline) = (outcome.plan.heal_at.as_secs_f64(), outcome.plan.deadline.as_secs_f64());
    let mut evidence =
        vec![format!("faults healed at {heal:.3}s; at {deadline:.3}s not all sites had everything")];
    evidence.extend(outcome.stuck.iter().cloned());
    for site in 0..outcome.plan.sites {
        if !outcome.dumps.contains_key(&site) {
            evidence.push(format!("site {site} did not answer any more"));
        }
    }
    Some(Violation { oracle: "liveness", promise: Promise::Liveness, evidence })
}
