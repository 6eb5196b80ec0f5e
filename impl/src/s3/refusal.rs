//! Why a rule refuses a request, with the code that S3 clients know it by.
//!
//! The rule modules know S3's codes and not its protocol: whoever answers turns a refusal into the protocol's error.
//!
//! Invariant: the message says what was refused and what to send instead; it never repeats a secret.
//! Source: "List of error codes", Amazon S3 API Reference.

use hyper::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// A request that the rules do not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    /// S3's code.
    pub(super) code: &'static str,
    /// For the person who sent the request.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The document has not the shape that S3's schema asks for.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new("MalformedXML", message)
    }

    /// A value is out of its range.
    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self::new("InvalidArgument", message)
    }

    /// Values that are each fine do not go together.
    pub(super) fn request(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", message)
    }

    /// The caller may not do this now.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new("AccessDenied", message)
    }

    /// S3 has this, and we do not.
    pub(super) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new("NotImplemented", message)
    }

    /// The status that S3 sends with the code. Some codes here are unknown to `s3s`, which would answer 500.
    pub(super) fn status(&self) -> u16 {
        match self.code {
            "AccessDenied" => 403,
            "InvalidBucketState" => 409,
            "NotImplemented" => 501,
            _ => 400,
        }
    }
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code = S3ErrorCode::from_bytes(refusal.code.as_bytes()).expect("a code is ASCII");
        let status = StatusCode::from_u16(refusal.status()).expect("a status has three digits");
        let mut error = Self::with_message(code, refusal.message);
        error.set_status_code(status);
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_its_message_and_has_the_status_of_its_code() {
        assert_eq!(Refusal::argument("days must be positive").to_string(), "days must be positive");
        assert_eq!(Refusal::argument("").status(), 400);
        assert_eq!(Refusal::new("AccessDenied", "").status(), 403);
        assert_eq!(Refusal::new("NotImplemented", "").status(), 501);
    }
}
