//! A context token that was given out for another key is refused: accepted, it would claim that a client saw what it
//! never saw, and the write would supersede nothing of its own key.

use super::{Case, Promise, Violation};
use crate::{history::Ending, workload::Action};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let accepted: Vec<String> = case
        .history()
        .operations
        .values()
        .filter(|o| o.ending == Ending::Acked && matches!(case.op(o.id).action, Action::ForeignToken { .. }))
        .map(|o| {
            let op = case.op(o.id);
            format!(
                "site {} accepted a token of another key for {}/{} at {:.3}s",
                op.site,
                op.bucket,
                op.key,
                o.invoked.as_secs_f64()
            )
        })
        .take(5)
        .collect();
    (!accepted.is_empty()).then_some(Violation {
        oracle: "token",
        promise: Promise::Safety,
        evidence: accepted,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::story::Story, *};

    #[test]
    fn a_token_of_another_key_that_was_accepted_is_a_violation_and_a_refused_one_is_not() {
        let mut story = Story::new();
        let misused = story.op(100, 1, "k", Action::ForeignToken { size: 64 });
        let violation = story.judge(judge).expect("it was accepted");
        assert!(violation.evidence[0].contains("main/k"), "{:?}", violation.evidence);
        story.operation(misused).ending = Ending::Refused("invalid context token".into());
        assert_eq!(story.judge(judge), None);
    }
}
