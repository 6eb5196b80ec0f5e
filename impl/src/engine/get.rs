//! One read: what a key shows, or one of its versions.

use super::{
    BodyReader, Context, Engine, Error, Seen, SegmentOf, Unavailable, lock,
    meta::{acl_of, lock_of},
    put::object_key,
};
use crate::{
    causality::{Dot, Stamp},
    conflict,
    crdt::{Entry, Payload, Record},
    env::{Env, watched::Follower},
    object::{BucketId, Content, RecordKey, Segment, lock::Lock},
    store::{self, BodyRow, Snapshot, keys},
};
use std::collections::BTreeMap;

/// One version of a key, as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// By its dot.
    Dot(Dot),
    /// The one that S3 calls `null`: see [`conflict::null_version`].
    Null,
}

impl VersionRef {
    /// The version in a record.
    pub(super) fn find(self, record: &Record) -> Option<(Stamp, &Entry)> {
        match self {
            Self::Dot(dot) => record.versions().find(|(stamp, _)| stamp.dot == dot),
            Self::Null => conflict::null_version(record),
        }
    }
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dot(dot) => write!(f, "{dot}"),
            Self::Null => f.write_str("null"),
        }
    }
}

/// A read of a key.
#[derive(Clone, Debug)]
pub struct GetRequest {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// One version; without it what the key shows.
    pub version: Option<VersionRef>,
    /// What the client has seen elsewhere: the answer is not older, or 503.
    pub context: Option<Context>,
}

/// An object as found.
pub struct Object<E: Env> {
    /// The version.
    pub version: Stamp,
    /// Whether it is the key's null version.
    pub is_null: bool,
    /// Its tags, if any were set since it was written.
    pub tags: Option<BTreeMap<String, String>>,
    /// What keeps it from being deleted.
    pub lock: Lock,
    /// Who may read it, as the face encoded it.
    pub acl: Option<String>,
    /// Its manifest and headers.
    pub content: Content,
    /// Its bytes, to be read.
    pub body: BodyReader<E>,
    /// How many other live versions with different content the key has.
    pub siblings: usize,
    /// What the client has now seen: this version.
    pub context: Context,
}

/// A segment that is to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub of: SegmentOf,
    /// Its size and hash.
    pub segment: Segment,
}

impl<E: Env> Engine<E> {
    /// Finds an object. Its body is read through what comes back.
    pub async fn get(&self, request: GetRequest) -> Result<Object<E>, Error> {
        let key = object_key(&request.bucket, &request.key)?;
        self.await_seen(&key, request.context.as_ref()).await?;
        let (record, damaged) = self.read_record(key.clone()).await?;
        if damaged {
            return Err(Unavailable::Damaged.into());
        }
        let found = match request.version {
            Some(version) => version.find(&record),
            None => conflict::current(&record),
        };
        let Some((version, entry)) = found else {
            return Err(self.absent(&key, request.version).await?);
        };
        let Payload::Version { content: Some(content), .. } = &entry.payload else {
            let is_null = conflict::null_version(&record).is_some_and(|(null, _)| null == version);
            return Err(Error::Deleted { key: key.to_string(), marker: version, is_null });
        };
        let manifest = &content.manifest;
        let body = BodyReader::new(self, version.dot, manifest.size, manifest.body.clone());
        // The token names what the client is shown, and its identical twins: a sibling whose bytes it never saw stays.
        let mut stamps: Vec<Stamp> = conflict::live(&record)
            .filter(|(_, other)| conflict::are_twins(entry, other))
            .map(|(s, _)| s)
            .collect();
        if !stamps.contains(&version) {
            stamps.push(version);
        }
        let siblings = conflict::ConflictRecord::of(&record).siblings.len().saturating_sub(1);
        let context = self.issue(&key, &Seen { stamps });
        let is_null = conflict::null_version(&record).is_some_and(|(null, _)| null == version);
        let tags = record.tags_of(version.dot).map(|(_, tags)| tags.clone());
        let (lock, acl) = (lock_of(&record, version.dot), acl_of(&record, version.dot));
        Ok(Object { version, is_null, tags, lock, acl, content: content.clone(), body, siblings, context })
    }

    /// Why nothing is shown.
    async fn absent(&self, key: &RecordKey, version: Option<VersionRef>) -> Result<Error, Error> {
        if !self.is_joined() {
            return Ok(Unavailable::Rebuilding.into());
        }
        let bucket = key.bucket().clone();
        if !self.buckets(Some(bucket.name())).await?.iter().any(|found| found.id == bucket) {
            return Ok(Error::NoSuchBucket(bucket.name().into()));
        }
        Ok(match version {
            Some(version) => Error::NoSuchVersion(version.to_string()),
            None => Error::NoSuchKey(key.to_string()),
        })
    }

    /// A record, and whether it is damaged. A corrupt one is withdrawn, for repair to refill it.
    pub(super) async fn read_record(&self, key: RecordKey) -> Result<(Record, bool), Error> {
        let wanted = key.clone();
        let read =
            self.look(move |snapshot| Ok((snapshot.record(&wanted)?, snapshot.is_damaged(&wanted)?))).await;
        match read {
            Err(store::Error::Corrupt { .. }) => {
                self.withdraw(Some(key)).await;
                Ok((Record::default(), true))
            }
            read => Ok(read?),
        }
    }

    /// Segments to be fetched: those that a reader waits for, then those of the bodies above `after`, at most `limit`.
    pub async fn wanted_segments(&self, after: Option<Dot>, limit: usize) -> Result<Vec<Wanted>, Error> {
        let urgent = lock(&self.shared.urgent).clone();
        let (found, corrupt) = self
            .read(move |snapshot| {
                let (mut found, mut corrupt) = (Vec::new(), Vec::new());
                let mut look = |found: &mut Vec<Wanted>, dot, row: &BodyRow, only, room| {
                    match missing(snapshot, dot, row, only, room)? {
                        Ok(missing) => found.extend(missing),
                        Err(key) => corrupt.push(key),
                    }
                    Ok::<_, store::Error>(())
                };
                for (dot, number) in urgent {
                    if let Some(row) = snapshot.body(keys::WANTED, dot)? {
                        look(&mut found, dot, &row, Some(number), 1)?;
                    }
                }
                for (dot, row) in snapshot.bodies(keys::WANTED, after, limit)? {
                    let room = limit.saturating_sub(found.len());
                    look(&mut found, dot, &row, None, room)?;
                    if found.len() >= limit {
                        break;
                    }
                }
                Ok((found, corrupt))
            })
            .await?;
        for key in corrupt {
            self.withdraw(Some(key)).await; // repaired first; nobody else may read it for long
        }
        Ok(found)
    }

    /// Of each origin the first operation whose body is not here and still needed.
    pub async fn lacks(&self) -> Result<Vec<Dot>, Error> {
        Ok(self.look(store::Snapshot::first_wanted).await?)
    }

    /// Follows arrivals and misses of bodies.
    pub fn watch_bodies(&self) -> Follower<u64> {
        self.shared.bodies.follow()
    }
}

/// The segments of a wanted body that are not here: one of them, or the first ones. `Err` names a record that turned out
/// corrupt.
fn missing(
    snapshot: &Snapshot,
    dot: Dot,
    row: &BodyRow,
    only: Option<u32>,
    limit: usize,
) -> Result<Result<Vec<Wanted>, RecordKey>, store::Error> {
    let Some(key) = RecordKey::decode(&row.record) else { return Ok(Ok(Vec::new())) };
    let record = match snapshot.record(&key) {
        Err(store::Error::Corrupt { .. }) => return Ok(Err(key)),
        record => record?,
    };
    let mut found = Vec::new();
    let segments = record.entries.get(&dot).and_then(store::external).unwrap_or_default();
    for (number, segment) in (0..).zip(segments) {
        let of = (dot, number);
        if found.len() < limit && only.is_none_or(|only| only == number) && snapshot.segment(of)?.is_none() {
            found.push(Wanted { of, segment: *segment });
        }
    }
    Ok(Ok(found))
}
