//! Forms as browsers and scripts send them, signed by hand, so that any part of them can be wrong.

use super::{
    Answer, Pair,
    ask::ANN,
    signer::{hex, hmac, signing_key},
};
use bytes::Bytes;
use hyper::Method;
use s3s::crypto::{Sha1, Sha256};
use std::fmt::Write;

/// The boundary of forms here.
pub(super) const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=----form");

/// A form: its fields in order, then its file.
#[derive(Clone, Debug)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    filename: String,
    file: Bytes,
}

/// What the policies of most forms here allow.
pub(super) const CONDITIONS: [&str; 5] = [
    r#"{"bucket": "photos"}"#,
    r#"["starts-with", "$key", "foo"]"#,
    r#"{"acl": "private"}"#,
    r#"["starts-with", "$Content-Type", "text/plain"]"#,
    r#"["content-length-range", 0, 1024]"#,
];

/// A policy that holds for long.
pub(super) fn policy(conditions: &[&str]) -> String {
    format!(r#"{{"expiration": "2099-01-01T00:00:00Z", "conditions": [{}]}}"#, conditions.join(", "))
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

impl Form {
    /// Fields that [`CONDITIONS`] allow, not signed.
    pub(super) fn new(key: &str) -> Self {
        let fields = [("key", key), ("acl", "private"), ("Content-Type", "text/plain")];
        Self {
            fields: fields.map(|(name, value)| (name.into(), value.into())).into(),
            filename: "file".into(),
            file: "bar".into(),
        }
    }

    /// With a field, in place of the one of this name.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.fields.push((name.into(), value.into())),
        }
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn file(mut self, filename: &str, file: impl Into<Bytes>) -> Self {
        (self.filename, self.file) = (filename.into(), file.into());
        self
    }

    /// With a policy, signed with version 2.
    pub(super) fn signed_v2(self, access_key: &str, policy: &str) -> Self {
        let policy = base64(policy.as_bytes());
        let signature = base64(&hmac::<Sha1>(b"secret", &policy));
        self.with("AWSAccessKeyId", access_key).with("signature", &signature).with("policy", &policy)
    }

    /// The same for the usual policy.
    pub(super) fn signed(self) -> Self {
        self.signed_v2("KEY", &policy(&CONDITIONS))
    }

    /// With a policy of these conditions, signed with version 4 at a time.
    pub(super) fn signed_v4(self, date: &str, conditions: &[&str]) -> Self {
        let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
        let credential = format!("KEY/{scope}");
        let own = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &credential),
            ("x-amz-date", date),
        ];
        let named = own.map(|(name, value)| format!(r#"{{"{name}": "{value}"}}"#));
        let named: Vec<_> = named.iter().map(String::as_str).chain(conditions.iter().copied()).collect();
        let policy = base64(policy(&named).as_bytes());
        let signature = hex(&hmac::<Sha256>(&signing_key(&scope), &policy));
        let form = own.into_iter().fold(self, |form, (name, value)| form.with(name, value));
        form.with("policy", &policy).with("x-amz-signature", &signature)
    }

    /// What is sent before the file.
    pub(super) fn head(&self) -> String {
        let mut head = String::new();
        // Scripts call every field a file.
        let file = ("file", &*self.filename, "");
        let fields = self.fields.iter().map(|(name, value)| (&**name, &**name, &**value));
        for (name, filename, value) in fields.chain([file]) {
            write!(head, "------form\r\nContent-Disposition: form-data; name=\"{name}\"; ").unwrap();
            write!(head, "filename=\"{filename}\"\r\n\r\n{value}\r\n").unwrap();
        }
        head.truncate(head.len() - 2);
        head
    }

    pub(super) fn body(&self) -> Bytes {
        [self.head().as_bytes(), &self.file, b"\r\n------form--\r\n"].concat().into()
    }
}

impl Pair {
    /// Sends a form to a path of the first site.
    pub(super) async fn post(&self, path: &str, form: &Form) -> Answer {
        self.send_to(0, Method::POST, path, form.body(), &[TYPE]).await
    }

    /// Whether the bucket has nothing in it.
    pub(super) async fn is_empty(&self) -> bool {
        self.say(0, ANN, "GET /photos").await.ok().all("Key").is_empty()
    }

    pub(super) async fn open(&self) {
        self.ask(0, ANN, "PUT /photos?acl", &[("x-amz-acl", "public-read-write")], "").await.ok();
    }
}

pub(super) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
