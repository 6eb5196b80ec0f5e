//! Laws of the replicated state: any delivery order, with duplicates and state merges in between, converges; merge is a
//! join; encodings read back; a damaged record is repaired without losing or reviving anything.

use anabranch::{
    causality::{Dot, Epoch, SiteId, Timestamp},
    conflict::{Policy, current},
    crdt::{MemoryState, Record, State, apply, codec, merge, repair},
    object::{Body, BucketId, Content, Field, Kind, Manifest, Op, RecordKey, Versioning, wire},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SITES: u16 = 3;

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// A write at a site: (site, key, kind, sees only some of what is there).
    Write(u16, u8, u8, bool),
    /// The next operation of an origin, from one site to another, perhaps twice.
    Deliver { to: u16, from: u16, pick: u8, twice: bool },
    /// A state merge.
    Merge { to: u16, from: u16 },
    /// A new epoch at a site.
    Restart(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let site = 0..SITES;
    let step = prop_oneof![
        4 => (site.clone(), 0..3u8, 0..9u8, any::<bool>()).prop_map(|(s, k, kind, some)| Step::Write(s, k, kind, some)),
        6 => (site.clone(), site.clone(), any::<u8>(), any::<bool>())
            .prop_map(|(to, from, pick, twice)| Step::Deliver { to, from, pick, twice }),
        1 => (site.clone(), site.clone()).prop_map(|(to, from)| Step::Merge { to, from }),
        1 => site.prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 1..90)
}

fn key(n: u8) -> RecordKey {
    let bucket = BucketId::new("bucket", "owner").unwrap();
    if n == 2 {
        RecordKey::Bucket(bucket)
    } else {
        RecordKey::object(bucket, ["a", "b"][n as usize]).unwrap()
    }
}

fn content(n: usize) -> Content {
    let body = Body::Inline(n.to_string().into());
    Content {
        manifest: Manifest { size: n.to_string().len() as u64, etag: n.to_string(), body, parts: Vec::new() },
        headers: BTreeMap::from([("x-amz-meta-n".into(), n.to_string())]),
    }
}

struct History {
    sites: Vec<MemoryState>,
    epochs: Vec<u64>,
    ops: Vec<Op>,
}

impl History {
    fn run(steps: &[Step]) -> Self {
        let mut history = Self {
            sites: vec![MemoryState::default(); SITES.into()],
            epochs: vec![1; SITES.into()],
            ops: Vec::new(),
        };
        for step in steps {
            match *step {
                Step::Write(site, k, kind, some) => history.write(site, k, kind, some),
                Step::Deliver { to, from, pick, twice } => history.deliver(to, from, pick, twice),
                Step::Merge { to, from } if to != from => {
                    let theirs = history.sites[usize::from(from)].clone();
                    history.sites[usize::from(to)].merge(&theirs);
                }
                Step::Merge { .. } => {}
                Step::Restart(site) => history.epochs[usize::from(site)] += 1,
            }
        }
        history
    }

    fn write(&mut self, site: u16, k: u8, kind: u8, some: bool) {
        let n = self.ops.len();
        let state = &mut self.sites[usize::from(site)];
        let epoch = Epoch(self.epochs[usize::from(site)]);
        let dot = Dot { site: SiteId(site), epoch, seq: state.applied().last_of((SiteId(site), epoch)) + 1 };
        let record = state.record(&key(k)).unwrap();
        let mut live = Policy::Lww.replaced_by_blind_write(&record);
        if some {
            live.truncate(1); // a client's stale context
        }
        let all: Vec<Dot> = record.entries.keys().copied().collect();
        let unseen = if kind.is_multiple_of(2) { live.clone() } else { Vec::new() };
        let any_version = record.versions().next().map(|(stamp, _)| stamp.dot);
        let (kind, supersedes) = match (k, kind) {
            (2, 0..4) => (Kind::BucketCreate, all),
            (2, 4..7) => (Kind::BucketConfig { field: "conflict".into(), value: n.to_string() }, all),
            (2, _) => (Kind::BucketDelete, all),
            (_, 0..2) => (Kind::Put { versioning: Versioning::Unversioned, content: content(n) }, live),
            (_, 2) => (Kind::Put { versioning: Versioning::Enabled, content: content(n) }, live),
            (_, 3) => (Kind::Delete, live),
            (_, 4) => (Kind::DeleteMarker { versioning: Versioning::Suspended }, live),
            (_, 5) => (Kind::VersionDelete, any_version.into_iter().collect()),
            (_, 6) => {
                (Kind::BodyLost { versioning: Versioning::Unversioned, restored: Some(content(n)) }, live)
            }
            (_, 7) => (Kind::Expire, any_version.into_iter().collect()),
            (_, _) => {
                let Some(target) = any_version else { return };
                let observed = record.tags_of(target).map(|(dot, _)| dot);
                (
                    Kind::Meta {
                        target,
                        field: Field::Tags,
                        pairs: BTreeMap::from([("n".into(), n.to_string())]),
                    },
                    observed.into_iter().collect(),
                )
            }
        };
        let op = Op {
            dot,
            prev: state.chain(dot.origin()).unwrap_or_default(),
            hlc: Timestamp(record.greatest_hlc().0.max(n as u64) + 1),
            record: key(k),
            kind,
            supersedes,
            unseen,
            client_context: some,
        };
        apply(state, &op, op.chain_hash()).expect("an own write is next");
        self.ops.push(op);
    }

    fn deliver(&mut self, to: u16, from: u16, pick: u8, twice: bool) {
        let source = self.sites[usize::from(from)].applied().clone();
        let state = &mut self.sites[usize::from(to)];
        let open: Vec<_> = source.iter().filter(|(o, seq)| state.applied().last_of(*o) < *seq).collect();
        if open.is_empty() {
            return;
        }
        let (origin, _) = open[usize::from(pick) % open.len()];
        let seq = state.applied().last_of(origin) + 1;
        let op = self.ops.iter().find(|op| op.dot.origin() == origin && op.dot.seq == seq).unwrap();
        for _ in 0..=u8::from(twice) {
            apply(state, op, op.chain_hash()).expect("the next operation of a log applies");
        }
    }

    /// Everything everywhere, in an order that depends on the site.
    fn quiesce(&mut self) {
        for to in 0..SITES {
            let mut round = 0;
            while self
                .sites
                .iter()
                .any(|from| !self.sites[usize::from(to)].applied().dominates(from.applied()))
            {
                let from = (to + 1 + (round as u16 % (SITES - 1))) % SITES;
                self.deliver(to, from, (round * 7) as u8, round % 3 == 0);
                round += 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_delivery_order_converges(steps in steps()) {
        let mut history = History::run(&steps);
        history.quiesce();
        for site in 1..usize::from(SITES) {
            prop_assert_eq!(&history.sites[0], &history.sites[site]);
        }
        // One replica that saw every operation once, in issue order, says the same.
        let mut straight = MemoryState::default();
        for op in &history.ops {
            apply(&mut straight, op, op.chain_hash()).expect("issue order has no gaps");
        }
        prop_assert_eq!(&straight, &history.sites[0]);
    }

    #[test]
    fn merge_is_a_join(steps in steps()) {
        let history = History::run(&steps);
        let [a, b, c] = <[MemoryState; 3]>::try_from(history.sites).unwrap();
        let join = |x: &MemoryState, y: &MemoryState| { let mut x = x.clone(); x.merge(y); x };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&join(&a, &b), &b), join(&a, &b));
    }

    #[test]
    fn encodings_read_back(steps in steps()) {
        let history = History::run(&steps);
        for op in &history.ops {
            prop_assert_eq!(&wire::decode_op(&wire::encode_op(op)).unwrap(), op);
        }
        for record in history.sites.iter().flat_map(|state| state.records().values()) {
            prop_assert_eq!(&codec::decode_record(&codec::encode_record(record)).unwrap(), record);
        }
    }

    #[test]
    fn damaged_bytes_never_decode_to_something_else_unnoticed(steps in steps(), cut in any::<prop::sample::Index>()) {
        let history = History::run(&steps);
        for op in &history.ops {
            let bytes = wire::encode_op(op);
            // A short read is an error or another operation, never a panic; the envelope's checksum tells which.
            if let Ok(other) = wire::decode_op(&bytes[..cut.index(bytes.len())]) {
                prop_assert_ne!(&other, op);
            }
        }
    }

    /// A record wiped by a flipped bit comes back whole from a peer and the own log, whichever of both is further on.
    #[test]
    fn repair_restores_a_damaged_record_and_removes_nothing(steps in steps(), n in 0..3u8) {
        let history = History::run(&steps);
        let (mine, theirs) = (&history.sites[0], &history.sites[1]);
        let [whole, held] = [mine, theirs].map(|state| state.records().get(&key(n)).cloned().unwrap_or_default());
        let log: Vec<Op> = history.ops.iter()
            .filter(|op| op.record == key(n) && mine.applied().covers(op.dot)).cloned().collect();
        let damaged = Record::default();
        let repaired =
            repair::repair(&damaged, mine.applied(), &held, theirs.applied(), &log);
        for (dot, entry) in &whole.entries {
            let back = repaired.entries.get(dot);
            prop_assert!(
                back.is_some_and(|back| back.raise >= entry.raise) || !theirs.applied().dominates(mine.applied())
                    || !held.entries.contains_key(dot),
                "{dot} was {entry:?}, came back as {back:?}"
            );
        }
        // The same damage taken as a merge would have purged every version that both sides had applied.
        let merged = merge::merge(&damaged, mine.applied(), &held, theirs.applied());
        prop_assert!(merged.entries.keys().all(|dot| !mine.applied().covers(*dot)));
        if theirs.applied() == mine.applied() {
            prop_assert_eq!(current(&repaired).map(|(s, _)| s), current(&whole).map(|(s, _)| s));
        }
    }
}
