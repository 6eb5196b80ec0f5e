//! Multipart uploads until they are complete: see [`complete`](super::complete). They are listed in
//! [`uploads`](super::uploads).

use super::{
    Face,
    action::Action,
    body::{self, Expected, Taken},
    complete::Kind,
    condition::Conditions,
    error,
    list::page_size,
    metadata::{self, Checksums, summed, unbase64},
    names, ownership,
};
use crate::{
    engine::{BeginUpload, Bucket, PART_NUMBER_MAX, PartRow, UploadId, UploadRow},
    env::Env,
    object::RecordKey,
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

/// The most bytes of one part: 5 GiB.
const PART_MAX: i64 = 5 << 30;

pub(super) fn id_of(text: &str) -> S3Result<UploadId> {
    UploadId::parse(text).ok_or_else(|| s3_error!(NoSuchUpload))
}

pub(super) fn record_of(bucket: &Bucket, key: &str) -> S3Result<RecordKey> {
    RecordKey::object(bucket.id.clone(), key).map_err(|error| s3_error!(InvalidArgument, "{}", error))
}

pub(super) fn number_of(number: i32) -> S3Result<u16> {
    u16::try_from(number)
        .ok()
        .filter(|number| (1..=PART_NUMBER_MAX).contains(number))
        .ok_or_else(|| s3_error!(InvalidArgument, "part number must be an integer between 1 and 10000"))
}

impl<E: Env> Face<E> {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        let dto::CreateMultipartUploadInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::PUT_OBJECT).await?;
        let account = self.account(&request)?;
        let mut headers = metadata::of_request(&request.headers)?;
        headers.extend(self.born_with(&request, &bucket, &request.input.key)?);
        let algorithm = metadata::algorithm_of(&request.headers)?;
        let asked = request.input.checksum_type.as_ref().map(|kind| kind.as_str().to_owned());
        let kind = algorithm.map(|algorithm| {
            let only = match algorithm {
                "CRC64NVME" => Some("FULL_OBJECT"),
                "SHA1" | "SHA256" => Some("COMPOSITE"),
                _ => None,
            };
            let chosen = asked.clone().unwrap_or_else(|| only.unwrap_or("COMPOSITE").to_owned());
            match only {
                Some(only) if only != chosen => {
                    Err(s3_error!(InvalidRequest, "{} checksums of parts are {} only", algorithm, only))
                }
                _ => Ok(chosen),
            }
        });
        if let (Some(algorithm), Some(kind)) = (algorithm, kind.transpose()?) {
            headers.insert(metadata::CHECKSUM_ALGORITHM.to_owned(), algorithm.to_owned());
            headers.insert(metadata::CHECKSUM_TYPE.to_owned(), kind);
        }
        let told = |name: &str| headers.get(name).cloned();
        let (checksum_algorithm, checksum_type) =
            (told(metadata::CHECKSUM_ALGORITHM), told(metadata::CHECKSUM_TYPE));
        let key = request.input.key.clone();
        let begin = BeginUpload { bucket: bucket.id, key: key.clone(), headers, initiator: account.0 };
        let id = self.engine.begin_upload(begin).await.map_err(error::of)?;
        Ok(S3Response::new(dto::CreateMultipartUploadOutput {
            bucket: Some(request.input.bucket),
            checksum_algorithm: checksum_algorithm.map(dto::ChecksumAlgorithm::from),
            checksum_type: checksum_type.map(dto::ChecksumType::from),
            key: Some(key),
            upload_id: Some(id.to_string()),
            ..Default::default()
        }))
    }

    /// An upload that the client names, if it is one of this object.
    pub(super) async fn upload(&self, id: UploadId, record: &RecordKey) -> S3Result<UploadRow> {
        let upload = self.engine.upload(id).await.map_err(error::of)?;
        if upload.record == *record { Ok(upload) } else { Err(s3_error!(NoSuchUpload)) }
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<dto::UploadPartInput>,
    ) -> S3Result<S3Response<dto::UploadPartOutput>> {
        let dto::UploadPartInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::PUT_OBJECT).await?;
        body::require_length(&request.headers)?;
        let input = request.input;
        let (id, number) = (id_of(&input.upload_id)?, number_of(input.part_number)?);
        if input.content_length.is_some_and(|length| length > PART_MAX) {
            return Err(s3_error!(EntityTooLarge));
        }
        let record = record_of(&bucket, &input.key)?;
        let upload = self.upload(id, &record).await?;
        let kind = Kind::of(&upload);
        let sent = metadata::algorithm_of(&request.headers)?;
        let algorithm = sent.or(kind.told());
        if let Some(sent) = sent
            && kind.told().is_some_and(|told| told != sent)
        {
            return Err(s3_error!(
                InvalidRequest,
                "the upload has {} checksums, the part {}",
                kind.algorithm,
                sent
            ));
        }
        let expected = Expected {
            headers: &request.headers,
            trailers: request.trailing_headers,
            algorithm,
            kept: Some(kind.algorithm),
        };
        let Taken { stored, checksum, kept } =
            body::take(self.engine.write_part(), input.body, expected).await?;
        let kept = kept.and_then(|sum| unbase64(&sum));
        let etag = self.engine.put_part(id, record, number, stored, kept).await.map_err(error::of)?;
        let sums = Checksums::of_option(algorithm, checksum);
        let output = dto::UploadPartOutput { e_tag: Some(dto::ETag::Strong(etag)), ..Default::default() };
        Ok(S3Response::new(summed!(sums, output)))
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<dto::UploadPartCopyInput>,
    ) -> S3Result<S3Response<dto::UploadPartCopyOutput>> {
        let dto::UploadPartCopyInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::PUT_OBJECT).await?;
        let input = &request.input;
        let (id, number) = (id_of(&input.upload_id)?, number_of(input.part_number)?);
        let record = record_of(&bucket, &input.key)?;
        let upload = self.upload(id, &record).await?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        };
        let (object, facts) = self.source(&request, &input.copy_source, conditions).await?;
        let size = object.content.manifest.size;
        let range = match &input.copy_source_range {
            None => 0..size,
            Some(text) => match dto::Range::parse(text) {
                Ok(dto::Range::Int { first, last: Some(last) }) if last < size => first..last + 1,
                Ok(dto::Range::Int { last: Some(_), .. }) => return Err(s3_error!(InvalidRange)),
                _ => return Err(s3_error!(InvalidArgument, "x-amz-copy-source-range is bytes=first-last")),
            },
        };
        let kind = Kind::of(&upload);
        let Taken { stored, checksum, .. } =
            body::copy(&object.body, range, self.engine.write_part(), kind.algorithm).await?;
        let kept = checksum.as_ref().and_then(|sum| unbase64(sum));
        let etag = self.engine.put_part(id, record, number, stored, kept).await.map_err(error::of)?;
        let result = dto::CopyPartResult {
            e_tag: Some(dto::ETag::Strong(etag)),
            last_modified: Some(facts.last_modified),
            ..Default::default()
        };
        let result = summed!(Checksums::of_option(kind.told(), checksum), result);
        Ok(S3Response::new(dto::UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id: facts.version_id,
            ..Default::default()
        }))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        let dto::AbortMultipartUploadInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::ABORT_UPLOAD).await?;
        let record = record_of(&bucket, &request.input.key)?;
        self.engine.abort_upload(id_of(&request.input.upload_id)?, record).await.map_err(error::of)?;
        let output = dto::AbortMultipartUploadOutput::default();
        Ok(S3Response::with_status(output, hyper::StatusCode::NO_CONTENT))
    }

    pub(super) async fn list_parts(
        &self,
        request: S3Request<dto::ListPartsInput>,
    ) -> S3Result<S3Response<dto::ListPartsOutput>> {
        let dto::ListPartsInput { bucket, key, .. } = &request.input;
        let bucket = self.bucket_of(&request, bucket, key, Action::LIST_UPLOAD_PARTS).await?;
        let input = request.input;
        let id = id_of(&input.upload_id)?;
        let upload = self.upload(id, &record_of(&bucket, &input.key)?).await?;
        let max = page_size(input.max_parts)?;
        let after = u16::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(u16::MAX);
        let limit = usize::try_from(max).unwrap_or(0);
        let mut rows = self.engine.parts(id, after, limit + 1).await.map_err(error::of)?;
        let is_truncated = rows.len() > limit;
        rows.truncate(limit);
        let algorithm = upload.headers.get(metadata::CHECKSUM_ALGORITHM).cloned();
        let part = |(number, row): &(u16, PartRow)| {
            let part = dto::Part {
                e_tag: Some(dto::ETag::Strong(crate::engine::hex(&row.md5))),
                last_modified: Some(names::at_ms(row.at_ms)),
                part_number: Some((*number).into()),
                size: Some(row.size.cast_signed()),
                ..Default::default()
            };
            let sum = row.checksum.as_ref().map(|sum| metadata::base64(sum));
            summed!(Checksums::of_option(algorithm.as_deref(), sum), part)
        };
        let next = rows.last().map(|(number, _)| i32::from(*number));
        Ok(S3Response::new(dto::ListPartsOutput {
            bucket: Some(input.bucket),
            checksum_algorithm: algorithm.clone().map(dto::ChecksumAlgorithm::from),
            checksum_type: upload.headers.get(metadata::CHECKSUM_TYPE).cloned().map(dto::ChecksumType::from),
            initiator: Some(initiator(&upload)),
            is_truncated: Some(is_truncated),
            key: Some(input.key),
            max_parts: Some(max),
            next_part_number_marker: next,
            owner: Some(ownership::told(&ownership::owner_of(&upload.headers, &bucket))),
            part_number_marker: Some(after.into()),
            parts: Some(rows.iter().map(part).collect()),
            storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            upload_id: Some(input.upload_id),
            ..Default::default()
        }))
    }
}

pub(super) fn initiator(upload: &UploadRow) -> dto::Initiator {
    let name = Some(upload.initiator.clone());
    dto::Initiator { display_name: name.clone(), id: name }
}
