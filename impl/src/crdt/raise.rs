//! How far a version has been raised, and the status that follows: live < history < purged.
//!
//! A superseder may arrive before the version it names, when nobody here knows yet whether that version is a null
//! version. So what is kept and joined is what was *done* to the dot ([`Raise`]); the [`Status`] follows once the dot's
//! payload is known. Both are total orders, and joining is taking the maximum.

use super::Payload;
use crate::{
    causality::Dot,
    object::{Kind, Op},
};

/// What the operations applied so far did to one dot. Totally ordered; join is `max`.
///
/// For any one payload the status must not fall as the raise rises: a record that has dropped a purged version could not
/// bring it back. Hence `Lost` stands below `Overwritten`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Raise {
    /// Nothing.
    #[default]
    Live,
    /// Superseded by a version beside which it is kept (S3: noncurrent).
    Displaced,
    /// Overwritten by a null version whose client cannot have seen it: kept, so that the write is not lost.
    Retained,
    /// Its body is at no site any more: kept as a notice of the loss.
    Lost,
    /// Overwritten by a null version: a null version goes, others become noncurrent.
    Overwritten,
    /// Ended for good.
    Purged,
}

/// Where a version stands. Totally ordered, and only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A current value of its key: the winner or a sibling.
    Live,
    /// Superseded and readable.
    History,
    /// Gone: absent from the record although its dot is covered.
    Purged,
}

impl Raise {
    /// What `op` does to a dot that it supersedes.
    pub fn by(op: &Op, dot: Dot) -> Self {
        match &op.kind {
            Kind::Put { versioning, .. } | Kind::DeleteMarker { versioning } => {
                if !versioning.is_null() {
                    Self::Displaced
                } else if op.unseen.contains(&dot) {
                    Self::Retained
                } else {
                    Self::Overwritten
                }
            }
            Kind::Delete if op.unseen.contains(&dot) => Self::Retained,
            Kind::Delete => Self::Overwritten,
            Kind::BucketDelete => Self::Displaced,
            Kind::BodyLost { .. } => Self::Lost,
            Kind::VersionDelete | Kind::Expire | Kind::Meta { .. } => Self::Purged,
            Kind::BucketCreate | Kind::BucketConfig { .. } => Self::Purged,
        }
    }

    /// The status of a dot with this payload.
    pub fn status(self, payload: &Payload) -> Status {
        match (payload, self) {
            (_, Self::Live) => Status::Live,
            (_, Self::Purged) | (Payload::Meta { .. }, _) => Status::Purged,
            (Payload::Version { versioning, .. }, Self::Overwritten) if versioning.is_null() => {
                Status::Purged
            }
            _ => Status::History,
        }
    }

    /// Whether a version in history shows again once no version of its key is live: S3 brings back the version before
    /// a deleted one, but never a write that was overwritten or whose body is lost.
    pub fn may_show_again(self, payload: &Payload) -> bool {
        let Payload::Version { versioning, .. } = payload else { return false };
        match self {
            Self::Live | Self::Displaced => true,
            Self::Retained | Self::Overwritten => !versioning.is_null(),
            Self::Lost | Self::Purged => false,
        }
    }
}
