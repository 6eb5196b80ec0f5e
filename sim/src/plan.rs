//! `Scenario + seed -> Plan`: every fault and every client operation with its instant, drawn up front.
//!
//! A plan is plain data: it prints, it replays, and taking one line out changes no other.

use crate::{
    nemesis::{Fault, PlannedFault},
    scenario::Scenario,
    seed::{Concern, stream},
    workload::{self, Action},
    world::link::LinkShape,
};
use rand::Rng;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedOp {
    /// Its number; writes carry it in their bytes.
    pub id: u32,
    /// When it begins.
    pub at: Duration,
    /// At which site.
    pub site: u16,
    /// By which of the site's clients.
    pub client: u16,
    /// In which bucket.
    pub bucket: String,
    /// On which key.
    pub key: String,
    /// What it does.
    pub action: Action,
}

impl PlannedOp {
    /// Bucket and key.
    pub fn place(&self) -> (String, String) {
        (self.bucket.clone(), self.key.clone())
    }
}

/// A bucket that exists before the clients start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedBucket {
    /// Its name.
    pub name: String,
    /// Its `versioning` field; empty for unversioned.
    pub versioning: String,
    /// Its `conflict` field.
    pub policy: String,
}

/// Everything that will happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// How many sites.
    pub sites: u16,
    /// The links that differ from the default, by ordered pair.
    #[serde(skip)]
    pub links: BTreeMap<(u16, u16), LinkShape>,
    /// The buckets.
    pub buckets: Vec<PlannedBucket>,
    /// Clients a site.
    pub clients: u16,
    /// Client operations in order of time.
    pub ops: Vec<PlannedOp>,
    /// Faults in order of time.
    pub faults: Vec<PlannedFault>,
    /// When the first fault may come.
    pub chaos_at: Duration,
    /// When all faults end.
    pub heal_at: Duration,
    /// When everything must have converged.
    pub deadline: Duration,
    /// Blind window of the engine.
    pub blind_window: Duration,
    /// Log entries kept below the stable cut.
    pub log_keep: u64,
    /// The database's cache, in bytes.
    pub cache_bytes: usize,
    /// Whether a site that comes back takes writes before its first contact with a peer.
    pub writes_before_contact: bool,
}

impl Plan {
    /// Draws a scenario under a seed.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let mut topology = stream(seed, Concern::Topology, 0);
        let sites = scenario.sites;
        let mut links = BTreeMap::new();
        for a in 0..sites {
            for b in a + 1..sites {
                let base = &scenario.links;
                let latency = Duration::from_micros((base.latency_ms.draw(&mut topology) * 1000.0) as u64);
                let shape = LinkShape {
                    latency,
                    jitter: Duration::from_micros((base.jitter_ms * 1000.0) as u64),
                    bandwidth: (base.bandwidth_mbit * 125_000.0) as u64,
                    loss_ppm: (base.loss * 1e6) as u32,
                    corrupt_ppm: 0,
                };
                links.insert((a, b), shape.clone());
                links.insert((b, a), shape);
            }
        }
        let writes_before_contact = topology.random_bool(0.5);
        let phases = &scenario.phases;
        let chaos_at = Duration::from_secs_f64(phases.warmup_s);
        let heal_at = chaos_at + Duration::from_secs_f64(phases.chaos_s);
        let ops = workload::draw(scenario, seed, heal_at);
        let mut faults = Vec::new();
        for (n, spec) in scenario.faults.iter().enumerate() {
            let mut rng = stream(seed, Concern::Fault, n as u64);
            faults.extend(spec.draw(&mut rng, sites, chaos_at, heal_at));
        }
        faults.sort_by_key(|fault: &PlannedFault| fault.at);
        // Backlog beyond what the links carry at once gets its own time.
        let bytes: u64 = ops.iter().map(|op| op.action.bytes()).sum();
        let drain = Duration::from_secs_f64(bytes as f64 / (scenario.links.bandwidth_mbit * 125_000.0));
        let buckets = scenario.buckets.iter().map(|bucket| PlannedBucket {
            name: bucket.name.clone(),
            versioning: bucket.versioning.clone(),
            policy: bucket.policy.clone(),
        });
        Self {
            scenario: scenario.name.clone(),
            seed,
            sites,
            links,
            buckets: buckets.collect(),
            clients: workload::clients(scenario),
            ops,
            faults,
            chaos_at,
            heal_at,
            deadline: heal_at + Duration::from_secs_f64(phases.quiesce_s) + drain,
            blind_window: Duration::from_millis(scenario.engine.blind_window_ms),
            log_keep: scenario.engine.log_keep,
            cache_bytes: scenario.engine.cache_kib << 10,
            writes_before_contact,
        }
    }

    /// The plan in words, line by line, in order of time.
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<(Duration, String)> = self
            .ops
            .iter()
            .map(|op| {
                let what = format!(
                    "s{} client {} {:?} {}/{} (#{})",
                    op.site, op.client, op.action, op.bucket, op.key, op.id
                );
                (op.at, what)
            })
            .chain(self.faults.iter().map(|fault| (fault.at, format!("FAULT {fault}"))))
            .collect();
        lines.sort();
        lines.into_iter().map(|(at, what)| format!("{:>9.3}s  {what}", at.as_secs_f64())).collect()
    }

    /// Whether a site's disk was replaced or rolled back at some time, which loses what only it held.
    pub fn loses_disks(&self) -> bool {
        self.faults.iter().any(|fault| {
            matches!(fault.fault, Fault::Rebuild { .. } | Fault::Restore { .. } | Fault::BodyLost { .. })
        })
    }
}
