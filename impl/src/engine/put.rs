//! One local write, from its bytes to its commit.

use super::{
    Context, Engine, Error, Seen, StoredBody, Unavailable, VersionRef,
    context::hex,
    writer::{Draft, Purpose, Sequencer},
};
use crate::{
    causality::{Dot, Stamp, Timestamp},
    conflict::{self, Policy},
    crdt::{Payload, Raise, Record},
    env::{Env, timeout},
    object::{BucketId, Content, Kind, Manifest, Op, RecordKey, Versioning},
    store,
};
use std::{collections::BTreeMap, time::Duration};

/// A condition on what the key shows at this site when the write is sequenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-Match`: the winner has this ETag.
    Matches(String),
    /// `If-Match: *`: the key shows a version.
    Present,
    /// `If-None-Match: *`: the key shows nothing, or a delete marker.
    Absent,
    /// `If-None-Match`: the key shows nothing, a delete marker, or a version with another ETag.
    Differs(String),
}

/// A new version of a key.
#[derive(Debug)]
pub struct PutRequest {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// The body: see [`Engine::write_body`].
    pub body: StoredBody,
    /// User metadata and system headers.
    pub headers: BTreeMap<String, String>,
    /// What the client has seen of the key; without it the write replaces what this site shows.
    pub context: Option<Context>,
    /// Under which condition.
    pub condition: Option<Condition>,
}

/// The deletion of a key, or of one version of it.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// The version to end for good; without it the key is deleted.
    pub version: Option<VersionRef>,
    /// What the client has seen of the key.
    pub context: Option<Context>,
    /// Under which condition.
    pub condition: Option<Condition>,
    /// Whether it may bypass GOVERNANCE retention.
    pub bypass: bool,
}

/// What a write left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new version or delete marker; none if the write left none behind.
    pub version: Option<Stamp>,
    /// The ETag of a new version.
    pub etag: Option<String>,
    /// What the client has now seen.
    pub context: Context,
}

impl<E: Env> Engine<E> {
    /// Writes a new version. Acknowledged once operation and body are synced here.
    pub async fn put(&self, request: PutRequest) -> Result<Written, Error> {
        let asked_at = self.env().monotonic();
        let key = object_key(&request.bucket, &request.key)?;
        let seen = self.await_seen(&key, request.context.as_ref()).await?;
        let StoredBody { body, size, md5, files } = request.body;
        let etag = hex(&md5);
        let manifest = Manifest { size, etag: etag.clone(), body, parts: Vec::new() };
        let content = Content { manifest, headers: request.headers };
        let draw = Draw { record: key.clone(), seen, condition: request.condition, asked_at, content };
        let stamp = self
            .submit(Purpose::Grow, move |sequencer| {
                let op = match write_version(sequencer, draw)? {
                    Ok(op) => op,
                    Err(error) => return Ok(Err(error)),
                };
                for (number, blob) in (0..).zip(files.publish()) {
                    sequencer.tx.segment_arrived(op.dot, number, &blob)?;
                }
                Ok(Ok(op.stamp()))
            })
            .await?;
        let context = self.issue(&key, &Seen { stamps: vec![stamp] });
        Ok(Written { version: Some(stamp), etag: Some(etag), context })
    }

    /// Reads a token and waits until this site has applied what it names: a write must not supersede, nor a read hide,
    /// what its site does not have.
    pub(super) async fn await_seen(
        &self,
        key: &RecordKey,
        context: Option<&Context>,
    ) -> Result<Option<Seen>, Error> {
        let Some(context) = context else { return Ok(None) };
        let seen = context.read(&self.config().cluster_key, key)?;
        let mut durable = self.watch_durable();
        let wanted = seen.clone();
        let arrived =
            durable.wait_for(move |vector| wanted.stamps.iter().all(|stamp| vector.covers(stamp.dot)));
        match timeout(self.env(), self.config().wait_max, arrived).await {
            Some(()) => Ok(Some(seen)),
            None => Err(Unavailable::Behind.into()),
        }
    }

    pub(super) fn issue(&self, key: &RecordKey, seen: &Seen) -> Context {
        Context::issue(&self.config().cluster_key, key, seen)
    }
}

/// A new version on its way to its dot.
pub(super) struct Draw {
    pub(super) record: RecordKey,
    pub(super) seen: Option<Seen>,
    pub(super) condition: Option<Condition>,
    pub(super) asked_at: Duration,
    pub(super) content: Content,
}

/// Writes a new version, in the writer's order: its condition, what it supersedes, its dot.
pub(super) fn write_version(
    sequencer: &mut Sequencer<'_, '_>,
    Draw { record, seen, condition, asked_at, content }: Draw,
) -> Result<Result<Op, Error>, store::Error> {
    let before = match prepare(sequencer, &record)? {
        Ok(before) => before,
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = check(&record, &before.record, condition.as_ref()) {
        return Ok(Err(error));
    }
    let mut supersedes = before.superseded(seen.as_ref());
    if matches!(condition, Some(Condition::Matches(_))) && seen.is_none() {
        supersedes = winner_and_twins(&before.record);
    }
    let draft = Draft {
        record,
        kind: Kind::Put { versioning: before.versioning, content },
        supersedes,
        context: seen.is_some() || matches!(condition, Some(Condition::Matches(_))),
        floor: floor(seen.as_ref()),
        asked_at,
    };
    Ok(Ok(sequencer.write(&before.record, draft)?))
}

pub(super) fn object_key(bucket: &BucketId, key: &str) -> Result<RecordKey, Error> {
    RecordKey::object(bucket.clone(), key).map_err(|error| Error::Invalid(error.to_string()))
}

/// The key as a write finds it.
pub(super) struct Before {
    pub(super) record: Record,
    pub(super) versioning: Versioning,
    policy: Policy,
}

/// Reads what a write needs to know of its key and bucket, inside the transaction.
pub(super) fn prepare(
    sequencer: &mut Sequencer<'_, '_>,
    key: &RecordKey,
) -> Result<Result<Before, Error>, store::Error> {
    let bucket = match sequencer.bucket(key.bucket())? {
        Ok(bucket) => bucket,
        Err(error) => return Ok(Err(error)),
    };
    let mut record = match sequencer.writable(key)? {
        Ok(record) => record,
        Err(error) => return Ok(Err(error)),
    };
    // During a state merge the record may hold versions that are not applied here yet: they must not be named.
    let applied = sequencer.tx.vector();
    record.entries.retain(|dot, _| applied.covers(*dot));
    Ok(Ok(Before { record, versioning: bucket.versioning, policy: bucket.policy }))
}

impl Before {
    /// Whether all of these are null versions: a delete in an unversioned bucket ends them without a marker.
    pub(super) fn all_null(&self, dots: &[Dot]) -> bool {
        let is_null = |dot| match self.record.entries.get(dot).map(|entry| &entry.payload) {
            Some(Payload::Version { versioning, .. }) => versioning.is_null(),
            _ => true,
        };
        dots.iter().all(is_null)
    }

    /// What a write supersedes: with context exactly what the client has seen; without, what this site shows or holds,
    /// as the policy says. A null version takes the place of the null version before it, wherever that stands.
    pub(super) fn superseded(&self, seen: Option<&Seen>) -> Vec<Dot> {
        if let Some(seen) = seen {
            let mut dots: Vec<Dot> = seen
                .stamps
                .iter()
                .map(|s| s.dot)
                .filter(|dot| self.record.entries.contains_key(dot))
                .collect();
            dots.sort_unstable();
            dots.dedup();
            return dots;
        }
        let mut dots = self.policy.replaced_by_blind_write(&self.record);
        if self.versioning.is_null() {
            let displaced = self.record.versions().filter(|(_, entry)| {
                entry.raise == Raise::Displaced
                    && matches!(&entry.payload, Payload::Version { versioning, .. } if versioning.is_null())
            });
            dots.extend(displaced.map(|(stamp, _)| stamp.dot));
        }
        dots
    }
}

pub(super) fn check(key: &RecordKey, record: &Record, condition: Option<&Condition>) -> Result<(), Error> {
    let shown = conflict::current(record).and_then(|(_, entry)| match &entry.payload {
        Payload::Version { content, .. } => content.as_ref(),
        _ => None,
    });
    let shows = |etag: &str| shown.is_some_and(|content| content.manifest.etag == etag.trim_matches('"'));
    match (condition, shown) {
        (None, _) | (Some(Condition::Absent), None) | (Some(Condition::Present), Some(_)) => Ok(()),
        (Some(Condition::Matches(etag)), _) if shows(etag) => Ok(()),
        (Some(Condition::Differs(etag)), _) if !shows(etag) => Ok(()),
        (Some(Condition::Absent | Condition::Differs(_)), _) => {
            Err(Error::PreconditionFailed("If-None-Match"))
        }
        // S3 says that there is nothing to match, not that it differs.
        (Some(Condition::Matches(_) | Condition::Present), None) => Err(Error::NoSuchKey(key.to_string())),
        (Some(Condition::Matches(_)), _) => Err(Error::PreconditionFailed("If-Match")),
    }
}

fn winner_and_twins(record: &Record) -> Vec<Dot> {
    let Some((_, winner)) = conflict::winner(record) else { return Vec::new() };
    conflict::live(record)
        .filter(|(_, entry)| conflict::are_twins(winner, entry))
        .map(|(stamp, _)| stamp.dot)
        .collect()
}

pub(super) fn floor(seen: Option<&Seen>) -> Timestamp {
    seen.iter().flat_map(|seen| seen.stamps.iter().map(|stamp| stamp.hlc)).max().unwrap_or_default()
}
