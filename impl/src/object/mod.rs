//! What is stored and shipped: names, versions' contents, and the operation that carries them.
//!
//! In reading order: [`BucketId`] and [`RecordKey`] name a place, [`Content`] is what a version holds, [`lock`] what keeps one from
//! being deleted, [`Op`] is one
//! write as logged and replicated, [`wire`] is its encoding on disk and between sites.

mod content;
pub mod lock;
mod name;
mod op;
pub mod wire;

pub use content::{Body, Content, Manifest, Part, Segment, Versioning};
pub use name::{BucketId, InvalidName, RecordKey};
pub use op::{ChainHash, Field, Kind, Op, chain_hash};
