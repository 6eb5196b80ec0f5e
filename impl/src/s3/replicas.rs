//! Replication as S3 clients configure it and ask for it. Here every bucket is at every site, with or without a
//! configuration: what is put is kept and given back, and steers only of which objects the status is told.
//!
//! The status is computed when asked: `COMPLETED` once every site has reported the version and its bytes as synced,
//! `PENDING` until then, `REPLICA` at the sites that it came to. There is no `FAILED`: what is pending stays so until it is
//! done.
//! Source: Amazon S3 User Guide, "Getting replication status information".

use super::{Face, action::Action, error, handler::absent};
use crate::{
    engine::{Bucket, Engine, Object},
    env::Env,
    object::Versioning,
};
use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderName, HeaderValue},
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document of a bucket that this is about.
const DOCUMENT: &str = "replication";
/// Most rules of a configuration, as S3 has it.
const RULES_MAX: usize = 1000;
const STATUS: HeaderName = HeaderName::from_static("x-amz-replication-status");

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Configuration {
    role: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Rule {
    id: Option<String>,
    priority: Option<i32>,
    status: String,
    /// `Prefix` beside the filter, as older clients send it.
    prefix: Option<String>,
    filter: Option<Filter>,
    bucket: String,
    account: Option<String>,
    storage_class: Option<String>,
    delete_markers: Option<String>,
    existing_objects: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Filter {
    prefix: Option<String>,
    tags: Vec<(String, String)>,
    is_and: bool,
}

impl Rule {
    fn is_about(&self, key: &str, tags: &BTreeMap<String, String>) -> bool {
        let starts = |prefix: &Option<String>| prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix));
        let fits = |filter: &Filter| {
            starts(&filter.prefix) && filter.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
        };
        self.status == "Enabled" && starts(&self.prefix) && self.filter.as_ref().is_none_or(fits)
    }
}

fn configuration_of(bucket: &Bucket) -> Option<Configuration> {
    serde_json::from_str(bucket.documents.get(DOCUMENT)?).ok()
}

/// How far a version has got, as a header; nothing if no rule is about its key.
pub(super) fn header<E: Env>(
    engine: &Engine<E>,
    bucket: &Bucket,
    object: &Object<E>,
    key: &str,
) -> HeaderMap {
    let tags = super::tagging::of(object);
    let told =
        configuration_of(bucket).filter(|found| found.rules.iter().any(|rule| rule.is_about(key, &tags)));
    let Some(_) = told else { return HeaderMap::new() };
    let dot = object.version.dot;
    let status = match dot.site == engine.site() {
        false => "REPLICA",
        true if engine.complete_cut().covers(dot) => "COMPLETED",
        true => "PENDING",
    };
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static(status))])
}

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_replication(
        &self,
        request: S3Request<dto::GetBucketReplicationInput>,
    ) -> S3Result<S3Response<dto::GetBucketReplicationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_REPLICATION).await?;
        let found =
            configuration_of(&bucket).ok_or_else(|| absent("ReplicationConfigurationNotFoundError"))?;
        let rules = found.rules.into_iter().map(shown).collect();
        let configuration = dto::ReplicationConfiguration { role: found.role, rules };
        let replication_configuration = Some(configuration);
        Ok(S3Response::new(dto::GetBucketReplicationOutput { replication_configuration }))
    }

    pub(super) async fn put_bucket_replication(
        &self,
        request: S3Request<dto::PutBucketReplicationInput>,
    ) -> S3Result<S3Response<dto::PutBucketReplicationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_REPLICATION).await?;
        if bucket.versioning != Versioning::Enabled {
            return Err(s3_error!(
                InvalidRequest,
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
            ));
        }
        let dto::ReplicationConfiguration { role, rules } = request.input.replication_configuration;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(s3_error!(MalformedXML, "a replication configuration has 1 to {RULES_MAX} rules"));
        }
        let rules = rules.into_iter().map(read).collect::<S3Result<_>>()?;
        let text = serde_json::to_string(&Configuration { role, rules }).expect("rules are plain data");
        self.engine.configure_bucket(&bucket.id, DOCUMENT, &text).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketReplicationOutput {}))
    }

    pub(super) async fn delete_bucket_replication(
        &self,
        request: S3Request<dto::DeleteBucketReplicationInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketReplicationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_REPLICATION).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketReplicationOutput {}, StatusCode::NO_CONTENT))
    }
}

fn tag_of(tag: dto::Tag) -> S3Result<(String, String)> {
    tag.key.zip(tag.value).ok_or_else(|| s3_error!(MalformedXML, "a tag has a Key and a Value"))
}

/// A rule as a client sends it.
fn read(rule: dto::ReplicationRule) -> S3Result<Rule> {
    let enabled = |status: &str| match status {
        "Enabled" | "Disabled" => Ok(status.to_owned()),
        _ => Err(s3_error!(MalformedXML, "a Status is Enabled or Disabled")),
    };
    let filter = rule.filter.map(|filter| {
        let is_and = filter.and.is_some();
        let (prefix, tags) = match filter.and {
            Some(and) => (and.prefix, and.tags.unwrap_or_default()),
            None => (filter.prefix, filter.tag.into_iter().collect()),
        };
        let tags = tags.into_iter().map(tag_of).collect::<S3Result<_>>()?;
        Ok::<_, s3s::S3Error>(Filter { prefix, tags, is_and })
    });
    let markers = rule.delete_marker_replication.and_then(|markers| markers.status);
    let existing = rule.existing_object_replication.map(|existing| existing.status);
    Ok(Rule {
        id: rule.id,
        priority: rule.priority,
        status: enabled(rule.status.as_str())?,
        prefix: rule.prefix,
        filter: filter.transpose()?,
        bucket: rule.destination.bucket,
        account: rule.destination.account,
        storage_class: rule.destination.storage_class.map(|class| class.as_str().to_owned()),
        delete_markers: markers.map(|status| enabled(status.as_str())).transpose()?,
        existing_objects: existing.map(|status| enabled(status.as_str())).transpose()?,
    })
}

/// A rule as clients get it back.
fn shown(rule: Rule) -> dto::ReplicationRule {
    let tag = |(key, value)| dto::Tag { key: Some(key), value: Some(value) };
    let filter = rule.filter.map(|filter| {
        let mut tags: Vec<_> = filter.tags.into_iter().map(tag).collect();
        if filter.is_and {
            let and = dto::ReplicationRuleAndOperator { prefix: filter.prefix, tags: Some(tags) };
            dto::ReplicationRuleFilter { and: Some(and), prefix: None, tag: None }
        } else {
            dto::ReplicationRuleFilter { and: None, prefix: filter.prefix, tag: tags.pop() }
        }
    });
    dto::ReplicationRule {
        delete_marker_replication: rule
            .delete_markers
            .map(|status| dto::DeleteMarkerReplication { status: Some(status.into()) }),
        destination: dto::Destination {
            access_control_translation: None,
            account: rule.account,
            bucket: rule.bucket,
            encryption_configuration: None,
            metrics: None,
            replication_time: None,
            storage_class: rule.storage_class.map(Into::into),
        },
        existing_object_replication: rule
            .existing_objects
            .map(|status| dto::ExistingObjectReplication { status: status.into() }),
        filter,
        id: rule.id,
        prefix: rule.prefix,
        priority: rule.priority,
        source_selection_criteria: None,
        status: rule.status.into(),
    }
}
