//! Conflict policies: what a plain GET shows among the live versions, and what a write without context replaces.
//!
//! | policy | shown | replaced by a blind write |
//! |---|---|---|
//! | [`Policy::Lww`] (default) | the greatest `(hlc, dot)` | every live version; those nobody saw stay readable |
//! | [`Policy::KeepBoth`] | the greatest `(hlc, dot)` | only the version shown; siblings stay until a client names them |
//!
//! A policy decides what is shown, never what is kept: it is a pure function of the record, so sites that hold the same
//! record show the same version.

use crate::{
    causality::{Dot, Stamp},
    crdt::{Entry, Payload, Raise, Record, Status},
};

/// How a bucket settles concurrent versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Last writer wins; losers stay readable as noncurrent versions.
    #[default]
    Lww,
    /// All stay live until a client that saw them replaces them.
    KeepBoth,
}

impl Policy {
    /// The policy of a bucket's `conflict` field; an unknown name, from a newer release, keeps everything.
    pub fn of_field(value: Option<&str>) -> Self {
        match value {
            None | Some("lww") => Self::Lww,
            Some(_) => Self::KeepBoth,
        }
    }

    /// Whether a bucket's configuration may name this policy.
    pub fn is_known(value: &str) -> bool {
        matches!(value, "lww" | "keep-both")
    }

    /// The live versions that a write without client context replaces.
    pub fn replaced_by_blind_write(self, record: &Record) -> Vec<Dot> {
        let winner = winner(record);
        live(record)
            .filter(|(stamp, entry)| match self {
                Self::Lww => true,
                Self::KeepBoth => winner.is_some_and(|(won, best)| won == *stamp || are_twins(best, entry)),
            })
            .map(|(stamp, _)| stamp.dot)
            .collect()
    }
}

/// The live versions, in order of dot.
pub fn live(record: &Record) -> impl Iterator<Item = (Stamp, &Entry)> {
    record.versions().filter(|(_, entry)| entry.status() == Status::Live)
}

/// The live version that a plain GET shows.
pub fn winner(record: &Record) -> Option<(Stamp, &Entry)> {
    live(record).max_by_key(|(stamp, _)| *stamp)
}

/// What a key shows: the winner, or, if nothing is live, the greatest version in history that S3 would bring back.
pub fn current(record: &Record) -> Option<(Stamp, &Entry)> {
    winner(record).or_else(|| {
        record
            .versions()
            .filter(|(_, entry)| entry.raise.may_show_again(&entry.payload))
            .max_by_key(|(stamp, _)| *stamp)
    })
}

/// The version that S3 calls `null`: what a write to an unversioned or suspended bucket left and nothing replaced. Others
/// made so, which were kept because nobody had seen them, are named by ids of their own.
pub fn null_version(record: &Record) -> Option<(Stamp, &Entry)> {
    let is_null =
        |entry: &Entry| matches!(&entry.payload, Payload::Version { versioning, .. } if versioning.is_null());
    let nulls = || record.versions().filter(|(_, entry)| is_null(entry));
    current(record)
        .filter(|(_, entry)| is_null(entry))
        .or_else(|| {
            nulls().filter(|(_, entry)| entry.status() == Status::Live).max_by_key(|(stamp, _)| *stamp)
        })
        .or_else(|| {
            nulls().filter(|(_, entry)| entry.raise == Raise::Displaced).max_by_key(|(stamp, _)| *stamp)
        })
}

/// Whether two versions have the same content: such a pair is no conflict (a client's retry at two sites).
pub fn are_twins(a: &Entry, b: &Entry) -> bool {
    match (&a.payload, &b.payload) {
        (Payload::Version { content: a, .. }, Payload::Version { content: b, .. }) => a == b,
        _ => false,
    }
}

/// The conflict record of a key, derived from operations alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConflictRecord {
    /// Live versions with different contents, the winner first; empty if there are fewer than two.
    pub siblings: Vec<Dot>,
    /// Versions in history that were replaced unseen or together with others.
    pub retained: Vec<Dot>,
}

impl ConflictRecord {
    /// The conflicts that a record speaks of.
    pub fn of(record: &Record) -> Self {
        let mut found = Self::default();
        let mut distinct: Vec<(Stamp, &Entry)> = Vec::new();
        for (stamp, entry) in live(record) {
            if !distinct.iter().any(|(_, other)| are_twins(entry, other)) {
                distinct.push((stamp, entry));
            }
        }
        if distinct.len() > 1 {
            distinct.sort_by_key(|(stamp, _)| std::cmp::Reverse(*stamp));
            found.siblings = distinct.iter().map(|(stamp, _)| stamp.dot).collect();
        }
        let named_together: Vec<Dot> = record
            .versions()
            .filter(|(_, entry)| entry.raises.len() > 1)
            .flat_map(|(_, entry)| entry.raises.iter().map(|(dot, _)| *dot))
            .collect();
        found.retained = record
            .versions()
            .filter(|(stamp, entry)| {
                entry.status() == Status::History
                    && (entry.raise == Raise::Retained || named_together.contains(&stamp.dot))
            })
            .map(|(stamp, _)| stamp.dot)
            .collect();
        found
    }

    /// Whether the key has none.
    pub fn is_empty(&self) -> bool {
        self.siblings.is_empty() && self.retained.is_empty()
    }
}
