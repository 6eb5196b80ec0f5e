//! What a client that had seen it deleted stays deleted. A PUT elsewhere at the same time survives, and is another write;
//! this is about the very write that was deleted showing again.

use super::{Case, Promise, Violation, accounting::has_seen};
use crate::{
    history::{Ending, Place, Shown},
    workload::Action,
};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let mut evidence = Vec::new();
    for operation in case.history().operations.values().filter(|o| o.ending == Ending::Acked) {
        let op = case.op(operation.id);
        let deleted = match (&op.action, &operation.shown, &operation.target) {
            (Action::DeleteVersion, _, Some((_, write))) => *write,
            (Action::Delete, Some(Shown::Write(write)), _) => *write,
            _ => continue,
        };
        let place = op.place();
        if !has_seen(case, operation.id, deleted) || case.is_touched_by_loss(&place) {
            continue;
        }
        // Where siblings are kept, a delete without context ends what is shown when its turn comes, and no other.
        let keeps =
            |bucket: &crate::plan::PlannedBucket| bucket.name == place.0 && bucket.policy == "keep-both";
        if op.action == Action::Delete && case.outcome.plan.buckets.iter().any(keeps) {
            continue;
        }
        for (site, dump) in &case.outcome.dumps {
            let found = dump.place_of(&place, deleted);
            let shows = match op.action {
                Action::DeleteVersion => found.is_some(),
                // Deleted in a versioned bucket it may be listed, and shown again once its marker is removed.
                _ => {
                    found.is_some_and(|found| found < Place::Noncurrent)
                        && !marker_removed(case, &place, operation.version.as_deref())
                }
            };
            if shows {
                evidence.push(format!(
                    "write {deleted} of {}/{} was deleted by operation {} at site {} at {:.3}s, and site {site} still shows it as {found:?}",
                    place.0,
                    place.1,
                    op.id,
                    op.site,
                    operation.completed.unwrap_or_default().as_secs_f64(),
                ));
            }
        }
    }
    evidence.truncate(6);
    (!evidence.is_empty()).then_some(Violation { oracle: "resurrection", promise: Promise::Safety, evidence })
}

/// Whether the delete marker of a delete is not listed any more anywhere.
fn marker_removed(case: &Case<'_>, place: &(String, String), marker: Option<&str>) -> bool {
    let Some(marker) = marker else { return false };
    let listed = |dump: &crate::history::Dump| {
        dump.keys.get(place).is_some_and(|read| read.versions.iter().any(|version| version.version == marker))
    };
    !case.outcome.dumps.values().any(listed)
}

#[cfg(test)]
mod tests {
    use super::{
        super::story::{PUT, Story},
        *,
    };

    #[test]
    fn a_write_that_shows_after_a_client_who_had_seen_it_deleted_it_is_caught() {
        let mut story = Story::new();
        let write = story.put(100, 0, "k", Shown::Nothing);
        let delete = story.op(200, 1, "k", Action::Delete);
        story.looked(delete, Shown::Write(write));
        story.ends_at(2, "k", &[(Place::Current, write)]);
        assert!(
            story
                .judge(judge)
                .is_some_and(|violation| violation.evidence[0].contains("site 2 still shows it"))
        );
        story.ends_at(2, "k", &[]);
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn a_write_that_the_deleter_had_not_seen_survives() {
        let mut story = Story::new();
        let write = story.put(100, 0, "k", Shown::Nothing);
        let delete = story.op(105, 1, "k", Action::Delete);
        story.looked(delete, Shown::Nothing);
        story.ends("k", &[(Place::Current, write)]);
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn a_version_deleted_for_good_is_listed_nowhere() {
        let mut story = Story::new();
        let write = story.op(100, 0, "k", PUT);
        let delete = story.op(200, 1, "k", Action::DeleteVersion);
        story.operation(delete).target = Some(("v1".into(), write));
        story.ends("k", &[(Place::Noncurrent, write)]);
        assert!(story.judge(judge).is_some_and(|violation| violation.evidence.len() == 3));
        story.disk_lost(1, 500, 0);
        assert_eq!(story.judge(judge), None, "the disk that had the delete is gone");
    }
}
