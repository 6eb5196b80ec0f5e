//! A version that replaced another, by a client that had seen it, is listed as newer: at every site, whatever the clocks
//! said. Where a bucket keeps versions, the wrong order would bring the wrong one back when the newest is deleted.

use super::{Case, Promise, Violation, accounting::has_seen};
use crate::history::{Ending, Shown};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let mut evidence = Vec::new();
    for (site, dump) in &case.outcome.dumps {
        for (place, read) in &dump.keys {
            let listed: Vec<u32> = read
                .versions
                .iter()
                .filter_map(|version| match version.read {
                    Shown::Write(write) => Some(write),
                    _ => None,
                })
                .collect();
            for (n, newer) in listed.iter().enumerate() {
                for older in &listed[n + 1..] {
                    if replaced(case, *newer, *older) {
                        evidence.push(format!(
                            "site {site} lists write {newer} of {}/{} as newer than write {older}, whose client had seen it",
                            place.0, place.1
                        ));
                    }
                }
            }
        }
    }
    evidence.truncate(6);
    (!evidence.is_empty()).then_some(Violation { oracle: "order", promise: Promise::Safety, evidence })
}

/// Whether `later`'s client had certainly seen `write`: shown it, not merely at work at the same time.
fn replaced(case: &Case<'_>, write: u32, later: u32) -> bool {
    let history = case.history();
    let (Some(operation), Some(_)) = (history.operations.get(&later), history.operations.get(&write)) else {
        return false;
    };
    operation.ending == Ending::Acked
        && operation.shown == Some(Shown::Write(write))
        && has_seen(case, later, write)
        // Bytes written again under a new version after a loss are not the version that was seen.
        && !case.is_touched_by_loss(&case.op(write).place())
}

#[cfg(test)]
mod tests {
    use super::{super::story::Story, *};
    use crate::history::Place::{Current, Noncurrent};

    #[test]
    fn a_version_listed_as_newer_than_the_one_whose_client_had_seen_it_is_caught() {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        let second = story.put(200, 1, "k", Shown::Write(first));
        story.ends("k", &[(Current, first), (Noncurrent, second)]);
        assert!(
            story.judge(judge).is_some_and(|violation| violation.evidence.len() == 3),
            "at each of three sites"
        );
        story.ends("k", &[(Current, second), (Noncurrent, first)]);
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn versions_that_knew_nothing_of_each_other_may_be_listed_either_way() {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        let second = story.put(105, 1, "k", Shown::Nothing);
        story.ends("k", &[(Current, first), (Noncurrent, second)]);
        assert_eq!(story.judge(judge), None);
    }
}
