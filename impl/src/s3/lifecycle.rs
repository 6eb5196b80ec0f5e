//! Lifecycle rules: which versions and uploads of a bucket are to go, and when.
//!
//! Every site decides for itself from the same rules and the same facts; what comes of it is an operation of the site that
//! wrote the version, so that all end the same. Whether a lock keeps a version is asked before an action is taken.
//!
//! Invariants: decisions depend on the arguments only; nothing is due before its rule's days have passed in full, and then
//! at the next midnight UTC; disabled rules decide nothing. Objects do not move between storage classes: there is one.
//! Parts: `validate` (what S3 would take).
//! Source: Amazon S3 User Guide, "Managing the lifecycle of objects" and "Lifecycle configuration elements".

mod validate;

pub(super) use validate::{assign_ids, refuse_transition, validate};

use super::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rule as its bucket's owner put it. Numbers are as they came until [`validate`] has passed them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Empty until [`assign_ids`] has given one.
    pub(super) id: String,
    pub(super) status: Status,
    /// `Prefix` beside the filter, as older clients send it, and get it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<Filter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expiration: Option<Expiration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) noncurrent_version_expiration: Option<NoncurrentVersionExpiration>,
    /// `AbortIncompleteMultipartUpload`'s only field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) abort_days_after_initiation: Option<i32>,
}

/// Whether a rule is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    #[default]
    Enabled,
    Disabled,
}

/// Which objects a rule is about: all, or those that fit its one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<Tag>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object_size_greater_than: Option<i64>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object_size_less_than: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) and: Option<And>,
}

/// Two or more things that must all fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct And {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Tag>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object_size_greater_than: Option<i64>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object_size_less_than: Option<i64>,
}

/// A tag that an object must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

/// When the current version goes: one of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expiration {
    /// So many days after it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) days: Option<i32>,
    /// From this midnight on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date_ms: Option<i64>,
    /// Only if it is a delete marker with nothing behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expired_object_delete_marker: Option<bool>,
}

/// When versions that are no longer current go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoncurrentVersionExpiration {
    /// So many days after the next version was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) noncurrent_days: Option<i32>,
    /// How many noncurrent versions are kept whatever their age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newer_noncurrent_versions: Option<i32>,
}

/// What rules may ask of a version.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectFacts<'a> {
    pub(super) key: &'a str,
    /// In bytes; none for a delete marker, which has no content.
    pub(super) size: u64,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) is_current: bool,
    pub(super) is_delete_marker: bool,
    /// Whether its key has no other version.
    pub(super) is_only_version: bool,
    pub(super) created_ms: u64,
    /// When the next version was written; none for the current one.
    pub(super) noncurrent_since_ms: Option<u64>,
    /// How many noncurrent versions of its key are newer.
    pub(super) newer_noncurrent: usize,
}

/// What is to be done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// As a client's delete without a version: a marker where versions are kept, otherwise the object goes.
    DeleteMarkerOrDelete,
    /// This noncurrent version goes for good.
    ExpireVersion,
    /// This delete marker goes: there is nothing behind it.
    RemoveMarker,
}

/// When a version's time is up, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry<'a> {
    pub(super) at_ms: u64,
    pub(super) rule_id: &'a str,
    pub(super) action: Action,
}

/// What is to be done with a version now. `day_ms` is a day: tests take a shorter one.
pub(super) fn due(rules: &[Rule], object: &ObjectFacts<'_>, now_ms: u64, day_ms: u64) -> Option<Action> {
    expiry(rules, object, day_ms).filter(|expiry| expiry.at_ms <= now_ms).map(|expiry| expiry.action)
}

/// The earliest time at which a rule is due for a version, as far as can be told today; the header `x-amz-expiration`
/// tells it of the current version.
pub(super) fn expiry<'a>(rules: &'a [Rule], object: &ObjectFacts<'_>, day_ms: u64) -> Option<Expiry<'a>> {
    assert_eq!(
        object.is_current,
        object.noncurrent_since_ms.is_none(),
        "a version is current or was until a time"
    );
    let fitting = rules.iter().filter(|rule| rule.is_about(object.key, Some(object)));
    let expiries = fitting.filter_map(|rule| {
        let (at_ms, action) = rule.expiry(object, day_ms)?;
        Some(Expiry { at_ms, rule_id: &rule.id, action })
    });
    expiries.min_by_key(|expiry| expiry.at_ms)
}

/// Whether an upload that was begun and not completed is to be aborted now.
pub(super) fn aborts(rules: &[Rule], key: &str, begun_ms: u64, now_ms: u64, day_ms: u64) -> bool {
    let fitting = rules.iter().filter(|rule| rule.is_about(key, None));
    let mut days = fitting.filter_map(|rule| rule.abort_days_after_initiation);
    days.any(|days| after_days(begun_ms, days, day_ms) <= now_ms)
}

/// So many days later, at the next midnight UTC.
fn after_days(from_ms: u64, days: i32, day_ms: u64) -> u64 {
    let days = u64::try_from(days).expect("validate takes positive days only");
    from_ms.saturating_add(days.saturating_mul(day_ms)).div_ceil(day_ms).saturating_mul(day_ms)
}

impl Status {
    /// Reads S3's name; case matters.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "Enabled" => Ok(Self::Enabled),
            "Disabled" => Ok(Self::Disabled),
            _ => Err(Refusal::malformed(format!("Status {name:?} is neither Enabled nor Disabled"))),
        }
    }
}

impl Rule {
    /// Whether it is in force for a key, and for what the key holds: an upload holds nothing yet.
    fn is_about(&self, key: &str, object: Option<&ObjectFacts<'_>>) -> bool {
        self.status == Status::Enabled
            && self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix))
            && self.filter.as_ref().is_none_or(|filter| filter.narrowed().admits(key, object))
    }

    /// When it is due for a version that it is about.
    fn expiry(&self, object: &ObjectFacts<'_>, day_ms: u64) -> Option<(u64, Action)> {
        match object.noncurrent_since_ms {
            Some(since_ms) => {
                let at_ms =
                    self.noncurrent_version_expiration?.at(since_ms, object.newer_noncurrent, day_ms)?;
                Some((at_ms, Action::ExpireVersion))
            }
            None if object.is_delete_marker => {
                let expiration = self.expiration.filter(|_| object.is_only_version)?;
                let at_ms = match expiration.expired_object_delete_marker {
                    Some(true) => object.created_ms,
                    _ => expiration.at(object.created_ms, day_ms)?,
                };
                Some((at_ms, Action::RemoveMarker))
            }
            None => Some((self.expiration?.at(object.created_ms, day_ms)?, Action::DeleteMarkerOrDelete)),
        }
    }
}

/// A filter as one conjunction.
#[derive(Clone, Copy, Debug)]
struct Narrowed<'a> {
    prefix: Option<&'a str>,
    tags: &'a [Tag],
    greater_than: Option<i64>,
    less_than: Option<i64>,
}

impl Filter {
    /// What it asks for: `validate` leaves one field, or `And`.
    fn narrowed(&self) -> Narrowed<'_> {
        match &self.and {
            Some(and) => Narrowed {
                prefix: and.prefix.as_deref(),
                tags: &and.tags,
                greater_than: and.object_size_greater_than,
                less_than: and.object_size_less_than,
            },
            None => Narrowed {
                prefix: self.prefix.as_deref(),
                tags: self.tag.as_slice(),
                greater_than: self.object_size_greater_than,
                less_than: self.object_size_less_than,
            },
        }
    }
}

impl Narrowed<'_> {
    /// Whether a key fits, and what it holds.
    fn admits(self, key: &str, object: Option<&ObjectFacts<'_>>) -> bool {
        let bytes = |size: i64| u64::try_from(size).expect("validate takes no negative sizes");
        self.prefix.is_none_or(|prefix| key.starts_with(prefix))
            && object.is_none_or(|object| {
                self.tags.iter().all(|tag| object.tags.get(&tag.key) == Some(&tag.value))
                    && self.greater_than.is_none_or(|size| object.size > bytes(size))
                    && self.less_than.is_none_or(|size| object.size < bytes(size))
            })
    }
}

impl Expiration {
    fn at(self, created_ms: u64, day_ms: u64) -> Option<u64> {
        match (self.days, self.date_ms) {
            (Some(days), _) => Some(after_days(created_ms, days, day_ms)),
            // A date before 1970 has always passed.
            (None, Some(date_ms)) => Some(u64::try_from(date_ms).unwrap_or(0)),
            (None, None) => None,
        }
    }
}

impl NoncurrentVersionExpiration {
    fn at(self, since_ms: u64, newer_noncurrent: usize, day_ms: u64) -> Option<u64> {
        let kept = self.newer_noncurrent_versions.unwrap_or(0);
        let kept = usize::try_from(kept).expect("validate takes positive counts only");
        let days = self.noncurrent_days.expect("validate takes no noncurrent expiration without days");
        (newer_noncurrent >= kept).then(|| after_days(since_ms, days, day_ms))
    }
}

#[cfg(test)]
mod tests;
