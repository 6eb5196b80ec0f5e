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
        let writes = here.iter().filter(|o| o.ending == Ending::Acked && case.op(o.id).action.is_put());
        for write in writes {
            let Some(acked) = write.completed else { continue };
            // A replaced or rolled back disk has other writes; bodies lost bring older ones back.
            let lost = |loss: &crate::nemesis::Loss| match loss {
                crate::nemesis::Loss::Disk { .. } | crate::nemesis::Loss::Body { .. } => true,
            };
            if case.outcome.losses.iter().any(lost) {
                continue;
            }
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
