//! One read: what a key shows, or one of its versions.

use super::{Context, Engine, Error, Seen, Unavailable, lock, put::object_key, writer::Purpose};
use crate::{
    causality::{Dot, Stamp},
    conflict,
    crdt::{Payload, Record},
    env::{Env, Work, timeout, watched::Follower},
    object::{Body, BucketId, Content, RecordKey},
    store::{self, bodies, keys},
};
use bytes::Bytes;
use std::{collections::BTreeSet, sync::Mutex};

/// A read of a key.
#[derive(Clone, Debug)]
pub struct GetRequest {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// One version; without it what the key shows.
    pub version: Option<Dot>,
    /// What the client has seen elsewhere: the answer is not older, or 503.
    pub context: Option<Context>,
}

/// An object as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The version.
    pub version: Stamp,
    /// Its manifest and headers.
    pub content: Content,
    /// Its bytes, checked against their hash.
    pub body: Bytes,
    /// How many other live versions with different content the key has.
    pub siblings: usize,
    /// What the client has now seen: this version.
    pub context: Context,
}

struct Urgent<'a> {
    dot: Dot,
    set: &'a Mutex<BTreeSet<Dot>>,
}

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        lock(self.set).remove(&self.dot);
    }
}

impl<E: Env> Engine<E> {
    /// Reads an object whole.
    pub async fn get(&self, request: GetRequest) -> Result<Object, Error> {
        let key = object_key(&request.bucket, &request.key)?;
        self.await_seen(&key, request.context.as_ref()).await?;
        let (record, damaged) = self.read_record(key.clone()).await?;
        if damaged {
            return Err(Unavailable::Damaged.into());
        }
        let found = match request.version {
            Some(dot) => record.versions().find(|(stamp, _)| stamp.dot == dot),
            None => conflict::current(&record),
        };
        let Some((version, entry)) = found else {
            return Err(self.absent(&key, request.version).await?);
        };
        let Payload::Version { content: Some(content), .. } = &entry.payload else {
            return Err(Error::Deleted(key.to_string()));
        };
        let body = match &content.manifest.body {
            Body::Inline(bytes) => bytes.clone(),
            Body::External => self.read_body(version.dot, content).await?,
        };
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
        Ok(Object { version, content: content.clone(), body, siblings, context })
    }

    /// Why nothing is shown.
    async fn absent(&self, key: &RecordKey, version: Option<Dot>) -> Result<Error, Error> {
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
            self.read(move |snapshot| Ok((snapshot.record(&wanted)?, snapshot.is_damaged(&wanted)?))).await;
        match read {
            Err(store::Error::Corrupt { .. }) => {
                self.withdraw(Some(key)).await;
                Ok((Record::default(), true))
            }
            read => Ok(read?),
        }
    }

    /// A body's bytes; if they are not here, they are fetched first and waited for.
    async fn read_body(&self, dot: Dot, content: &Content) -> Result<Bytes, Error> {
        let mut arrivals = self.shared.bodies.follow();
        let held = async {
            loop {
                let row = self.read(move |snapshot| snapshot.body(keys::HELD, dot)).await?;
                if let Some(row) = row
                    && let Some(bytes) = self.read_blob(dot, &row.blob, content).await?
                {
                    return Ok(bytes);
                }
                lock(&self.shared.urgent).insert(dot);
                self.bodies_changed();
                arrivals.latest();
                arrivals.changed().await;
            }
        };
        // Whoever stops waiting, for whatever reason, stops being urgent.
        let _urgent = Urgent { dot, set: &self.shared.urgent };
        let read = timeout(self.env(), self.config().wait_max, held).await;
        read.unwrap_or(Err(Unavailable::BodyElsewhere { holder: dot.site }.into()))
    }

    /// Reads and checks a body's file; `None`, and wanted again, if it is gone or damaged.
    async fn read_blob(&self, dot: Dot, blob: &str, content: &Content) -> Result<Option<Bytes>, Error> {
        let (env, name, size) = (self.env().clone(), blob.to_owned(), content.manifest.size as usize);
        let blob = name.clone();
        let bytes = self.env().blocking(Work::Read, move || bodies::read(&env, &blob, 0, size)).await;
        match bytes {
            Ok(bytes) if *blake3::hash(&bytes).as_bytes() == content.manifest.blake3 => {
                Ok(Some(bytes.into()))
            }
            Err(error) if !bodies::is_gone(&error) => Err(store::Error::from(error).into()), // no evidence of anything
            _ => {
                self.body_vanished(dot, name).await?;
                Ok(None)
            }
        }
    }

    /// Notes that a held body cannot be read: it is fetched again from a peer.
    pub async fn body_vanished(&self, dot: Dot, blob: String) -> Result<(), Error> {
        self.env().mark("body-vanished");
        self.submit(Purpose::Tidy, move |sequencer| {
            sequencer.tx.body_vanished(dot, &blob)?;
            Ok(Ok(()))
        })
        .await?;
        self.bodies_changed();
        Ok(())
    }

    /// Versions whose body is to be fetched: those that a reader waits for, then at most `limit` above `after`.
    pub async fn wanted_bodies(
        &self,
        after: Option<Dot>,
        limit: usize,
    ) -> Result<Vec<(Dot, store::BodyRow)>, Error> {
        let urgent = lock(&self.shared.urgent).clone();
        Ok(self
            .read(move |snapshot| {
                let mut found = Vec::new();
                for dot in urgent {
                    found.extend(snapshot.body(keys::WANTED, dot)?.map(|row| (dot, row)));
                }
                for (dot, row) in snapshot.bodies(keys::WANTED, after, limit)? {
                    if !found.iter().any(|(known, _)| *known == dot) {
                        found.push((dot, row));
                    }
                }
                Ok(found)
            })
            .await?)
    }

    /// Of each origin the first operation whose body is not here and still needed.
    pub async fn lacks(&self) -> Result<Vec<Dot>, Error> {
        Ok(self.read(store::Snapshot::first_wanted).await?)
    }

    /// Follows arrivals and misses of bodies.
    pub fn watch_bodies(&self) -> Follower<u64> {
        self.shared.bodies.follow()
    }
}
