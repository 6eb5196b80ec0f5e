//! The writer's name: a site, and the epoch of one opening of its store.
//!
//! Every opening starts a new epoch, so nothing has to notice that a disk was restored from a backup, cloned or
//! emptied: such a store never continues the sequence of an earlier life, and no dot is ever used twice.

use std::fmt;

/// One place that takes writes, as numbered in the cluster's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u16);

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// One opening of a site's store: the start counter in the upper 32 bits, randomness in the lower 32.
///
/// The counter makes the epochs of an undisturbed disk rise; the randomness keeps two lives apart that start from
/// the same disk image. Both are synced before the epoch's first dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the `start`-th opening, told apart from its clones by `random`.
    pub fn new(start: u32, random: u32) -> Self {
        Self(u64::from(start) << 32 | u64::from(random))
    }

    /// Which opening of the store this is, counted from 1.
    pub fn start(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}", self.start(), self.0 as u32)
    }
}
