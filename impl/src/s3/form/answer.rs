//! What the sender of a form is told: by a status of its choice, or by where it is sent next.
//!
//! Source: "POST Object", Amazon S3 API Reference.

use super::multipart::Fields;
use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{self, HeaderValue},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{Body, HttpResponse, S3Response, dto};

/// What stands in a query as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stands in a path as it is.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// What a form asks to be told.
pub(super) struct Answer {
    /// Where the browser goes on.
    redirect: Option<String>,
    status: StatusCode,
    /// Where the object is.
    location: String,
    bucket: String,
    key: String,
}

impl Answer {
    pub(super) fn asked(fields: &Fields, headers: &HeaderMap, bucket: &str, key: &str) -> Self {
        // `redirect` is its name of old. What is no address is not there.
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        let is_address = |text: &&String| {
            let address = text.parse::<Uri>();
            address.is_ok_and(|address| ["http", "https"].map(Some).contains(&address.scheme_str()))
        };
        let status = match fields.get("success_action_status").map(String::as_str) {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // The face speaks plain HTTP; whether somebody in front of it does not is not known here.
        let location = format!(
            "{}/{bucket}/{}",
            host.map_or_else(String::new, |host| format!("http://{host}")),
            utf8_percent_encode(key, PATH)
        );
        Self {
            redirect: redirect.filter(is_address).cloned(),
            status,
            location,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }
    }

    /// The answer, once the object is written.
    pub(super) fn tell(&self, written: S3Response<dto::PutObjectOutput>) -> HttpResponse {
        let etag = written.output.e_tag.as_ref().map_or("", dto::ETag::value);
        let etag = format!("\"{etag}\"");
        let mut headers = written.headers;
        let mut add = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        add(header::ETAG, &etag);
        if let Some(version) = &written.output.version_id {
            add(header::HeaderName::from_static("x-amz-version-id"), version);
        }
        let (status, body) = match (&self.redirect, self.status) {
            (Some(redirect), _) => {
                add(header::LOCATION, &self.onward(redirect, &etag));
                (StatusCode::SEE_OTHER, Body::empty())
            }
            (None, StatusCode::CREATED) => {
                add(header::LOCATION, &self.location);
                add(header::CONTENT_TYPE, "application/xml");
                (StatusCode::CREATED, Body::from(self.document(&etag)))
            }
            (None, status) => {
                add(header::LOCATION, &self.location);
                (status, Body::empty())
            }
        };
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }

    /// The address that the form asks for, with what became of it.
    fn onward(&self, redirect: &str, etag: &str) -> String {
        let (address, place) = redirect.split_once('#').unwrap_or((redirect, ""));
        let encode = |text| utf8_percent_encode(text, QUERY);
        format!(
            "{address}{}bucket={}&key={}&etag={}{}{place}",
            if address.contains('?') { '&' } else { '?' },
            encode(&self.bucket),
            encode(&self.key),
            encode(etag),
            if place.is_empty() { "" } else { "#" },
        )
    }

    fn document(&self, etag: &str) -> String {
        let pairs =
            [("Location", &*self.location), ("Bucket", &self.bucket), ("Key", &self.key), ("ETag", etag)];
        let mut document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><PostResponse>".to_owned();
        for (name, value) in pairs {
            for part in ["<", name, ">", &escape(value), "</", name, ">"] {
                document.push_str(part);
            }
        }
        document + "</PostResponse>"
    }
}

/// A text as XML holds it. What XML cannot hold at all does not come back.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\n' | '\t' => escaped.push(char),
            char if char.is_control() => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}
