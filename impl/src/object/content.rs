//! What a version holds: its body's manifest and its headers, fixed by the origin and never recomputed elsewhere.

use bytes::Bytes;
use std::collections::BTreeMap;

/// How a bucket treats a new version of a key, as its origin acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Versioning {
    /// One null version a key; a write replaces it.
    #[default]
    Unversioned,
    /// Every write is a version of its own.
    Enabled,
    /// Writes replace the null version; versions made before stay.
    Suspended,
}

impl Versioning {
    /// Whether a version made under it is the key's null version.
    pub fn is_null(self) -> bool {
        self != Self::Enabled
    }
}

/// Where a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the operation itself: small bodies travel with their metadata.
    Inline(Bytes),
    /// In an immutable file at each site that holds it; fetched after the metadata.
    External,
}

/// A body's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Length in bytes.
    pub size: u64,
    /// The S3 ETag, as the origin returned it.
    pub etag: String,
    /// The hash that every site checks the body against.
    pub blake3: [u8; 32],
    /// Where the bytes are.
    pub body: Body,
}

/// A version's content: two versions with equal content are no conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The body.
    pub manifest: Manifest,
    /// User metadata and system headers, as the client gave them.
    pub headers: BTreeMap<String, String>,
}
