//! Names, parsed once at the edge: a bucket with its owner, and the key of a record.
//!
//! A bucket is `(name, owner)`: two owners at two sites may take one name without knowing of each other, and neither
//! may swallow the other's objects. [`RecordKey::encode`] orders records as S3 lists them.

use std::fmt;
use thiserror::Error;

/// A bucket: its S3 name and the account that created it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId {
    name: String,
    owner: String,
}

/// A name that S3 would refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} {name:?} is not valid: {remedy}")]
pub struct InvalidName {
    what: &'static str,
    name: String,
    remedy: &'static str,
}

impl BucketId {
    /// Checks the S3 rules for bucket names (3 to 63 of `a-z 0-9 . -`, alphanumeric at both ends).
    pub fn new(name: &str, owner: &str) -> Result<Self, InvalidName> {
        let invalid = |what, name: &str, remedy| Err(InvalidName { what, name: name.into(), remedy });
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(3..=63).contains(&name.len())
            || !name.chars().all(|c| plain(c) || c == '.' || c == '-')
            || !name.starts_with(plain)
            || !name.ends_with(plain)
        {
            return invalid(
                "bucket name",
                name,
                "use 3 to 63 of a-z, 0-9, '.' and '-', alphanumeric at both ends",
            );
        }
        if owner.is_empty() || owner.len() > 128 || owner.contains('\0') {
            return invalid("owner", owner, "use 1 to 128 bytes without NUL");
        }
        Ok(Self { name: name.into(), owner: owner.into() })
    }

    /// Where the cluster keeps what is its own: access keys. No client can name it, and nobody owns it.
    pub fn system() -> Self {
        Self { name: SYSTEM.into(), owner: String::new() }
    }

    /// Whether it is [`BucketId::system`].
    pub fn is_system(&self) -> bool {
        self.owner.is_empty()
    }

    /// The S3 name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account that created it.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.name, self.owner)
    }
}

/// What one record describes: a bucket, or one object key in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// The bucket itself: its existence and configuration.
    Bucket(BucketId),
    /// One object key.
    Object(BucketId, String),
}

/// No bucket of a client has such a name.
const SYSTEM: &str = "_system";

const BUCKET: u8 = 1;
const OBJECT: u8 = 2;

impl RecordKey {
    /// An object's record; keys are 1 to 1024 bytes of UTF-8.
    pub fn object(bucket: BucketId, key: &str) -> Result<Self, InvalidName> {
        if key.is_empty() || key.len() > 1024 {
            return Err(InvalidName {
                what: "object key",
                name: key.into(),
                remedy: "use 1 to 1024 bytes of UTF-8",
            });
        }
        Ok(Self::Object(bucket, key.into()))
    }

    /// The bucket that the record belongs to.
    pub fn bucket(&self) -> &BucketId {
        match self {
            Self::Bucket(bucket) | Self::Object(bucket, _) => bucket,
        }
    }

    /// The object key; none for a bucket's record.
    pub fn object_key(&self) -> Option<&str> {
        match self {
            Self::Bucket(_) => None,
            Self::Object(_, key) => Some(key),
        }
    }

    /// `tag name NUL owner NUL key`: buckets first, then objects in key order within their bucket.
    pub fn encode(&self) -> Vec<u8> {
        let (tag, bucket, key) = match self {
            Self::Bucket(bucket) => (BUCKET, bucket, ""),
            Self::Object(bucket, key) => (OBJECT, bucket, key.as_str()),
        };
        let mut bytes = Vec::with_capacity(3 + bucket.name.len() + bucket.owner.len() + key.len());
        bytes.push(tag);
        bytes.extend_from_slice(bucket.name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(bucket.owner.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(key.as_bytes());
        bytes
    }

    /// Reads [`RecordKey::encode`] back; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.get(1..)?).ok()?;
        let (name, rest) = text.split_once('\0')?;
        let (owner, key) = rest.split_once('\0')?;
        let bucket = match (name, owner) {
            (SYSTEM, "") => BucketId::system(),
            (name, owner) => BucketId::new(name, owner).ok()?,
        };
        match bytes[0] {
            BUCKET if key.is_empty() => Some(Self::Bucket(bucket)),
            OBJECT => Self::object(bucket, key).ok(),
            _ => None,
        }
    }

    /// The common prefix of all object records of a bucket.
    pub fn objects_prefix(bucket: &BucketId) -> Vec<u8> {
        Self::Object(bucket.clone(), String::new()).encode()
    }

    /// The common prefix of the bucket records that carry this name, whoever owns them.
    pub fn buckets_prefix(name: &str) -> Vec<u8> {
        let mut bytes = vec![BUCKET];
        bytes.extend_from_slice(name.as_bytes());
        if !name.is_empty() {
            bytes.push(0);
        }
        bytes
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => write!(f, "{bucket}"),
            Self::Object(bucket, key) => write!(f, "{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_keys_read_back_and_sort_as_s3_lists() {
        let bucket = BucketId::new("photos", "ann").unwrap();
        let mut keys =
            ["a", "a/b", "a\0b", "b", "é"].map(|k| RecordKey::object(bucket.clone(), k).unwrap()).to_vec();
        keys.push(RecordKey::Bucket(bucket));
        keys.push(RecordKey::object(BucketId::system(), "k").unwrap());
        for key in &keys {
            assert_eq!(RecordKey::decode(&key.encode()).as_ref(), Some(key));
        }
        keys.sort_by_key(RecordKey::encode);
        let listed: Vec<_> = keys.iter().filter_map(RecordKey::object_key).collect();
        assert_eq!(listed, ["k", "a", "a\0b", "a/b", "b", "é"]);
        assert!(BucketId::new("_system", "ann").is_err() && BucketId::system().is_system());
    }

    #[test]
    fn names_that_s3_refuses_are_refused_with_a_remedy() {
        for name in ["ab", "Photos", "-ab", "a_b", &"x".repeat(64)] {
            assert!(BucketId::new(name, "ann").unwrap_err().to_string().contains("3 to 63"));
        }
        assert!(BucketId::new("photos", "").is_err());
        let bucket = BucketId::new("photos", "ann").unwrap();
        assert!(RecordKey::object(bucket.clone(), "").is_err());
        assert!(RecordKey::object(bucket, &"k".repeat(1025)).is_err());
    }
}
