//! The series of `/metrics`: base units, `_total` on counters only, and labels of few values: never a bucket or a key.
//!
//! What a site knows only by looking (backlog, lag, conflicts) is looked at when asked, so a stuck peer's figures grow by
//! themselves; what happens (requests) is counted as it happens.

use crate::s3::{Answered, Observe};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    op: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Op {
    op: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Mark {
    mark: String,
}

type Float = Gauge<f64, AtomicU64>;

/// What a site's look at itself found of one peer.
#[derive(Clone, Debug, Default)]
pub struct PeerReading {
    /// The peer's name.
    pub name: String,
    /// Whether there is a session to it.
    pub up: bool,
    /// Seconds that the oldest operation has waited that it has not; none if that is not known.
    pub oldest_unsent_s: Option<f64>,
    /// Operations that it has not.
    pub backlog_ops: Option<u64>,
    /// Bytes of those operations' bodies.
    pub backlog_bytes: Option<u64>,
    /// Its wall clock ahead of this site's.
    pub clock_offset_s: Option<f64>,
    /// Question and answer.
    pub round_trip_s: Option<f64>,
}

/// What a site's look at itself found.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Of each peer.
    pub peers: Vec<PeerReading>,
    /// Keys with conflicts that nobody has resolved.
    pub conflicts: u64,
    /// Versions whose body is not here.
    pub bodies_wanted: u64,
    /// Records found damaged and not repaired.
    pub damaged: u64,
    /// Entries brought back by repair since the start.
    pub repaired: u64,
    /// Versions whose body was declared lost here since the start.
    pub bodies_lost: u64,
    /// Remote timestamps too far ahead to follow, since the start.
    pub clock_suspects: u64,
    /// Origins whose log was found forked, since the start.
    pub forks: u64,
    /// The disk's total and available bytes.
    pub disk: Option<(u64, u64)>,
    /// How often a file or folder was made durable since the start.
    pub syncs: u64,
    /// How often each rare path was taken since the start.
    pub marks: Vec<(&'static str, u64)>,
}

/// A site's series.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    durations: Family<Op, Histogram, fn() -> Histogram>,
}

fn durations() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Default for Metrics {
    fn default() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(durations) }
    }
}

impl Metrics {
    /// All series as text, in the OpenMetrics format.
    pub fn text(&self, reading: &Reading) -> String {
        let mut registry = Registry::with_prefix("anabranch");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The release that runs", Info::new(version));
        registry.register(
            "s3_requests",
            "Requests answered, by operation and status code",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "s3_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            self.durations.clone(),
        );
        of_peers(&mut registry, reading);
        of_site(&mut registry, reading);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string succeeds");
        text
    }
}

fn of_peers(registry: &mut Registry, reading: &Reading) {
    let family = |value: &dyn Fn(&PeerReading) -> Option<f64>| {
        let family = Family::<Peer, Float>::default();
        for peer in &reading.peers {
            if let Some(value) = value(peer) {
                family.get_or_create(&Peer { peer: peer.name.clone() }).set(value);
            }
        }
        family
    };
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    registry.register(
        "peer_up",
        "1 if there is a session to the peer",
        family(&|peer| Some(f64::from(u8::from(peer.up)))),
    );
    registry.register_with_unit(
        "replication_oldest_unsent_age",
        "Age of the oldest operation that the peer has not; absent while the peer was never heard",
        Unit::Seconds,
        family(&|peer| peer.oldest_unsent_s),
    );
    registry.register(
        "replication_queue_operations",
        "Operations that the peer has not reported as applied",
        family(&|peer| whole(peer.backlog_ops)),
    );
    registry.register_with_unit(
        "replication_queue",
        "Bytes of the bodies of those operations",
        Unit::Bytes,
        family(&|peer| whole(peer.backlog_bytes)),
    );
    registry.register_with_unit(
        "peer_clock_offset",
        "How far the peer's wall clock is ahead of this site's",
        Unit::Seconds,
        family(&|peer| peer.clock_offset_s),
    );
    registry.register_with_unit(
        "peer_rtt",
        "Round trip of the last handshake",
        Unit::Seconds,
        family(&|peer| peer.round_trip_s),
    );
}

fn of_site(registry: &mut Registry, reading: &Reading) {
    let gauge = |value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(value.cast_signed());
        gauge
    };
    let counter = |value: u64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        counter
    };
    registry.register(
        "conflicts_open",
        "Keys with several versions of which nobody chose",
        gauge(reading.conflicts),
    );
    registry.register("bodies_wanted", "Versions whose bytes are not here yet", gauge(reading.bodies_wanted));
    registry.register(
        "store_corrupt_objects",
        "Records found damaged and not repaired yet",
        gauge(reading.damaged),
    );
    registry.register(
        "antientropy_keys_repaired",
        "Entries brought back by repair",
        counter(reading.repaired),
    );
    registry.register(
        "bodies_lost",
        "Versions whose bytes were declared lost here",
        counter(reading.bodies_lost),
    );
    registry.register(
        "clock_suspect_operations",
        "Operations whose timestamp was too far ahead to follow",
        counter(reading.clock_suspects),
    );
    registry.register("logs_forked", "Origins whose log was found forked", counter(reading.forks));
    if let Some((total, available)) = reading.disk {
        registry.register_with_unit("store_disk_size", "Size of the disk", Unit::Bytes, gauge(total));
        registry.register_with_unit("store_disk_available", "Free space", Unit::Bytes, gauge(available));
    }
    registry.register("store_syncs", "How often a file or folder was made durable", counter(reading.syncs));
    let marks = Family::<Mark, Counter>::default();
    for (mark, count) in &reading.marks {
        marks.get_or_create(&Mark { mark: (*mark).to_owned() }).inc_by(*count);
    }
    registry.register("rare_paths", "How often each rare path was taken", marks);
}

impl Observe for Metrics {
    fn answered(&self, answered: &Answered) {
        let op = answered.operation.clone();
        self.requests.get_or_create(&Request { op: op.clone(), code: answered.status }).inc();
        self.durations.get_or_create(&Op { op }).observe(answered.took.as_secs_f64());
    }
}
