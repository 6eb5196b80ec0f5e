//! Buckets: their creation, configuration, deletion and names.
//!
//! A bucket exists while a creation of it is live, or while it holds a version: whoever deleted it had found it empty, so
//! a version that it holds is one that the deleter had not seen.

use super::{
    Engine, Error, Unavailable,
    writer::{Draft, Purpose, Sequencer},
};
use crate::{
    causality::{Dot, Stamp, Timestamp},
    conflict::Policy,
    crdt::{Payload, Record},
    env::{Env, Work},
    object::{BucketId, Kind, RecordKey, Versioning},
    store,
};
use std::{collections::BTreeMap, time::Duration};

/// A bucket as its converged configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Name and owner.
    pub id: BucketId,
    /// When and by which write it was created; none if only a racing write keeps it alive.
    pub created: Option<Stamp>,
    /// How new versions are kept.
    pub versioning: Versioning,
    /// How conflicts are settled.
    pub policy: Policy,
    /// What the face keeps of it, as the face encodes it, by field.
    pub documents: BTreeMap<&'static str, String>,
}

/// Fields of a bucket's configuration that the engine keeps and does not read.
pub const DOCUMENTS: [&str; 11] = [
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "notification",
    "object-lock",
    "ownership",
    "policy",
    "public-access-block",
    "replication",
    "tagging",
];
/// The most bytes of one of them.
pub const DOCUMENT_MAX: usize = 256 << 10;

impl Bucket {
    fn of(id: BucketId, record: &Record) -> Self {
        let versioning = match record.field("versioning") {
            Some("enabled") => Versioning::Enabled,
            Some("suspended") => Versioning::Suspended,
            _ => Versioning::Unversioned,
        };
        let documents = DOCUMENTS.iter().filter_map(|field| Some((*field, record.field(field)?.to_owned())));
        let policy = Policy::of_field(record.field("conflict"));
        Self { id, created: record.created(), versioning, policy, documents: documents.collect() }
    }
}

impl Sequencer<'_, '_> {
    /// The bucket, if it exists.
    pub(super) fn bucket(&mut self, id: &BucketId) -> Result<Result<Bucket, Error>, store::Error> {
        let record = match self.writable(&RecordKey::Bucket(id.clone()))? {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        if id.is_system()
            || record.created().is_some()
            || self.tx.holds_versions(&RecordKey::objects_prefix(id))?
        {
            Ok(Ok(Bucket::of(id.clone(), &record)))
        } else {
            Ok(Err(Error::NoSuchBucket(id.name().into())))
        }
    }
}

impl<E: Env> Engine<E> {
    /// Creates a bucket with the fields given set from birth: nobody sees it without them.
    pub async fn create_bucket(&self, id: &BucketId, fields: &[(&str, &str)]) -> Result<Stamp, Error> {
        for (field, value) in fields {
            check_field(field, value)?;
        }
        match self.resolve_bucket(id.name(), id.owner()).await {
            Ok(bucket) if bucket.id == *id => return Err(Error::BucketAlreadyOwned(id.name().into())),
            Ok(_) => return Err(Error::BucketTaken(id.name().into())),
            Err(Error::NoSuchBucket(_) | Error::Unavailable(Unavailable::Rebuilding)) => {}
            Err(error) => return Err(error),
        }
        let id = id.clone();
        let fields: Vec<_> = fields.iter().map(|(f, v)| ((*f).to_owned(), (*v).to_owned())).collect();
        self.submit(Purpose::Grow, move |sequencer| {
            if sequencer.bucket(&id)?.is_ok() {
                return Ok(Err(Error::BucketAlreadyOwned(id.name().into())));
            }
            let created = sequencer
                .change_bucket(&id, Kind::BucketCreate, |record| record.entries.keys().copied().collect())?;
            for (field, value) in fields {
                if let Err(error) = sequencer.set_field(&id, &field, value)? {
                    return Ok(Err(error));
                }
            }
            Ok(created)
        })
        .await
    }

    /// Sets one field of a bucket's configuration; an empty value unsets it. Known fields: `versioning` (`enabled`,
    /// `suspended`), `conflict` (`lww`, `keep-both`), and [`DOCUMENTS`].
    pub async fn configure_bucket(&self, id: &BucketId, field: &str, value: &str) -> Result<Stamp, Error> {
        check_field(field, value)?;
        let (id, field, value) = (id.clone(), field.to_owned(), value.to_owned());
        self.submit(Purpose::Grow, move |sequencer| {
            if let Err(error) = sequencer.bucket(&id)? {
                return Ok(Err(error));
            }
            sequencer.set_field(&id, &field, value)
        })
        .await
    }

    /// Deletes an empty bucket.
    pub async fn delete_bucket(&self, id: &BucketId) -> Result<Stamp, Error> {
        if !self.is_joined() {
            return Err(Unavailable::Rebuilding.into());
        }
        let id = id.clone();
        self.submit(Purpose::Grow, move |sequencer| {
            if let Err(error) = sequencer.bucket(&id)? {
                return Ok(Err(error));
            }
            if sequencer.tx.holds_versions(&RecordKey::objects_prefix(&id))? {
                return Ok(Err(Error::BucketNotEmpty(id.name().into())));
            }
            sequencer
                .change_bucket(&id, Kind::BucketDelete, |record| record.entries.keys().copied().collect())
        })
        .await
    }

    /// The bucket that a name means to a requester: its own, else the one created first.
    pub async fn resolve_bucket(&self, name: &str, requester: &str) -> Result<Bucket, Error> {
        let mut candidates = self.buckets(Some(name)).await?;
        candidates.sort_by_key(|bucket| (bucket.id.owner() != requester, bucket.created));
        match candidates.into_iter().next() {
            Some(bucket) => Ok(bucket),
            None if !self.is_joined() => Err(Unavailable::Rebuilding.into()),
            None => Err(Error::NoSuchBucket(name.into())),
        }
    }

    /// All buckets that exist, or those of one name, in order of name and owner.
    pub async fn buckets(&self, name: Option<&str>) -> Result<Vec<Bucket>, Error> {
        let prefix = RecordKey::buckets_prefix(name.unwrap_or(""));
        // One name is a look; all of them may be many.
        let work = if name.is_some() { Work::Look } else { Work::Read };
        let read = self
            .read_as(work, move |snapshot| {
                let (mut found, mut corrupt) = (Vec::new(), None);
                // A bucket whose record is out of service is not a bucket that does not exist.
                if let Some(damaged) =
                    snapshot.damaged()?.into_iter().find(|key| key.encode().starts_with(&prefix))
                {
                    return Ok(Err(damaged));
                }
                snapshot.scan(&prefix, &[], |key, record| {
                    match (RecordKey::decode(key), record) {
                        (Some(RecordKey::Bucket(id)), Ok(record)) => found.push(Bucket::of(id, &record)),
                        (key, Err(_)) => corrupt = key,
                        _ => {}
                    }
                    corrupt.is_none()
                })?;
                if let Some(key) = corrupt {
                    return Ok(Err(key));
                }
                // A bucket without a live creation exists only if a version keeps it alive.
                let mut existing = Vec::new();
                for bucket in found {
                    let mut kept = bucket.created.is_some();
                    if !kept {
                        snapshot.scan(&RecordKey::objects_prefix(&bucket.id), &[], |_, record| {
                            kept = record.map_or(true, |record| record.versions().next().is_some());
                            !kept
                        })?;
                    }
                    if kept {
                        existing.push(bucket);
                    }
                }
                Ok(Ok(existing))
            })
            .await?;
        match read {
            Ok(buckets) => Ok(buckets),
            Err(corrupt) => {
                self.withdraw(Some(corrupt)).await;
                Err(Unavailable::Damaged.into())
            }
        }
    }
}

fn check_field(field: &str, value: &str) -> Result<(), Error> {
    let is_valid = match field {
        "versioning" => matches!(value, "enabled" | "suspended"),
        "conflict" => value.is_empty() || Policy::is_known(value),
        document => DOCUMENTS.contains(&document) && value.len() <= DOCUMENT_MAX,
    };
    if is_valid { Ok(()) } else { Err(Error::Invalid(format!("a bucket's {field} cannot be {value:?}"))) }
}

impl Sequencer<'_, '_> {
    fn set_field(
        &mut self,
        id: &BucketId,
        field: &str,
        value: String,
    ) -> Result<Result<Stamp, Error>, store::Error> {
        let kind = Kind::BucketConfig { field: field.to_owned(), value };
        self.change_bucket(id, kind, |record| {
            let same =
                |payload: &Payload| matches!(payload, Payload::BucketConfig { field: f, .. } if f == field);
            record.entries.iter().filter(|(_, entry)| same(&entry.payload)).map(|(dot, _)| *dot).collect()
        })
    }

    fn change_bucket(
        &mut self,
        id: &BucketId,
        kind: Kind,
        supersedes: impl FnOnce(&Record) -> Vec<Dot>,
    ) -> Result<Result<Stamp, Error>, store::Error> {
        let key = RecordKey::Bucket(id.clone());
        let mut record = match self.writable(&key)? {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        let applied = self.tx.vector();
        record.entries.retain(|dot, _| applied.covers(*dot));
        let supersedes = supersedes(&record);
        let draft = Draft {
            record: key,
            kind,
            supersedes,
            context: true,
            floor: Timestamp::default(),
            asked_at: Duration::ZERO,
        };
        Ok(Ok(self.write(&record, draft)?.stamp()))
    }
}
