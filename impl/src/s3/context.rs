//! What the conditions of a policy may ask of a request.
//!
//! Invariant: a key has the values of the request that is decided, or none; a key that is not known here has none, and a
//! policy that asks for it is refused when it is put (see [`KEYS`]).
//! Source: "Actions, resources, and condition keys for Amazon S3", Service Authorization Reference; "AWS global condition
//! context keys", IAM User Guide.

use super::{metadata, tagging};
use hyper::HeaderMap;
use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

/// Where a request comes from, as the connection tells. Whoever stands in between is where it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(pub(super) IpAddr);

/// The version of the signature of a form, which has it among its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedForm(pub(super) &'static str);

/// Tags that a request's body asks for.
#[derive(Clone)]
pub(super) struct RequestTags(pub(super) BTreeMap<String, String>);

/// The keys that a policy may ask for, in lower case; those that end with `*` or `/` begin like this. The second half are
/// keys that requests to this store never have: what AWS knows of its own networks, organizations and services.
pub(super) const KEYS: [&str; 42] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "s3:authtype",
    "s3:delimiter",
    "s3:existingobjecttag/",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-retain-until-date",
    "s3:prefix",
    "s3:requestobjecttag/",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureversion",
    "s3:versionid",
    "s3:x-amz-*",
    "aws:calledvia*",
    "aws:federatedprovider",
    "aws:multifactorauth*",
    "aws:principalisawsservice",
    "aws:principalorg*",
    "aws:principalservicename*",
    "aws:principaltag/",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorg*",
    "aws:sourceowner",
    "aws:sourcevpc*",
    "aws:viaawsservice",
    "aws:vpcsourceip",
    "s3:dataaccesspoint*",
];

/// Whether a policy may ask for a key, in lower case up to its first `/`.
pub(super) fn is_known(key: &str) -> bool {
    KEYS.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => key.starts_with(start),
        None if known.ends_with('/') => key.len() > known.len() && key.starts_with(known),
        None => key == *known,
    })
}

/// A request, as conditions see it.
pub(super) struct Context<'a> {
    /// The account and the access key that it is signed with.
    pub(super) who: Option<(&'a str, &'a str)>,
    pub(super) bucket_owner: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a str,
    pub(super) source: Option<Source>,
    pub(super) now_ms: u64,
    /// What is asked for in place of the request's own `prefix`.
    pub(super) prefix: Option<&'a str>,
    pub(super) existing_tags: Option<&'a BTreeMap<String, String>>,
    pub(super) body_tags: Option<&'a RequestTags>,
    pub(super) form: Option<SignedForm>,
}

impl Context<'_> {
    /// The values of a key, which is in lower case up to its first `/`.
    pub(super) fn values(&self, key: &str) -> Vec<String> {
        if let Some(tag) = key.strip_prefix("s3:existingobjecttag/") {
            return self.existing_tags.and_then(|tags| tags.get(tag)).cloned().into_iter().collect();
        }
        if let Some(tag) = key.strip_prefix("s3:requestobjecttag/") {
            return self.request_tags().get(tag).cloned().into_iter().collect();
        }
        let one = |value: String| vec![value];
        match key {
            "aws:currenttime" => one(date_of(self.now_ms)),
            "aws:epochtime" => one((self.now_ms / 1000).to_string()),
            "aws:principalaccount" | "aws:userid" => {
                self.who.map(|(account, _)| account.to_owned()).into_iter().collect()
            }
            "aws:username" => self.who.map(|(_, key)| key.to_owned()).into_iter().collect(),
            "aws:principalarn" => {
                let arn = |(account, key)| format!("arn:aws:iam::{account}:user/{key}");
                self.who.map(arn).into_iter().collect()
            }
            "aws:principaltype" => one(if self.who.is_some() { "User" } else { "Anonymous" }.into()),
            "aws:referer" => self.header("referer"),
            "aws:useragent" => self.header("user-agent"),
            // The face speaks plain HTTP; whether somebody in front of it does not is not known here.
            "aws:securetransport" => one("false".into()),
            "aws:sourceip" => self.source.map(|Source(address)| address.to_string()).into_iter().collect(),
            "s3:resourceaccount" => one(self.bucket_owner.to_owned()),
            "s3:authtype" => self.who.map(|_| self.auth_type().to_owned()).into_iter().collect(),
            "s3:signatureversion" => {
                self.who.map(|_| self.signature_version().to_owned()).into_iter().collect()
            }
            "s3:prefix" if self.prefix.is_some() => self.prefix.map(str::to_owned).into_iter().collect(),
            "s3:prefix" | "s3:delimiter" | "s3:max-keys" => self.parameter(&key["s3:".len()..]),
            "s3:versionid" => self.parameter("versionId"),
            "s3:if-match" | "s3:if-none-match" => self.header(&key["s3:".len()..]),
            "s3:object-lock-mode" | "s3:object-lock-legal-hold" | "s3:object-lock-retain-until-date" => {
                self.header(&format!("x-amz-{}", &key["s3:".len()..]))
            }
            "s3:requestobjecttagkeys" => self.request_tags().keys().cloned().collect(),
            "s3:x-amz-copy-source" => {
                let decoded = self.header("x-amz-copy-source").into_iter().map(|source| {
                    let source = decode(&source).into_owned();
                    source.strip_prefix('/').map_or(source.clone(), str::to_owned)
                });
                decoded.collect()
            }
            _ => match key.strip_prefix("s3:") {
                Some(header) if header.starts_with("x-amz-") => self.header(header),
                _ => Vec::new(),
            },
        }
    }

    fn header(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    fn parameter(&self, name: &str) -> Vec<String> {
        let pairs = self.query.split('&').filter_map(|pair| {
            let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(found) == name).then(|| decode(value).into_owned())
        });
        pairs.collect()
    }

    fn request_tags(&self) -> Cow<'_, BTreeMap<String, String>> {
        if let Some(RequestTags(tags)) = self.body_tags {
            return Cow::Borrowed(tags);
        }
        let written = self.headers.get(metadata::TAGGING).and_then(|value| value.to_str().ok());
        Cow::Owned(written.and_then(|text| tagging::parse_header(text).ok()).unwrap_or_default())
    }

    fn auth_type(&self) -> &'static str {
        if self.form.is_some() {
            "POST"
        } else if self.headers.contains_key("authorization") {
            "REST-HEADER"
        } else {
            "REST-QUERY-STRING"
        }
    }

    fn signature_version(&self) -> &'static str {
        if let Some(SignedForm(version)) = self.form {
            return version;
        }
        let is_v2 = self.query.contains("AWSAccessKeyId=")
            || self.headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"AWS "));
        if is_v2 { "AWS" } else { "AWS4-HMAC-SHA256" }
    }
}

/// A part of a query or of a copy's source, read as a form's.
fn decode(text: &str) -> Cow<'_, str> {
    match percent_encoding::percent_decode_str(text).decode_utf8_lossy() {
        Cow::Borrowed(plain) if !plain.contains('+') => Cow::Borrowed(plain),
        decoded => Cow::Owned(if text.contains('+') {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        } else {
            decoded.into_owned()
        }),
    }
}

/// A time as ISO 8601 has it.
fn date_of(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let ((year, month, day), (hour, minute, second)) = (time.to_calendar_date(), time.to_hms());
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn keys_have_the_values_of_the_request() {
        let headers: HeaderMap = [
            ("x-amz-copy-source", "/src/public/a%20b"),
            ("x-amz-tagging", "security=public&b=2"),
            ("referer", "http://www.example.com/a"),
        ]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        let tags = BTreeMap::from([("Security".to_owned(), "secret".to_owned())]);
        let context = Context {
            who: Some(("ann", "KEY")),
            bucket_owner: "bob",
            headers: &headers,
            query: "list-type=2&prefix=a%2Fb+c&delimiter=%2F&X-Amz-Signature=0",
            source: Some(Source([192, 0, 2, 1].into())),
            now_ms: 1_795_428_900_500,
            prefix: None,
            existing_tags: Some(&tags),
            body_tags: None,
            form: None,
        };
        for (key, values) in [
            ("s3:x-amz-copy-source", &["src/public/a b"][..]),
            ("s3:requestobjecttag/security", &["public"]),
            ("s3:requestobjecttagkeys", &["b", "security"]),
            ("s3:existingobjecttag/Security", &["secret"]),
            ("s3:existingobjecttag/security", &[]),
            ("aws:referer", &["http://www.example.com/a"]),
            ("aws:sourceip", &["192.0.2.1"]),
            ("aws:principalarn", &["arn:aws:iam::ann:user/KEY"]),
            ("aws:currenttime", &["2026-11-23T10:15:00Z"]),
            ("s3:prefix", &["a/b c"]),
            ("s3:delimiter", &["/"]),
            ("s3:authtype", &["REST-QUERY-STRING"]),
            ("s3:x-amz-acl", &[]),
            ("aws:sourcevpc", &[]),
        ] {
            assert_eq!(context.values(key), values, "{key}");
        }
        let asked = Context { prefix: Some("key"), form: Some(SignedForm("AWS")), ..context };
        assert_eq!(asked.values("s3:prefix"), ["key"]);
        assert_eq!(asked.values("s3:authtype"), ["POST"]);
        assert_eq!(asked.values("s3:signatureversion"), ["AWS"]);
    }

    #[test]
    fn a_key_is_known_by_its_whole_name() {
        for key in ["s3:prefix", "s3:x-amz-anything", "s3:existingobjecttag/a", "aws:sourcevpce"] {
            assert!(is_known(key), "{key}");
        }
        for key in ["s3:prefixes", "s3:existingobjecttag/", "aws:sourceip2", "s3:signatureage", "aws:"] {
            assert!(!is_known(key), "{key}");
        }
    }
}
