//! Bodies as streams: in, with every checksum that the client sent verified before anything is committed; out, piece by
//! piece.

use super::{
    error,
    metadata::{self, header_of, unbase64},
};
use crate::{
    engine::{BodyReader, BodyWriter, PIECE, StoredBody},
    env::Env,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use hyper::HeaderMap;
use s3s::{
    S3Result, TrailingHeaders,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto::{self, StreamingBlob},
    s3_error,
};
use std::{
    io,
    ops::Range,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

/// A body taken in.
pub(super) struct Taken {
    pub(super) stored: StoredBody,
    /// Its checksum by the algorithm asked for, as base64.
    pub(super) checksum: Option<String>,
    /// The one that is kept, which may be another.
    pub(super) kept: Option<String>,
}

/// What a client says of the body that it sends.
pub(super) struct Expected<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
    /// The checksum that is verified and told.
    pub(super) algorithm: Option<&'static str>,
    /// The one that is kept.
    pub(super) kept: Option<&'static str>,
}

/// Takes a whole body in. Nothing is kept if the stream ends badly, or any length or checksum differs.
pub(super) async fn take<E: Env>(
    mut writer: BodyWriter<E>,
    body: Option<StreamingBlob>,
    expected: Expected<'_>,
) -> S3Result<Taken> {
    let mut hasher = hasher(expected.algorithm.into_iter().chain(expected.kept));
    if let Some(mut body) = body {
        while let Some(piece) = body.next().await {
            // A signature or a length that turns out wrong comes as an error of the stream.
            let piece = piece.map_err(|error| match error.downcast::<s3s::S3Error>() {
                Ok(error) => *error,
                // s3s keeps the type of this error to itself.
                Err(error) if error.to_string().ends_with("Sha256Mismatch") => error::named(
                    "XAmzContentSHA256Mismatch",
                    "the body's hash is not the one that was signed",
                ),
                Err(error) => {
                    let mut refusal =
                        s3_error!(IncompleteBody, "the body ended early or is not what was signed");
                    refusal.set_source(error);
                    refusal
                }
            })?;
            hasher.update(&piece);
            writer.write(&piece).await.map_err(error::of)?;
        }
    }
    let computed = hasher.finalize();
    let stored = writer.finish().await.map_err(error::of)?;
    verify_length(expected.headers, stored.size)?;
    if let Some(sent) = text(expected.headers, "content-md5") {
        let Some(sent) = unbase64(sent).filter(|digest| digest.len() == 16) else {
            return Err(s3_error!(InvalidDigest));
        };
        if sent != stored.md5 {
            return Err(s3_error!(BadDigest, "the Content-MD5 that was sent is not the body's"));
        }
    }
    let kept = expected.kept.and_then(|algorithm| value_of(&computed, algorithm));
    let Some(algorithm) = expected.algorithm else { return Ok(Taken { stored, checksum: None, kept }) };
    let computed = value_of(&computed, algorithm).unwrap_or_default();
    let header = header_of(algorithm);
    let trailer = expected.trailers.and_then(|trailers| trailers.take());
    let sent = text(expected.headers, header).or_else(|| trailer.as_ref().and_then(|all| text(all, header)));
    if let Some(sent) = sent {
        // What is no checksum of that kind at all is not the body's either: clients know this one code.
        if sent != computed {
            return Err(s3_error!(BadDigest, "the {} that was sent is not the body's", header));
        }
    }
    Ok(Taken { stored, checksum: Some(computed), kept })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A body is sent with its length; one without any would be taken for an empty one.
pub(super) fn require_length(headers: &HeaderMap) -> S3Result<()> {
    let told = ["content-length", "x-amz-decoded-content-length"];
    if told.iter().any(|name| headers.contains_key(*name)) {
        return Ok(());
    }
    Err(s3_error!(MissingContentLength, "a body is sent with its Content-Length"))
}

/// A body that ends before the length that its client announced was cut on its way.
fn verify_length(headers: &HeaderMap, size: u64) -> S3Result<()> {
    let announced = text(headers, "x-amz-decoded-content-length").or_else(|| {
        let is_chunked = text(headers, "content-encoding").is_some_and(|all| all.contains("aws-chunked"));
        text(headers, "content-length").filter(|_| !is_chunked)
    });
    match announced.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length != size => Err(s3_error!(IncompleteBody)),
        _ => Ok(()),
    }
}

/// A hasher of these algorithms.
pub(super) fn hasher<'a>(algorithms: impl IntoIterator<Item = &'a str>) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    for algorithm in algorithms {
        match algorithm {
            "CRC32" => hasher.crc32 = Some(Crc32::new()),
            "CRC32C" => hasher.crc32c = Some(Crc32c::new()),
            "CRC64NVME" => hasher.crc64nvme = Some(Crc64Nvme::new()),
            "SHA1" => hasher.sha1 = Some(Sha1::new()),
            "SHA256" => hasher.sha256 = Some(Sha256::new()),
            _ => {}
        }
    }
    hasher
}

/// The value that a hasher of an algorithm found, as base64.
pub(super) fn value_of(checksum: &dto::Checksum, algorithm: &str) -> Option<String> {
    let value = match algorithm {
        "CRC32" => &checksum.checksum_crc32,
        "CRC32C" => &checksum.checksum_crc32c,
        "CRC64NVME" => &checksum.checksum_crc64nvme,
        "SHA1" => &checksum.checksum_sha1,
        "SHA256" => &checksum.checksum_sha256,
        _ => return None,
    };
    value.clone()
}

/// A range of a body as a stream. The first piece is read before anything is answered: what is not to be had is refused,
/// not cut short.
pub(super) async fn give<E: Env>(body: BodyReader<E>, range: Range<u64>) -> S3Result<StreamingBlob> {
    let length = range.end - range.start;
    let first = match length {
        0 => Bytes::new(),
        _ => read(&body, &range).await.map_err(error::of)?,
    };
    let rest = range.start + first.len() as u64..range.end;
    let rest = stream::try_unfold((body, rest), |(body, rest)| async move {
        if rest.is_empty() {
            return Ok(None);
        }
        let bytes = read(&body, &rest).await.map_err(io::Error::other)?;
        let next = rest.start + bytes.len() as u64..rest.end;
        Ok(Some((bytes, (body, next))))
    });
    let first = stream::once(std::future::ready(Ok::<_, io::Error>(first)));
    Ok(StreamingBlob::wrap(OnePoller(Mutex::new(Box::pin(first.chain(rest))))))
}

async fn read<E: Env>(body: &BodyReader<E>, range: &Range<u64>) -> Result<Bytes, crate::engine::Error> {
    let len = usize::try_from(range.end - range.start).unwrap_or(PIECE).min(PIECE);
    body.read(range.start, len).await
}

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A stream that one task at a time polls: `s3s` wants it `Sync`. The lock is never taken.
struct OnePoller(Mutex<Pieces>);

impl Stream for OnePoller {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pieces = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        pieces.as_mut().poll_next(cx)
    }
}

/// Copies a range of a body into another, with its checksum.
pub(super) async fn copy<E: Env>(
    body: &BodyReader<E>,
    range: Range<u64>,
    mut writer: BodyWriter<E>,
    algorithm: &'static str,
) -> S3Result<Taken> {
    let mut hasher = hasher([algorithm]);
    let mut rest = range;
    while !rest.is_empty() {
        let bytes = read(body, &rest).await.map_err(error::of)?;
        hasher.update(&bytes);
        writer.write(&bytes).await.map_err(error::of)?;
        rest.start += bytes.len() as u64;
    }
    let stored = writer.finish().await.map_err(error::of)?;
    let checksum = value_of(&hasher.finalize(), algorithm);
    Ok(Taken { stored, kept: checksum.clone(), checksum })
}

/// Notes a body's checksum among the object's headers.
pub(super) fn note_checksum(headers: &mut metadata::Headers, algorithm: &str, value: &str, kind: &str) {
    headers.insert(header_of(algorithm).to_owned(), value.to_owned());
    headers.insert(metadata::CHECKSUM_ALGORITHM.to_owned(), algorithm.to_owned());
    headers.insert(metadata::CHECKSUM_TYPE.to_owned(), kind.to_owned());
}
