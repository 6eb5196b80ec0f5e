//! Reading objects: GET, HEAD, their attributes.

use super::{
    Face,
    action::Action,
    body,
    condition::Conditions,
    error, expiry,
    list::page_size,
    locking,
    metadata::{self, Checksums, summed},
    multipart::number_of,
    names, replicas,
};
use crate::{
    engine::{Bucket, Error, GetRequest, Object, VersionRef},
    env::Env,
    object::{Manifest, Part},
};
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use s3s::{S3Error, S3Request, S3Response, S3Result, dto, s3_error};
use std::ops::Range;

const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");

/// Tests the conditions of a GET or HEAD, chooses its bytes and finds out what is told of them. A macro, for s3s has two
/// types for what is one input.
macro_rules! shown {
    ($input:ident, $object:expr, $bucket:expr) => {{
        let conditions = Conditions {
            if_match: $input.if_match,
            if_none_match: $input.if_none_match,
            if_modified_since: $input.if_modified_since,
            if_unmodified_since: $input.if_unmodified_since,
        };
        let wants_checksum =
            $input.checksum_mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED);
        Shown::of($object, $bucket, &conditions, $input.range, $input.part_number, wants_checksum)?
    }};
}

/// What GET and HEAD tell alike, in either's output.
macro_rules! told {
    ($output:ident, $shown:ident, $object:expr) => {{
        let headers = &$object.content.headers;
        let of = |name: &str| headers.get(name).cloned();
        let output = dto::$output {
            accept_ranges: Some("bytes".into()),
            cache_control: of("cache-control"),
            checksum_type: $shown.checksum_type,
            content_disposition: of("content-disposition"),
            content_encoding: of("content-encoding"),
            content_language: of("content-language"),
            content_length: Some(($shown.chosen.range.end - $shown.chosen.range.start).cast_signed()),
            content_range: $shown.chosen.content_range,
            content_type: of("content-type").or_else(|| Some("binary/octet-stream".into())),
            e_tag: Some(dto::ETag::Strong($shown.facts.etag)),
            last_modified: Some($shown.facts.last_modified),
            metadata: metadata::user(headers),
            object_lock_legal_hold_status: $object.lock.legal_hold.map(locking::hold_status),
            object_lock_mode: $object.lock.retention.map(|retention| locking::mode(retention.mode)),
            object_lock_retain_until_date: $object
                .lock
                .retention
                .map(|retention| names::at_ms(retention.until_ms)),
            parts_count: $shown.parts_count,
            version_id: $shown.facts.version_id,
            website_redirect_location: of("x-amz-website-redirect-location"),
            ..Default::default()
        };
        summed!($shown.checksums, output)
    }};
}

impl<E: Env> Face<E> {
    /// Finds what a client asks for. Of a delete marker it is told as S3 does: 404, or 405 if it named the marker.
    pub(super) async fn find(
        &self,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<Object<E>> {
        let version: Option<VersionRef> = names::version(version_id)?;
        let request = GetRequest { bucket: bucket.id.clone(), key: key.to_owned(), version, context: None };
        match self.engine.get(request).await {
            Ok(object) => Ok(object),
            Err(Error::Deleted { marker, is_null, .. }) => {
                let mut headers = HeaderMap::new();
                headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
                if version.is_some() {
                    headers.insert(hyper::header::ALLOW, HeaderValue::from_static("DELETE"));
                }
                if let Some(id) = names::shown_version_id(marker, is_null, bucket.versioning) {
                    headers.extend(
                        HeaderValue::from_str(&id)
                            .map(|id| (HeaderName::from_static("x-amz-version-id"), id)),
                    );
                }
                let mut error =
                    if version.is_some() { s3_error!(MethodNotAllowed) } else { s3_error!(NoSuchKey) };
                error.set_headers(headers);
                Err(error)
            }
            Err(error) => {
                let is_plain = matches!(error, Error::NoSuchKey(_));
                let mut error = error::of(error);
                if is_plain {
                    let value = HeaderValue::from_static("false");
                    error.set_headers(HeaderMap::from_iter([(DELETE_MARKER, value)]));
                }
                Err(error)
            }
        }
    }

    pub(super) async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let (bucket, object) = {
            let dto::GetObjectInput { bucket, key, version_id, .. } = &request.input;
            self.object(&request, bucket, key, version_id.as_deref(), Action::GET_OBJECT).await?
        };
        let input = request.input;
        let expiration = expires(&bucket, &object, &input.key, input.version_id.as_deref());
        let shown = shown!(input, &object, &bucket);
        let mut extra = extra_headers(&object, object.siblings);
        if input.response_expires.is_some() {
            extra.remove(hyper::header::EXPIRES); // the client says itself what it wants to be told
        }
        let output = dto::GetObjectOutput {
            tag_count: super::tagging::count(&object),
            ..told!(GetObjectOutput, shown, &object)
        };
        extra.extend(expiration);
        extra.extend(replicas::header(&self.engine, &bucket, &object, &input.key));
        let body = body::give(object.body, shown.chosen.range).await?;
        let mut response = S3Response::new(dto::GetObjectOutput { body: Some(body), ..output });
        response.headers.extend(extra);
        Ok(response)
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let (bucket, object) = {
            let dto::HeadObjectInput { bucket, key, version_id, .. } = &request.input;
            self.object(&request, bucket, key, version_id.as_deref(), Action::GET_OBJECT).await?
        };
        let input = request.input;
        let expiration = expires(&bucket, &object, &input.key, input.version_id.as_deref());
        let replicated = replicas::header(&self.engine, &bucket, &object, &input.key);
        let shown = shown!(input, &object, &bucket);
        let mut response = S3Response::new(told!(HeadObjectOutput, shown, &object));
        response.headers.extend(extra_headers(&object, object.siblings));
        response.headers.extend(expiration);
        response.headers.extend(replicated);
        if let Some(count) = super::tagging::count(&object) {
            response.headers.insert("x-amz-tagging-count", HeaderValue::from(count));
        }
        Ok(response)
    }

    pub(super) async fn get_object_attributes(
        &self,
        request: S3Request<dto::GetObjectAttributesInput>,
    ) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
        let (bucket, object) = {
            let dto::GetObjectAttributesInput { bucket, key, version_id, .. } = &request.input;
            self.object(&request, bucket, key, version_id.as_deref(), Action::GET_OBJECT).await?
        };
        let input = request.input;
        // The header is a list, in one line or in several.
        let all = input.object_attributes.iter().flat_map(|line| line.as_str().split(',').map(str::trim));
        let all: Vec<&str> = all.collect();
        let asked = |name: &str| all.contains(&name);
        let facts = Facts::of(&object, &bucket);
        let manifest = &object.content.manifest;
        let sums = facts.checksums.clone();
        let checksum = (sums != Checksums::default()).then(|| {
            let checksum_type = facts.checksum_type.clone();
            summed!(sums, dto::Checksum { checksum_type, ..Default::default() })
        });
        let algorithm = object.content.headers.get(metadata::CHECKSUM_ALGORITHM).map(String::as_str);
        let after = input.part_number_marker.unwrap_or(0);
        let max = page_size(input.max_parts)?;
        let mut rest = manifest.parts.iter().filter(|part| i32::from(part.number) > after);
        let shown: Vec<_> = rest.by_ref().take(usize::try_from(max).unwrap_or(0)).collect();
        let is_truncated = rest.next().is_some();
        let part = |part: &&Part| {
            let shown = dto::ObjectPart {
                part_number: Some(part.number.into()),
                size: Some(part.size.cast_signed()),
                ..Default::default()
            };
            summed!(sums_of(part, algorithm), shown)
        };
        let parts = (!manifest.parts.is_empty()).then(|| dto::GetObjectAttributesParts {
            is_truncated: Some(is_truncated),
            max_parts: Some(max),
            next_part_number_marker: shown.last().map(|part| i32::from(part.number)),
            part_number_marker: Some(after),
            parts: Some(shown.iter().map(part).collect()),
            total_parts_count: i32::try_from(manifest.parts.len()).ok(),
        });
        let standard = dto::StorageClass::from_static(dto::StorageClass::STANDARD);
        Ok(S3Response::new(dto::GetObjectAttributesOutput {
            checksum: checksum.filter(|_| asked("Checksum")),
            e_tag: asked("ETag").then(|| dto::ETag::Strong(facts.etag.clone())),
            last_modified: Some(facts.last_modified),
            object_parts: parts.filter(|_| asked("ObjectParts")),
            object_size: asked("ObjectSize").then(|| manifest.size.cast_signed()),
            storage_class: asked("StorageClass").then_some(standard),
            version_id: facts.version_id,
            ..Default::default()
        }))
    }
}

/// When what a key shows expires.
fn expires<E: Env>(bucket: &Bucket, object: &Object<E>, key: &str, version_id: Option<&str>) -> HeaderMap {
    if version_id.is_some() {
        return HeaderMap::new(); // whether it is what the key shows is not known here
    }
    let (size, created_ms) = (object.content.manifest.size, object.version.hlc.ms());
    expiry::header(bucket, key, size, &super::tagging::of(object), created_ms)
}

/// What every answer about an object tells of it.
pub(super) struct Facts {
    pub(super) etag: String,
    pub(super) written_at_s: i64,
    pub(super) last_modified: dto::Timestamp,
    pub(super) version_id: Option<String>,
    checksums: Checksums,
    checksum_type: Option<dto::ChecksumType>,
}

impl Facts {
    pub(super) fn of<E: Env>(object: &Object<E>, bucket: &Bucket) -> Self {
        let headers = &object.content.headers;
        Self {
            etag: object.content.manifest.etag.clone(),
            written_at_s: (object.version.hlc.ms() / 1000).cast_signed(),
            last_modified: names::written_at(object.version),
            version_id: names::shown_version_id(object.version, object.is_null, bucket.versioning),
            checksums: Checksums::stored(headers),
            checksum_type: headers.get(metadata::CHECKSUM_TYPE).cloned().map(dto::ChecksumType::from),
        }
    }
}

/// What a GET or HEAD is about.
struct Shown {
    facts: Facts,
    chosen: Chosen,
    /// How many parts the object has, if one was asked for.
    parts_count: Option<i32>,
    checksums: Checksums,
    checksum_type: Option<dto::ChecksumType>,
}

impl Shown {
    fn of<E: Env>(
        object: &Object<E>,
        bucket: &Bucket,
        conditions: &Conditions,
        range: Option<dto::Range>,
        part: Option<i32>,
        wants_checksum: bool,
    ) -> S3Result<Self> {
        let facts = Facts::of(object, bucket);
        conditions.check(&facts.etag, facts.written_at_s).map_err(|error| with_facts(error, &facts))?;
        part.map(number_of).transpose()?;
        let chosen = choose(&object.content.manifest, range, part)?;
        let headers = &object.content.headers;
        let algorithm = headers.get(metadata::CHECKSUM_ALGORITHM).map(String::as_str);
        let named = part.and_then(|number| {
            object.content.manifest.parts.iter().find(|part| i32::from(part.number) == number)
        });
        // A part has a checksum of its own, and that of the whole says nothing of a range of it.
        let checksums = match (named, &chosen.content_range) {
            _ if !wants_checksum => Checksums::default(),
            (Some(part), _) => sums_of(part, algorithm),
            (None, Some(_)) if part.is_none() => Checksums::default(),
            (None, _) => facts.checksums.clone(),
        };
        let checksum_type = facts.checksum_type.clone().filter(|_| checksums != Checksums::default());
        let parts_count = part.and(chosen.parts_count);
        Ok(Self { facts, chosen, parts_count, checksums, checksum_type })
    }
}

/// The checksum of a part by its object's algorithm.
fn sums_of(part: &Part, algorithm: Option<&str>) -> Checksums {
    Checksums::of_option(algorithm, part.checksum.as_ref().map(|sum| metadata::base64(sum)))
}

/// "Not modified" tells what it is that was not.
fn with_facts(mut error: S3Error, facts: &Facts) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.extend(
        HeaderValue::from_str(&format!("\"{}\"", facts.etag)).map(|etag| (hyper::header::ETAG, etag)),
    );
    error.set_headers(headers);
    error
}

/// What s3s' types have no place for: the time of expiry as it was written, which need not be one; and what this store
/// has to say besides, the context to hand back and how many siblings there are.
fn extra_headers<E: Env>(object: &Object<E>, siblings: usize) -> HeaderMap {
    let mut headers = metadata::in_latin1(&object.content.headers);
    if let Ok(context) = HeaderValue::from_str(&object.context.0) {
        headers.insert("x-anabranch-context", context);
    }
    let expires = object.content.headers.get("expires");
    if let Some(Ok(expires)) = expires.map(|text| HeaderValue::from_str(text)) {
        headers.insert(hyper::header::EXPIRES, expires);
    }
    if siblings > 0 {
        headers.insert("x-anabranch-siblings", HeaderValue::from(siblings));
    }
    headers
}

/// The bytes that a request is about.
struct Chosen {
    range: Range<u64>,
    content_range: Option<String>,
    parts_count: Option<i32>,
}

fn choose(manifest: &Manifest, range: Option<dto::Range>, part: Option<i32>) -> S3Result<Chosen> {
    let size = manifest.size;
    let parts_count =
        Some(i32::try_from(manifest.parts.len()).unwrap_or(i32::MAX)).filter(|count| *count > 0);
    let told = |range: &Range<u64>| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    match (range, part) {
        (None, None) => Ok(Chosen { range: 0..size, content_range: None, parts_count }),
        (Some(_), Some(_)) => {
            Err(s3_error!(InvalidRequest, "a request has a range or a part number, not both"))
        }
        (Some(range), None) => {
            let Ok(range) = range.check(size) else {
                let mut error = s3_error!(InvalidRange);
                let mut headers = HeaderMap::new();
                headers.extend(
                    HeaderValue::from_str(&format!("bytes */{size}"))
                        .map(|v| (hyper::header::CONTENT_RANGE, v)),
                );
                error.set_headers(headers);
                return Err(error);
            };
            Ok(Chosen { content_range: Some(told(&range)), range, parts_count })
        }
        (None, Some(1)) if manifest.parts.is_empty() => Ok(Chosen {
            content_range: (size > 0).then(|| told(&(0..size))),
            range: 0..size,
            parts_count: None,
        }),
        (None, Some(number)) => {
            let mut start = 0;
            for part in &manifest.parts {
                if i32::from(part.number) == number {
                    let range = start..start + part.size;
                    return Ok(Chosen { content_range: Some(told(&range)), range, parts_count });
                }
                start += part.size;
            }
            Err(s3_error!(InvalidPart, "the object has no part {}", number))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Body;

    fn manifest(parts: &[(u16, u64)]) -> Manifest {
        let parts: Vec<_> =
            parts.iter().map(|&(number, size)| Part { number, size, checksum: None }).collect();
        let size = if parts.is_empty() { 10 } else { parts.iter().map(|part| part.size).sum() };
        Manifest { size, etag: String::new(), body: Body::Inline(bytes::Bytes::new()), parts }
    }

    #[test]
    fn ranges_and_parts_choose_their_bytes() {
        let range = |text: &str| choose(&manifest(&[]), Some(dto::Range::parse(text).unwrap()), None);
        assert_eq!(range("bytes=2-4").unwrap().range, 2..5);
        assert_eq!(range("bytes=8-").unwrap().content_range.as_deref(), Some("bytes 8-9/10"));
        assert_eq!(range("bytes=-3").unwrap().range, 7..10);
        assert_eq!(range("bytes=4-99").unwrap().range, 4..10);
        assert_eq!(range("bytes=10-11").err().unwrap().code().as_str(), "InvalidRange");
        let of_parts = |number| choose(&manifest(&[(1, 5), (3, 2)]), None, Some(number));
        assert_eq!(of_parts(3).unwrap().range, 5..7);
        assert_eq!(of_parts(3).unwrap().parts_count, Some(2));
        assert_eq!(of_parts(2).err().unwrap().code().as_str(), "InvalidPart");
        assert_eq!(choose(&manifest(&[]), None, Some(1)).unwrap().range, 0..10);
        assert!(choose(&manifest(&[]), None, Some(2)).is_err());
    }
}
