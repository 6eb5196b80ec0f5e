//! Who asks: keys and the accounts that they speak for.
//!
//! A request that is not signed is nobody's; what it may do is decided where everything is, in
//! [`authorize`](super::authorize). `s3s` compares signatures; here are the guards that its release lacks. An unsigned
//! `x-amz-…` header on a signed request would run with the signer's rights (a presigned PUT with an added
//! `x-amz-copy-source` becomes a copy), and signatures of version 2 are taken in headers only where the site wants them; the
//! rest of these is in [`sigv2`]. That a presigned URL lives seven days at most is seen to in [`front`](super::front); who
//! signed a form, in [`form`](super::form).

use super::{service::Operation, sigv2};
use crate::env::Env;
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// How far the clock of whoever signs may be from this site's: 15 minutes.
pub(super) const SKEW_MS: u64 = 15 * 60 * 1000;

/// Who owns buckets and objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account(pub String);

/// The access keys of a site: each with its secret and its account.
#[derive(Default)]
pub struct Keys {
    /// Those of the site's own file.
    first: Known,
    /// Those of the whole cluster, as far as this site knows.
    shared: RwLock<Known>,
}

type Known = BTreeMap<String, (SecretKey, Account)>;

/// Secrets are never printed.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.first.keys()).finish()
    }
}

impl Keys {
    /// Adds a key.
    #[must_use]
    pub fn with(mut self, access_key: &str, secret: &str, account: &str) -> Self {
        self.first.insert(access_key.into(), (SecretKey::from(secret), Account(account.into())));
        self
    }

    /// Replaces the keys of the whole cluster: id, secret and account of each.
    pub fn share(&self, keys: impl IntoIterator<Item = (String, String, String)>) {
        let known = |(id, secret, account)| (id, (SecretKey::from(secret), Account(account)));
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = keys.into_iter().map(known).collect();
    }

    fn find<R>(&self, access_key: &str, take: impl Fn(&(SecretKey, Account)) -> R) -> Option<R> {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        self.first.get(access_key).or_else(|| shared.get(access_key)).map(take)
    }

    /// The secret of an access key.
    pub(super) fn secret(&self, access_key: &str) -> Option<SecretKey> {
        self.find(access_key, |(secret, _)| secret.clone())
    }

    /// Whether an account has a key.
    pub(super) fn knows(&self, account: &Account) -> bool {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        self.first.values().chain(shared.values()).any(|(_, known)| known == account)
    }

    /// The account of an access key.
    pub(super) fn account(&self, access_key: &str) -> Option<Account> {
        self.find(access_key, |(_, account)| account.clone())
    }
}

/// What `s3s` asks of every request.
pub(super) struct Auth<E> {
    pub(super) env: E,
    pub(super) keys: Arc<Keys>,
    pub(super) allow_sigv2: bool,
    pub(super) sigv2_headers: bool,
}

#[async_trait::async_trait]
impl<E: Env> S3Auth for Auth<E> {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.keys.secret(access_key).ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

#[async_trait::async_trait]
impl<E: Env> S3Access for Auth<E> {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let name = cx.s3_op().name().to_owned();
        if let Some(operation) = cx.extensions_mut().get::<Operation>() {
            let _ = operation.0.set(name);
        }
        let query = cx.uri().query().unwrap_or_default().to_owned();
        if !self.allow_sigv2 && parameter(&query, "AWSAccessKeyId").is_some() {
            return Err(s3_error!(InvalidRequest, "this site takes signatures of version 4 only"));
        }
        let authorization = cx.headers().get("authorization").and_then(|value| value.to_str().ok());
        if authorization.is_some_and(|value| value.starts_with("AWS ")) {
            if !self.sigv2_headers {
                return Err(s3_error!(
                    InvalidRequest,
                    "sign with version 4: version 2 is taken in URLs and forms only"
                ));
            }
            sigv2::check_date(cx.headers(), self.env.wall_ms())?;
        }
        check_signature(&query, authorization, cx.headers().keys().map(hyper::header::HeaderName::as_str))
    }
}

/// The value of a query parameter, as it was sent.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn check_signature<'a>(
    query: &str,
    authorization: Option<&str>,
    headers: impl Iterator<Item = &'a str>,
) -> S3Result<()> {
    // Without a list the signature is of version 2, which covers every `x-amz-` header.
    let Some(signed) = signed_headers(query, authorization) else { return Ok(()) };
    // What is signed holds the time and the body's hash by themselves.
    let covered = ["x-amz-content-sha256", "x-amz-date"];
    let mut unsigned = headers
        .filter(|name| name.starts_with("x-amz-") && !covered.contains(name) && !signed.contains(*name));
    match unsigned.next() {
        Some(name) => Err(s3_error!(
            AccessDenied,
            "there were headers present in the request which were not signed: {}",
            name
        )),
        None => Ok(()),
    }
}

/// The headers that a signature of version 4 says it covers.
pub(super) fn signed_headers(query: &str, authorization: Option<&str>) -> Option<BTreeSet<String>> {
    let signed = match authorization {
        Some(value) => value
            .split([',', ' '])
            .find_map(|part| part.trim().strip_prefix("SignedHeaders=").map(str::to_owned)),
        None => parameter(query, "X-Amz-SignedHeaders")
            .map(|signed| signed.replace("%3B", ";").replace("%3b", ";")),
    };
    Some(signed?.split(';').map(str::to_ascii_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str, authorization: Option<&str>, headers: &[&str]) -> Option<String> {
        let checked = check_signature(query, authorization, headers.iter().copied());
        checked.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn an_unsigned_amz_header_on_a_presigned_url_is_refused() {
        let query = "X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-date";
        assert_eq!(code(query, None, &["host", "x-amz-date", "x-amz-content-sha256"]), None);
        assert_eq!(code(query, None, &["x-amz-copy-source"]).as_deref(), Some("AccessDenied"));
        let header = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0";
        assert_eq!(code("", Some(header), &["x-amz-date"]), None);
        assert_eq!(code("", Some(header), &["x-amz-acl"]).as_deref(), Some("AccessDenied"));
    }

    #[test]
    fn a_signature_of_version_2_covers_every_amz_header() {
        assert_eq!(code("AWSAccessKeyId=a&Signature=b&Expires=1", None, &["x-amz-acl"]), None);
        assert_eq!(code("", Some("AWS a:b"), &["x-amz-acl"]), None);
    }
}
