//! Faults as scenarios write them and as plans hold them.

use crate::scenario::Range;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, time::Duration};

/// The kinds of fault; see the table in [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the table in `nemesis` describes them")]
pub enum FaultKind {
    Partition,
    OneWay,
    Flapping,
    Latency,
    Loss,
    Bandwidth,
    Reset,
    Corrupt,
    Crash,
    Pause,
    ClockStep,
    ClockDrift,
    ClockFreeze,
    ClockStrobe,
    DiskFull,
    SyncFail,
    SlowDisk,
    BodyLost,
    BitRot,
    BodyRot,
    Rebuild,
    Restore,
}

/// A fault in a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Which.
    pub kind: FaultKind,
    /// When it begins, in seconds after the chaos phase does.
    pub at_s: Range,
    /// How long it lasts.
    #[serde(default = "one_second")]
    pub for_s: Range,
    /// How many of it.
    #[serde(default = "one")]
    pub count: u32,
    /// Chance that each of them is in a plan.
    #[serde(default = "certain")]
    pub chance: f64,
    /// How strong; the unit is in the table.
    #[serde(default = "zero")]
    pub value: Range,
    /// At which site; drawn if not given.
    #[serde(default)]
    pub site: Option<u16>,
}

fn one_second() -> Range {
    Range::Exactly(1.0)
}

fn one() -> u32 {
    1
}

fn certain() -> f64 {
    1.0
}

fn zero() -> Range {
    Range::Exactly(0.0)
}

/// A fault with everything drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the table in `nemesis` describes them; fields are sites and amounts")]
pub enum Fault {
    Partition { side: BTreeSet<u16> },
    OneWay { from: u16, to: u16 },
    Flapping { a: u16, b: u16, period: Duration },
    Latency { site: u16, added: Duration },
    Loss { site: u16, ppm: u32 },
    Bandwidth { site: u16, bytes_per_s: u64 },
    Reset { a: u16, b: u16 },
    Corrupt { site: u16, ppm: u32 },
    Crash { site: u16, after_disk_ops: Option<u32>, all_lost: bool },
    Pause { site: u16 },
    ClockStep { site: u16, by_ms: i64 },
    ClockDrift { site: u16, ppm: i64 },
    ClockFreeze { site: u16 },
    ClockStrobe { site: u16, by_ms: i64 },
    DiskFull { site: u16, room: u64 },
    SyncFail { site: u16 },
    SlowDisk { site: u16, added: Duration },
    BodyLost { site: u16 },
    BitRot { site: u16 },
    BodyRot { site: u16 },
    Rebuild { site: u16 },
    Restore { site: u16, backup_at: Duration },
}

/// A fault in a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedFault {
    /// When it begins.
    pub at: Duration,
    /// When it ends.
    pub until: Duration,
    /// What it is.
    pub fault: Fault,
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} until {:.3}s", self.fault, self.until.as_secs_f64())
    }
}

impl FaultSpec {
    /// Draws the spec's faults. None begins or lasts beyond `heal_at`.
    pub fn draw(
        &self,
        rng: &mut ChaCha8Rng,
        sites: u16,
        chaos_at: Duration,
        heal_at: Duration,
    ) -> Vec<PlannedFault> {
        let mut faults = Vec::new();
        for _ in 0..self.count {
            // Drawn whether used or not: a chance that changes moves no other draw.
            let used = rng.random_bool(self.chance.clamp(0.0, 1.0));
            let at = chaos_at + Duration::from_secs_f64(self.at_s.draw(rng).max(0.0));
            let lasts = Duration::from_secs_f64(self.for_s.draw(rng).max(0.0));
            let fault = self.one(rng, sites, at);
            if used && at < heal_at {
                faults.push(PlannedFault { at, until: (at + lasts).min(heal_at), fault });
            }
        }
        faults
    }

    fn one(&self, rng: &mut ChaCha8Rng, sites: u16, at: Duration) -> Fault {
        let drawn = rng.random_range(0..sites);
        let site = self.site.filter(|site| *site < sites).unwrap_or(drawn);
        let other = (site + rng.random_range(1..sites)) % sites;
        let value = self.value.draw(rng);
        let sign = if rng.random_bool(0.5) { 1 } else { -1 };
        let share = rng.random_range(0.3..1.0);
        let millis = Duration::from_secs_f64(value.max(0.0) / 1000.0);
        let ppm = (value.clamp(0.0, 1.0) * 1e6) as u32;
        match self.kind {
            FaultKind::Partition => {
                let mut side = BTreeSet::from([site]);
                for extra in 0..sites {
                    if extra != other && rng.random_bool(0.3) {
                        side.insert(extra);
                    }
                }
                Fault::Partition { side }
            }
            FaultKind::OneWay => Fault::OneWay { from: site, to: other },
            FaultKind::Flapping => {
                Fault::Flapping { a: site, b: other, period: millis.max(Duration::from_millis(50)) }
            }
            FaultKind::Latency => Fault::Latency { site, added: millis },
            FaultKind::Loss => Fault::Loss { site, ppm },
            FaultKind::Bandwidth => Fault::Bandwidth { site, bytes_per_s: (value * 125_000.0) as u64 },
            FaultKind::Reset => Fault::Reset { a: site, b: other },
            FaultKind::Corrupt => Fault::Corrupt { site, ppm },
            FaultKind::Crash => {
                let torn = rng.random_bool(0.5).then(|| rng.random_range(1..60));
                Fault::Crash { site, after_disk_ops: torn, all_lost: rng.random_bool(0.3) }
            }
            FaultKind::Pause => Fault::Pause { site },
            FaultKind::ClockStep => Fault::ClockStep { site, by_ms: sign * (value * share) as i64 },
            FaultKind::ClockDrift => Fault::ClockDrift { site, ppm: sign * (value * share) as i64 },
            FaultKind::ClockFreeze => Fault::ClockFreeze { site },
            FaultKind::ClockStrobe => Fault::ClockStrobe { site, by_ms: sign * value as i64 },
            FaultKind::DiskFull => Fault::DiskFull { site, room: rng.random_range(0..300_000) },
            FaultKind::SyncFail => Fault::SyncFail { site },
            FaultKind::SlowDisk => Fault::SlowDisk { site, added: millis },
            FaultKind::BodyLost => Fault::BodyLost { site },
            FaultKind::BitRot => Fault::BitRot { site },
            FaultKind::BodyRot => Fault::BodyRot { site },
            FaultKind::Rebuild => Fault::Rebuild { site },
            FaultKind::Restore => {
                let age = Duration::from_secs_f64((value * share).max(0.1));
                Fault::Restore { site, backup_at: at.saturating_sub(age) }
            }
        }
    }
}

impl Fault {
    /// The site that it happens to, if it is one.
    pub fn site(&self) -> Option<u16> {
        match self {
            Self::Partition { .. } | Self::OneWay { .. } | Self::Flapping { .. } | Self::Reset { .. } => None,
            Self::Latency { site, .. }
            | Self::Loss { site, .. }
            | Self::Bandwidth { site, .. }
            | Self::Corrupt { site, .. }
            | Self::Crash { site, .. }
            | Self::Pause { site }
            | Self::ClockStep { site, .. }
            | Self::ClockDrift { site, .. }
            | Self::ClockFreeze { site }
            | Self::ClockStrobe { site, .. }
            | Self::DiskFull { site, .. }
            | Self::SyncFail { site }
            | Self::SlowDisk { site, .. }
            | Self::BodyLost { site }
            | Self::BitRot { site }
            | Self::BodyRot { site }
            | Self::Rebuild { site }
            | Self::Restore { site, .. } => Some(*site),
        }
    }
}
