//! Conflicts as an operator reads them: which versions there are, where each was written, and how to read each.

use super::{Site, access::Problem, status::failed};
use crate::{
    causality::Stamp,
    engine::{Conflict, Contender},
    object::RecordKey,
    s3::version_id,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Conflicts in one answer, at most.
const PAGE_MAX: usize = 1000;

/// One version of a key in conflict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// What S3 clients name it by.
    pub version_id: String,
    /// The site that took the write.
    pub site: String,
    /// When, by that site's clock: milliseconds since the Unix epoch.
    pub written_ms: u64,
    /// Length in bytes; none of a delete marker.
    pub size: Option<u64>,
    /// The ETag; none of a delete marker.
    pub etag: Option<String>,
    /// `shown` to a plain GET; `sibling`: live beside it; `retained`: replaced by somebody who had not seen it.
    pub standing: String,
}

/// A key in conflict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's owner.
    pub owner: String,
    /// The object key.
    pub key: String,
    /// Its versions, newest first.
    pub versions: Vec<Version>,
}

/// One page of conflicts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// In order of bucket and key.
    pub conflicts: Vec<Entry>,
    /// What to send as `cursor` for the next page; none at the end.
    pub cursor: Option<String>,
}

/// What to list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// As a page before gave it.
    cursor: Option<String>,
    /// At most so many.
    limit: Option<usize>,
}

/// `GET /api/v1/conflicts`.
pub async fn list(
    State(site): State<Arc<Site>>,
    Query(request): Query<Request>,
) -> Result<Json<Page>, Problem> {
    let limit = request.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let after = match request.cursor.as_deref() {
        None => None,
        Some(cursor) => Some(key_of(cursor).ok_or_else(|| {
            let detail = "send what the page before gave as `cursor`".to_owned();
            Problem::new(StatusCode::BAD_REQUEST, "the cursor is not one", detail)
        })?),
    };
    let mut found = site.node.engine().conflicts(after, limit + 1).await.map_err(|error| failed(&error))?;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let cursor = found.last().filter(|_| is_more).map(cursor_of);
    Ok(Json(Page { conflicts: found.into_iter().map(|conflict| entry(conflict, &site)).collect(), cursor }))
}

fn entry(conflict: Conflict, site: &Site) -> Entry {
    let names = site.config.names();
    let name =
        |stamp: Stamp| names.get(&stamp.dot.site).cloned().unwrap_or_else(|| stamp.dot.site.to_string());
    let version = |Contender { version, content, is_shown, is_live }| Version {
        version_id: version_id(version),
        site: name(version),
        written_ms: version.hlc.ms(),
        size: content.as_ref().map(|(size, _)| *size),
        etag: content.map(|(_, etag)| etag),
        standing: if is_shown {
            "shown"
        } else if is_live {
            "sibling"
        } else {
            "retained"
        }
        .to_owned(),
    };
    Entry {
        bucket: conflict.bucket.name().to_owned(),
        owner: conflict.bucket.owner().to_owned(),
        key: conflict.key,
        versions: conflict.contenders.into_iter().map(version).collect(),
    }
}

fn cursor_of(last: &Conflict) -> String {
    let key = RecordKey::Object(last.bucket.clone(), last.key.clone()).encode();
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(key)
}

fn key_of(cursor: &str) -> Option<RecordKey> {
    RecordKey::decode(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(cursor).ok()?)
}

/// `GET /api/v1/conflicts/{bucket}/{key}` looks one up.
pub async fn show(
    State(site): State<Arc<Site>>,
    Path((bucket, key)): Path<(String, String)>,
) -> Result<Json<Entry>, Problem> {
    of_key(&site, &bucket, &key).await.map(Json)
}

/// The conflict of one key.
pub async fn of_key(site: &Site, bucket: &str, key: &str) -> Result<Entry, Problem> {
    let engine = site.node.engine();
    for found in engine.buckets(Some(bucket)).await.map_err(|error| failed(&error))? {
        let wanted = RecordKey::Object(found.id, key.to_owned());
        if let Some(conflict) = engine.conflict_of(wanted).await.map_err(|error| failed(&error))? {
            return Ok(entry(conflict, site));
        }
    }
    let title = format!("no conflict is known of {bucket}/{key} at this site");
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        title,
        "`anabranch conflicts list` lists those there are".to_owned(),
    ))
}
