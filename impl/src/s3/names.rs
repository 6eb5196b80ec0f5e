//! Buckets, keys, version ids and times, as clients write them and as the engine knows them.
//!
//! A version id is made of the version's timestamp and dot, by its origin, once: the same at every site, and greater ids
//! are newer versions. `null` is the version that an unversioned or suspended bucket keeps.

use crate::{
    causality::{Dot, Epoch, SiteId, Stamp, Timestamp},
    engine::VersionRef,
    object::{BucketId, Versioning},
};
use s3s::{S3Result, s3_error};
use std::time::{Duration, UNIX_EPOCH};

/// Length of a version id.
const LEN: usize = 16 + 4 + 16 + 16;

/// The version id of a version that is not null.
pub fn version_id(stamp: Stamp) -> String {
    let Dot { site, epoch, seq } = stamp.dot;
    format!("{:016x}{:04x}{:016x}{seq:016x}", stamp.hlc.0, site.0, epoch.0)
}

/// The version id as answers carry it: none in a bucket that was never versioned, unless the version is not null.
pub(super) fn shown_version_id(stamp: Stamp, is_null: bool, versioning: Versioning) -> Option<String> {
    match (is_null, versioning) {
        (true, Versioning::Unversioned) => None,
        (true, _) => Some("null".into()),
        (false, _) => Some(version_id(stamp)),
    }
}

/// Reads a [`version_id`] back.
pub fn parse_version_id(text: &str) -> Option<Stamp> {
    if text.len() != LEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = |from: usize, to: usize| u64::from_str_radix(&text[from..to], 16).ok();
    let site = SiteId(u16::from_str_radix(&text[16..20], 16).ok()?);
    let dot = Dot { site, epoch: Epoch(number(20, 36)?), seq: number(36, 52)? };
    Some(Stamp { hlc: Timestamp(number(0, 16)?), dot })
}

/// The version that a client names.
pub(super) fn version(text: Option<&str>) -> S3Result<Option<VersionRef>> {
    match text {
        None => Ok(None),
        Some("null") => Ok(Some(VersionRef::Null)),
        Some(text) => match parse_version_id(text) {
            Some(stamp) => Ok(Some(VersionRef::Dot(stamp.dot))),
            None => Err(s3_error!(InvalidArgument, "invalid version id specified")),
        },
    }
}

/// A bucket's identity.
pub(super) fn bucket_id(name: &str, account: &str) -> S3Result<BucketId> {
    BucketId::new(name, account).map_err(|error| s3_error!(InvalidBucketName, "{}", error))
}

/// When a version was written: its timestamp's wall time, the same at every site.
pub(super) fn written_at(stamp: Stamp) -> s3s::dto::Timestamp {
    at_ms(stamp.hlc.ms())
}

/// A time in milliseconds since the Unix epoch.
pub(super) fn at_ms(ms: u64) -> s3s::dto::Timestamp {
    (UNIX_EPOCH + Duration::from_millis(ms)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_ids_read_back_and_sort_as_versions_do() {
        let stamp = |ms, site, seq| Stamp {
            hlc: Timestamp::from_ms(ms),
            dot: Dot { site: SiteId(site), epoch: Epoch::new(1, 7), seq },
        };
        let mut stamps = vec![stamp(5, 1, 2), stamp(4, 9, 9), stamp(5, 0, 3), stamp(5, 1, 1)];
        for stamp in &stamps {
            assert_eq!(parse_version_id(&version_id(*stamp)), Some(*stamp));
        }
        let mut ids: Vec<_> = stamps.iter().map(|stamp| version_id(*stamp)).collect();
        stamps.sort();
        ids.sort();
        assert_eq!(ids, stamps.iter().map(|stamp| version_id(*stamp)).collect::<Vec<_>>());
        for text in ["", "x", "null ", &"g".repeat(LEN), &"0".repeat(LEN + 1)] {
            assert!(version(Some(text)).is_err(), "{text}");
        }
        assert_eq!(version(Some("null")).unwrap(), Some(VersionRef::Null));
    }
}
