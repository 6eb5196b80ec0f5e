//! What can be set of a version after it was written: tags, lock, access. Each field is an operation of its own on the
//! version, and never changes the version's bytes, ETag or time.
//!
//! A version may be born with a field, in its headers under a name of ours; what was set later counts instead. Of
//! concurrent writes at two sites the tags and the access of the greatest stamp are shown; locks are joined: whoever
//! locked knows that it is locked.

use super::{
    Engine, Error, Unavailable, VersionRef,
    put::{object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{
    causality::{Dot, Stamp, Timestamp},
    conflict,
    crdt::{Payload, Record},
    env::Env,
    object::{
        BucketId, Field, Kind, RecordKey,
        lock::{self, Lock, Retention},
    },
};
use std::{collections::BTreeMap, time::Duration};

/// The retention that a version is born with.
pub const RETENTION: &str = "x-anabranch-retention";
/// The legal hold that a version is born with: `on` or `off`.
pub const LEGAL_HOLD: &str = "x-anabranch-legal-hold";
/// The access that a version is born with.
pub const ACL: &str = "x-anabranch-acl";
/// The name of a field's one value.
const VALUE: &str = "value";

/// A change of one field of a version.
#[derive(Clone, Debug)]
pub enum Change {
    /// All tags.
    Tags(BTreeMap<String, String>),
    /// Until when it is kept; none takes the retention away. With or without the right to bypass GOVERNANCE.
    Retention(Option<Retention>, bool),
    /// Whether it is held.
    LegalHold(bool),
    /// Who may read it, as the face encodes it.
    Acl(String),
}

impl Change {
    fn field(&self) -> Field {
        match self {
            Self::Tags(_) => Field::Tags,
            Self::Retention(..) => Field::Retention,
            Self::LegalHold(_) => Field::LegalHold,
            Self::Acl(_) => Field::Acl,
        }
    }

    fn pairs(self) -> BTreeMap<String, String> {
        let one = |value: String| BTreeMap::from([(VALUE.to_owned(), value)]);
        match self {
            Self::Tags(tags) => tags,
            Self::Retention(retention, _) => one(retention.map_or_else(String::new, |r| r.to_string())),
            Self::LegalHold(on) => one(if on { "on" } else { "off" }.to_owned()),
            Self::Acl(acl) => one(acl),
        }
    }
}

impl<E: Env> Engine<E> {
    /// Changes one field of a version, or of what the key shows.
    pub async fn change(
        &self,
        bucket: &BucketId,
        key: &str,
        version: Option<VersionRef>,
        change: Change,
    ) -> Result<Stamp, Error> {
        let record = object_key(bucket, key)?;
        let now_ms = self.least_wall_ms();
        self.submit(Purpose::Grow, move |sequencer| {
            let before = match prepare(sequencer, &record)? {
                Ok(before) => before,
                Err(error) => return Ok(Err(error)),
            };
            let target = match target(&before.record, version, &record) {
                Ok(target) => target,
                Err(error) => return Ok(Err(error)),
            };
            if let Change::Retention(new, bypass) = change
                && let Err(locked) = lock_of(&before.record, target).may_retain(new, bypass, now_ms)
            {
                return Ok(Err(locked.into()));
            }
            let field = change.field();
            let supersedes = before.record.meta_writes_on(target, field);
            let kind = Kind::Meta { target, field, pairs: change.pairs() };
            let draft = Draft {
                record,
                kind,
                supersedes,
                context: true,
                floor: Timestamp::default(),
                asked_at: Duration::ZERO,
            };
            Ok(Ok(sequencer.write(&before.record, draft)?.stamp()))
        })
        .await
    }

    /// The tags of a version, or of what the key shows, with the write they are from; none if it was never tagged.
    pub async fn tags(
        &self,
        bucket: &BucketId,
        key: &str,
        version: Option<VersionRef>,
    ) -> Result<Option<(Dot, BTreeMap<String, String>)>, Error> {
        let record = object_key(bucket, key)?;
        let (read, damaged) = self.read_record(record.clone()).await?;
        if damaged {
            return Err(Unavailable::Damaged.into());
        }
        let target = target(&read, version, &record)?;
        Ok(read.tags_of(target).map(|(dot, tags)| (dot, tags.clone())))
    }
}

fn born_with<'a>(record: &'a Record, version: Dot, header: &str) -> Option<&'a str> {
    match &record.entries.get(&version)?.payload {
        Payload::Version { content: Some(content), .. } => content.headers.get(header).map(String::as_str),
        _ => None,
    }
}

/// What keeps a version from being deleted: of concurrent writes all together, else what it was born with.
pub(super) fn lock_of(record: &Record, version: Dot) -> Lock {
    let values = |field| {
        let found = record.meta_of(version, field).into_iter();
        found.map(|(_, pairs)| pairs.get(VALUE).cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    let (retentions, holds) = (values(Field::Retention), values(Field::LegalHold));
    let retention = if retentions.is_empty() {
        born_with(record, version, RETENTION).and_then(Retention::parse)
    } else {
        retentions.iter().fold(None, |joined, text| lock::join(joined, Retention::parse(text)))
    };
    let legal_hold = if holds.is_empty() {
        born_with(record, version, LEGAL_HOLD).map(|hold| hold == "on")
    } else {
        Some(holds.iter().any(|hold| hold == "on"))
    };
    Lock { retention, legal_hold }
}

/// Who may read a version, as the face encoded it; none if nobody ever said.
pub(super) fn acl_of(record: &Record, version: Dot) -> Option<String> {
    let set = record.meta_of(version, Field::Acl).pop().and_then(|(_, pairs)| pairs.get(VALUE));
    set.map(String::as_str).or_else(|| born_with(record, version, ACL)).map(str::to_owned)
}

/// The version that is meant, if it is no delete marker.
fn target(record: &Record, version: Option<VersionRef>, key: &RecordKey) -> Result<Dot, Error> {
    let found = match version {
        Some(version) => version.find(record),
        None => conflict::current(record),
    };
    let Some((stamp, entry)) = found else {
        return Err(match version {
            Some(version) => Error::NoSuchVersion(version.to_string()),
            None => Error::NoSuchKey(key.to_string()),
        });
    };
    if matches!(entry.payload, Payload::Version { content: None, .. }) {
        let is_null = conflict::null_version(record).is_some_and(|(null, _)| null == stamp);
        return Err(Error::Deleted { key: key.to_string(), marker: stamp, is_null });
    }
    Ok(stamp.dot)
}
