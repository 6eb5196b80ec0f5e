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
    /// In immutable files at each site that holds it, one a segment, at least one; fetched after the metadata.
    External(Vec<Segment>),
}

/// A piece of a body that is stored, fetched and checked by itself. None is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Length in bytes.
    pub size: u64,
    /// The hash that every site checks it against.
    pub blake3: [u8; 32],
}

/// A part of a multipart upload, as its client cut it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, 1 to 10,000.
    pub number: u16,
    /// Length in bytes.
    pub size: u64,
    /// Its checksum by the object's algorithm, if it has one: the digest's bytes.
    pub checksum: Option<Bytes>,
}

/// A body's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Length in bytes.
    pub size: u64,
    /// The S3 ETag, as the origin returned it.
    pub etag: String,
    /// Where the bytes are.
    pub body: Body,
    /// The parts that it was uploaded in, in order; none for a single PUT.
    pub parts: Vec<Part>,
}

impl Body {
    /// The segments; none of an inline body.
    pub fn segments(&self) -> &[Segment] {
        match self {
            Self::Inline(_) => &[],
            Self::External(segments) => segments,
        }
    }
}

/// A version's content: two versions with equal content are no conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The body.
    pub manifest: Manifest,
    /// User metadata and system headers, as the client gave them.
    pub headers: BTreeMap<String, String>,
}
