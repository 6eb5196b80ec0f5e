//! The tags of a version.

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
    object::{BucketId, Kind, RecordKey},
};
use std::{collections::BTreeMap, time::Duration};

impl<E: Env> Engine<E> {
    /// Replaces all tags of a version, or of what the key shows.
    pub async fn put_tags(
        &self,
        bucket: &BucketId,
        key: &str,
        version: Option<VersionRef>,
        tags: BTreeMap<String, String>,
    ) -> Result<Stamp, Error> {
        let record = object_key(bucket, key)?;
        self.submit(Purpose::Grow, move |sequencer| {
            let before = match prepare(sequencer, &record)? {
                Ok(before) => before,
                Err(error) => return Ok(Err(error)),
            };
            let target = match target(&before.record, version, &record) {
                Ok(target) => target,
                Err(error) => return Ok(Err(error)),
            };
            let supersedes = before.record.tag_writes_on(target);
            let kind = Kind::Tags { target, tags };
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
