//! Lifecycle configurations of buckets: put, read, and told of the objects that they are about.
//!
//! What is due is decided by the rules in [`lifecycle`](super::lifecycle), and carried out by [`sweep`](super::sweep).

use super::{
    Face,
    action::Action,
    date::DAY_MS,
    error,
    handler::absent,
    lifecycle::{self, And, Expiration, Filter, NoncurrentVersionExpiration, ObjectFacts, Rule, Status, Tag},
};
use crate::{engine::Bucket, env::Env};
use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderName, HeaderValue},
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};
use std::collections::BTreeMap;

/// The document of a bucket that this is about.
const DOCUMENT: &str = "lifecycle";

pub(super) fn rules_of(bucket: &Bucket) -> Option<Vec<Rule>> {
    serde_json::from_str(bucket.documents.get(DOCUMENT)?).ok()
}

/// When the version that a key shows expires, and by which rule, as a header; nothing if no rule is about it.
pub(super) fn header(
    bucket: &Bucket,
    key: &str,
    size: u64,
    tags: &BTreeMap<String, String>,
    created_ms: u64,
) -> HeaderMap {
    let told = || {
        let rules = rules_of(bucket)?;
        let object = ObjectFacts {
            key,
            size,
            tags,
            is_current: true,
            is_delete_marker: false,
            is_only_version: false,
            created_ms,
            noncurrent_since_ms: None,
            newer_noncurrent: 0,
        };
        let expiry = lifecycle::expiry(&rules, &object, DAY_MS)?;
        let mut date = Vec::new();
        super::names::at_ms(expiry.at_ms).format(dto::TimestampFormat::HttpDate, &mut date).ok()?;
        let date = String::from_utf8(date).ok()?;
        HeaderValue::from_str(&format!("expiry-date=\"{date}\", rule-id=\"{}\"", expiry.rule_id)).ok()
    };
    told().map(|value| (HeaderName::from_static("x-amz-expiration"), value)).into_iter().collect()
}

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLifecycleConfigurationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_LIFECYCLE).await?;
        let rules = rules_of(&bucket).ok_or_else(|| absent("NoSuchLifecycleConfiguration"))?;
        Ok(S3Response::new(dto::GetBucketLifecycleConfigurationOutput {
            rules: Some(rules.into_iter().map(shown).collect()),
            ..Default::default()
        }))
    }

    pub(super) async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<dto::PutBucketLifecycleConfigurationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_LIFECYCLE).await?;
        let Some(configuration) = request.input.lifecycle_configuration else {
            return Err(s3_error!(MalformedXML, "send a LifecycleConfiguration"));
        };
        let rules = configuration.rules.into_iter().map(read);
        let mut rules = rules.collect::<S3Result<Vec<_>>>()?;
        lifecycle::validate(&rules)?;
        lifecycle::assign_ids(&mut rules);
        let text = serde_json::to_string(&rules).expect("rules are plain data");
        self.engine.configure_bucket(&bucket.id, DOCUMENT, &text).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketLifecycleConfigurationOutput::default()))
    }

    pub(super) async fn delete_bucket_lifecycle(
        &self,
        request: S3Request<dto::DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketLifecycleOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_LIFECYCLE).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketLifecycleOutput {}, StatusCode::NO_CONTENT))
    }
}

fn read_tag(tag: dto::Tag) -> S3Result<Tag> {
    match (tag.key, tag.value) {
        (Some(key), Some(value)) => Ok(Tag { key, value }),
        _ => Err(s3_error!(MalformedXML, "a tag has a Key and a Value")),
    }
}

/// A rule as a client sends it.
fn read(rule: dto::LifecycleRule) -> S3Result<Rule> {
    let id = rule.id.unwrap_or_default();
    let moves = |list: Option<usize>| list.is_some_and(|len| len > 0);
    if moves(rule.transitions.as_ref().map(Vec::len))
        || moves(rule.noncurrent_version_transitions.as_ref().map(Vec::len))
    {
        return Err(lifecycle::refuse_transition(&id).into());
    }
    let filter = rule.filter.map(|filter| {
        let and = filter.and.map(|and| {
            Ok::<_, s3s::S3Error>(And {
                prefix: and.prefix,
                tags: and.tags.into_iter().flatten().map(read_tag).collect::<S3Result<_>>()?,
                object_size_greater_than: and.object_size_greater_than,
                object_size_less_than: and.object_size_less_than,
            })
        });
        Ok::<_, s3s::S3Error>(Filter {
            prefix: filter.prefix,
            tag: filter.tag.map(read_tag).transpose()?,
            object_size_greater_than: filter.object_size_greater_than,
            object_size_less_than: filter.object_size_less_than,
            and: and.transpose()?,
        })
    });
    Ok(Rule {
        id,
        status: Status::parse(rule.status.as_str())?,
        prefix: rule.prefix,
        filter: filter.transpose()?,
        expiration: rule.expiration.map(|expiration| Expiration {
            days: expiration.days,
            date_ms: expiration.date.map(|date| {
                let nanoseconds = time::OffsetDateTime::from(date).unix_timestamp_nanos();
                i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)
            }),
            expired_object_delete_marker: expiration.expired_object_delete_marker,
        }),
        noncurrent_version_expiration: rule.noncurrent_version_expiration.map(|expiration| {
            NoncurrentVersionExpiration {
                noncurrent_days: expiration.noncurrent_days,
                newer_noncurrent_versions: expiration.newer_noncurrent_versions,
            }
        }),
        abort_days_after_initiation: rule
            .abort_incomplete_multipart_upload
            .and_then(|abort| abort.days_after_initiation),
    })
}

/// A rule as answers carry it.
fn shown(rule: Rule) -> dto::LifecycleRule {
    let tag = |tag: Tag| dto::Tag { key: Some(tag.key), value: Some(tag.value) };
    let status = match rule.status {
        Status::Enabled => dto::ExpirationStatus::ENABLED,
        Status::Disabled => dto::ExpirationStatus::DISABLED,
    };
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_days_after_initiation
            .map(|days| dto::AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        expiration: rule.expiration.map(|expiration| dto::LifecycleExpiration {
            date: expiration.date_ms.map(|ms| super::names::at_ms(u64::try_from(ms).unwrap_or(0))),
            days: expiration.days,
            expired_object_delete_marker: expiration.expired_object_delete_marker,
        }),
        filter: rule.filter.map(|filter| dto::LifecycleRuleFilter {
            and: filter.and.map(|and| dto::LifecycleRuleAndOperator {
                object_size_greater_than: and.object_size_greater_than,
                object_size_less_than: and.object_size_less_than,
                prefix: and.prefix,
                tags: (!and.tags.is_empty()).then(|| and.tags.into_iter().map(tag).collect()),
            }),
            object_size_greater_than: filter.object_size_greater_than,
            object_size_less_than: filter.object_size_less_than,
            prefix: filter.prefix,
            tag: filter.tag.map(tag),
        }),
        id: Some(rule.id),
        noncurrent_version_expiration: rule.noncurrent_version_expiration.map(|expiration| {
            dto::NoncurrentVersionExpiration {
                newer_noncurrent_versions: expiration.newer_noncurrent_versions,
                noncurrent_days: expiration.noncurrent_days,
            }
        }),
        noncurrent_version_transitions: None,
        prefix: rule.prefix,
        status: dto::ExpirationStatus::from_static(status),
        transitions: None,
    }
}
