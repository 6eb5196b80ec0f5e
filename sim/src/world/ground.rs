//! What both simulators share: disks, clocks, links, the world's own log and its trace. All of it synchronous.
//!
//! A simulator gives virtual time, task scheduling, sockets, and the death and start of processes; everything else that a
//! site touches is here, the same under madsim and turmoil.

use super::{
    clock::SimClock,
    disk::Disk,
    link::{Link, LinkShape},
    watch::{Delivery, PayloadWatch},
};
use crate::{
    seed::{Concern, stream},
    trace::Trace,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Event kinds of the trace.
pub mod kind {
    /// Bytes delivered on a link.
    pub const BYTES: u8 = 1;
    /// A disk operation.
    pub const DISK: u8 = 2;
    /// A wall-clock reading.
    pub const CLOCK: u8 = 3;
    /// A draw of the engine.
    pub const DRAW: u8 = 4;
    /// A process starting or ending.
    pub const PROCESS: u8 = 5;
    /// A fault beginning or ending.
    pub const FAULT: u8 = 6;
}

/// One connection, as the world can reach it.
pub struct ConnControl {
    /// Its two sites, the caller first.
    pub sites: (u16, u16),
    /// Reset by the world.
    pub reset: AtomicBool,
    /// Cut for ever without an error.
    pub stalled: AtomicBool,
    /// Wakes whoever waits on it.
    pub changed: Notify,
    /// Wakes a task that reads from it.
    pub reader: Mutex<Option<std::task::Waker>>,
}

impl ConnControl {
    /// A healthy connection.
    pub fn new(sites: (u16, u16)) -> Arc<Self> {
        Arc::new(Self {
            sites,
            reset: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            changed: Notify::new(),
            reader: Mutex::new(None),
        })
    }

    /// Ends it with an error at both sides.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.changed.notify_waiters();
        self.changed.notify_one();
        if let Some(waker) = self.reader.lock().expect("no panic while held").take() {
            waker.wake();
        }
    }

    /// Whether it was reset.
    pub fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }
}

/// A site's machine.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about a machine")]
pub struct Machine {
    /// Its disk.
    pub disk: Disk,
    /// Its wall clock.
    pub clock: SimClock,
    /// Paused: nothing of it runs.
    pub paused: bool,
    /// How often it was.
    pub pauses: u64,
    /// Cut off from all others: while a restarted site is audited.
    pub isolated: bool,
    /// The process has found that it must end.
    pub exited: bool,
    /// A process runs.
    pub up: bool,
    draws: ChaCha8Rng,
    latency: ChaCha8Rng,
    /// What power cuts draw from.
    pub power: ChaCha8Rng,
}

/// Everything under the simulators.
pub struct Ground {
    state: Mutex<State>,
    /// Wakes what waits for a pause, a cut or an isolation to end.
    pub changed: Notify,
}

/// The ground's state.
pub struct State {
    /// The machines, by site.
    pub machines: Vec<Machine>,
    /// The links, by ordered pair of sites.
    pub links: BTreeMap<(u16, u16), Link>,
    /// The trace.
    pub trace: Trace,
    /// Payloads seen on the wire.
    pub watch: PayloadWatch,
    /// Marks reached by the engine, with counts.
    pub marks: BTreeMap<&'static str, u64>,
    /// Open connections.
    pub conns: Vec<std::sync::Weak<ConnControl>>,
    /// Network bytes delivered.
    pub bytes: u64,
    /// Messages (chunks) delivered.
    pub chunks: u64,
    stall: ChaCha8Rng,
}

impl Ground {
    /// A healthy world of so many sites.
    pub fn new(seed: u64, sites: u16, shapes: &BTreeMap<(u16, u16), LinkShape>) -> Arc<Self> {
        let machine = |site: u16| Machine {
            disk: Disk::default(),
            clock: SimClock::default(),
            paused: false,
            pauses: 0,
            isolated: false,
            exited: false,
            up: false,
            draws: stream(seed, Concern::Engine, site.into()),
            latency: stream(seed, Concern::DiskLatency, site.into()),
            power: stream(seed, Concern::PowerCut, site.into()),
        };
        let pairs = (0..sites).flat_map(|a| (0..sites).map(move |b| (a, b))).filter(|(a, b)| a != b);
        let links = pairs.map(|pair| {
            let rng = stream(seed, Concern::Link, u64::from(pair.0) << 16 | u64::from(pair.1));
            (pair, Link::new(shapes.get(&pair).cloned().unwrap_or_default(), rng))
        });
        let state = State {
            machines: (0..sites).map(machine).collect(),
            links: links.collect(),
            trace: Trace::default(),
            watch: PayloadWatch::default(),
            marks: BTreeMap::new(),
            conns: Vec::new(),
            bytes: 0,
            chunks: 0,
            stall: stream(seed, Concern::Stall, 0),
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    /// The state, for one synchronous step.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the ground panics")
    }
}

impl State {
    /// One machine.
    pub fn machine(&mut self, site: u16) -> &mut Machine {
        &mut self.machines[usize::from(site)]
    }

    /// A site's wall clock, read by the engine.
    pub fn read_clock(&mut self, site: u16, now: Duration) -> u64 {
        let wall = self.machine(site).clock.wall_ms(now.as_micros() as i64);
        self.trace.event(kind::CLOCK, site.into(), now.as_nanos() as u64, &wall.to_le_bytes());
        wall
    }

    /// A draw by the engine.
    pub fn draw(&mut self, site: u16, now: Duration) -> u64 {
        let drawn = self.machine(site).draws.random();
        self.trace.event(kind::DRAW, site.into(), now.as_nanos() as u64, &u64::to_le_bytes(drawn));
        drawn
    }

    /// How long a piece of blocking work takes, in microseconds: mostly the disk, sometimes a hiccup of it.
    pub fn disk_latency_us(&mut self, site: u16, is_write: bool) -> u64 {
        let machine = self.machine(site);
        let (low, high) = if is_write { (1500, 9000) } else { (50, 400) };
        let hiccup = if machine.latency.random_ratio(1, 400) { 30_000 } else { 0 };
        machine.latency.random_range(low..high) + hiccup + machine.disk.faults.slow_us
    }

    /// Whether nothing gets from one site to another now.
    pub fn is_cut(&self, from: u16, to: u16) -> bool {
        let isolated = |site: u16| self.machines[usize::from(site)].isolated;
        isolated(from) || isolated(to) || self.links.get(&(from, to)).is_some_and(Link::is_cut)
    }

    /// Whether a connection that a cut caught stalls for ever.
    pub fn stalls(&mut self) -> bool {
        self.stall.random_bool(0.5)
    }

    /// Bytes arrived at a socket.
    pub fn arrived(&mut self, from: u16, to: u16, now: Duration, bytes: &[u8]) {
        self.trace.event(kind::BYTES, u64::from(from) << 16 | u64::from(to), now.as_nanos() as u64, bytes);
        self.bytes += bytes.len() as u64;
        self.chunks += 1;
    }

    /// Bytes were taken out of a socket by the process that it belongs to.
    pub fn delivered(&mut self, conn: u64, from: u16, to: u16, now: Duration, bytes: &[u8]) {
        let delivery = |write, part, in_state| Delivery { write, part, from, to, at: now, in_state };
        self.watch.bytes(conn, bytes, delivery);
    }

    /// Registers an open connection.
    pub fn register(&mut self, control: &Arc<ConnControl>) {
        self.conns.retain(|conn| conn.strong_count() > 0);
        self.conns.push(Arc::downgrade(control));
    }

    /// Resets every connection that `matches`.
    pub fn reset_conns(&mut self, matches: impl Fn((u16, u16)) -> bool) -> usize {
        let hit: Vec<_> =
            self.conns.iter().filter_map(std::sync::Weak::upgrade).filter(|c| matches(c.sites)).collect();
        hit.iter().for_each(|conn| conn.reset());
        hit.len()
    }
}
