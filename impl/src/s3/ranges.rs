//! Ranges that are none, or several: S3 ignores them and gives the whole object, `s3s` refuses them.
//!
//! One that is not signed is taken away before `s3s` sees it. One that is signed must stay until the signature is checked:
//! then `s3s` hands the request to [`Whole`], before it reads the range, and it is answered without one by a second service
//! that does not ask for a signature again.

use super::access::signed_headers;
use hyper::{HeaderMap, Method, Request, Uri, header, http::Extensions};
use s3s::{
    Body, HttpRequest, S3Request, S3Response, S3Result, auth::Credentials, dto::Range, route::S3Route,
    s3_error, service::S3Service,
};

/// What a request was signed with, once that is known to hold.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) credentials: Credentials,
    /// As they came.
    pub(super) headers: HeaderMap,
    pub(super) query: String,
}

fn is_strange(headers: &HeaderMap) -> bool {
    let range = headers.get(header::RANGE);
    range.is_some_and(|range| !range.to_str().is_ok_and(|range| Range::parse(range).is_ok()))
}

/// Takes a strange range away, unless it is signed.
pub(super) fn ignore_unsigned(request: &mut HttpRequest) {
    if !is_strange(request.headers()) {
        return;
    }
    let query = request.uri().query().unwrap_or_default();
    let authorization =
        request.headers().get(header::AUTHORIZATION).and_then(|authorization| authorization.to_str().ok());
    if !signed_headers(query, authorization).is_some_and(|signed| signed.contains("range")) {
        request.headers_mut().remove(header::RANGE);
    }
}

/// Answers what has a signed strange range as if it had none.
pub(super) struct Whole(pub(super) S3Service);

#[async_trait::async_trait]
impl S3Route for Whole {
    fn is_match(&self, method: &Method, _: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        [Method::GET, Method::HEAD].contains(method) && is_strange(headers)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let Some(credentials) = request.credentials else { return Err(s3_error!(AccessDenied)) };
        let (uri, mut extensions) = (request.uri, request.extensions);
        let query = uri.query().unwrap_or_default().to_owned();
        let verified = Verified { credentials, headers: request.headers.clone(), query: query.clone() };
        extensions.insert(verified);
        let mut again = Request::new(Body::empty());
        *again.method_mut() = request.method;
        *again.headers_mut() = request.headers;
        *again.extensions_mut() = extensions;
        *again.uri_mut() = unsigned(&uri, &query);
        for name in [header::RANGE, header::AUTHORIZATION] {
            again.headers_mut().remove(name);
        }
        let answer = self.0.call(again).await.map_err(|_| s3_error!(InternalError))?;
        let (head, body) = answer.into_parts();
        let mut response = S3Response::with_status(body, head.status);
        response.headers = head.headers;
        Ok(response)
    }
}

/// The same target without what signs it.
fn unsigned(uri: &Uri, query: &str) -> Uri {
    let signs = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        name.starts_with("X-Amz-") || ["AWSAccessKeyId", "Signature", "Expires"].contains(&name)
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !signs(pair)).collect();
    let mut parts = uri.clone().into_parts();
    let target = format!("{}?{}", uri.path(), kept.join("&"));
    parts.path_and_query = Some(target.trim_end_matches('?').parse().expect("parts of a target are one"));
    Uri::from_parts(parts).expect("only its query has become shorter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signs_a_target_is_left_out_and_nothing_else() {
        let of = |text: &str| {
            let uri: Uri = text.parse().unwrap();
            unsigned(&uri, uri.query().unwrap_or_default()).to_string()
        };
        assert_eq!(
            of("/b/k?versionId=1&X-Amz-Signature=a&X-Amz-Date=b&partNumber=2"),
            "/b/k?versionId=1&partNumber=2"
        );
        assert_eq!(of("http://host/b/k?AWSAccessKeyId=a&Signature=b&Expires=1"), "http://host/b/k");
        assert_eq!(of("/b/k%3F?x=%3F"), "/b/k%3F?x=%3F");
    }
}
