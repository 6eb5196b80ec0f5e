//! Every byte that any client read, during the run or in the end, was written under that key, whole. What cannot be read
//! any more is a known loss of its body, or a violation.

use super::{Case, Promise, Violation};
use crate::history::Shown;

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let mut evidence = Vec::new();
    let mut check = |place: &(String, String), shown: &Shown, who: String| match shown {
        Shown::Corrupt(what) => evidence.push(format!("{who} read {}/{}: {what}", place.0, place.1)),
        Shown::Write(write) => {
            let is_known = case.history().operations.contains_key(write);
            if !is_known || case.op(*write).place() != *place {
                evidence.push(format!(
                    "{who} read write {write} under {}/{}, where nobody wrote it",
                    place.0, place.1
                ));
            }
        }
        Shown::Nothing | Shown::Deleted | Shown::Unavailable(_) => {}
    };
    for operation in case.history().operations.values() {
        let op = case.op(operation.id);
        for shown in operation.shown.iter().chain(&operation.answer) {
            check(&op.place(), shown, format!("client {} of site {}", op.client, op.site));
        }
    }
    let mut unreadable = Vec::new();
    let audits = case.outcome.audits.iter().map(|audit| (audit.site, &audit.dump, "after its restart"));
    let dumps = case.outcome.dumps.iter().map(|(site, dump)| (*site, dump, "in the end"));
    for (site, dump, when) in audits.chain(dumps) {
        for (place, read) in &dump.keys {
            for version in &read.versions {
                check(place, &version.read, format!("site {site} {when}"));
                // Bodies still elsewhere are no fault after a restart; in the end they are.
                if let (Shown::Unavailable(why), "in the end") = (&version.read, when)
                    && !why.contains("its body is lost")
                {
                    unreadable.push(format!(
                        "site {site} lists {}/{} version {} and cannot read it: {why}",
                        place.0, place.1, version.version
                    ));
                }
            }
        }
    }
    if case.outcome.converged_at.is_some() {
        evidence.extend(unreadable);
    }
    evidence.truncate(8);
    (!evidence.is_empty()).then_some(Violation { oracle: "integrity", promise: Promise::Safety, evidence })
}
