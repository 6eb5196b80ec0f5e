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

#[cfg(test)]
mod tests {
    use super::{super::story::Story, *};
    use crate::history::Place::Current;

    #[test]
    fn bytes_that_nobody_wrote_like_that_are_caught_whoever_reads_them() {
        let mut story = Story::new();
        let write = story.put(100, 0, "k", Shown::Nothing);
        let read = story.get(200, 1, "k", Shown::Corrupt("bytes 40.. differ".into()));
        assert!(
            story.judge(judge).is_some_and(|violation| violation.evidence[0].contains("site 1 read main/k"))
        );
        story.operation(read).answer = Some(Shown::Write(write));
        story.ends("k", &[(Current, write)]);
        assert_eq!(story.judge(judge), None);
        let key = ("main".to_owned(), "k".to_owned());
        story.outcome.dumps.get_mut(&2).expect("site 2").keys.get_mut(&key).expect("k").versions[0].read =
            Shown::Corrupt("short".into());
        assert!(
            story.judge(judge).is_some_and(|violation| violation.evidence[0].contains("site 2 in the end"))
        );
    }

    #[test]
    fn a_write_under_another_key_or_that_nobody_made_is_caught() {
        let mut story = Story::new();
        let write = story.put(100, 0, "k", Shown::Nothing);
        let read = story.get(200, 1, "other", Shown::Write(write));
        assert!(story.judge(judge).is_some());
        story.operation(read).answer = Some(Shown::Nothing);
        assert_eq!(story.judge(judge), None);
        story.operation(read).answer = Some(Shown::Write(99));
        assert!(story.judge(judge).is_some_and(|violation| violation.evidence[0].contains("write 99")));
    }

    #[test]
    fn a_version_that_is_listed_in_the_end_can_be_read_or_its_body_is_known_to_be_lost() {
        let mut story = Story::new();
        let write = story.put(100, 0, "k", Shown::Nothing);
        story.ends("k", &[(Current, write)]);
        let key = ("main".to_owned(), "k".to_owned());
        let mut reads = |why: &str| {
            let dump = story.outcome.dumps.get_mut(&0).expect("site 0");
            dump.keys.get_mut(&key).expect("k").versions[0].read = Shown::Unavailable(why.into());
            story.judge(judge)
        };
        assert!(reads("the body is at site 1").is_some());
        assert_eq!(reads("its body is lost"), None);
    }
}
