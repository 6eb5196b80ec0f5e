//! The tags of a version.

use super::{
    Engine, Error, Unavailable,
    put::{object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{
    causality::{Dot, Stamp, Timestamp},
    conflict,
    env::Env,
    object::{BucketId, Kind},
};
use std::collections::BTreeMap;

use std::time::Duration;

impl<E: Env> Engine<E> {
    /// Replaces all tags of a version, or of what the key shows.
    pub async fn put_tags(
        &self,
        bucket: &BucketId,
        key: &str,
        version: Option<Dot>,
        tags: BTreeMap<String, String>,
    ) -> Result<Stamp, Error> {
        let record = object_key(bucket, key)?;
        self.submit(Purpose::Grow, move |sequencer| {
            let before = match prepare(sequencer, &record)? {
                Ok(before) => before,
                Err(error) => return Ok(Err(error)),
            };
            let shown = conflict::current(&before.record).map(|(stamp, _)| stamp.dot);
            let Some(target) = version.or(shown).filter(|dot| before.record.entries.contains_key(dot)) else {
                return Ok(Err(Error::NoSuchKey(record.to_string())));
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
        version: Option<Dot>,
    ) -> Result<Option<(Dot, BTreeMap<String, String>)>, Error> {
        let record = object_key(bucket, key)?;
        let name = record.to_string();
        let (read, damaged) = self.read_record(record).await?;
        if damaged {
            return Err(Unavailable::Damaged.into());
        }
        let shown = conflict::current(&read).map(|(stamp, _)| stamp.dot);
        let target =
            version.or(shown).filter(|dot| read.entries.contains_key(dot)).ok_or(Error::NoSuchKey(name))?;
        Ok(read.tags_of(target).map(|(dot, tags)| (dot, tags.clone())))
    }
}
