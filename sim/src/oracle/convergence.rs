//! All sites show the same once they claim to have everything: buckets, keys, versions with their places, bytes, tags.
//!
//! Source: strong eventual consistency (Shapiro et al. 2011); "3/3 buckets in sync" over 10,871 and 67 objects is a
//! complaint of another store's user.

use super::{Case, Promise, Violation};

const SHOWN_MAX: usize = 8;

pub(super) fn judge(case: &Case<'_>) -> Option<Violation> {
    let outcome = case.outcome;
    let (&first, one) = outcome.dumps.iter().next()?;
    let mut evidence = Vec::new();
    for (site, dump) in &outcome.dumps {
        for failure in &dump.failures {
            evidence.push(format!("site {site} could not be read: {failure}"));
        }
        if dump.buckets != one.buckets {
            evidence.push(format!(
                "buckets: site {first} has {:?}, site {site} has {:?}",
                one.buckets, dump.buckets
            ));
        }
        let keys: std::collections::BTreeSet<_> = one.keys.keys().chain(dump.keys.keys()).collect();
        for key in keys {
            let (a, b) = (one.keys.get(key), dump.keys.get(key));
            if a != b {
                evidence.push(format!("{}/{}: site {first} has {a:?}", key.0, key.1));
                evidence.push(format!("{}/{}: site {site} has {b:?}", key.0, key.1));
            }
        }
    }
    if evidence.is_empty() {
        return None;
    }
    let differing = evidence.len();
    evidence.truncate(SHOWN_MAX);
    let claim = match outcome.converged_at {
        Some(at) => format!(
            "all sites claimed at {:.3}s to have everything, and show different things",
            at.as_secs_f64()
        ),
        None => "the sites show different things at the deadline".into(),
    };
    evidence.insert(0, format!("{claim} ({differing} differences)"));
    // Without the claim it is late, and liveness says so; with it, a status lied.
    let promise = if outcome.converged_at.is_some() { Promise::Safety } else { Promise::Liveness };
    Some(Violation { oracle: "convergence", promise, evidence })
}

#[cfg(test)]
mod tests {
    use super::{super::story::Story, *};
    use crate::history::{
        Place::{Current, Noncurrent, Sibling},
        Shown,
    };

    fn settled() -> Story {
        let mut story = Story::new();
        let first = story.put(100, 0, "k", Shown::Nothing);
        let second = story.put(200, 1, "k", Shown::Write(first));
        story.ends("k", &[(Current, second), (Noncurrent, first)]);
        story
    }

    /// One site's account of the end is changed; the oracle must notice.
    fn differing(change: impl FnOnce(&mut crate::history::Dump)) -> Violation {
        let mut story = settled();
        assert_eq!(story.judge(judge), None, "all sites show the same");
        change(story.outcome.dumps.get_mut(&2).expect("site 2"));
        story.judge(judge).expect("site 2 shows something else")
    }

    #[test]
    fn any_difference_in_what_sites_show_is_a_broken_promise() {
        let key = ("main".to_owned(), "k".to_owned());
        differing(|dump| drop(dump.keys.remove(&key)));
        differing(|dump| drop(dump.keys.get_mut(&key).expect("k").versions.pop()));
        differing(|dump| dump.keys.get_mut(&key).expect("k").versions[1].place = Sibling);
        differing(|dump| {
            dump.keys.get_mut(&key).expect("k").versions[1].tags =
                Some(std::collections::BTreeMap::default());
        });
        differing(|dump| dump.keys.get_mut(&key).expect("k").current = Some(Shown::Deleted));
        differing(|dump| drop(dump.buckets.insert("another".into(), String::new())));
        let violation = differing(|dump| dump.failures.push("main: 503".into()));
        assert_eq!(violation.promise, Promise::Safety, "they claimed to have everything");
    }

    #[test]
    fn sites_that_make_no_claim_are_late_and_not_wrong() {
        let mut story = settled();
        story.outcome.converged_at = None;
        story.ends_at(1, "k", &[]);
        assert!(story.judge(judge).is_some_and(|violation| violation.promise == Promise::Liveness));
    }
}
