//! Signatures of version 2, as far as `s3s` does not see to them: when one was made, and the slash behind a bucket's name.
//!
//! Source: "Signing and authenticating REST requests (AWS signature version 2)", Amazon S3 User Guide.

use super::{
    access::{Keys, SKEW_MS},
    date, front,
    metadata::unbase64,
};
use hyper::{HeaderMap, Uri, header};
use percent_encoding::percent_decode_str;
use ring::hmac;
use s3s::{HttpRequest, S3Result, s3_error};
use std::{borrow::Cow, collections::BTreeMap};

/// The parameters of requests for buckets that a signature covers.
const COVERED: [&str; 20] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "policy",
    "replication",
    "requestPayment",
    "tagging",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Refuses a signature of version 2 that was made long ago, or will be: it covers the date, and whoever overhears it has it
/// for ever otherwise.
pub(super) fn check_date(headers: &HeaderMap, now_ms: u64) -> S3Result<()> {
    // With both of them, the one that is signed.
    let date = headers.get("x-amz-date").or_else(|| headers.get("date"));
    let date = date.and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| front::amz_date(date).or_else(|| Some(date.to_owned())));
    let Some(signed_ms) = date.and_then(|date| date::parse_amz_ms(&date)) else {
        return Err(s3_error!(AccessDenied, "a request signed with version 2 has a Date"));
    };
    if signed_ms.abs_diff(now_ms) > SKEW_MS {
        return Err(s3_error!(RequestTimeTooSkewed, "the request's date is more than 15 minutes from now"));
    }
    Ok(())
}

/// Adds the slash to the path of a bucket that was signed with it. Clients send `/bucket` and sign `/bucket/`, as a bucket in
/// the host's name is signed; S3 takes this and the path as it is sent, and `s3s` the latter only. Nothing is decided here:
/// `s3s` compares the signature.
pub(super) fn add_slash(request: &mut HttpRequest, keys: &Keys) {
    let path = request.uri().path();
    if path.len() < 2 || path[1..].contains('/') {
        return;
    }
    let path = format!("{path}/");
    if is_signed(request, &path, keys) == Some(true) {
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = (path + &query).parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// Whether a request has a signature of version 2 that is of this path; none if it has none at all.
fn is_signed(request: &HttpRequest, path: &str, keys: &Keys) -> Option<bool> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let pair = |pair| {
        let (name, value) = str::split_once(pair, '=').unwrap_or((pair, ""));
        (name, percent_decode_str(value).decode_utf8_lossy())
    };
    let query: BTreeMap<&str, Cow<'_, str>> = pairs.map(pair).collect();
    let (access_key, signature, date) = match text("authorization").strip_prefix("AWS ") {
        Some(header) => {
            let (access_key, signature) = header.split_once(':')?;
            let date = if headers.contains_key("x-amz-date") { "" } else { text("date") };
            (access_key, signature, date)
        }
        None => (&**query.get("AWSAccessKeyId")?, &**query.get("Signature")?, &**query.get("Expires")?),
    };
    let mut signed = format!(
        "{}\n{}\n{}\n{date}\n",
        request.method(),
        text("content-md5"),
        text(header::CONTENT_TYPE.as_str())
    );
    let mut names: Vec<_> =
        headers.keys().map(header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")).collect();
    names.sort_unstable();
    for name in names {
        let values: Option<Vec<_>> =
            headers.get_all(name).iter().map(|value| Some(value.to_str().ok()?.trim())).collect();
        signed.extend([name, ":", &values?.join(","), "\n"]);
    }
    signed.push_str(path);
    for (at, (name, value)) in query.iter().filter(|(name, _)| COVERED.contains(name)).enumerate() {
        signed.extend([
            if at == 0 { "?" } else { "&" },
            name,
            if value.is_empty() { "" } else { "=" },
            value,
        ]);
    }
    let secret = keys.secret(access_key)?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
    Some(hmac::verify(&key, signed.as_bytes(), &unbase64(signature)?).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn a_signature_is_of_now() {
        let date = |pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let checked = check_date(&pairs.iter().map(pair).collect(), 1_795_428_900_000);
            checked.err().map(|error| error.code().as_str().to_owned())
        };
        let (now, late) = ("Mon, 23 Nov 2026 10:15:00 GMT", "Mon, 23 Nov 2026 10:30:01 GMT");
        for good in [now, "Mon, 23 Nov 2026 10:00:00 +0000", "20261123T103000Z"] {
            assert_eq!(date(&[("date", good)]), None, "{good}");
        }
        let skewed = Some("RequestTimeTooSkewed".to_owned());
        assert_eq!(date(&[("date", late)]), skewed);
        assert_eq!(date(&[("date", now), ("x-amz-date", late)]), skewed);
        assert_eq!(date(&[("date", "today")]).as_deref(), Some("AccessDenied"));
        assert_eq!(date(&[]).as_deref(), Some("AccessDenied"));
    }

    #[test]
    fn a_bucket_that_was_signed_with_a_slash_gets_it_back() {
        let keys = Keys::default().with(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "johnsmith",
        );
        let after = |target: &str, date: &str, authorization: &str| {
            let request = hyper::Request::get(target).header("date", date);
            let request = request.header("authorization", authorization);
            let mut request = request.body(s3s::Body::empty()).unwrap();
            add_slash(&mut request, &keys);
            request.uri().to_string()
        };
        // Amazon's own examples, of a bucket that it calls by the host's name.
        let list =
            ("Tue, 27 Mar 2007 19:42:41 +0000", "AWS AKIAIOSFODNN7EXAMPLE:m0WP8eCtspQl5Ahe6L1SozdX9YA=");
        let fetch =
            ("Tue, 27 Mar 2007 19:44:46 +0000", "AWS AKIAIOSFODNN7EXAMPLE:82ZHiFIjc+WbcwFKGUVEQspPn+0=");
        let (bucket, query) = ("/awsexamplebucket1", "?prefix=photos&max-keys=50&marker=puppy");
        assert_eq!(after(&format!("{bucket}{query}"), list.0, list.1), format!("{bucket}/{query}"));
        assert_eq!(after(&format!("{bucket}?acl"), fetch.0, fetch.1), format!("{bucket}/?acl"));
        // Another resource, time, key or path is not what was signed.
        for (target, date, authorization) in [
            (format!("{bucket}?acl"), list.0, list.1),
            (bucket.to_owned(), fetch.0, fetch.1),
            (bucket.to_owned(), fetch.0, list.1),
            (format!("{bucket}/k"), list.0, list.1),
            (bucket.to_owned(), list.0, "AWS NOBODY:m0WP8eCtspQl5Ahe6L1SozdX9YA="),
            (bucket.to_owned(), list.0, "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"),
            ("/".to_owned(), list.0, list.1),
        ] {
            assert_eq!(after(&target, date, authorization), target);
        }
    }
}
