//! What clients do: presets of a mix, drawn into operations up front.
//!
//! | kind | its clients |
//! |---|---|
//! | `steady` | write and read many keys, rarely the same |
//! | `contended` | all write the same few keys, some of them hot (zipf) |
//! | `churn` | put, delete, put again, and delete single versions |
//! | `read-modify-write` | read a key and write it back with what they have seen, or with a token of another key |
//! | `admin` | tag objects, change buckets' settings, create and delete buckets |

pub mod body;
pub mod client;

use crate::{
    plan::PlannedOp,
    scenario::Scenario,
    seed::{Concern, stream},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a client waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What one operation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Action {
    /// A PUT without context.
    Put {
        /// Bytes.
        size: usize,
    },
    /// A read.
    Get,
    /// A DELETE without context.
    Delete,
    /// A read, and a PUT that hands back what was seen.
    ReadModifyWrite {
        /// Bytes.
        size: usize,
    },
    /// A listing of versions, and the permanent delete of the newest.
    DeleteVersion,
    /// A PUT with a token that was given out for another key: it must be refused.
    ForeignToken {
        /// Bytes.
        size: usize,
    },
    /// All tags of what the key shows, replaced.
    Tag,
    /// A field of the bucket's configuration.
    Configure {
        /// The field.
        field: &'static str,
        /// The value.
        value: &'static str,
    },
    /// The bucket created, or deleted if it exists and is empty.
    ToggleBucket,
}

impl Action {
    /// Body bytes that it writes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Put { size } | Self::ReadModifyWrite { size } | Self::ForeignToken { size } => *size as u64,
            _ => 0,
        }
    }

    /// Whether it is a write whose fate is accounted for.
    pub fn is_put(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::ReadModifyWrite { .. } | Self::ForeignToken { .. })
    }
}

/// The presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// See the module.
    Steady,
    /// See the module.
    Contended,
    /// See the module.
    Churn,
    /// See the module.
    ReadModifyWrite,
    /// See the module.
    Admin,
}

/// A workload in a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Which preset.
    pub kind: WorkloadKind,
    /// Operations a second at each site.
    pub rate_per_s: f64,
    /// How many keys there are.
    #[serde(default = "keys")]
    pub keys: u32,
    /// Exponent of the keys' popularity; 0 is uniform.
    #[serde(default)]
    pub zipf: f64,
    /// Body sizes in bytes, drawn log-uniformly.
    #[serde(default = "body")]
    pub body: [usize; 2],
    /// The bucket; empty means the scenario's first.
    #[serde(default)]
    pub bucket: String,
    /// Clients at each site.
    #[serde(default = "two")]
    pub clients_per_site: u16,
}

fn keys() -> u32 {
    50
}

fn body() -> [usize; 2] {
    [64, 2048]
}

fn two() -> u16 {
    2
}

/// Clients a site in all workloads together.
pub fn clients(scenario: &Scenario) -> u16 {
    scenario.workloads.iter().map(|workload| workload.clients_per_site).sum()
}

/// Draws all operations up to an instant, in order of time, numbered from 1.
pub fn draw(scenario: &Scenario, seed: u64, until: Duration) -> Vec<PlannedOp> {
    let mut ops = Vec::new();
    let mut first_client = 0;
    for (n, workload) in scenario.workloads.iter().enumerate() {
        let bucket = if workload.bucket.is_empty() { &scenario.buckets[0].name } else { &workload.bucket };
        for site in 0..scenario.sites {
            for client in first_client..first_client + workload.clients_per_site {
                let entity = (n as u64) << 32 | u64::from(site) << 16 | u64::from(client);
                let mut rng = stream(seed, Concern::Client, entity);
                let rate = workload.rate_per_s / f64::from(workload.clients_per_site);
                let mut at = Duration::from_millis(300);
                loop {
                    // Poisson arrivals: exponential gaps.
                    let gap = -(1.0 - rng.random::<f64>()).ln() / rate.max(1e-6);
                    at += Duration::from_secs_f64(gap.min(3600.0));
                    if at >= until {
                        break;
                    }
                    let (bucket, key, action) = one(workload, bucket, site, &mut rng);
                    ops.push(PlannedOp { id: 0, at, site, client, bucket, key, action });
                }
            }
        }
        first_client += workload.clients_per_site;
    }
    ops.sort_by_key(|op| (op.at, op.site, op.client));
    for (n, op) in ops.iter_mut().enumerate() {
        op.id = n as u32 + 1;
    }
    ops
}

fn one(workload: &WorkloadSpec, bucket: &str, site: u16, rng: &mut ChaCha8Rng) -> (String, String, Action) {
    let [low, high] = workload.body.map(|bytes| bytes.max(2 * crate::world::watch::MARK) as f64);
    let size = (low.ln() + rng.random::<f64>() * (high.ln() - low.ln()).max(0.0)).exp() as usize;
    let key = format!("k{:03}", zipf(workload.keys, workload.zipf, rng));
    let roll = rng.random_range(0..100);
    let here = |action| (bucket.to_owned(), key.clone(), action);
    match workload.kind {
        WorkloadKind::Steady => match roll {
            0..60 => here(Action::Put { size }),
            60..85 => here(Action::Get),
            85..95 => here(Action::ReadModifyWrite { size }),
            _ => here(Action::Delete),
        },
        WorkloadKind::Contended => match roll {
            0..75 => here(Action::Put { size }),
            75..90 => here(Action::ReadModifyWrite { size }),
            _ => here(Action::Get),
        },
        WorkloadKind::Churn => match roll {
            0..45 => here(Action::Put { size }),
            45..75 => here(Action::Delete),
            75..85 => here(Action::DeleteVersion),
            85..92 => here(Action::ReadModifyWrite { size }),
            _ => here(Action::Get),
        },
        WorkloadKind::ReadModifyWrite => match roll {
            0..75 => here(Action::ReadModifyWrite { size }),
            75..80 => here(Action::ForeignToken { size }),
            80..90 => here(Action::Put { size }),
            _ => here(Action::Get),
        },
        WorkloadKind::Admin => match roll {
            0..30 => here(Action::Put { size }),
            30..70 => here(Action::Tag),
            70..85 => {
                let value = if rng.random_bool(0.5) { "lww" } else { "keep-both" };
                here(Action::Configure { field: "conflict", value })
            }
            // A few bucket names, shared by all sites: creations and deletions race.
            _ => (
                format!("scratch-{}", rng.random_range(0..3) + u32::from(site) / 8),
                String::new(),
                Action::ToggleBucket,
            ),
        },
    }
}

/// A rank below `n`, by a power law.
fn zipf(n: u32, exponent: f64, rng: &mut ChaCha8Rng) -> u32 {
    let weight = |rank: u32| 1.0 / f64::from(rank + 1).powf(exponent);
    let total: f64 = (0..n).map(weight).sum();
    let mut left = rng.random::<f64>() * total;
    for rank in 0..n {
        left -= weight(rank);
        if left <= 0.0 {
            return rank;
        }
    }
    n.saturating_sub(1)
}
