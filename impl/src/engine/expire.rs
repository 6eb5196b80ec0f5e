//! Ending versions by a rule that a bucket's owner set. What the rule says is the caller's; here is who carries it out, and
//! that it is decided on the key as it is when the operation is sequenced.
//!
//! A version is ended by the site that wrote it: that knows first what was written after it, and no two sites do the same
//! twice. The versions of a site that is no member any more fall to the lowest member. Locks keep what they keep.

use super::{
    Engine, Error, Listed,
    list::versions_of,
    meta::lock_of,
    put::{object_key, prepare},
    writer::{Draft, Purpose},
};
use crate::{
    causality::{Dot, SiteId, Timestamp},
    env::Env,
    object::{BucketId, Kind, Versioning},
};
use std::time::Duration;

/// How a rule ends a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As a client would that has seen it and nothing else: a delete marker over it where versions are kept, else it goes.
    Delete(Dot),
    /// It goes for good.
    Purge(Dot),
}

impl Ending {
    fn dot(self) -> Dot {
        match self {
            Self::Delete(dot) | Self::Purge(dot) => dot,
        }
    }
}

impl<E: Env> Engine<E> {
    /// Ends versions of a key. `decide` is shown all its versions, newest first, while no write can come between, and names
    /// those whose time is up: what another site must end, or a lock keeps, is left alone. Returns how many were ended.
    pub async fn expire(
        &self,
        bucket: &BucketId,
        key: &str,
        decide: impl FnOnce(&[Listed]) -> Vec<Ending> + Send + 'static,
    ) -> Result<usize, Error> {
        let (record, name) = (object_key(bucket, key)?, key.to_owned());
        let (engine, now_ms) = (self.clone(), self.least_wall_ms());
        self.submit(Purpose::Tidy, move |sequencer| {
            let before = match prepare(sequencer, &record)? {
                Ok(before) => before,
                Err(error) => return Ok(Err(error)),
            };
            let mut due = decide(&versions_of(&name, &before.record, true));
            due.retain(|ending| engine.must_end(ending.dot().site));
            due.retain(|ending| match ending {
                Ending::Purge(dot) => lock_of(&before.record, *dot).may_delete(false, now_ms).is_ok(),
                Ending::Delete(dot) => {
                    before.versioning != Versioning::Unversioned
                        || lock_of(&before.record, *dot).may_delete(false, now_ms).is_ok()
                }
            });
            let (mut covered, mut purged) = (Vec::new(), Vec::new());
            for ending in &due {
                match ending {
                    Ending::Delete(dot) if before.versioning != Versioning::Unversioned => covered.push(*dot),
                    Ending::Delete(dot) | Ending::Purge(dot) => purged.push(*dot),
                }
            }
            let versioning = before.versioning;
            let kinds = [(Kind::Expire, purged), (Kind::DeleteMarker { versioning }, covered)];
            for (kind, supersedes) in kinds {
                if !supersedes.is_empty() {
                    let (record, asked_at, floor) = (record.clone(), Duration::ZERO, Timestamp::default());
                    let draft = Draft { record, kind, supersedes, context: true, floor, asked_at };
                    sequencer.write(&before.record, draft)?;
                }
            }
            Ok(Ok(due.len()))
        })
        .await
    }

    /// Whether this site ends the versions that `site` wrote.
    fn must_end(&self, site: SiteId) -> bool {
        let members = &self.config().members;
        let responsible = if members.contains(&site) { Some(&site) } else { members.first() };
        responsible == Some(&self.site())
    }
}
