//! POST forms: an object that a browser writes with a form made by somebody who has a key.
//!
//! `s3s` would hold the file in memory, and knows neither lists nor tags in a form, so forms are read here, before `s3s`
//! sees them: [`multipart`] reads the fields, [`signature`] says who signed them, [`policy`] whether the signer meant this.
//! Then the form becomes the PUT that it stands for, with its fields for headers, is decided and written as any PUT, and
//! takes the [`file`] in as it comes. [`answer`] is what the browser is told.
//!
//! Invariants: what may be written is decided before any of the file is taken in; the signer's rights are never used for
//! what the signer's policy does not name; a form without a signature is nobody's.
//! Source: "POST Object", Amazon S3 API Reference.

mod answer;
mod file;
mod multipart;
mod policy;
mod signature;

use self::{answer::Answer, multipart::Fields, policy::Policy, signature::Verifier};
use super::{
    Face, action::Action, authorize::denied, context::SignedForm, metadata, service::Operation, tagging,
    write::PUT_MAX,
};
use crate::env::Env;
use hyper::{
    HeaderMap, Method,
    header::{self, HeaderName, HeaderValue},
};
use s3s::{
    HttpRequest, HttpResponse, S3Request, S3Result,
    dto::{self, StreamingBlob},
    path::{S3Path, parse_path_style},
    s3_error,
};

/// Longest key, in bytes, as S3 has it.
const KEY_MAX: usize = 1024;
/// What of the request itself belongs to the PUT: what policies of buckets may ask for, and whose bucket is meant.
const OF_REQUEST: [&str; 3] = ["referer", "user-agent", "x-amz-expected-bucket-owner"];
/// Fields that are headers of the PUT.
const HEADERS: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-anabranch-context",
];
/// What the names of further such fields begin with.
const HEADERS_BEGIN: [&str; 5] =
    ["x-amz-checksum-", "x-amz-grant-", "x-amz-meta-", "x-amz-object-lock-", "x-amz-server-side-encryption"];

/// Whether a request is a form. `s3s` never sees one.
pub(super) fn is_form(request: &HttpRequest) -> bool {
    let kinds = request.headers().get_all(header::CONTENT_TYPE);
    let is_form =
        |kind: &HeaderValue| kind.as_bytes().to_ascii_lowercase().starts_with(b"multipart/form-data");
    request.method() == Method::POST && kinds.iter().any(is_form)
}

impl<E: Env> Face<E> {
    /// Writes the object of a form.
    pub(super) async fn post_form(&self, request: HttpRequest) -> S3Result<HttpResponse> {
        let (mut parts, body) = request.into_parts();
        if let Some(operation) = parts.extensions.get::<Operation>() {
            let _ = operation.0.set("PostObject".into());
        }
        let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let bucket = match parse_path_style(&path) {
            Ok(S3Path::Bucket { bucket }) => bucket,
            Ok(_) => return Err(s3_error!(MethodNotAllowed, "a form is sent to a bucket")),
            Err(_) => return Err(s3_error!(InvalidBucketName)),
        };
        let form = multipart::read(body, multipart::delimiter(&parts.headers)?).await?;
        let fields = fill_in(form.fields, &bucket, form.filename.as_deref())?;
        let now_ms = self.engine.env().wall_ms();
        let verifier = Verifier { keys: &self.keys, allow_sigv2: self.allow_sigv2, now_ms };
        let signer = verifier.signer(&fields)?;
        let mut sizes = 0..=PUT_MAX;
        if let Some(signer) = &signer {
            let policy = Policy::parse(signature::need(&fields, "policy")?)?;
            policy.check(&fields, now_ms)?;
            sizes = *policy.sizes().start()..=PUT_MAX.min(*policy.sizes().end());
            parts.extensions.insert(SignedForm(signer.version));
        }
        let headers = headers_of(&fields, &parts.headers)?;
        let answer = Answer::asked(&fields, &parts.headers, &bucket, &fields["key"]);
        let input = dto::PutObjectInput {
            bucket: bucket.into(),
            key: fields["key"].clone(),
            body: Some(StreamingBlob::wrap(form.file.of_size(sizes))),
            ..Default::default()
        };
        let put = S3Request {
            input,
            method: Method::POST,
            uri: parts.uri,
            headers,
            extensions: parts.extensions,
            credentials: signer.map(|signer| signer.credentials),
            region: None,
            service: None,
            trailing_headers: None,
        };
        let (name, key) = (&put.input.bucket, &put.input.key);
        let bucket = self.bucket_of(&put, name, key, Action::PUT_OBJECT).await?;
        Ok(answer.tell(self.write(put, bucket).await?))
    }
}

/// The fields with what stands for something else filled in: the bucket, which the address names, and the file's name.
fn fill_in(mut fields: Fields, bucket: &str, filename: Option<&str>) -> S3Result<Fields> {
    if fields.insert("bucket".into(), bucket.into()).is_some_and(|named| named != bucket) {
        return Err(denied());
    }
    // Some browsers send the path with the name.
    let filename = filename.and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or_default();
    let key = signature::need(&fields, "key")?.replace("${filename}", filename);
    match key.len() {
        0 => return Err(s3_error!(InvalidArgument, "a key has at least one character")),
        1..=KEY_MAX => {}
        _ => return Err(s3_error!(KeyTooLongError)),
    }
    fields.insert("key".into(), key);
    Ok(fields)
}

/// The headers of the PUT that a form stands for.
fn headers_of(fields: &Fields, of_request: &HeaderMap) -> S3Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for name in OF_REQUEST {
        if let Some(value) = of_request.get(name) {
            headers.insert(name, value.clone());
        }
    }
    for (field, value) in fields {
        let (name, value) = match field.as_str() {
            "acl" => ("x-amz-acl", value.clone()),
            "tagging" => (metadata::TAGGING, tagging::header_of_document(value)?),
            name if HEADERS.contains(&name) => (name, value.clone()),
            name if HEADERS_BEGIN.iter().any(|begin| name.starts_with(begin)) => (name, value.clone()),
            _ => continue,
        };
        let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        let Some((name, value)) = header else {
            return Err(s3_error!(InvalidArgument, "the field {} is no header's name and value", field));
        };
        if headers.insert(name, value).is_some() {
            return Err(s3_error!(InvalidArgument, "the form says twice what {} says", field));
        }
    }
    Ok(headers)
}
