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

#[cfg(test)]
mod tests {
    use super::{super::story::Story, *};

    #[test]
    fn sites_that_never_claim_to_have_everything_or_do_not_answer_are_not_live() {
        let mut story = Story::new();
        let at = story.outcome.converged_at.take();
        story.outcome.stuck = vec!["site 1 waits for site 2".into()];
        let violation = story.judge(judge).expect("never converged");
        assert_eq!(violation.promise, Promise::Liveness);
        assert!(violation.evidence.contains(&"site 1 waits for site 2".to_owned()));

        story.outcome.converged_at = at;
        let dump = story.outcome.dumps.remove(&2).expect("site 2");
        assert!(story.judge(judge).is_some_and(|violation| {
            violation.evidence.contains(&"site 2 did not answer any more".to_owned())
        }));
        story.outcome.dumps.insert(2, dump);
        assert_eq!(story.judge(judge), None);
    }
}
