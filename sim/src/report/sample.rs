//! A run made by hand, small enough to measure in the head: three sites, three writes, one partition.

use crate::{
    history::{Ending, History},
    nemesis::{Fault, PlannedFault},
    oracle::{Accounts, End, Judgement, LostKind, Promise, Violation},
    outcome::{Applied, Outcome},
    plan::{Plan, PlannedOp},
    scenario::Scenario,
    workload::Action,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub(super) const LOST: End = End::Lost(LostKind::Concurrent);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn origin(site: u16) -> String {
    format!("{site:04x}{:016x}", 1)
}

fn applied(at_ms: u64, site: u16, from: u16, seq: u64) -> Applied {
    Applied { at: ms(at_ms), site, origin: origin(from), seq }
}

/// Writes 1 and 2 to key `a` at site 0 (acknowledged at 1 s and 2 s), write 3 to key `b` at site 1 (at 2.5 s).
///
/// Site 1 gets both of site 0 late, at 5 s, when its partition (1.5 s to 4 s) is over; site 2 gets them at 1.1 s and 2.3 s.
/// Write 3 reaches site 0 at 4.5 s and site 2 never.
pub(super) fn outcome() -> Outcome {
    let op = |id, site, key: &str| PlannedOp {
        id,
        at: Duration::ZERO,
        site,
        client: 0,
        bucket: "photos".into(),
        key: key.into(),
        action: Action::Put { size: 100 },
    };
    let fault = |from, until, fault| PlannedFault { at: ms(from), until: ms(until), fault };
    // Drawn, so that it has whatever fields plans get; only what is measured is set.
    let scenario = Scenario::parse("split", "question = \"?\"\nworkload = []\n").expect("a scenario");
    let plan = Plan {
        ops: vec![op(1, 0, "a"), op(2, 0, "a"), op(3, 1, "b")],
        faults: vec![
            fault(1500, 4000, Fault::Partition { side: [1].into() }),
            fault(900, 1200, Fault::Crash { site: 2, after_disk_ops: None, all_lost: false }),
        ],
        heal_at: ms(6000),
        ..Plan::draw(&scenario, 7)
    };
    let mut history = History::default();
    for (id, site, seq, acked) in [(1, 0, 1, 1000), (2, 0, 2, 2000), (3, 1, 1, 2500)] {
        history.invoke(id, ms(acked - 10));
        let operation = history.get_mut(id);
        operation.completed = Some(ms(acked));
        operation.ending = Ending::Acked;
        operation.version = Some(format!("{}{seq:012x}", origin(site)));
    }
    Outcome {
        plan: Arc::new(plan),
        history,
        dumps: BTreeMap::new(),
        audits: Vec::new(),
        deliveries: Vec::new(),
        losses: Vec::new(),
        outages: Vec::new(),
        effective: [0].into(),
        applied: vec![
            applied(1100, 2, 0, 1),
            applied(2300, 2, 0, 2),
            applied(4500, 0, 1, 1),
            applied(5000, 1, 0, 2),
        ],
        converged_at: None,
        stuck: vec!["s2: behind 1".into()],
        marks: BTreeMap::from([("sibling kept", 3)]),
        trace: (0xdead_beef, 1234),
        simulated: ms(10_000),
        traffic: (123_456, 78),
    }
}

pub(super) fn accounts<const N: usize>(ends: [(u32, End); N]) -> Accounts {
    Accounts { ends: ends.into(), destroyed_bytes: 0, destroyed_age: Duration::ZERO }
}

pub(super) fn judgement() -> Judgement {
    let mut accounts = accounts([(1, End::Superseded), (2, LOST), (3, End::Destroyed)]);
    (accounts.destroyed_bytes, accounts.destroyed_age) = (2048, ms(340));
    Judgement {
        accounts,
        violations: vec![Violation {
            oracle: "accounting",
            promise: Promise::Safety,
            evidence: vec!["1 acknowledged write is at no site".into(), "  s0 #2 -> <nothing>".into()],
        }],
        inconclusive: Vec::new(),
        conflicts: 1,
        faults: 1,
        acknowledged: (3, 3),
    }
}
