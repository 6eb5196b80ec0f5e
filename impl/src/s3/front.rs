//! What stands before `s3s` and after it: HTTP as clients speak it and as they expect it back.
//!
//! `s3s` answers errors of routing and signatures by itself, before any operation has a name, so what concerns every
//! answer can be done only here: the request's id in the errors, dates, lengths, the letters of
//! headers. Whether a request may be made is not decided here.

use super::{access::Keys, ranges, service::Operation, sigv2};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::{
    HeaderMap, Method, StatusCode,
    body::Body as _,
    header::{self, HeaderValue},
};
use s3s::{
    Body, HttpRequest, HttpResponse, S3Error, S3Result,
    dto::{Timestamp, TimestampFormat},
    s3_error,
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The most bytes of an XML document in a request.
pub(super) const XML_MAX: usize = 4 << 20;
/// Longest life of a presigned URL, in seconds: seven days.
const EXPIRES_MAX: u64 = 604_800;
/// The most bytes of a PUT that does not tell its length: it is collected in memory, since `s3s` wants to know.
const COLLECTED_MAX: usize = 16 << 20;
/// How many such PUTs are collected at a time: 256 MiB. Further ones are answered 503 SlowDown.
const COLLECTED_AT_ONCE: usize = 16;

/// What the requests of a site share.
pub(super) struct Front {
    keys: Arc<Keys>,
    collecting: Semaphore,
}

impl Front {
    pub(super) fn new(keys: Arc<Keys>) -> Self {
        Self { keys, collecting: Semaphore::new(COLLECTED_AT_ONCE) }
    }

    /// Makes a request one that `s3s` understands, or refuses it.
    pub(super) async fn admit(&self, mut request: HttpRequest) -> S3Result<HttpRequest> {
        check_expiry(request.uri().query().unwrap_or_default())?;
        date_for_amz_date(request.headers_mut());
        sigv2::add_slash(&mut request, &self.keys);
        ranges::ignore_unsigned(&mut request);
        for value in request.headers_mut().values_mut() {
            if std::str::from_utf8(value.as_bytes()).is_err() {
                // Clients sign such a text in UTF-8 and send it in Latin-1.
                let text: String = value.as_bytes().iter().copied().map(char::from).collect();
                *value = HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| value.clone());
            }
        }
        check_document(&request)?;
        if has_no_length(&request) {
            let _permit = self.collecting.try_acquire().map_err(|_| overloaded())?;
            collect(&mut request).await?;
        }
        Ok(request)
    }
}

/// What is told while too many requests are under way.
pub(super) fn overloaded() -> S3Error {
    let mut error = s3_error!(
        SlowDown,
        "too many requests are under way at this site; try again later or at another site"
    );
    error.set_headers(HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("1"))]));
    error
}

/// What is told to a client whose body stood still. The rest of it is not waited for.
pub(super) fn stalled() -> S3Error {
    let mut error =
        s3_error!(RequestTimeout, "nothing of the body came for too long; the connection is closed");
    error.set_headers(HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static("close"))]));
    error
}

/// A refusal as an answer.
pub(super) fn refusal(error: S3Error) -> HttpResponse {
    error.to_http_response().expect("an error is text, which XML can hold")
}

/// Refuses a presigned URL of version 4 whose life is no number, or of more than seven days. `s3s` would take the one for
/// another kind of request, and not mind the other.
fn check_expiry(query: &str) -> S3Result<()> {
    let expires = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Expires="));
    let Some(expires) = expires else { return Ok(()) };
    if expires.parse::<u64>().is_ok_and(|expires| expires <= EXPIRES_MAX) {
        return Ok(());
    }
    let mut error = s3_error!(
        AuthorizationQueryParametersError,
        "X-Amz-Expires must be a number of at most 604800 seconds"
    );
    error.set_status_code(StatusCode::FORBIDDEN);
    Err(error)
}

/// A signature of version 4 may be of the time in `Date`. The signature covers the time itself, in whichever header.
fn date_for_amz_date(headers: &mut HeaderMap) {
    let is_v4 = headers
        .get(header::AUTHORIZATION)
        .is_some_and(|authorization| authorization.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
    if !is_v4 || headers.contains_key("x-amz-date") {
        return;
    }
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok()).and_then(amz_date);
    if let Some(date) = date.and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert("x-amz-date", date);
    }
}

/// A date of HTTP or of mail as `x-amz-date` has it; mail writes its zone as a number.
pub(super) fn amz_date(text: &str) -> Option<String> {
    let zones = ["GMT", "UTC", "-0000", "+0000"];
    let time = zones.iter().find_map(|zone| text.trim().strip_suffix(zone))?;
    let time = Timestamp::parse(TimestampFormat::HttpDate, &format!("{time}GMT")).ok()?;
    let time = time::OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    Some(format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month)))
}

/// Refuses too long a document to POST, which `s3s` answers as if it had failed itself.
fn check_document(request: &HttpRequest) -> S3Result<()> {
    if request.method() == Method::POST && request.body().size_hint().lower() > XML_MAX as u64 {
        return Err(s3_error!(MaxMessageLengthExceeded));
    }
    Ok(())
}

fn has_no_length(request: &HttpRequest) -> bool {
    // A body in signed chunks tells its length in a header of its own.
    let is_chunks = |value: &HeaderValue| value.as_bytes().starts_with(b"STREAMING-");
    request.method() == Method::PUT
        && !request.headers().contains_key(header::CONTENT_LENGTH)
        && !request.headers().get("x-amz-content-sha256").is_some_and(is_chunks)
        && request.body().size_hint().exact().is_none()
}

/// Collects a body that does not tell its length, and tells it.
async fn collect(request: &mut HttpRequest) -> S3Result<()> {
    let mut collected = BytesMut::new();
    while let Some(piece) = request.body_mut().next().await {
        let piece = piece.map_err(|_| s3_error!(IncompleteBody, "the body ended early"))?;
        if collected.len() + piece.len() > COLLECTED_MAX {
            return Err(s3_error!(
                MissingContentLength,
                "a body of more than 16 MiB is sent with its Content-Length, or in signed chunks"
            ));
        }
        collected.extend_from_slice(&piece);
    }
    request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(collected.len()));
    request.headers_mut().remove(header::TRANSFER_ENCODING);
    *request.body_mut() = Body::from(collected.freeze());
    Ok(())
}

/// Makes an answer of `s3s` one that clients expect.
pub(super) fn finish(answer: &mut HttpResponse, operation: &Operation, id: &str) {
    if operation.is("HeadObject") && answer.headers().contains_key(header::CONTENT_RANGE) {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT; // s3s asks nobody for the status of a HEAD
    }
    let Some(body) = answer.body().bytes() else { return };
    let is_error = answer.status().is_client_error() || answer.status().is_server_error();
    if is_error && let Some(body) = with_id(&body, id) {
        *answer.body_mut() = Body::from(body);
    } else if !is_error && operation.is("GetObjectAttributes") {
        *answer.body_mut() = Body::from(with_bare_etag(&body));
    }
}

/// An error with the request's id, as its header has it.
fn with_id(body: &Bytes, id: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.strip_suffix("</Error>")?;
    Some(format!("{text}<RequestId>{id}</RequestId></Error>"))
}

/// Attributes with the ETag as AWS writes it there and nowhere else: without quotes.
fn with_bare_etag(body: &Bytes) -> String {
    String::from_utf8_lossy(body).replace("<ETag>\"", "<ETag>").replace("\"</ETag>", "</ETag>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_and_of_mail_become_dates_of_amazon() {
        for zone in ["GMT", "-0000", "+0000"] {
            let date = amz_date(&format!("Tue, 07 Jul 2026 21:53:04 {zone}"));
            assert_eq!(date.as_deref(), Some("20260707T215304Z"), "{zone}");
        }
        for text in ["", "yesterday", "Tue, 07 Jul 2026 21:53:04 +0200", "20260707T215304Z"] {
            assert_eq!(amz_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_presigned_url_lives_a_week_at_most() {
        let status = |expires: &str| {
            let checked = check_expiry(&format!("a=b&X-Amz-Expires={expires}&c"));
            checked.err().and_then(|error| error.status_code())
        };
        assert_eq!(status("604800"), None);
        assert_eq!(status("0"), None, "it has expired, which is said elsewhere");
        for expires in ["604801", "-7", "x", "", "1e3"] {
            assert_eq!(status(expires), Some(StatusCode::FORBIDDEN), "{expires}");
        }
        assert!(check_expiry("x-id=GetObject").is_ok());
    }

    #[test]
    fn an_error_tells_the_id_of_its_request_once() {
        let body = Bytes::from_static(b"<?xml?><Error><Code>A</Code></Error>");
        assert_eq!(
            with_id(&body, "7").unwrap(),
            "<?xml?><Error><Code>A</Code><RequestId>7</RequestId></Error>"
        );
        assert_eq!(with_id(&Bytes::new(), "7"), None);
        let body = Bytes::from_static(b"<ETag>\"e\"</ETag><Other>\"</Other>");
        assert_eq!(with_bare_etag(&body), "<ETag>e</ETag><Other>\"</Other>");
    }
}
