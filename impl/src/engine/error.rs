//! What a client is told, by what it can do about it.

use crate::{
    causality::{SiteId, Stamp},
    store,
};
use thiserror::Error;

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub enum Error {
    /// The bucket does not exist here.
    #[error("bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The key shows nothing here.
    #[error("key {0} does not exist")]
    NoSuchKey(String),
    /// What the key shows, or the version asked for, is a delete marker.
    #[error("key {key} is deleted")]
    Deleted {
        /// The key.
        key: String,
        /// The marker.
        marker: Stamp,
        /// Whether it is the key's null version.
        is_null: bool,
    },
    /// The version does not exist here.
    #[error("version {0} does not exist")]
    NoSuchVersion(String),
    /// The bucket exists already and belongs to the requester.
    #[error("bucket {0} exists already and is yours")]
    BucketAlreadyOwned(String),
    /// The name is taken by somebody else.
    #[error("bucket name {0} is taken")]
    BucketTaken(String),
    /// The bucket holds versions, current or kept.
    #[error("bucket {0} is not empty: delete all versions, retained ones included, first")]
    BucketNotEmpty(String),
    /// A condition of the request does not hold.
    #[error("the condition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// The version is locked.
    #[error("{0}")]
    Locked(#[from] crate::object::lock::Locked),
    /// The multipart upload does not exist at this site.
    #[error("upload {0} does not exist: it was completed, given up, or never begun here")]
    NoSuchUpload(String),
    /// A part that a completion names is not here, or has another ETag.
    #[error("part {0} was not uploaded with this ETag")]
    InvalidPart(u16),
    /// A completion names parts out of order.
    #[error("the parts are not in ascending order")]
    PartOrder,
    /// A part that is not the last is too small.
    #[error("part {number} has {size} bytes, and all but the last need {} at least", super::PART_MIN)]
    PartTooSmall {
        /// The part.
        number: u16,
        /// Its length in bytes.
        size: u64,
    },
    /// The context token was not issued for this key, or not by this cluster.
    #[error("the context token is not valid for this key: use the one returned with this key")]
    InvalidContext,
    /// A name or value that S3 refuses.
    #[error("{0}")]
    Invalid(String),
    /// Not now. Nothing was written; retry after the time given by the cause.
    #[error("not available now: {0}")]
    Unavailable(#[from] Unavailable),
    /// The write may or may not have happened: read before writing again.
    #[error("the outcome is unknown: the site failed while committing")]
    Unknown,
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
}

/// Why not now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// The site has not caught up with a peer since its disk was created: an absent key proves nothing yet.
    #[error("the site is catching up; ask another site or retry")]
    Rebuilding,
    /// The disk is full.
    #[error("the site's disk is full; ask another site")]
    DiskFull,
    /// The body is at another site that does not answer.
    #[error("the body is at site {holder}, which does not answer")]
    BodyElsewhere {
        /// The site that took the write.
        holder: SiteId,
    },
    /// The record was found damaged and is being repaired from a peer.
    #[error("the record is damaged and is being repaired from a peer")]
    Damaged,
    /// The client has seen a version that this site has not applied yet.
    #[error("this site has not received a version that the client has seen")]
    Behind,
    /// Too many changes wait for the disk.
    #[error("too many changes wait for the disk")]
    Overloaded,
}
