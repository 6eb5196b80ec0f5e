//! Writing objects: PUT and copies.

use super::{
    Face,
    action::Action,
    body::{self, Expected, Taken},
    condition::{self, Conditions},
    error, expiry,
    metadata::{self, Checksums, Headers, summed},
    names,
    read::Facts,
    tagging,
};
use crate::{
    engine::{Bucket, Condition, Context, Object, PutRequest, Written},
    env::Env,
};
use hyper::{HeaderMap, header::HeaderValue};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result, dto, s3_error};
use std::collections::BTreeMap;

/// The most bytes of one PUT, and of a form's file: 5 GiB.
pub(super) const PUT_MAX: u64 = 5 << 30;

impl<E: Env> Face<E> {
    pub(super) async fn put_object(
        &self,
        request: S3Request<dto::PutObjectInput>,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let dto::PutObjectInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::PUT_OBJECT).await?;
        body::require_length(&request.headers)?;
        if request.input.content_length.is_some_and(|length| length > PUT_MAX.cast_signed()) {
            return Err(s3_error!(EntityTooLarge));
        }
        self.write(request, bucket).await
    }

    /// Writes an object whose writer may write it: the one way for PUT and for forms. The body's stream says where the body
    /// ends, and whether it ends well; nothing is committed before that.
    pub(super) async fn write(
        &self,
        request: S3Request<dto::PutObjectInput>,
        bucket: Bucket,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let born = self.born_now(&request, &bucket, &request.input.key)?;
        let input = request.input;
        let mut headers = metadata::of_request(&request.headers)?;
        headers.extend(born);
        let condition = condition::of_write(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let context = context_of(&request.headers)?;
        let algorithm = metadata::algorithm_of(&request.headers)?.unwrap_or(metadata::ALGORITHM);
        let expected = Expected {
            headers: &request.headers,
            trailers: request.trailing_headers,
            algorithm: Some(algorithm),
            kept: None,
        };
        let Taken { stored, checksum, .. } =
            body::take(self.engine.write_body(), input.body, expected).await?;
        let checksum = checksum.unwrap_or_default();
        body::note_checksum(&mut headers, algorithm, &checksum, dto::ChecksumType::FULL_OBJECT);
        let (key, size) = (input.key.clone(), stored.size);
        let tags = born_tags(&headers);
        let put = PutRequest {
            bucket: bucket.id.clone(),
            key: input.key,
            body: stored,
            headers,
            context,
            condition,
        };
        let written = self.engine.put(put).await.map_err(error::of)?;
        let output = dto::PutObjectOutput {
            checksum_type: Some(dto::ChecksumType::from_static(dto::ChecksumType::FULL_OBJECT)),
            e_tag: written.etag.clone().map(dto::ETag::Strong),
            version_id: version_of(&written, &bucket),
            ..Default::default()
        };
        let output = summed!(Checksums::of(algorithm, checksum), output);
        let mut response = S3Response::new(output);
        response.headers.extend(context_header(&written));
        if let Some(stamp) = written.version {
            response.headers.extend(expiry::header(&bucket, &key, size, &tags, stamp.hlc.ms()));
        }
        Ok(response)
    }

    /// The source of a copy, if its conditions hold.
    pub(super) async fn source<T>(
        &self,
        request: &S3Request<T>,
        source: &dto::CopySource,
        conditions: Conditions,
    ) -> S3Result<(Object<E>, Facts)> {
        let dto::CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "access points are not supported"));
        };
        let bucket = self.resolve_expected(request, bucket, "x-amz-source-expected-bucket-owner").await?;
        let object = self.object_in(request, &bucket, key, version_id.as_deref(), Action::GET_OBJECT).await;
        let object = object.map_err(|error| {
            if *error.code() == S3ErrorCode::MethodNotAllowed {
                s3_error!(
                    InvalidRequest,
                    "the source of a copy may not name a delete marker by its version id"
                )
            } else {
                error
            }
        })?;
        let facts = Facts::of(&object, &bucket);
        conditions.check_source(&facts.etag, facts.written_at_s)?;
        Ok((object, facts))
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<dto::CopyObjectInput>,
    ) -> S3Result<S3Response<dto::CopyObjectOutput>> {
        let dto::CopyObjectInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::PUT_OBJECT).await?;
        let input = &request.input;
        let replaces_metadata =
            replaces(input.metadata_directive.as_ref().map(dto::MetadataDirective::as_str))?;
        let replaces_tags = replaces(input.tagging_directive.as_ref().map(dto::TaggingDirective::as_str))?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        };
        let condition = condition::of_copy(&request.headers)?;
        let (object, facts) = self.source(&request, &input.copy_source, conditions).await?;
        let size = object.content.manifest.size;
        if size > PUT_MAX {
            return Err(s3_error!(InvalidRequest, "a copy of more than 5 GiB is made in parts"));
        }
        if let dto::CopySource::Bucket { bucket: from, key, version_id } = &input.copy_source
            && (&**from, &**key) == (input.bucket.as_str(), input.key.as_str())
            && version_id.is_none()
            && !replaces_metadata
        {
            return Err(s3_error!(
                InvalidRequest,
                "a copy onto itself must change something: its metadata, say"
            ));
        }
        let requested = metadata::of_request(&request.headers)?;
        let born = self.born_now(&request, &bucket, &input.key)?;
        let mut headers = headers_of_copy(&object, requested, replaces_metadata, replaces_tags);
        headers.extend(born);
        let stored_algorithm = object.content.headers.get(metadata::CHECKSUM_ALGORITHM).map(String::as_str);
        let stored_algorithm =
            metadata::ALGORITHMS.iter().map(|(name, _)| *name).find(|name| Some(*name) == stored_algorithm);
        let algorithm =
            metadata::algorithm_of(&request.headers)?.or(stored_algorithm).unwrap_or(metadata::ALGORITHM);
        let Taken { stored, checksum, .. } =
            body::copy(&object.body, 0..size, self.engine.write_body(), algorithm).await?;
        let checksum = checksum.unwrap_or_default();
        body::note_checksum(&mut headers, algorithm, &checksum, dto::ChecksumType::FULL_OBJECT);
        let context = context_of(&request.headers)?;
        let (key, tags) = (input.key.clone(), born_tags(&headers));
        let put = PutRequest { bucket: bucket.id.clone(), key, body: stored, headers, context, condition };
        let written = self.engine.put(put).await.map_err(error::of)?;
        let result = dto::CopyObjectResult {
            checksum_type: Some(dto::ChecksumType::from_static(dto::ChecksumType::FULL_OBJECT)),
            e_tag: written.etag.clone().map(dto::ETag::Strong),
            last_modified: written.version.map(names::written_at),
            ..Default::default()
        };
        let result = summed!(Checksums::of(algorithm, checksum), result);
        let mut response = S3Response::new(dto::CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: facts.version_id,
            version_id: version_of(&written, &bucket),
            ..Default::default()
        });
        response.headers.extend(context_header(&written));
        if let Some(stamp) = written.version {
            let created_ms = stamp.hlc.ms();
            response.headers.extend(expiry::header(&bucket, &input.key, size, &tags, created_ms));
        }
        Ok(response)
    }
}

/// The tags that a version is born with.
pub(super) fn born_tags(headers: &Headers) -> BTreeMap<String, String> {
    let told = headers.get(metadata::TAGGING).and_then(|text| tagging::parse_header(text).ok());
    told.unwrap_or_default()
}

/// Whether a directive is to replace, not to copy.
fn replaces(directive: Option<&str>) -> S3Result<bool> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "a directive is COPY or REPLACE")),
    }
}

/// What a copy takes from its source and what from its request.
fn headers_of_copy<E: Env>(
    object: &Object<E>,
    mut requested: Headers,
    replaces_metadata: bool,
    replaces_tags: bool,
) -> Headers {
    let tags = if replaces_tags {
        requested.remove(metadata::TAGGING)
    } else {
        requested.remove(metadata::TAGGING);
        super::tagging::header_of(object)
    };
    let mut headers = if replaces_metadata { requested } else { object.content.headers.clone() };
    let of_body = [metadata::CHECKSUM_ALGORITHM, metadata::CHECKSUM_TYPE, metadata::TAGGING];
    // Nor are a version's lock and access its copy's.
    let others = ["x-amz-checksum-", "x-anabranch-"];
    headers.retain(|name, _| {
        !of_body.contains(&name.as_str()) && !others.iter().any(|prefix| name.starts_with(prefix))
    });
    headers.extend(tags.map(|tags| (metadata::TAGGING.to_owned(), tags)));
    headers
}

/// The id of the version that a write made; none is told of a null version.
pub(super) fn version_of(written: &Written, bucket: &Bucket) -> Option<String> {
    written.version.filter(|_| !bucket.versioning.is_null()).map(names::version_id)
}

/// What the client says it has seen.
pub(super) fn context_of(headers: &HeaderMap) -> S3Result<Option<Context>> {
    let Some(value) = headers.get("x-anabranch-context") else { return Ok(None) };
    match value.to_str() {
        Ok(text) => Ok(Some(Context(text.to_owned()))),
        Err(_) => Err(s3_error!(InvalidArgument, "x-anabranch-context is the text that an answer carried")),
    }
}

/// What the client has now seen.
pub(super) fn context_header(written: &Written) -> HeaderMap {
    let value = HeaderValue::from_str(&written.context.0);
    value
        .map(|value| (hyper::header::HeaderName::from_static("x-anabranch-context"), value))
        .into_iter()
        .collect()
}

/// The condition of a DELETE: `If-Match`.
pub(super) fn condition_of_delete(if_match: Option<&dto::ETagCondition>) -> S3Result<Option<Condition>> {
    condition::of_write(if_match, None)
}
