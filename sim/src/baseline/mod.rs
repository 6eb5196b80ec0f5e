//! How other stores settle conflicts: small models of their published rules, run on the same plan as Anabranch and judged
//! by the same accounts.
//!
//! In reading order: [`Rule`] is the table of rules; `stamp` gives each write its place in a rule's order; `model` is the
//! world of sites and copies; `wire` carries the copies; `turn` is a client's
//! turn; `fate` says from outside how a write was lost.
//!
//! What the models keep from the stores is only what decides which write survives. A site holds one version of a key:
//! the one with the greatest stamp. That is what all of these stores do in an unversioned bucket. Versioned buckets are
//! treated as unversioned too, so a loser that such a store would still list as an older version counts as lost here:
//! tables made from these models speak of unversioned buckets and must say so. Every rule runs over the same
//! replication, which is kinder than the stores' own: what a site has acknowledged is sent to every other site until it
//! arrives, over the plan's links; a site that lost its disk is filled up from all others; nothing rots. Faults are
//! carried out by the same controller as for Anabranch; those that need Anabranch's files (`body-lost`, `bit-rot`, `body-rot`) or
//! its connections (`reset`, `corrupt`) find nothing to act on.
//!
//! Sources of the rules: `theory.md` §1.7, read from the stores' own code: MinIO `sortsBefore` (modification time first,
//! version id later), Ceph RGW `obj_time_weight` (modification time with high precision, zone, version counter), Garage
//! `object_table.rs` (timestamp, uuid) and its PR 543 (timestamp at least the key's last one + 1), the HLC of Kulkarni et
//! al. 2014 without a bound on the skew that it follows. Clocks tell milliseconds: the simulated clock does, and so do
//! Garage's stamps; MinIO and Ceph keep nanoseconds, which settles fewer ties by id and changes nothing else.

pub mod fate;
mod model;
mod stamp;
mod turn;
mod wire;

#[cfg(test)]
mod tests;

use crate::{outcome::Outcome, plan::Plan};
use std::sync::Arc;

/// Which of two writes to one key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The one with the later modification time by its site's clock; among equals the greater version id. MinIO's order.
    WallLww,
    /// The one with the later modification time; among equals the greater zone, then the greater version counter.
    CephRgw,
    /// The one with the greater timestamp, which is the clock's or one more than the key's last as its site knows it;
    /// among equals the greater uuid.
    Garage,
    /// The one with the greater stamp of a hybrid logical clock, which follows every stamp that it is shown.
    HlcLww,
}

impl Rule {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::WallLww, Self::CephRgw, Self::Garage, Self::HlcLww];

    /// The words in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::WallLww => "wall-clock LWW (MinIO)",
            Self::CephRgw => "mtime, zone (Ceph RGW)",
            Self::Garage => "max(prev+1, now) (Garage)",
            Self::HlcLww => "HLC LWW",
        }
    }
}

/// Runs a plan under a rule until every copy has arrived. The same plan gives the same outcome, field by field.
///
/// `converged_at` is set if all sites hold the same in the end. `applied`, `audits` and `marks` stay empty and `trace` is
/// zero: they describe the engine and its world, which have no part in this. The `version` of a write is its stamp, as a
/// text that sorts as the rule does.
pub fn run(plan: &Arc<Plan>, rule: Rule) -> Outcome {
    model::Model::new(plan, rule).run()
}
