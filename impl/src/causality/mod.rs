//! Who wrote what, in which order: the identities and clocks that every other floor stands on.
//!
//! In reading order: [`SiteId`] and [`Epoch`] name the writer, [`Dot`] names one write, [`VersionVector`] says which
//! writes are known, [`Timestamp`] and [`HybridClock`] arbitrate between writes that did not know of each other.
//! Everything here is pure and synchronous.

mod dot;
mod hlc;
mod site;
mod version_vector;

pub use dot::{Dot, Stamp};
pub use hlc::{CEILING_STEP, ClockReading, HybridClock, Timestamp};
pub use site::{Epoch, SiteId};
pub use version_vector::VersionVector;
