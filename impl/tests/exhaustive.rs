//! Every interleaving of a small scope: 2 sites, 2 keys, up to 6 writes, with deliveries, state merges in either
//! direction and restarts in between, against a reference model.
//!
//! Random walks miss states even in tiny systems; this walk misses none within its scope. The model says what a state is
//! from the *set* of operations alone, so it also checks that order, duplicates and merges make no difference.
//! Sites and keys are interchangeable, so the first write is always at site 0 on key 0.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "nothing here is simulated, and nothing depends on the order of the set"
)]

use anabranch::{
    causality::{Dot, Epoch, SiteId, Timestamp},
    conflict::{Policy, current},
    crdt::{MemoryState, Payload, Raise, Record, State, Status, apply},
    object::{Body, BucketId, Content, Kind, Manifest, Op, RecordKey, Versioning},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

const SITES: usize = 2;
const KEYS: usize = 2;

/// What one walk's writes are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// PUT and DELETE in an unversioned bucket.
    Unversioned,
    /// PUT, a delete marker, and the permanent delete of the current version, in a versioned bucket.
    Versioned,
}

#[derive(Clone)]
struct World {
    sites: Vec<MemoryState>,
    epochs: [u64; SITES],
    seqs: [u64; SITES],
    /// Every operation issued, in issue order.
    ops: Vec<Op>,
}

fn record_key(key: usize) -> RecordKey {
    RecordKey::object(BucketId::new("bucket", "owner").unwrap(), ["a", "b"][key]).unwrap()
}

/// The state that a set of operations stands for, from the rules of design alone.
fn model(ops: &[&Op]) -> BTreeMap<RecordKey, Record> {
    let applied: BTreeSet<Dot> = ops.iter().map(|op| op.dot).collect();
    let mut records: BTreeMap<RecordKey, Record> = BTreeMap::new();
    for op in ops {
        let raises_of = |dot: Dot| {
            let naming =
                ops.iter().filter(|other| other.record == op.record && other.supersedes.contains(&dot));
            naming.map(|other| Raise::by(other, dot)).max().unwrap_or(Raise::Live)
        };
        let record = records.entry(op.record.clone()).or_default();
        let (versioning, content) = match &op.kind {
            Kind::Put { versioning, content } => (Some(*versioning), Some(content.clone())),
            Kind::DeleteMarker { versioning } => (Some(*versioning), None),
            _ => (None, None),
        };
        if let Some(versioning) = versioning {
            let raise = raises_of(op.dot);
            let is_null = versioning != Versioning::Enabled;
            if raise != Raise::Purged && !(is_null && raise == Raise::Overwritten) {
                let payload = Payload::Version { versioning, content };
                let raises = op.supersedes.iter().map(|dot| (*dot, Raise::by(op, *dot))).collect();
                record.entries.insert(op.dot, anabranch::crdt::Entry { hlc: op.hlc, raise, payload, raises });
            }
        }
        for dot in op.supersedes.iter().filter(|dot| !applied.contains(dot)) {
            record.pending.insert(*dot, raises_of(*dot));
        }
    }
    records.retain(|_, record| !record.entries.is_empty() || !record.pending.is_empty());
    records
}

impl World {
    fn new() -> Self {
        Self {
            sites: vec![MemoryState::default(); SITES],
            epochs: [1; SITES],
            seqs: [0; SITES],
            ops: Vec::new(),
        }
    }

    /// A write at a site as the engine would sequence it; `None` where there is nothing to write.
    fn write(&self, mode: Mode, site: usize, key: usize, kind: usize, fresh_epoch: bool) -> Option<Self> {
        let mut next = self.clone();
        if fresh_epoch {
            next.epochs[site] += 1;
            next.seqs[site] = 0;
        }
        next.seqs[site] += 1;
        let dot = Dot { site: SiteId(site as u16), epoch: Epoch(next.epochs[site]), seq: next.seqs[site] };
        let state = &mut next.sites[site];
        let record = state.record(&record_key(key)).unwrap();
        let live = Policy::Lww.replaced_by_blind_write(&record);
        // The two bodies of site 0 and site 1 differ; half of the superseded versions of the other site are unseen.
        let unseen =
            live.iter().copied().filter(|dot| dot.site.0 as usize != site && dot.seq % 2 == 1).collect();
        let manifest = Manifest {
            size: 1,
            etag: "e".into(),
            body: Body::Inline(vec![site as u8].into()),
            parts: Vec::new(),
        };
        let content =
            Content { manifest, headers: BTreeMap::from([("w".into(), self.ops.len().to_string())]) };
        let versioning = if mode == Mode::Versioned { Versioning::Enabled } else { Versioning::Unversioned };
        let (kind, supersedes) = match (mode, kind) {
            (_, 0) => (Kind::Put { versioning, content }, live),
            (Mode::Unversioned, 1) if !live.is_empty() => (Kind::Delete, live),
            (Mode::Versioned, 1) if !live.is_empty() => (Kind::DeleteMarker { versioning }, live),
            (Mode::Versioned, 2) => (Kind::VersionDelete, vec![current(&record)?.0.dot]),
            _ => return None,
        };
        let op = Op {
            dot,
            prev: state.chain(dot.origin()).unwrap_or_default(),
            hlc: Timestamp(record.greatest_hlc().0 + 1),
            record: record_key(key),
            kind,
            supersedes,
            unseen,
            client_context: false,
        };
        apply(state, &op, op.chain_hash()).expect("a site's own write is always next");
        next.ops.push(op);
        Some(next)
    }

    /// The next operation of one origin that `site` lacks, delivered.
    fn deliver(&self, site: usize, from: usize, origin: (SiteId, Epoch)) -> Option<Self> {
        let seq = self.sites[site].applied().last_of(origin) + 1;
        if seq > self.sites[from].applied().last_of(origin) {
            return None;
        }
        let op = self.ops.iter().find(|op| op.dot.origin() == origin && op.dot.seq == seq)?.clone();
        let mut next = self.clone();
        apply(&mut next.sites[site], &op, op.chain_hash()).expect("the next operation of a log applies");
        apply(&mut next.sites[site], &op, op.chain_hash()).expect("and once more does nothing");
        Some(next)
    }

    fn merge(&self, site: usize, from: usize) -> Option<Self> {
        if self.sites[site].applied().dominates(self.sites[from].applied()) {
            return None;
        }
        let mut next = self.clone();
        let theirs = next.sites[from].clone();
        next.sites[site].merge(&theirs);
        Some(next)
    }

    fn fingerprint(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        for op in &self.ops {
            (op.dot, &op.record, &op.supersedes, &op.unseen, op.hlc, std::mem::discriminant(&op.kind))
                .hash(&mut hash);
        }
        self.epochs.hash(&mut hash);
        for site in &self.sites {
            site.applied().iter().collect::<Vec<_>>().hash(&mut hash);
        }
        hash.finish()
    }

    fn check(&self) {
        for (site, state) in self.sites.iter().enumerate() {
            let applied: Vec<&Op> = self.ops.iter().filter(|op| state.applied().covers(op.dot)).collect();
            assert_eq!(state.records(), &model(&applied), "site {site} after {:#?}", self.ops);
            for record in state.records().values() {
                assert!(record.entries.values().all(|entry| entry.status() != Status::Purged));
            }
        }
        if self.sites[0].applied() == self.sites[1].applied() {
            assert_eq!(self.sites[0], self.sites[1], "equal vectors, equal state");
        }
    }
}

fn explore(mode: Mode, writes_max: usize, fresh_epochs: bool) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![World::new()];
    while let Some(world) = open.pop() {
        // Checked before it is recognised: two paths to one vector must end in one state, and both are judged.
        world.check();
        if !seen.insert(world.fingerprint()) {
            continue;
        }
        let mut next = Vec::new();
        if world.ops.len() < writes_max {
            let (sites, keys) = if world.ops.is_empty() { (1, 1) } else { (SITES, KEYS) };
            for (site, key, kind) in
                (0..sites).flat_map(|s| (0..keys).flat_map(move |k| (0..3).map(move |kind| (s, k, kind))))
            {
                next.push(world.write(mode, site, key, kind, false));
                // A restart shows only in the next write, which then starts a new epoch.
                if fresh_epochs && world.seqs[site] > 0 {
                    next.push(world.write(mode, site, key, kind, true));
                }
            }
        }
        for (site, from) in [(0, 1), (1, 0)] {
            let origins: Vec<_> = world.sites[from].applied().iter().map(|(origin, _)| origin).collect();
            next.extend(origins.into_iter().map(|origin| world.deliver(site, from, origin)));
            next.push(world.merge(site, from));
        }
        open.extend(next.into_iter().flatten());
    }
    seen.len()
}

/// `ANABRANCH_EXHAUSTIVE_WRITES` sets the depth; 6 is the whole scope, run by `ci/full.sh`.
#[test]
fn every_interleaving_of_the_small_scope_agrees_with_the_model() {
    let writes: usize =
        std::env::var("ANABRANCH_EXHAUSTIVE_WRITES").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    for (mode, restarts) in [(Mode::Unversioned, false), (Mode::Unversioned, true), (Mode::Versioned, true)] {
        // Restarts and the third kind of write multiply the states; they get one write less.
        let depth = if restarts { writes - 1 } else { writes };
        let states = explore(mode, depth, restarts);
        println!("{mode:?}, {depth} writes, restarts {restarts}: {states} states");
        assert!(states > 100, "the walk explored next to nothing");
    }
}
