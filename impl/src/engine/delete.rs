//! Deleting a key or one version of it.

use super::{
    DeleteRequest, Engine, Error, Seen, Written,
    put::{floor, object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{causality::Stamp, env::Env, object::{Kind, Versioning}};

impl<E: Env> Engine<E> {
    /// Deletes. In a versioned bucket a delete marker takes the key's place; in an unversioned one the versions go. A
    /// version that its client has not seen survives: a PUT elsewhere at the same time is not lost.
    pub async fn delete(&self, request: DeleteRequest) -> Result<Written, Error> {
        let asked_at = self.env().monotonic();
        let key = object_key(&request.bucket, &request.key)?;
        let seen = self.await_seen(&key, request.context.as_ref()).await?;
        let (record, version) = (key.clone(), request.version);
        let marker: Option<Stamp> = self
            .submit(Purpose::Grow, move |sequencer| {
                let before = match prepare(sequencer, &record)? {
                    Ok(before) => before,
                    Err(error) => return Ok(Err(error)),
                };
                let (kind, supersedes) = match (version, before.versioning) {
                    (Some(version), _) => {
                        let known = before.record.entries.contains_key(&version);
                        (Kind::VersionDelete, known.then_some(version).into_iter().collect::<Vec<_>>())
                    }
                    (None, Versioning::Unversioned) => (Kind::Delete, before.superseded(seen.as_ref())),
                    (None, versioning) => (Kind::DeleteMarker { versioning }, before.superseded(seen.as_ref())),
                };
                let is_marker = matches!(kind, Kind::DeleteMarker { .. });
                if supersedes.is_empty() && !is_marker {
                    return Ok(Ok(None)); // as in S3, deleting nothing succeeds; there is nothing to tell the peers
                }
                // Naming a version is having seen it.
                let context = seen.is_some() || version.is_some();
                let draft = Draft { record, kind, supersedes, context, floor: floor(seen.as_ref()), asked_at };
                let op = sequencer.write(&before.record, draft)?;
                Ok(Ok(is_marker.then(|| op.stamp())))
            })
            .await?;
        let context = self.issue(&key, &Seen { stamps: marker.into_iter().collect() });
        Ok(Written { version: marker, etag: None, context })
    }
}
