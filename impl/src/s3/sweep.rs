//! Carries out what the buckets' lifecycle rules say, from time to time.
//!
//! A pass reads listings; what looks due is put to the engine, which asks again on the key as it then is. Every site makes
//! its own passes and ends what it wrote: see [`Engine::expire`]. Dates have passed when the slowest clock of the cluster
//! has passed them.
//!
//! A version that was replaced by somebody who had not seen it is kept in unversioned buckets too, as noncurrent: there
//! both kinds of expiration end it, so that the same rule that ends the objects of a bucket ends what lies behind them.

use super::{
    expiry::rules_of,
    lifecycle::{self, Action, ObjectFacts, Rule},
};
use crate::{
    engine::{After, Bucket, Ending, Engine, Error, ListRequest, Listed, VersionKind},
    env::Env,
    object::{RecordKey, Versioning},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Versions of one listing.
const PAGE: usize = 1000;

/// What one pass ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Versions and delete markers, or put under a marker.
    pub versions: usize,
    /// Multipart uploads given up.
    pub uploads: usize,
}

/// Makes a pass every so often, for as long as the process lives. `day` is a day of a rule; tests take a shorter one.
pub async fn keep_sweeping<E: Env>(engine: Engine<E>, every: Duration, day: Duration) {
    loop {
        engine.env().sleep(every).await;
        match sweep(&engine, day).await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(Swept { versions, uploads }) => {
                tracing::info!(versions, uploads, "lifecycle rules carried out");
            }
            Err(error) => {
                tracing::warn!("lifecycle rules not carried out: {error}; the next pass tries again");
            }
        }
    }
}

/// One pass over all buckets that have rules.
pub async fn sweep<E: Env>(engine: &Engine<E>, day: Duration) -> Result<Swept, Error> {
    let day_ms = day.as_millis() as u64;
    let mut swept = Swept::default();
    for bucket in engine.buckets(None).await? {
        if let Some(rules) = rules_of(&bucket) {
            let pass = Pass { engine, bucket: &bucket, rules: Arc::new(rules), day_ms };
            swept.versions += pass.versions().await?;
            swept.uploads += pass.uploads().await?;
        }
    }
    Ok(swept)
}

/// A pass over one bucket.
struct Pass<'a, E: Env> {
    engine: &'a Engine<E>,
    bucket: &'a Bucket,
    rules: Arc<Vec<Rule>>,
    day_ms: u64,
}

impl<E: Env> Pass<'_, E> {
    async fn versions(&self) -> Result<usize, Error> {
        let mut request = ListRequest::all_of(self.bucket.id.clone(), PAGE);
        let mut ended = 0;
        loop {
            let page = self.engine.list(request.clone()).await?;
            let next = page.next.clone();
            let versions: Vec<Listed> = page.versions().collect();
            for of_key in versions.chunk_by(|a, b| a.key == b.key) {
                let key = &of_key[0].key;
                // A key that a page cuts through is shown whole to the engine only.
                let is_cut = |edge: &After| matches!(edge, After::Version(at, _) if at == key);
                if is_cut(&request.after)
                    || next.as_ref().is_some_and(is_cut)
                    || !self.due()(of_key).is_empty()
                {
                    ended += self.engine.expire(&self.bucket.id, key, self.due()).await?;
                }
            }
            match next {
                Some(next) => request.after = next,
                None => return Ok(ended),
            }
        }
    }

    /// What is due among all versions of a key, newest first.
    fn due(&self) -> impl FnOnce(&[Listed]) -> Vec<Ending> + Send + 'static {
        let (rules, now_ms, day_ms) = (self.rules.clone(), self.engine.least_wall_ms(), self.day_ms);
        let keeps_versions = self.bucket.versioning != Versioning::Unversioned;
        move |versions| {
            let no_tags = BTreeMap::new();
            let (mut due, mut newer_noncurrent) = (Vec::new(), 0);
            for (n, listed) in versions.iter().enumerate() {
                let is_current = listed.kind != VersionKind::Noncurrent;
                let newer = &versions[n.saturating_sub(1)];
                let facts = ObjectFacts {
                    key: &listed.key,
                    size: listed.content.as_ref().map_or(0, |content| content.size),
                    tags: listed.tags.as_ref().map_or(&no_tags, |(_, tags)| tags),
                    is_current,
                    is_delete_marker: listed.content.is_none(),
                    is_only_version: versions.len() == 1,
                    created_ms: listed.version.hlc.ms(),
                    noncurrent_since_ms: (!is_current).then(|| newer.version.hlc.ms()),
                    newer_noncurrent,
                };
                newer_noncurrent += usize::from(!is_current);
                let mut action = lifecycle::due(&rules, &facts, now_ms, day_ms);
                if action.is_none() && !is_current && !keeps_versions {
                    let as_current = ObjectFacts { is_current: true, noncurrent_since_ms: None, ..facts };
                    action = lifecycle::due(&rules, &as_current, now_ms, day_ms);
                }
                due.extend(action.map(|action| match action {
                    Action::DeleteMarkerOrDelete => Ending::Delete(listed.version.dot),
                    Action::ExpireVersion | Action::RemoveMarker => Ending::Purge(listed.version.dot),
                }));
            }
            due
        }
    }

    async fn uploads(&self) -> Result<usize, Error> {
        let now_ms = self.engine.least_wall_ms();
        let mut given_up = 0;
        for (id, upload) in self.engine.uploads(&self.bucket.id).await? {
            let RecordKey::Object(_, key) = &upload.record else { continue };
            if !lifecycle::aborts(&self.rules, key, upload.began_ms, now_ms, self.day_ms) {
                continue;
            }
            match self.engine.abort_upload(id, upload.record.clone()).await {
                Ok(()) => given_up += 1,
                Err(Error::NoSuchUpload(_)) => {} // it was completed meanwhile
                Err(error) => return Err(error),
            }
        }
        Ok(given_up)
    }
}
