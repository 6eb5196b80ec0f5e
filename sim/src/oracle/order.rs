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
        && case.outcome.losses.is_empty()
}
