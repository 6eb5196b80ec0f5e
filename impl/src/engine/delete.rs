//! Deleting a key or one version of it.

use super::{
    DeleteRequest, Engine, Error, Unavailable, VersionRef,
    meta::lock_of,
    put::{check, floor, object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{
    causality::Stamp,
    crdt::{Entry, Payload},
    env::Env,
    object::{Kind, Versioning},
};

/// What a deletion left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The delete marker that took the key's place.
    pub marker: Option<Stamp>,
    /// Whether the version that was ended was a delete marker.
    pub marker_ended: bool,
    /// Whether the marker is the key's null version.
    pub is_null: bool,
}

impl<E: Env> Engine<E> {
    /// Deletes. In a versioned bucket a delete marker takes the key's place; in an unversioned one the versions go. A
    /// version that its client has not seen survives: a PUT elsewhere at the same time is not lost.
    pub async fn delete(&self, request: DeleteRequest) -> Result<Deleted, Error> {
        let asked_at = self.env().monotonic();
        let key = object_key(&request.bucket, &request.key)?;
        let seen = self.await_seen(&key, request.context.as_ref()).await?;
        let (record, version, joined) = (key.clone(), request.version, self.is_joined());
        let (condition, bypass, now_ms) = (request.condition, request.bypass, self.least_wall_ms());
        let deleted = self
            .submit(Purpose::Grow, move |sequencer| {
                let before = match prepare(sequencer, &record)? {
                    Ok(before) => before,
                    Err(error) => return Ok(Err(error)),
                };
                if let Err(error) = check(&record, &before.record, condition.as_ref()) {
                    return Ok(Err(error));
                }
                if let Some(VersionRef::Dot(version)) = version
                    && !sequencer.tx.vector().covers(version)
                {
                    return Ok(Err(Unavailable::Behind.into())); // it may yet arrive, and must not survive then
                }
                let mut ended = None;
                let (kind, supersedes) = match (version, before.versioning) {
                    (Some(version), _) => {
                        if let Some((stamp, _)) = version.find(&before.record)
                            && let Err(locked) = lock_of(&before.record, stamp.dot).may_delete(bypass, now_ms)
                        {
                            return Ok(Err(locked.into()));
                        }
                        ended = version.find(&before.record).map(|(stamp, entry)| (stamp, is_marker(entry)));
                        (Kind::VersionDelete, ended.iter().map(|(stamp, _)| stamp.dot).collect::<Vec<_>>())
                    }
                    (None, Versioning::Unversioned) if before.all_null(&before.superseded(seen.as_ref())) => {
                        (Kind::Delete, before.superseded(seen.as_ref()))
                    }
                    // A version of its own, made where the bucket's versioning was known earlier, needs a marker over it.
                    (None, versioning) => {
                        (Kind::DeleteMarker { versioning }, before.superseded(seen.as_ref()))
                    }
                };
                let is_marker = matches!(kind, Kind::DeleteMarker { .. });
                if supersedes.is_empty() && !is_marker && !joined {
                    return Ok(Err(Unavailable::Rebuilding.into())); // nobody knows yet what there is to delete
                }
                if supersedes.is_empty() && !is_marker {
                    return Ok(Ok(Deleted::default())); // as in S3, deleting nothing succeeds; there is nothing to tell the peers
                }
                // Naming a version is having seen it.
                let context = seen.is_some() || version.is_some();
                let draft =
                    Draft { record, kind, supersedes, context, floor: floor(seen.as_ref()), asked_at };
                let op = sequencer.write(&before.record, draft)?;
                let marker = is_marker.then(|| op.stamp());
                let marker_ended = ended.is_some_and(|(_, was_marker)| was_marker);
                Ok(Ok(Deleted { marker, marker_ended, is_null: before.versioning.is_null() }))
            })
            .await?;
        Ok(deleted)
    }
}

fn is_marker(entry: &Entry) -> bool {
    matches!(entry.payload, Payload::Version { content: None, .. })
}
