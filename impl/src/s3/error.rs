//! The one table from the engine's errors to S3's codes.

use crate::engine::{Error, Unavailable};
use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode};
use std::{fmt::Display, time::Duration};

/// After how long a client may try again what was not available.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An error with its code and what the engine says.
fn with(code: S3ErrorCode, message: &impl Display) -> S3Error {
    S3Error::with_message(code, message.to_string())
}

/// An error with a code that `s3s` does not know, and status 400.
pub(super) fn named(code: &'static str, message: &'static str) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).expect("a code is ASCII");
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

/// What an S3 client is told.
#[expect(clippy::needless_pass_by_value, reason = "it takes an error's place in `map_err`")]
pub(super) fn of(error: Error) -> S3Error {
    let code = match &error {
        Error::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
        Error::NoSuchKey(_) | Error::Deleted { .. } => S3ErrorCode::NoSuchKey,
        Error::NoSuchVersion(_) => S3ErrorCode::NoSuchVersion,
        Error::NoSuchUpload(_) => S3ErrorCode::NoSuchUpload,
        Error::InvalidPart(_) => S3ErrorCode::InvalidPart,
        Error::PartOrder => S3ErrorCode::InvalidPartOrder,
        Error::PartTooSmall { .. } => S3ErrorCode::EntityTooSmall,
        Error::BucketAlreadyOwned(_) => S3ErrorCode::BucketAlreadyOwnedByYou,
        Error::BucketTaken(_) => S3ErrorCode::BucketAlreadyExists,
        Error::BucketNotEmpty(_) => S3ErrorCode::BucketNotEmpty,
        Error::Locked(_) => S3ErrorCode::AccessDenied,
        Error::PreconditionFailed(_) => S3ErrorCode::PreconditionFailed,
        Error::InvalidContext | Error::Invalid(_) => S3ErrorCode::InvalidArgument,
        Error::Unavailable(Unavailable::Overloaded) => S3ErrorCode::SlowDown,
        Error::Unavailable(_) => S3ErrorCode::ServiceUnavailable,
        // The write may have happened: a client must not take it for refused.
        Error::Unknown | Error::Store(_) => S3ErrorCode::InternalError,
    };
    let is_unavailable = matches!(error, Error::Unavailable(_));
    let mut answer = with(code, &error);
    if is_unavailable {
        let mut headers = hyper::HeaderMap::new();
        headers.insert(hyper::header::RETRY_AFTER, RETRY_AFTER.as_secs().into());
        answer.set_headers(headers);
    }
    answer
}
