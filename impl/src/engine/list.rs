//! Listings: the keys of a bucket, and all versions of them, in key order.
//!
//! A page ends with the key to continue after: a client may go on at another site in the middle of a listing.

use super::{Engine, Error, Unavailable};
use crate::{
    causality::{Dot, Stamp},
    conflict,
    crdt::{Payload, Record, Status},
    env::Env,
    object::{BucketId, Content, RecordKey},
};
use std::collections::BTreeMap;

/// Where a listed version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionKind {
    /// What the key shows.
    Current,
    /// Another live version.
    Sibling,
    /// Superseded and readable.
    Noncurrent,
}

/// One version in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object key.
    pub key: String,
    /// The version.
    pub version: Stamp,
    /// Where it stands.
    pub kind: VersionKind,
    /// What it holds; none for a delete marker.
    pub content: Option<Content>,
    /// Whether its body is known to be at no site.
    pub is_lost: bool,
    /// Its tags.
    pub tags: Option<(Dot, BTreeMap<String, String>)>,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The versions, by key, and newest first within a key.
    pub versions: Vec<Listed>,
    /// Continue after this key; none at the end.
    pub next_after: Option<String>,
}

impl<E: Env> Engine<E> {
    /// Lists versions of the keys with a prefix, after a key, of at most `max_keys` keys. Without `all`, only what each
    /// key shows, and no delete markers.
    pub async fn list(
        &self,
        bucket: &BucketId,
        prefix: &str,
        after: Option<&str>,
        max_keys: usize,
        all: bool,
    ) -> Result<Versions, Error> {
        if !self.is_joined() {
            return Err(Unavailable::Rebuilding.into());
        }
        if !self.buckets(Some(bucket.name())).await?.iter().any(|found| found.id == *bucket) {
            return Err(Error::NoSuchBucket(bucket.name().into()));
        }
        let base = RecordKey::objects_prefix(bucket);
        let start = [&base[..], prefix.as_bytes()].concat();
        let after = after.map(|key| [&base[..], key.as_bytes()].concat()).unwrap_or_default();
        let read = self
            .read(move |snapshot| {
                let (mut page, mut keys, mut damaged) = (Versions::default(), 0, None);
                for key in snapshot.damaged()? {
                    if key.encode().starts_with(&start) {
                        return Ok(Err(None)); // an honest listing cannot leave a key out
                    }
                }
                snapshot.scan(&start, &after, |key, record| {
                    let Some(RecordKey::Object(bucket, name)) = RecordKey::decode(key) else { return true };
                    let Ok(record) = record else {
                        damaged = Some(RecordKey::Object(bucket, name));
                        return false;
                    };
                    if keys == max_keys {
                        page.next_after = page.versions.last().map(|listed| listed.key.clone());
                        return false;
                    }
                    let listed = versions_of(&name, &record, all);
                    keys += usize::from(!listed.is_empty());
                    page.versions.extend(listed);
                    true
                })?;
                Ok(damaged.map_or(Ok(page), |key| Err(Some(key))))
            })
            .await?;
        match read {
            Ok(page) => Ok(page),
            Err(damaged) => {
                self.withdraw(damaged).await;
                Err(Unavailable::Damaged.into())
            }
        }
    }
}

fn versions_of(key: &str, record: &Record, all: bool) -> Vec<Listed> {
    let current = conflict::current(record).map(|(stamp, _)| stamp);
    let mut listed: Vec<Listed> = record
        .versions()
        .filter_map(|(version, entry)| {
            let Payload::Version { content, .. } = &entry.payload else { return None };
            let kind = match entry.status() {
                _ if Some(version) == current => VersionKind::Current,
                Status::Live => VersionKind::Sibling,
                Status::History | Status::Purged => VersionKind::Noncurrent,
            };
            if !all && (kind != VersionKind::Current || content.is_none()) {
                return None;
            }
            Some(Listed {
                key: key.into(),
                version,
                kind,
                content: content.clone(),
                is_lost: entry.raise == crate::crdt::Raise::Lost,
                tags: record.tags_of(version.dot).map(|(dot, tags)| (dot, tags.clone())),
            })
        })
        .collect();
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.version));
    listed
}
