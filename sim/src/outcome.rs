//! Everything that a run left behind, as plain data: what oracles, reports and comparisons read.

use crate::{
    history::{Dump, History},
    nemesis::Loss,
    plan::Plan,
    world::{control::Outage, watch::Delivery},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A site's data as read right after its process came back, before it could reach any peer.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Which site.
    pub site: u16,
    /// When its process had ended.
    pub ended_at: Duration,
    /// What a client read.
    pub dump: Dump,
}

/// When a site came to cover how much of each origin: for lag and divergence over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// When.
    pub at: Duration,
    /// At which site.
    pub site: u16,
    /// The origin, as the text of its dots without their sequence number.
    pub origin: String,
    /// The last sequence number covered.
    pub seq: u64,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was to happen.
    pub plan: Arc<Plan>,
    /// What the clients saw.
    pub history: History,
    /// What each site shows in the end; absent if it could not be read.
    pub dumps: BTreeMap<u16, Dump>,
    /// What each site showed after a crash.
    pub audits: Vec<Audit>,
    /// Which bytes the world delivered where.
    pub deliveries: Vec<Delivery>,
    /// What was lost for good.
    pub losses: Vec<Loss>,
    /// Ends of processes.
    pub outages: Vec<Outage>,
    /// Faults that were in effect, by their place in the plan.
    pub effective: BTreeSet<usize>,
    /// Progress of each site.
    pub applied: Vec<Applied>,
    /// When all sites claimed to have converged; none if they never did.
    pub converged_at: Option<Duration>,
    /// What the sites said of themselves when they did not.
    pub stuck: Vec<String>,
    /// Marks reached by the engine.
    pub marks: BTreeMap<&'static str, u64>,
    /// The world's hash of all that happened, and how many events are in it.
    pub trace: (u64, u64),
    /// Simulated time.
    pub simulated: Duration,
    /// Network bytes and chunks delivered.
    pub traffic: (u64, u64),
}
