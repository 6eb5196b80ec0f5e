//! One write, as it is logged, shipped and applied.

use super::{Content, RecordKey, Versioning, wire};
use crate::causality::{Dot, Stamp, Timestamp};
use std::collections::BTreeMap;

/// What an operation does. The dots it acts on are in [`Op::supersedes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A new version with a body.
    Put {
        /// The bucket's versioning when its origin acted.
        versioning: Versioning,
        /// What the version holds.
        content: Content,
    },
    /// A new version that says "deleted" (S3 delete marker).
    DeleteMarker {
        /// The bucket's versioning when its origin acted.
        versioning: Versioning,
    },
    /// The end of the null versions named; leaves no version behind.
    Delete,
    /// The permanent end of the versions named, whatever they are.
    VersionDelete,
    /// The end of versions by a rule that the bucket's owner set.
    Expire,
    /// One field of one version's metadata, replacing the writes of that field named.
    Meta {
        /// The version that it is about.
        target: Dot,
        /// Which field.
        field: Field,
        /// All of it, as names and values.
        pairs: BTreeMap<String, String>,
    },
    /// The bucket comes into being, replacing the dead creations and settings named.
    BucketCreate,
    /// One field of a bucket's configuration, replacing the writes of that field named.
    BucketConfig {
        /// The field's name.
        field: String,
        /// Its value; empty means "not set".
        value: String,
    },
    /// The end of the creations and settings named. A version not seen by the deleter keeps the bucket alive.
    BucketDelete,
    /// The bodies of the versions named are at no site any more. Brings back the content before them, if there is one.
    BodyLost {
        /// The bucket's versioning when the issuer acted.
        versioning: Versioning,
        /// The content that shows again.
        restored: Option<Content>,
    },
}

/// What can be set of a version after it was written, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Its tags: of concurrent writes the greatest stamp's are shown.
    Tags,
    /// Until when it may not be deleted: of concurrent writes the strictest together.
    Retention,
    /// Whether it may not be deleted until somebody says so: of concurrent writes "yes" wins.
    LegalHold,
    /// Who may read it: of concurrent writes the greatest stamp's counts.
    Acl,
}

/// Hash of an origin's log up to and including one operation; the next one names it.
pub type ChainHash = [u8; 16];

/// One operation. Its encoding is canonical, so that every site computes the same [`Op::chain_hash`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// Identity and place in the origin's log.
    pub dot: Dot,
    /// Chain hash of the origin's operation before; zero for the first of an epoch.
    pub prev: ChainHash,
    /// When, by the origin's hybrid clock; greater than all that the origin held for this record.
    pub hlc: Timestamp,
    /// The bucket or object written.
    pub record: RecordKey,
    /// What it does.
    pub kind: Kind,
    /// The dots of this record that it overwrites or ends; each was applied at the origin.
    pub supersedes: Vec<Dot>,
    /// Those of `supersedes` that the client cannot have seen: they stay readable.
    pub unseen: Vec<Dot>,
    /// Whether the client said what it had seen.
    pub client_context: bool,
}

impl Op {
    /// The operation's place in the one order of versions.
    pub fn stamp(&self) -> Stamp {
        Stamp { hlc: self.hlc, dot: self.dot }
    }

    /// What the origin's next operation must carry as `prev`.
    pub fn chain_hash(&self) -> ChainHash {
        chain_hash(&wire::encode_op(self))
    }
}

/// [`Op::chain_hash`] of an operation already encoded.
pub fn chain_hash(encoded: &[u8]) -> ChainHash {
    let hash = blake3::hash(encoded);
    hash.as_bytes()[..16].try_into().expect("a blake3 hash has 32 bytes")
}
