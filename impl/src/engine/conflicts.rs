//! The conflicts that a site knows of: keys with several versions of which nobody has chosen.
//!
//! Which keys to look at is kept beside the records as they change; what a conflict is, `conflict` says from the record.

use super::{Engine, Error};
use crate::{
    causality::Stamp,
    conflict::{self, ConflictRecord},
    crdt::{Payload, Record},
    env::Env,
    object::{BucketId, RecordKey},
    store::{self, Snapshot},
};

/// One of the versions in a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The version.
    pub version: Stamp,
    /// Length in bytes and ETag; none of a delete marker.
    pub content: Option<(u64, String)>,
    /// Whether it is what the key shows.
    pub is_shown: bool,
    /// Whether it is still live, beside the one shown; else it was replaced unseen and is kept.
    pub is_live: bool,
}

/// A key's conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// The versions, greatest first.
    pub contenders: Vec<Contender>,
}

impl Conflict {
    fn of(key: RecordKey, record: &Record) -> Option<Self> {
        let RecordKey::Object(bucket, key) = key else { return None };
        let found = ConflictRecord::of(record);
        let shown = conflict::current(record).map(|(stamp, _)| stamp);
        let mut contenders: Vec<Contender> = record
            .versions()
            .filter(|(stamp, _)| {
                Some(*stamp) == shown
                    || found.siblings.contains(&stamp.dot)
                    || found.retained.contains(&stamp.dot)
            })
            .filter_map(|(version, entry)| {
                let Payload::Version { content, .. } = &entry.payload else { return None };
                let content = content.as_ref().map(|c| (c.manifest.size, c.manifest.etag.clone()));
                let is_live = found.siblings.contains(&version.dot);
                Some(Contender { version, content, is_shown: Some(version) == shown, is_live })
            })
            .collect();
        contenders.sort_by_key(|contender| std::cmp::Reverse(contender.version));
        (!found.is_empty()).then_some(Self { bucket, key, contenders })
    }
}

impl<E: Env> Engine<E> {
    /// The conflicts of the keys above `after`, at most `limit`, in order of bucket and key.
    pub async fn conflicts(&self, after: Option<RecordKey>, limit: usize) -> Result<Vec<Conflict>, Error> {
        Ok(self.read(move |snapshot| list(snapshot, after, limit)).await?)
    }

    /// The conflict of one key, if it has one.
    pub async fn conflict_of(&self, key: RecordKey) -> Result<Option<Conflict>, Error> {
        Ok(self.read(move |snapshot| Ok(Conflict::of(key.clone(), &snapshot.record(&key)?))).await?)
    }

    /// How many there are; counting ends at `max`.
    pub async fn conflict_count(&self, max: usize) -> Result<usize, Error> {
        Ok(self.read(move |snapshot| Ok(snapshot.contested(None, max)?.len())).await?)
    }
}

fn list(snapshot: &Snapshot, after: Option<RecordKey>, limit: usize) -> Result<Vec<Conflict>, store::Error> {
    let (mut found, mut after) = (Vec::new(), after);
    loop {
        let page = snapshot.contested(after.as_ref(), limit.max(1))?;
        let Some(last) = page.last().cloned() else { return Ok(found) };
        for key in page {
            if found.len() == limit {
                return Ok(found);
            }
            match snapshot.record(&key) {
                Ok(record) => found.extend(Conflict::of(key, &record)),
                Err(store::Error::Corrupt { .. }) => {} // it is being repaired
                Err(error) => return Err(error),
            }
        }
        after = Some(last);
    }
}
