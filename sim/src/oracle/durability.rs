//! After a crash a site shows everything that it had acknowledged before, read before any peer can have helped it.
//!
//! An acknowledgement that was not durable is hidden by replication, which brings the write back from a peer: so the
//! harness reads a site out while it is still cut off. What was replaced before the crash by a write that had seen it is
//! excused, if that one is there.

use super::{
    Case, Promise, Violation,
    accounting::{End, Ends, life_of_key, listed},
};
use crate::{
    history::Ending,
    nemesis::{Fault, Loss},
};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let mut evidence = Vec::new();
    for audit in &case.outcome.audits {
        let outages = case.outcome.outages.iter().filter(|o| o.site == audit.site && o.at <= audit.ended_at);
        let Some(outage) = outages.max_by_key(|o| o.at).filter(|o| o.disk_survived) else { continue };
        // What was acknowledged since the disk was last replaced, or set back, must be there.
        let site = audit.site;
        let since = case.outcome.losses.iter().filter_map(|loss| match loss {
            Loss::Disk { site: of, at, .. } if *of == site && *at <= audit.ended_at => Some(*at),
            _ => None,
        });
        let since = since.max().unwrap_or_default();
        let rotten = case.outcome.plan.faults.iter().any(|f| {
            [Fault::BitRot { site }, Fault::BodyRot { site }].contains(&f.fault) && f.at <= audit.ended_at
        });
        if rotten || !audit.dump.failures.is_empty() {
            continue; // a damaged record is withdrawn until a peer has refilled it
        }
        // Its own writes must be there in full; of another site's the metadata may have come first.
        let ends = Ends::new(case, |write| {
            let op = case.op(write);
            let read = audit.dump.place_of(&op.place(), write);
            let version = case.history().operations[&write].version.as_ref().filter(|_| op.site != site);
            let listed = audit.dump.keys.get(&op.place()).into_iter().flat_map(|read| &read.versions);
            read.or_else(|| listed.filter(|v| Some(&v.version) == version).map(|v| v.place).next())
        });
        for operation in case.history().operations.values() {
            let op = case.op(operation.id);
            let acked = operation.completed.filter(|_| operation.ending == Ending::Acked);
            let Some(acked) = acked.filter(|at| *at >= since && *at <= outage.at) else { continue };
            if op.site != site || !op.action.is_put() {
                continue;
            }
            let held = op.place();
            let body_lost =
                case.outcome.losses.iter().any(|l| matches!(l, Loss::Body { write, .. } if *write == op.id));
            if matches!(ends.end_of(op.id), End::Lost(_)) && !body_lost {
                evidence.push(format!(
                    "site {} acknowledged write {} of {}/{} at {:.3}s, crashed at {:.3}s, and came back without it: {}",
                    site,
                    op.id,
                    held.0,
                    held.1,
                    acked.as_secs_f64(),
                    outage.at.as_secs_f64(),
                    listed(&audit.dump, &held),
                ));
                evidence.extend(life_of_key(case, op.id));
            }
        }
    }
    evidence.truncate(40);
    (!evidence.is_empty()).then_some(Violation { oracle: "durability", promise: Promise::Safety, evidence })
}

#[cfg(test)]
mod tests {
    use super::super::story::{PUT, Story, ms};
    use super::*;
    use crate::{
        history::{Place::Current, Shown},
        nemesis::PlannedFault,
    };

    fn crashed(listed: &[u32]) -> Story {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        story.put(200, 0, "k", Shown::Write(first));
        story.outage(0, 300, true);
        let listed: Vec<_> = listed.iter().map(|write| (Current, *write)).collect();
        story.audit(0, 300, "k", &listed);
        story
    }

    #[test]
    fn a_site_that_comes_back_without_what_it_had_acknowledged_is_caught() {
        let violation = crashed(&[]).judge(judge).expect("nothing came back");
        let missing = violation.evidence.iter().filter(|line| line.contains("came back without it")).count();
        assert_eq!(missing, 2, "{:?}", violation.evidence);
        let violation = crashed(&[1]).judge(judge).expect("the second write is not there");
        assert!(violation.evidence[0].contains("write 2"), "{:?}", violation.evidence);
        assert_eq!(crashed(&[2]).judge(judge), None, "the first was replaced by one who had seen it");
    }

    #[test]
    fn what_was_not_acknowledged_or_went_with_the_disk_need_not_be_there() {
        let mut story = crashed(&[2]);
        let late = story.op(295, 0, "other", PUT);
        assert_eq!(story.judge(judge), None, "answered after the crash");
        story.operation(late).completed = Some(ms(299));
        assert!(story.judge(judge).is_some());
        story.disk_lost(0, 300, 0);
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn where_records_rotted_nothing_is_judged() {
        let mut story = crashed(&[]);
        story.plan.faults.push(PlannedFault {
            at: ms(150),
            until: ms(151),
            fault: Fault::BitRot { site: 0 },
        });
        assert_eq!(story.judge(judge), None);
    }
}
