//! Faults: what a scenario may ask for, drawn into a plan, begun and ended on the ground.
//!
//! | kind | effect | `value` |
//! |---|---|---|
//! | `partition` | a random group of sites is cut off from the others, both ways | – |
//! | `one-way` | one site's bytes do not reach another; the way back is open | – |
//! | `flapping` | the link of two sites goes down and up again | period in ms |
//! | `latency` | all links of a site get slower | added ms |
//! | `loss` | all links of a site lose packets | fraction |
//! | `bandwidth` | all links of a site get narrower | Mbit/s |
//! | `reset` | all connections of two sites are reset | – |
//! | `corrupt` | bits flip on all links of a site, past TCP's checksum | fraction of chunks |
//! | `crash` | power is cut, half the time in the middle of a disk operation; unsynced data is lost or torn | – |
//! | `pause` | a site's process stands still | – |
//! | `clock-step` | a wall clock jumps, forth or back | largest ms |
//! | `clock-drift` | a wall clock runs fast or slow | largest ppm |
//! | `clock-freeze` | a wall clock stands still | – |
//! | `clock-strobe` | a wall clock jumps forth and back five times a second | ms |
//! | `disk-full` | the disk has next to no room left | – |
//! | `sync-fail` | the next sync fails and its pages are lost | – |
//! | `slow-disk` | every disk access takes longer | added ms |
//! | `body-lost` | the file of a body that no other site has yet is lost at its origin | – |
//! | `bit-rot` | a bit of a stored record or log entry flips | – |
//! | `body-rot` | a bit of a body's file flips, of a body that another site has too | – |
//! | `rebuild` | the disk is replaced by an empty one | – |
//! | `restore` | the disk is set back to a backup | its age in s |

mod act;
mod spec;

pub use act::{Act, Loss, RESERVE};
pub use spec::{Fault, FaultKind, FaultSpec, PlannedFault};
