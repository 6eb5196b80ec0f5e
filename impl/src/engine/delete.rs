//! Deleting a key or one version of it.

use super::{
    DeleteRequest, Engine, Error, Seen, Unavailable, Written,
    put::{floor, object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{
    causality::Stamp,
    env::Env,
    object::{Kind, Versioning},
};

impl<E: Env> Engine<E> {
    /// Deletes. In a versioned bucket a delete marker takes the key's place; in an unversioned one the versions go. A
    /// version that its client has not seen survives: a PUT elsewhere at the same time is not lost.
    pub async fn delete(&self, request: DeleteRequest) -> Result<Written, Error> {
        let asked_at = self.env().monotonic();
        let key = object_key(&request.bucket, &request.key)?;
        let seen = self.await_seen(&key, request.context.as_ref()).await?;
        let (record, version, joined) = (key.clone(), request.version, self.is_joined());
        let marker: Option<Stamp> = self
            .submit(Purpose::Grow, move |sequencer| {
                let before = match prepare(sequencer, &record)? {
                    Ok(before) => before,
                    Err(error) => return Ok(Err(error)),
                };
                if version.is_some_and(|version| !sequencer.tx.vector().covers(version)) {
                    return Ok(Err(Unavailable::Behind.into())); // it may yet arrive, and must not survive then
                }
                let (kind, supersedes) = match (version, before.versioning) {
                    (Some(version), _) => {
                        let known = before.record.entries.contains_key(&version);
                        (Kind::VersionDelete, known.then_some(version).into_iter().collect::<Vec<_>>())
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
                    return Ok(Ok(None)); // as in S3, deleting nothing succeeds; there is nothing to tell the peers
                }
                // Naming a version is having seen it.
                let context = seen.is_some() || version.is_some();
                let draft =
                    Draft { record, kind, supersedes, context, floor: floor(seen.as_ref()), asked_at };
                let op = sequencer.write(&before.record, draft)?;
                Ok(Ok(is_marker.then(|| op.stamp())))
            })
            .await?;
        let context = self.issue(&key, &Seen { stamps: marker.into_iter().collect() });
        Ok(Written { version: marker, etag: None, context })
    }
}
