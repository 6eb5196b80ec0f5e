//! The completion of a multipart upload: its parts become one version, with a checksum made of theirs.
//!
//! A completion that is sent again, for its answer was lost, is answered as it was, while the version that it made exists
//! and this site remembers the upload.

use super::{
    Face,
    action::Action,
    body, condition, error, expiry, lock,
    metadata::{self, Checksums, Headers, summed},
    multipart::{id_of, number_of, record_of},
    write::{born_tags, context_header, context_of, version_of},
};
use crate::{
    engine::{Bucket, CompleteUpload, Error, GetRequest, PartRow, RETENTION, UploadId, UploadRow, Written},
    env::Env,
    object::RecordKey,
};
use crc_fast::{CrcAlgorithm, checksum_combine};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result, dto, s3_error};
use std::collections::BTreeMap;

/// The checksum that an upload keeps of its parts.
pub(super) struct Kind {
    pub(super) algorithm: &'static str,
    is_whole: bool,
    /// The client named no algorithm: the object has a checksum, its parts are told without.
    is_implied: bool,
}

impl Kind {
    pub(super) fn of(upload: &UploadRow) -> Self {
        let named = upload.headers.get(metadata::CHECKSUM_ALGORITHM);
        let named = named
            .and_then(|named| metadata::ALGORITHMS.iter().map(|(name, _)| *name).find(|name| name == named));
        let is_whole = upload.headers.get(metadata::CHECKSUM_TYPE).is_some_and(|kind| kind == "FULL_OBJECT");
        match named {
            Some(algorithm) => Self { algorithm, is_whole, is_implied: false },
            None => Self { algorithm: metadata::ALGORITHM, is_whole: true, is_implied: true },
        }
    }

    /// The algorithm that the client named.
    pub(super) fn told(&self) -> Option<&'static str> {
        Some(self.algorithm).filter(|_| !self.is_implied)
    }

    /// Tests what a completion says of a part, and says what the part is to the whole.
    fn check(&self, part: &Named, row: PartRow) -> S3Result<(u64, Option<Vec<u8>>)> {
        match part.checksums.clone().get(self.algorithm) {
            Some(sent) if row.checksum.is_some() && metadata::unbase64(&sent) != row.checksum => {
                Err(s3_error!(InvalidPart, "part {} has another checksum", part.number))
            }
            None if !self.is_whole => Err(s3_error!(
                InvalidRequest,
                "the upload was begun with {} checksums: the completion must tell that of part {}",
                self.algorithm,
                part.number
            )),
            _ => Ok((row.size, row.checksum)),
        }
    }

    fn name(&self) -> &'static str {
        if self.is_whole { dto::ChecksumType::FULL_OBJECT } else { dto::ChecksumType::COMPOSITE }
    }

    /// The checksum of the whole, of the parts' sizes and checksums.
    fn combine(&self, parts: &[(u64, Vec<u8>)]) -> Option<String> {
        if !self.is_whole {
            let mut hasher = body::hasher([self.algorithm]);
            parts.iter().for_each(|(_, sum)| hasher.update(sum));
            let value = body::value_of(&hasher.finalize(), self.algorithm)?;
            return Some(format!("{value}-{}", parts.len()));
        }
        let algorithm = match self.algorithm {
            "CRC32" => CrcAlgorithm::Crc32IsoHdlc,
            "CRC32C" => CrcAlgorithm::Crc32Iscsi,
            "CRC64NVME" => CrcAlgorithm::Crc64Nvme,
            _ => return None,
        };
        let number = |sum: &[u8]| sum.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mut parts = parts.iter();
        let (_, first) = parts.next()?;
        let whole = parts
            .fold(number(first), |sum, (size, next)| checksum_combine(algorithm, sum, number(next), *size));
        Some(metadata::base64(&whole.to_be_bytes()[8 - first.len()..]))
    }
}

/// A completion, now or before.
struct Completed {
    written: Written,
    size: u64,
    tags: BTreeMap<String, String>,
    checksums: Checksums,
    checksum_type: Option<dto::ChecksumType>,
}

type Input = dto::CompleteMultipartUploadInput;

impl<E: Env> Face<E> {
    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<Input>,
    ) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        let input = &request.input;
        let bucket = self.bucket_of(&request, &input.bucket, &input.key, Action::PUT_OBJECT).await?;
        let id = id_of(&input.upload_id)?;
        let record = record_of(&bucket, &input.key)?;
        let Completed { written, size, tags, checksums, checksum_type } =
            match self.complete(&request, &bucket, id, &record).await {
                Err(error) if *error.code() == S3ErrorCode::NoSuchUpload => {
                    self.completed(&bucket, &input.key, id, record).await?.ok_or(error)?
                }
                completed => completed?,
            };
        let output = dto::CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            checksum_type,
            e_tag: written.etag.clone().map(dto::ETag::Strong),
            key: Some(input.key.clone()),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            version_id: version_of(&written, &bucket),
            ..Default::default()
        };
        let mut response = S3Response::new(summed!(checksums, output));
        response.headers.extend(context_header(&written));
        if let Some(stamp) = written.version {
            response.headers.extend(expiry::header(&bucket, &input.key, size, &tags, stamp.hlc.ms()));
        }
        Ok(response)
    }

    async fn complete(
        &self,
        request: &S3Request<Input>,
        bucket: &Bucket,
        id: UploadId,
        record: &RecordKey,
    ) -> S3Result<Completed> {
        let input = &request.input;
        let upload = self.upload(id, record).await?;
        let parts = parts_of(input)?;
        let condition = condition::of_write(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        lock::check_write(bucket)?;
        let mut headers = Headers::new();
        if !upload.headers.contains_key(RETENTION) {
            lock::add_default(&mut headers, bucket, self.engine.env().wall_ms())?;
        }
        let kind = Kind::of(&upload);
        let (mut size, mut sums) = (0, Vec::with_capacity(parts.len()));
        for part in &parts {
            let rows = self.engine.parts(id, part.number - 1, 1).await.map_err(error::of)?;
            let row = rows.into_iter().find(|(found, _)| *found == part.number);
            let (_, row) = row.ok_or_else(|| s3_error!(InvalidPart))?;
            let (part_size, sum) = kind.check(part, row)?;
            size += part_size;
            sums.extend(sum.map(|sum| (part_size, sum)));
        }
        if input.mpu_object_size.is_some_and(|announced| u64::try_from(announced) != Ok(size)) {
            return Err(s3_error!(InvalidRequest, "the parts are {} bytes, not what was announced", size));
        }
        // Parts that came before they had a checksum leave the object without one.
        let has_sum = sums.len() == parts.len();
        if has_sum {
            let whole = kind.combine(&sums).ok_or_else(|| s3_error!(InvalidRequest))?;
            body::note_checksum(&mut headers, kind.algorithm, &whole, kind.name());
            let sent = request
                .headers
                .get(metadata::header_of(kind.algorithm))
                .and_then(|value| value.to_str().ok());
            if sent.is_some_and(|sent| sent != whole) {
                return Err(s3_error!(BadDigest, "the checksum that was sent is not the object's"));
            }
        }
        let checksums = Checksums::stored(&headers);
        let complete = CompleteUpload {
            id,
            bucket: bucket.id.clone(),
            key: input.key.clone(),
            parts: parts.into_iter().map(|part| (part.number, part.etag)).collect(),
            headers,
            context: context_of(&request.headers)?,
            condition,
        };
        let written = self.engine.complete_upload(complete).await.map_err(error::of)?;
        let checksum_type = has_sum.then(|| dto::ChecksumType::from_static(kind.name()));
        let tags = born_tags(&upload.headers);
        Ok(Completed { written, size, tags, checksums, checksum_type })
    }

    /// What this upload became before, if that still exists.
    async fn completed(
        &self,
        bucket: &Bucket,
        key: &str,
        id: UploadId,
        record: RecordKey,
    ) -> S3Result<Option<Completed>> {
        let version = self.engine.completed_upload(id, record).await.map_err(error::of)?;
        let Some(version) = version else { return Ok(None) };
        let get = GetRequest {
            bucket: bucket.id.clone(),
            key: key.to_owned(),
            version: Some(version),
            context: None,
        };
        let object = match self.engine.get(get).await {
            Ok(object) => object,
            Err(Error::NoSuchVersion(_) | Error::NoSuchKey(_)) => return Ok(None),
            Err(error) => return Err(error::of(error)),
        };
        let written = Written {
            version: Some(object.version),
            etag: Some(object.content.manifest.etag.clone()),
            context: object.context,
        };
        let headers = &object.content.headers;
        let checksum_type = headers.get(metadata::CHECKSUM_TYPE).cloned().map(dto::ChecksumType::from);
        let (size, tags) = (object.content.manifest.size, born_tags(headers));
        Ok(Some(Completed { written, size, tags, checksums: Checksums::stored(headers), checksum_type }))
    }
}

/// A part as a completion names it.
struct Named {
    number: u16,
    etag: Option<String>,
    checksums: Checksums,
}

/// The parts that a client names. Of one number the last in a row counts: the client sent that part again.
fn parts_of(input: &Input) -> S3Result<Vec<Named>> {
    let named = input.multipart_upload.as_ref().and_then(|all| all.parts.as_ref());
    let named = named.filter(|parts| !parts.is_empty()).ok_or_else(|| s3_error!(MalformedXML))?;
    let mut parts: Vec<Named> = Vec::with_capacity(named.len());
    for part in named {
        let number = part.part_number.ok_or_else(|| s3_error!(MalformedXML, "a part has a PartNumber"))?;
        let number = number_of(number)?;
        let etag = part.e_tag.as_ref().map(|etag| etag.value().to_owned());
        let checksums = Checksums {
            crc32: part.checksum_crc32.clone(),
            crc32c: part.checksum_crc32c.clone(),
            crc64nvme: part.checksum_crc64nvme.clone(),
            sha1: part.checksum_sha1.clone(),
            sha256: part.checksum_sha256.clone(),
        };
        parts.pop_if(|last| last.number == number);
        parts.push(Named { number, etag, checksums });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: &str, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = body::hasher([algorithm]);
        hasher.update(bytes);
        metadata::unbase64(&body::value_of(&hasher.finalize(), algorithm).unwrap()).unwrap()
    }

    #[test]
    fn checksums_of_parts_combine_to_that_of_the_whole() {
        let whole: Vec<u8> = (0..100_000u32).map(|n| (n % 253) as u8).collect();
        for algorithm in ["CRC32", "CRC32C", "CRC64NVME"] {
            let parts: Vec<_> =
                whole.chunks(33_333).map(|part| (part.len() as u64, sum(algorithm, part))).collect();
            let combined = Kind { algorithm, is_whole: true, is_implied: false }.combine(&parts).unwrap();
            assert_eq!(combined, metadata::base64(&sum(algorithm, &whole)), "{algorithm}");
        }
    }

    #[test]
    fn a_composite_checksum_is_of_the_parts_checksums_and_tells_how_many() {
        let parts = [(1, sum("SHA256", b"a")), (1, sum("SHA256", b"b"))];
        let of_both = [parts[0].1.clone(), parts[1].1.clone()].concat();
        let expected = format!("{}-2", metadata::base64(&sum("SHA256", &of_both)));
        assert_eq!(
            Kind { algorithm: "SHA256", is_whole: false, is_implied: false }.combine(&parts),
            Some(expected)
        );
    }
}
