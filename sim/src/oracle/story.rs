//! A run written down by hand: what the oracles' own tests tell them. An oracle earns its place by rejecting a broken
//! history, and accepting the same one mended.

use super::{Case, Violation};
use crate::{
    history::{Dump, Ending, History, Operation, Place, Shown, VersionRead, WriteId},
    nemesis::Loss,
    outcome::{Audit, Outcome},
    plan::{Plan, PlannedOp},
    scenario::Scenario,
    workload::Action,
    world::{
        control::Outage,
        watch::{Delivery, Part},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub(super) const PUT: Action = Action::Put { size: 64 };

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A run in the making. Times are in milliseconds; every operation is answered 10 ms after it began.
pub(super) struct Story {
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
}

impl Story {
    /// Three sites, one bucket, nothing has happened.
    pub(super) fn new() -> Self {
        let text = "question = \"?\"\nworkload = []\n[phases]\nchaos_s = 10\n";
        let plan = Plan::draw(&Scenario::parse("story", text).expect("a valid scenario"), 1);
        let outcome = Outcome {
            plan: Arc::new(plan.clone()),
            history: History::default(),
            dumps: (0..plan.sites).map(|site| (site, Dump::default())).collect(),
            audits: Vec::new(),
            deliveries: Vec::new(),
            losses: Vec::new(),
            outages: Vec::new(),
            effective: BTreeSet::default(),
            applied: Vec::new(),
            converged_at: Some(ms(20_000)),
            stuck: Vec::new(),
            marks: BTreeMap::new(),
            trace: (0, 0),
            simulated: ms(20_000),
            traffic: (0, 0),
        };
        Self { plan, outcome }
    }

    /// An operation that was acknowledged, without a look before it.
    pub(super) fn op(&mut self, at: u64, site: u16, key: &str, action: Action) -> WriteId {
        let id = self.plan.ops.len() as u32 + 1;
        let (bucket, key) = ("main".to_owned(), key.to_owned());
        let is_put = action.is_put();
        self.plan.ops.push(PlannedOp { id, at: ms(at), site, client: 0, bucket, key, action });
        self.outcome.history.invoke(id, ms(at));
        let operation = self.outcome.history.get_mut(id);
        operation.ending = Ending::Acked;
        operation.completed = Some(ms(at + 10));
        operation.version = is_put.then(|| format!("v{id}"));
        id
    }

    /// A put whose client had been shown something just before.
    pub(super) fn put(&mut self, at: u64, site: u16, key: &str, saw: Shown) -> WriteId {
        let id = self.op(at, site, key, PUT);
        self.looked(id, saw);
        id
    }

    /// What an operation's client was shown just before.
    pub(super) fn looked(&mut self, id: WriteId, saw: Shown) {
        let operation = self.operation(id);
        operation.read_at = Some(operation.invoked);
        operation.shown = Some(saw);
    }

    pub(super) fn operation(&mut self, id: WriteId) -> &mut Operation {
        self.outcome.history.get_mut(id)
    }

    /// A read and its answer.
    pub(super) fn get(&mut self, at: u64, site: u16, key: &str, answer: Shown) -> WriteId {
        let id = self.op(at, site, key, Action::Get);
        self.operation(id).answer = Some(answer);
        id
    }

    /// All of a write's bytes came to a site.
    pub(super) fn delivered(&mut self, write: WriteId, to: u16, at: u64) {
        let from = self.plan.ops[write as usize - 1].site;
        let parts = [Part::Start, Part::Middle, Part::End];
        self.outcome.deliveries.extend(parts.map(|part| Delivery {
            write,
            part,
            from,
            to,
            at: ms(at),
            in_state: false,
        }));
    }

    /// A site's disk went back to what it had at an instant.
    pub(super) fn disk_lost(&mut self, site: u16, at: u64, kept_until: u64) {
        self.outcome.losses.push(Loss::Disk { site, at: ms(at), kept_until: ms(kept_until) });
        self.outage(site, at, false);
    }

    /// A site's process ended.
    pub(super) fn outage(&mut self, site: u16, at: u64, disk_survived: bool) {
        self.outcome.outages.push(Outage { site, at: ms(at), back_at: ms(at + 500), disk_survived });
    }

    /// What all sites list of a key in the end, newest first.
    pub(super) fn ends(&mut self, key: &str, versions: &[(Place, WriteId)]) {
        for site in 0..self.plan.sites {
            self.ends_at(site, key, versions);
        }
    }

    /// What one site lists of a key in the end.
    pub(super) fn ends_at(&mut self, site: u16, key: &str, versions: &[(Place, WriteId)]) {
        list(self.outcome.dumps.get_mut(&site).expect("a site of the story"), key, versions);
    }

    /// What a site listed when its process had come back, before it could reach a peer.
    pub(super) fn audit(&mut self, site: u16, at: u64, key: &str, versions: &[(Place, WriteId)]) {
        let mut dump = Dump::default();
        list(&mut dump, key, versions);
        self.outcome.audits.push(Audit { site, ended_at: ms(at), dump });
    }

    /// The run, with the plan as it has become.
    pub(super) fn told(&self) -> Outcome {
        Outcome { plan: Arc::new(self.plan.clone()), ..self.outcome.clone() }
    }

    /// What an oracle says of it.
    pub(super) fn judge(&self, oracle: fn(&Case<'_>) -> Option<Violation>) -> Option<Violation> {
        oracle(&Case::new(&self.told()))
    }
}

fn list(dump: &mut Dump, key: &str, versions: &[(Place, WriteId)]) {
    let read = dump.keys.entry(("main".to_owned(), key.to_owned())).or_default();
    read.versions = versions
        .iter()
        .map(|&(place, write)| VersionRead {
            version: format!("v{write}"),
            place,
            read: Shown::Write(write),
            tags: None,
        })
        .collect();
    read.current = versions.first().map(|(_, write)| Shown::Write(*write)).or(Some(Shown::Nothing));
}
