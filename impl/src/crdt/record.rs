//! Everything known of one bucket or one object key: its entries by dot, and raises that wait for their dot.

use super::{Raise, Status};
use crate::{
    causality::{Dot, Stamp, Timestamp, VersionVector},
    object::{Content, Field, Kind, Op, Versioning},
};
use std::collections::BTreeMap;

/// What an operation left behind in its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A version of an object; without content it is a delete marker.
    Version {
        /// The bucket's versioning when its origin acted.
        versioning: Versioning,
        /// What the version holds; none for a delete marker.
        content: Option<Content>,
    },
    /// One field of one version's metadata.
    Meta {
        /// The version that it is about.
        target: Dot,
        /// Which field.
        field: Field,
        /// All of it.
        pairs: BTreeMap<String, String>,
    },
    /// A creation of the bucket.
    BucketCreate,
    /// One field of the bucket's configuration.
    BucketConfig {
        /// The field's name.
        field: String,
        /// Its value.
        value: String,
    },
}

/// One operation's trace in its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The operation's timestamp.
    pub hlc: Timestamp,
    /// What later operations did to it.
    pub raise: Raise,
    /// What it holds.
    pub payload: Payload,
    /// What it did to others: the proof that they are dead, should this record ever be compared with a damaged one.
    pub raises: Vec<(Dot, Raise)>,
}

impl Entry {
    /// Its status.
    pub fn status(&self) -> Status {
        self.raise.status(&self.payload)
    }

    /// The entry that an operation makes, if it makes one.
    fn of(op: &Op, raise: Raise) -> Option<Self> {
        let payload = match &op.kind {
            Kind::Put { versioning, content } => {
                Payload::Version { versioning: *versioning, content: Some(content.clone()) }
            }
            Kind::DeleteMarker { versioning } => Payload::Version { versioning: *versioning, content: None },
            Kind::BodyLost { versioning, restored } => {
                Payload::Version { versioning: *versioning, content: Some(restored.clone()?) }
            }
            Kind::Meta { target, field, pairs } => {
                Payload::Meta { target: *target, field: *field, pairs: pairs.clone() }
            }
            Kind::BucketCreate => Payload::BucketCreate,
            Kind::BucketConfig { field, value } => {
                Payload::BucketConfig { field: field.clone(), value: value.clone() }
            }
            Kind::Delete | Kind::VersionDelete | Kind::Expire | Kind::BucketDelete => return None,
        };
        let raises = op.supersedes.iter().map(|&dot| (dot, Raise::by(op, dot))).collect();
        Some(Self { hlc: op.hlc, raise, payload, raises })
    }
}

/// The state of one bucket or key.
///
/// Invariants, given the vector it belongs to: a dot covered and absent is purged; `pending` holds only dots not
/// covered; no entry's status is purged; no metadata outlives its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Live and historic entries.
    pub entries: BTreeMap<Dot, Entry>,
    /// Raises of dots not applied here yet: such a dot is born with them.
    pub pending: BTreeMap<Dot, Raise>,
}

impl Record {
    /// Takes one operation of this record in. `applied` covers the operation already.
    pub fn apply(&mut self, op: &Op, applied: &VersionVector) {
        for &dot in &op.supersedes {
            self.raise(dot, Raise::by(op, dot));
        }
        let born = self.pending.get(&op.dot).copied().unwrap_or_default();
        if let Some(entry) = Entry::of(op, born) {
            // A merge that was cut short may have brought the entry already, raised further than we know.
            let kept = self.entries.entry(op.dot).or_insert(entry);
            kept.raise = kept.raise.max(born);
        }
        self.settle(applied);
    }

    fn raise(&mut self, dot: Dot, to: Raise) {
        if let Some(entry) = self.entries.get_mut(&dot) {
            entry.raise = entry.raise.max(to);
        } else {
            let pending = self.pending.entry(dot).or_default();
            *pending = to.max(*pending);
        }
    }

    /// Restores the invariants after entries, raises or the vector changed.
    pub(super) fn settle(&mut self, applied: &VersionVector) {
        self.pending.retain(|dot, _| !applied.covers(*dot));
        self.entries.retain(|_, entry| entry.status() != Status::Purged);
        let orphans: Vec<Dot> = self
            .meta_writes()
            .filter(|(_, target, _)| self.is_purged(*target, applied))
            .map(|(dot, ..)| dot)
            .collect();
        for dot in orphans {
            self.entries.remove(&dot);
        }
    }

    fn meta_writes(&self) -> impl Iterator<Item = (Dot, Dot, Field)> + '_ {
        self.entries.iter().filter_map(|(dot, entry)| match entry.payload {
            Payload::Meta { target, field, .. } => Some((*dot, target, field)),
            _ => None,
        })
    }

    fn is_purged(&self, dot: Dot, applied: &VersionVector) -> bool {
        applied.covers(dot) && !self.entries.contains_key(&dot)
    }

    /// Whether nothing is known of the record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.pending.is_empty()
    }

    /// Whether it may hold a conflict: two live versions, or one that was replaced unseen or together with others.
    pub fn is_contested(&self) -> bool {
        let mut live = 0;
        self.versions().any(|(_, entry)| {
            live += usize::from(entry.status() == Status::Live);
            live > 1 || entry.raise == Raise::Retained || entry.raises.len() > 1
        })
    }

    /// The versions of the object with their stamps, in order of dot.
    pub fn versions(&self) -> impl Iterator<Item = (Stamp, &Entry)> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| matches!(entry.payload, Payload::Version { .. }))
            .map(|(&dot, entry)| (Stamp { hlc: entry.hlc, dot }, entry))
    }

    /// The greatest timestamp held for the record: a new write's must exceed it.
    pub fn greatest_hlc(&self) -> Timestamp {
        self.entries.values().map(|entry| entry.hlc).max().unwrap_or_default()
    }

    /// The writes of one field of a version's metadata that nothing has replaced: more than one if they were concurrent,
    /// the greatest stamp last.
    pub fn meta_of(&self, target: Dot, field: Field) -> Vec<(Stamp, &BTreeMap<String, String>)> {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(&dot, entry)| match &entry.payload {
                Payload::Meta { target: of, field: is, pairs } if (*of, *is) == (target, field) => {
                    Some((Stamp { hlc: entry.hlc, dot }, pairs))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|(stamp, _)| *stamp);
        found
    }

    /// The tags of a version as read: of concurrent writes the greatest stamp's.
    pub fn tags_of(&self, target: Dot) -> Option<(Dot, &BTreeMap<String, String>)> {
        self.meta_of(target, Field::Tags).pop().map(|(stamp, tags)| (stamp.dot, tags))
    }

    /// The writes of one field of a version's metadata: what the next one replaces.
    pub fn meta_writes_on(&self, target: Dot, field: Field) -> Vec<Dot> {
        self.meta_writes().filter(|(_, of, is)| (*of, *is) == (target, field)).map(|(dot, ..)| dot).collect()
    }

    /// A bucket field's value as read: the greatest stamp's, live or not. A bucket that outlives its deletion because a
    /// write raced it keeps its settings.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.entries
            .iter()
            .filter_map(|(&dot, entry)| match &entry.payload {
                Payload::BucketConfig { field, value } if field == name => {
                    Some((Stamp { hlc: entry.hlc, dot }, value.as_str()))
                }
                _ => None,
            })
            .max_by_key(|(stamp, _)| *stamp)
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// The stamp of the bucket's creation that counts: the lowest live one, so that a name clash has one winner.
    pub fn created(&self) -> Option<Stamp> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.payload == Payload::BucketCreate && entry.status() == Status::Live)
            .map(|(&dot, entry)| Stamp { hlc: entry.hlc, dot })
            .min()
    }
}
