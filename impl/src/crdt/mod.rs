//! The replicated state and its laws: pure, synchronous, property-tested.
//!
//! In reading order: [`Raise`] and [`Status`] are the lattice that a version climbs, [`Record`] is everything known of
//! one bucket or key, [`apply`] takes one operation in, [`merge`] joins two states, [`repair`] mends a damaged record.
//!
//! Status only rises, and every rise comes from an operation that names the dot. So the state is a function of the *set*
//! of operations applied: equal vectors mean equal state, in whatever order the operations came.

pub mod apply;
pub mod codec;
mod memory;
pub mod merge;
mod raise;
mod record;
pub mod repair;

pub use apply::{Applied, ApplyError, State, apply};
pub use memory::MemoryState;
pub use raise::{Raise, Status};
pub use record::{Entry, Payload, Record};
