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
