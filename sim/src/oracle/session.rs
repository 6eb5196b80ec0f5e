//! A site reads its own writes: after an acknowledgement, a read at that site never shows the version that the write had
//! replaced, nor nothing at all without a delete.

use super::{Case, Promise, Violation};
use crate::{
    history::{Ending, Operation, Shown},
    workload::Action,
};

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let mut evidence = Vec::new();
    let operations = &case.history().operations;
    let mut by_key: std::collections::BTreeMap<(u16, String, String), Vec<&Operation>> =
        std::collections::BTreeMap::new();
    for operation in operations.values() {
        let op = case.op(operation.id);
        by_key.entry((op.site, op.bucket.clone(), op.key.clone())).or_default().push(operation);
    }
    for ((site, bucket, key), here) in &by_key {
        // A replaced or rolled back disk has other writes; bodies lost bring older ones back.
        if case.is_touched_by_loss(&(bucket.clone(), key.clone())) {
            continue;
        }
        let writes = here.iter().filter(|o| o.ending == Ending::Acked && case.op(o.id).action.is_put());
        for write in writes {
            let Some(acked) = write.completed else { continue };
            for read in here.iter().filter(|read| read.invoked > acked) {
                let stale = match read.shown.as_ref().or(read.answer.as_ref()) {
                    Some(Shown::Write(older)) => {
                        write.shown == Some(Shown::Write(*older)) && !deleted_by(case, bucket, key, read)
                    }
                    Some(Shown::Nothing) => !deleted_by(case, bucket, key, read),
                    _ => false,
                };
                if stale {
                    evidence.push(format!(
                        "site {site} acknowledged write {} of {bucket}/{key} at {:.3}s; a read begun there at {:.3}s showed {:?}",
                        write.id,
                        acked.as_secs_f64(),
                        read.invoked.as_secs_f64(),
                        read.shown.as_ref().or(read.answer.as_ref()),
                    ));
                }
            }
        }
    }
    evidence.truncate(4);
    (!evidence.is_empty()).then_some(Violation { oracle: "session", promise: Promise::Safety, evidence })
}

/// Whether any delete of the key, anywhere, may have taken effect before a read was answered.
fn deleted_by(case: &Case<'_>, bucket: &str, key: &str, read: &Operation) -> bool {
    let answered = read.completed.unwrap_or(std::time::Duration::MAX);
    case.history().operations.values().any(|o| {
        let op = case.op(o.id);
        let deletes = matches!(op.action, Action::Delete | Action::DeleteVersion)
            && !matches!(o.ending, Ending::Refused(_));
        deletes && op.bucket == bucket && op.key == key && o.invoked <= answered
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::story::{PUT, Story},
        *,
    };

    #[test]
    fn a_site_that_shows_what_its_own_write_had_replaced_is_caught() {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        let second = story.put(200, 0, "k", Shown::Write(first));
        let read = story.get(300, 0, "k", Shown::Write(first));
        assert!(
            story
                .judge(judge)
                .is_some_and(|violation| violation.evidence[0].contains("acknowledged write 2"))
        );
        story.operation(read).answer = Some(Shown::Write(second));
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn a_site_that_shows_nothing_after_its_own_write_is_caught_unless_somebody_deleted_it() {
        let mut story = Story::new();
        story.put(100, 0, "k", Shown::Nothing);
        story.get(300, 0, "k", Shown::Nothing);
        assert!(story.judge(judge).is_some());
        story.op(200, 1, "k", Action::Delete);
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn another_sites_reader_may_be_behind() {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        story.put(200, 0, "k", Shown::Write(first));
        story.get(300, 1, "k", Shown::Write(first));
        assert_eq!(story.judge(judge), None);
    }

    #[test]
    fn a_lost_disk_excuses_the_keys_that_it_can_have_held_and_no_others() {
        let mut story = Story::new();
        story.op(100, 0, "k", PUT);
        story.get(300, 0, "k", Shown::Nothing);
        story.disk_lost(1, 250, 0);
        assert!(story.judge(judge).is_some(), "the other site's disk has nothing to do with it");
        story.disk_lost(0, 250, 0);
        assert_eq!(story.judge(judge), None);
    }
}
