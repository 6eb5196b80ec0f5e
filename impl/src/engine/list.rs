//! Listings: the keys of a bucket, or all versions of them, in key order, with common prefixes folded together.
//!
//! A page ends with where to go on, and that is made of keys and versions only: a client may go on at another site in the
//! middle of a listing.

use super::{Engine, Error, Unavailable};
use crate::{
    causality::{Dot, Stamp},
    conflict,
    crdt::{Payload, Raise, Record, Status},
    env::Env,
    object::{BucketId, RecordKey},
    store::{self, Snapshot, keys},
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

/// What a listing tells of a version's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Length in bytes.
    pub size: u64,
    /// The ETag.
    pub etag: String,
    /// User metadata and system headers.
    pub headers: BTreeMap<String, String>,
}

/// One version in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object key.
    pub key: String,
    /// The version.
    pub version: Stamp,
    /// Whether it is the key's null version.
    pub is_null: bool,
    /// Where it stands.
    pub kind: VersionKind,
    /// What it holds; none for a delete marker.
    pub content: Option<Summary>,
    /// Whether its body is known to be at no site.
    pub is_lost: bool,
    /// Its tags.
    pub tags: Option<(Dot, BTreeMap<String, String>)>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A version, or a key with what it shows.
    Version(Listed),
    /// Everything whose key starts like this, up to the delimiter.
    Prefix(String),
}

/// Where a listing goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// At the beginning.
    #[default]
    Start,
    /// After a key and all its versions.
    Key(String),
    /// After one version of a key: with the next older one.
    Version(String, Stamp),
    /// After every key that starts like this.
    Prefix(String),
}

/// What is to be listed.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// Where.
    pub bucket: BucketId,
    /// Only keys that start like this.
    pub prefix: String,
    /// Keys that go on with this after the prefix are folded together; empty for none.
    pub delimiter: String,
    /// Where to begin.
    pub after: After,
    /// Items of the page, at most.
    pub max: usize,
    /// All versions and delete markers, or only what each key shows.
    pub all: bool,
}

impl ListRequest {
    /// Everything in a bucket, from its beginning.
    pub fn all_of(bucket: BucketId, max: usize) -> Self {
        let (prefix, delimiter) = (String::new(), String::new());
        Self { bucket, prefix, delimiter, after: After::Start, max, all: true }
    }
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// By key, and newest first within a key.
    pub items: Vec<Item>,
    /// Where to go on; none at the end.
    pub next: Option<After>,
}

impl Page {
    /// The versions among the items.
    pub fn versions(self) -> impl Iterator<Item = Listed> {
        self.items.into_iter().filter_map(|item| match item {
            Item::Version(listed) => Some(listed),
            Item::Prefix(_) => None,
        })
    }
}

impl<E: Env> Engine<E> {
    /// Lists one page.
    pub async fn list(&self, request: ListRequest) -> Result<Page, Error> {
        if !self.is_joined() {
            return Err(Unavailable::Rebuilding.into());
        }
        let name = request.bucket.name();
        if !request.bucket.is_system()
            && !self.buckets(Some(name)).await?.iter().any(|found| found.id == request.bucket)
        {
            return Err(Error::NoSuchBucket(name.into()));
        }
        match self.read(move |snapshot| Listing::of(request).run(snapshot)).await? {
            Ok(page) => Ok(page),
            Err(damaged) => {
                self.withdraw(damaged).await;
                Err(Unavailable::Damaged.into())
            }
        }
    }
}

/// A page being made.
struct Listing {
    request: ListRequest,
    /// Encoded key of the bucket's first record.
    base: Vec<u8>,
    page: Page,
}

/// What to do after one record.
enum Step {
    Next,
    /// To the first record at or above this encoded key.
    Seek(Vec<u8>),
    End,
}

impl Listing {
    fn of(request: ListRequest) -> Self {
        Self { base: RecordKey::objects_prefix(&request.bucket), request, page: Page::default() }
    }

    /// The page, or the key of a record that turned out damaged; none if it was known to be.
    fn run(mut self, snapshot: &Snapshot) -> Result<Result<Page, Option<RecordKey>>, store::Error> {
        let scope = [&self.base[..], self.request.prefix.as_bytes()].concat();
        // An honest listing cannot leave a key out.
        if snapshot.damaged()?.iter().any(|key| key.encode().starts_with(&scope)) {
            return Ok(Err(None));
        }
        if self.request.max == 0 {
            return Ok(Ok(self.page));
        }
        let mut from = match &self.request.after {
            After::Start => Some(scope.clone()),
            // The key's records would be followed by those of longer keys: the next possible key is this one and NUL.
            After::Key(key) => Some([&self.base[..], key.as_bytes(), &[0]].concat()),
            After::Version(key, _) => Some([&self.base[..], key.as_bytes()].concat()),
            After::Prefix(prefix) => keys::after_prefix(&[&self.base[..], prefix.as_bytes()].concat()),
        };
        let mut damaged = None;
        while let Some(start) = from.take() {
            snapshot.scan(&scope, &start, |key, record| {
                let Some(RecordKey::Object(bucket, name)) = RecordKey::decode(key) else { return true };
                let Ok(record) = record else {
                    damaged = Some(RecordKey::Object(bucket, name));
                    return false;
                };
                match self.take(&name, &record) {
                    Step::Next => true,
                    Step::Seek(to) => {
                        from = Some(to);
                        false
                    }
                    Step::End => false,
                }
            })?;
        }
        Ok(damaged.map_or(Ok(self.page), |key| Err(Some(key))))
    }

    fn take(&mut self, name: &str, record: &Record) -> Step {
        let mut listed = versions_of(name, record, self.request.all);
        if let After::Version(key, after) = &self.request.after
            && key == name
        {
            listed.retain(|listed| listed.version < *after);
        }
        if listed.is_empty() {
            return Step::Next;
        }
        if let Some(group) = self.group(name) {
            let end = keys::after_prefix(&[&self.base[..], group.as_bytes()].concat());
            if !self.push(Item::Prefix(group)) {
                return Step::End;
            }
            return end.map_or(Step::End, Step::Seek);
        }
        for listed in listed {
            if !self.push(Item::Version(listed)) {
                return Step::End;
            }
        }
        Step::Next
    }

    /// The common prefix that a key is folded into.
    fn group(&self, name: &str) -> Option<String> {
        let (prefix, delimiter) = (&self.request.prefix, &self.request.delimiter);
        let rest = name.get(prefix.len()..).filter(|_| !delimiter.is_empty())?;
        let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(name[..end].to_owned())
    }

    /// Takes an item in; `false` if the page is full.
    fn push(&mut self, item: Item) -> bool {
        if self.page.items.len() < self.request.max {
            self.page.items.push(item);
            return true;
        }
        self.page.next = self.page.items.last().map(|last| match last {
            Item::Prefix(prefix) => After::Prefix(prefix.clone()),
            Item::Version(last) if self.request.all => After::Version(last.key.clone(), last.version),
            Item::Version(last) => After::Key(last.key.clone()),
        });
        false
    }
}

/// The versions of a key that are listed, newest first.
pub(super) fn versions_of(key: &str, record: &Record, all: bool) -> Vec<Listed> {
    let current = conflict::current(record).map(|(stamp, _)| stamp);
    let null = conflict::null_version(record).map(|(stamp, _)| stamp);
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
            let summary = |content: &crate::object::Content| Summary {
                size: content.manifest.size,
                etag: content.manifest.etag.clone(),
                headers: content.headers.clone(),
            };
            Some(Listed {
                key: key.into(),
                version,
                is_null: Some(version) == null,
                kind,
                content: content.as_ref().map(summary),
                is_lost: entry.raise == Raise::Lost,
                tags: record.tags_of(version.dot).map(|(dot, tags)| (dot, tags.clone())),
            })
        })
        .collect();
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.version));
    listed
}
