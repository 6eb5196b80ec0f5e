//! Reading objects: GET, HEAD, their attributes.

use super::{
    Face, body, bucket,
    condition::Conditions,
    error,
    metadata::{self, Checksums},
    names,
};
use crate::{
    engine::{Bucket, Error, GetRequest, Object, VersionRef},
    env::Env,
    object::Manifest,
};
use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderName, HeaderValue},
};
use s3s::{S3Error, S3Request, S3Response, S3Result, dto, s3_error};
use std::ops::Range;

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
                headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
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
            Err(error) => Err(error::of(error)),
        }
    }

    pub(super) async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket).await?;
        let input = request.input;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let facts = Facts::of(&object, &bucket);
        conditions.check(&facts.etag, facts.written_at_s).map_err(|error| with_facts(error, &facts))?;
        let chosen = choose(&object.content.manifest, input.range, input.part_number)?;
        let is_partial = chosen.content_range.is_some();
        // A checksum of the whole says nothing of a part of it.
        let checksums = match input.checksum_mode.as_ref().map(dto::ChecksumMode::as_str) {
            Some("ENABLED") if !is_partial || input.part_number.is_some() => facts.checksums.clone(),
            _ => Checksums::default(),
        };
        let has_checksum = checksums != Checksums::default();
        let headers = &object.content.headers;
        let of = |name: &str| headers.get(name).cloned();
        let size = chosen.range.end - chosen.range.start;
        let tags = super::tagging::count(&object);
        let (metadata, siblings) = (metadata::user(headers), object.siblings);
        let output = dto::GetObjectOutput {
            accept_ranges: Some("bytes".into()),
            cache_control: of("cache-control"),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            checksum_type: has_checksum.then(|| facts.checksum_type.clone()).flatten(),
            content_disposition: of("content-disposition"),
            content_encoding: of("content-encoding"),
            content_language: of("content-language"),
            content_length: Some(size.cast_signed()),
            content_range: chosen.content_range,
            content_type: of("content-type").or_else(|| Some("binary/octet-stream".into())),
            e_tag: Some(dto::ETag::Strong(facts.etag)),
            last_modified: Some(facts.last_modified),
            metadata,
            parts_count: input.part_number.and(chosen.parts_count),
            tag_count: tags,
            version_id: facts.version_id,
            website_redirect_location: of("x-amz-website-redirect-location"),
            ..Default::default()
        };
        let extra = extra_headers(&object, siblings);
        let body = body::give(object.body, chosen.range).await?;
        let mut response = S3Response::new(dto::GetObjectOutput { body: Some(body), ..output });
        response.headers.extend(extra);
        if is_partial {
            response.status = Some(StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket).await?;
        let input = request.input;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let facts = Facts::of(&object, &bucket);
        conditions.check(&facts.etag, facts.written_at_s).map_err(|error| with_facts(error, &facts))?;
        let chosen = choose(&object.content.manifest, input.range, input.part_number)?;
        let is_partial = chosen.content_range.is_some();
        let checksums = match input.checksum_mode.as_ref().map(dto::ChecksumMode::as_str) {
            Some("ENABLED") => facts.checksums.clone(),
            _ => Checksums::default(),
        };
        let has_checksum = checksums != Checksums::default();
        let headers = &object.content.headers;
        let of = |name: &str| headers.get(name).cloned();
        let output = dto::HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            cache_control: of("cache-control"),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            checksum_type: has_checksum.then(|| facts.checksum_type.clone()).flatten(),
            content_disposition: of("content-disposition"),
            content_encoding: of("content-encoding"),
            content_language: of("content-language"),
            content_length: Some((chosen.range.end - chosen.range.start).cast_signed()),
            content_range: chosen.content_range,
            content_type: of("content-type").or_else(|| Some("binary/octet-stream".into())),
            e_tag: Some(dto::ETag::Strong(facts.etag)),
            last_modified: Some(facts.last_modified),
            metadata: metadata::user(headers),
            parts_count: input.part_number.and(chosen.parts_count),
            version_id: facts.version_id,
            website_redirect_location: of("x-amz-website-redirect-location"),
            ..Default::default()
        };
        let mut response = S3Response::new(output);
        response.headers.extend(extra_headers(&object, object.siblings));
        if is_partial {
            response.status = Some(StatusCode::PARTIAL_CONTENT);
        }
        Ok(response)
    }

    pub(super) async fn get_object_attributes(
        &self,
        request: S3Request<dto::GetObjectAttributesInput>,
    ) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket).await?;
        let input = request.input;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        // The header is a list, in one line or in several.
        let all = input.object_attributes.iter().flat_map(|line| line.as_str().split(',').map(str::trim));
        let all: Vec<&str> = all.collect();
        let asked = |name: &str| all.contains(&name);
        let facts = Facts::of(&object, &bucket);
        let manifest = &object.content.manifest;
        let sums = facts.checksums.clone();
        let checksum = (sums != Checksums::default()).then(|| dto::Checksum {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: facts.checksum_type.clone(),
        });
        let algorithm = object.content.headers.get(metadata::CHECKSUM_ALGORITHM).cloned().unwrap_or_default();
        let after = input.part_number_marker.unwrap_or(0);
        let max = input.max_parts.unwrap_or(1000).clamp(0, 1000);
        let mut rest = manifest.parts.iter().filter(|part| i32::from(part.number) > after);
        let shown: Vec<_> = rest.by_ref().take(usize::try_from(max).unwrap_or(0)).collect();
        let is_truncated = rest.next().is_some();
        let parts = (!manifest.parts.is_empty()).then(|| dto::GetObjectAttributesParts {
            is_truncated: Some(is_truncated),
            max_parts: Some(max),
            next_part_number_marker: shown.last().map(|part| i32::from(part.number)),
            part_number_marker: Some(after),
            parts: (!algorithm.is_empty()).then(|| {
                let part = |part: &&crate::object::Part| {
                    let sum = part.checksum.as_ref().map(|sum| metadata::base64(sum));
                    let sums = sum.map_or_else(Checksums::default, |sum| Checksums::of(&algorithm, sum));
                    dto::ObjectPart {
                        checksum_crc32: sums.crc32,
                        checksum_crc32c: sums.crc32c,
                        checksum_crc64nvme: sums.crc64nvme,
                        checksum_sha1: sums.sha1,
                        checksum_sha256: sums.sha256,
                        part_number: Some(part.number.into()),
                        size: Some(part.size.cast_signed()),
                    }
                };
                shown.iter().map(part).collect()
            }),
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

    pub(super) async fn get_object_acl(
        &self,
        request: S3Request<dto::GetObjectAclInput>,
    ) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
        let found = self.bucket(&request, &request.input.bucket).await?;
        self.find(&found, &request.input.key, request.input.version_id.as_deref()).await?;
        let account = self.account(&request)?;
        let grants = Some(vec![bucket::full_control(&account)]);
        let owner = Some(bucket::owner(&account));
        Ok(S3Response::new(dto::GetObjectAclOutput { grants, owner, request_charged: None }))
    }
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

/// "Not modified" tells what it is that was not.
fn with_facts(mut error: S3Error, facts: &Facts) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.extend(
        HeaderValue::from_str(&format!("\"{}\"", facts.etag)).map(|etag| (hyper::header::ETAG, etag)),
    );
    error.set_headers(headers);
    error
}

/// What this store has to say besides: the context to hand back, and how many siblings there are.
fn extra_headers<E: Env>(object: &Object<E>, siblings: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(context) = HeaderValue::from_str(&object.context.0) {
        headers.insert("x-anabranch-context", context);
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
    use crate::object::{Body, Part};

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
