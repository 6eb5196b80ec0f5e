//! Who signed a form, if anybody: the text that is signed is the form's policy, as it was sent.
//!
//! `s3s` does this for requests and keeps it to itself for forms. A form is made before it is sent, so its date is no
//! instant: it holds for as long as its policy does, and for a week at most, as the key that it is signed with does.
//!
//! Invariants: a form that has any part of a signature is signed well or refused, never nobody's; signatures are compared
//! in constant time.
//! Source: "Authenticating requests: browser-based uploads using POST", Amazon S3 API Reference, for version 4 and 2.

use super::{
    super::{
        access::{Keys, SKEW_MS},
        date,
        metadata::unbase64,
    },
    multipart::Fields,
};
use ring::hmac;
use s3s::{
    S3Result,
    auth::{Credentials, SecretKey},
    s3_error,
};

/// The algorithm of version 4.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How long a key of version 4 is good: a week.
const LIFE_MS: u64 = 7 * date::DAY_MS;
/// Fields that only a form with a signature of version 4 has; then those of version 2.
const V4: [&str; 3] = ["x-amz-algorithm", "x-amz-credential", "x-amz-signature"];
const V2: [&str; 2] = ["awsaccesskeyid", "signature"];

/// Who signed a form, and how.
pub(super) struct Signer {
    pub(super) credentials: Credentials,
    /// As policies of buckets call the version.
    pub(super) version: &'static str,
}

/// What a signature is checked against.
pub(super) struct Verifier<'a> {
    pub(super) keys: &'a Keys,
    pub(super) allow_sigv2: bool,
    pub(super) now_ms: u64,
}

impl Verifier<'_> {
    /// Who signed a form; none if it says nothing of a signature.
    pub(super) fn signer(&self, fields: &Fields) -> S3Result<Option<Signer>> {
        let has = |names: &[&str]| names.iter().any(|name| fields.contains_key(*name));
        let (credentials, version) = match (has(&V4), has(&V2)) {
            (false, false) if !fields.contains_key("policy") => return Ok(None),
            (true, true) => return Err(s3_error!(InvalidArgument, "a form has one signature")),
            (true, false) => (self.verify_v4(fields)?, ALGORITHM),
            (false, _) => (self.verify_v2(fields)?, "AWS"),
        };
        Ok(Some(Signer { credentials, version }))
    }

    fn secret(&self, access_key: &str) -> S3Result<SecretKey> {
        self.keys.secret(access_key).ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }

    fn verify_v4(&self, fields: &Fields) -> S3Result<Credentials> {
        if need(fields, "x-amz-algorithm")? != ALGORITHM {
            return Err(s3_error!(InvalidArgument, "x-amz-algorithm is {}", ALGORITHM));
        }
        let (credential, date) = (need(fields, "x-amz-credential")?, need(fields, "x-amz-date")?);
        let (policy, signature) = (need(fields, "policy")?, need(fields, "x-amz-signature")?);
        let scope: Vec<_> = credential.split('/').collect();
        let [access_key, day, region, service @ "s3", end @ "aws4_request"] = scope[..] else {
            return Err(s3_error!(
                InvalidArgument,
                "x-amz-credential is KEY/YYYYMMDD/REGION/s3/aws4_request"
            ));
        };
        let signed_ms = date::parse_amz_ms(date).filter(|_| date.get(..8) == Some(day));
        let Some(signed_ms) = signed_ms else {
            return Err(s3_error!(InvalidArgument, "x-amz-date is a time of the credential's day"));
        };
        let secret_key = self.secret(access_key)?;
        let mut key = format!("AWS4{}", secret_key.expose()).into_bytes();
        for part in [day, region, service, end] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        verify(&key, policy, unhex(signature))?;
        if signed_ms > self.now_ms.saturating_add(SKEW_MS) {
            return Err(s3_error!(RequestTimeTooSkewed, "the form's x-amz-date has not come yet"));
        }
        if signed_ms.saturating_add(LIFE_MS) < self.now_ms {
            return Err(s3_error!(AccessDenied, "the form was signed more than a week ago"));
        }
        Ok(Credentials { access_key: access_key.to_owned(), secret_key })
    }

    fn verify_v2(&self, fields: &Fields) -> S3Result<Credentials> {
        let (access_key, signature) = (need(fields, "awsaccesskeyid")?, need(fields, "signature")?);
        let policy = need(fields, "policy")?;
        if !self.allow_sigv2 {
            return Err(s3_error!(InvalidRequest, "this site takes signatures of version 4 only"));
        }
        let secret_key = self.secret(access_key)?;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret_key.expose().as_bytes());
        verify(&key, policy, unbase64(signature))?;
        Ok(Credentials { access_key: access_key.to_owned(), secret_key })
    }
}

fn verify(key: &hmac::Key, policy: &str, signature: Option<Vec<u8>>) -> S3Result<()> {
    let is_good = signature.is_some_and(|signature| hmac::verify(key, policy.as_bytes(), &signature).is_ok());
    if is_good { Ok(()) } else { Err(s3_error!(SignatureDoesNotMatch)) }
}

/// A field that must be there.
pub(super) fn need<'a>(fields: &'a Fields, name: &str) -> S3Result<&'a str> {
    fields.get(name).map(String::as_str).ok_or_else(|| {
        s3_error!(
            InvalidArgument,
            "the form must contain a field named {}; if it does, check the order of the fields",
            name
        )
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|char| Some(char.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;
