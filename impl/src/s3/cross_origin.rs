//! Cross-origin requests by the rules of a bucket: the operations on the rules, and what browsers are told.
//!
//! A browser asks without a signature, and must be told on errors too, of whatever kind, so this stands before `s3s` and
//! after it. What is told says nothing of whether a request may be made: that is decided for the request itself.

use super::{
    Face,
    action::Action,
    cors::{self, Rule},
    error, front,
    handler::absent,
};
use crate::{
    engine::{Bucket, Engine},
    env::Env,
};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use s3s::{Body, HttpRequest, HttpResponse, S3Error, S3Request, S3Response, S3Result, dto};

/// The document of a bucket that this is about.
const DOCUMENT: &str = "cors";

fn rules_of(bucket: &Bucket) -> Option<Vec<Rule>> {
    serde_json::from_str(bucket.documents.get(DOCUMENT)?).ok()
}

/// What a page of another origin asks, by a preflight or by its request itself.
pub(super) struct Asked {
    bucket: String,
    origin: String,
    method: String,
    headers: Vec<String>,
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Asked {
    /// What a request asks; none if it is not of another origin, or of no bucket.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let headers = request.headers();
        let origin = text(headers, header::ORIGIN)?.to_owned();
        let name = request.uri().path().split('/').nth(1).filter(|name| !name.is_empty())?;
        let bucket = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let is_preflight = request.method() == Method::OPTIONS;
        // As S3 has it, a request that says which method it is going to have is judged by that one.
        let method = text(headers, header::ACCESS_CONTROL_REQUEST_METHOD);
        let method = method.unwrap_or(request.method().as_str()).to_owned();
        let named = text(headers, header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_preflight);
        let named = named.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        Some(Self { bucket, origin, method, headers: named.map(str::to_owned).collect() })
    }
}

/// Answers browsers.
pub(super) struct CrossOrigin<E: Env>(pub(super) Engine<E>);

impl<E: Env> Clone for CrossOrigin<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Env> CrossOrigin<E> {
    /// The headers that the bucket's rules grant.
    async fn granted(&self, asked: &Asked) -> S3Result<Option<HeaderMap>> {
        let bucket = self.0.resolve_bucket(&asked.bucket, "").await.map_err(error::of)?;
        let Some(rules) = rules_of(&bucket) else { return Ok(None) };
        let headers: Vec<_> = asked.headers.iter().map(String::as_str).collect();
        let grant = cors::answer(&rules, &asked.origin, &asked.method, &headers);
        Ok(grant.map(|grant| {
            let pairs = grant.headers().into_iter();
            pairs
                .filter_map(|(name, value)| {
                    Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
                })
                .collect()
        }))
    }

    /// The answer to a preflight request.
    pub(super) async fn preflight(&self, request: &HttpRequest) -> HttpResponse {
        match self.granted_to(request).await {
            Ok(headers) => {
                let mut answer = HttpResponse::new(Body::empty());
                *answer.headers_mut() = headers;
                answer
            }
            Err(error) => front::refusal(error),
        }
    }

    async fn granted_to(&self, request: &HttpRequest) -> S3Result<HeaderMap> {
        let bad = |message| Err(error::named("BadRequest", message));
        if !request.headers().contains_key(header::ORIGIN) {
            return bad("Insufficient information. Origin request header needed.");
        }
        if !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return bad("Invalid Access-Control-Request-Method: null");
        }
        let asked = Asked::of(request).ok_or_else(forbidden)?;
        self.granted(&asked).await?.ok_or_else(forbidden)
    }

    /// Tells the page on the answer to its request, whatever that is.
    pub(super) async fn tell(&self, asked: &Asked, answer: &mut HttpResponse) {
        // A bucket that cannot be read now has rules that nobody can be told of.
        if let Ok(Some(headers)) = self.granted(asked).await {
            answer.headers_mut().extend(headers);
        }
    }
}

fn forbidden() -> S3Error {
    let mut error = error::named("AccessForbidden", "CORSResponse: This CORS request is not allowed.");
    error.set_status_code(StatusCode::FORBIDDEN);
    error
}

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_cors(
        &self,
        request: S3Request<dto::GetBucketCorsInput>,
    ) -> S3Result<S3Response<dto::GetBucketCorsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_CORS).await?;
        let rules = rules_of(&bucket).ok_or_else(|| absent("NoSuchCORSConfiguration"))?;
        let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
        let rules = rules.into_iter().map(|rule| dto::CORSRule {
            allowed_headers: some(rule.allowed_headers),
            allowed_methods: rule.allowed_methods,
            allowed_origins: rule.allowed_origins,
            expose_headers: some(rule.expose_headers),
            id: rule.id,
            max_age_seconds: rule.max_age_seconds,
        });
        Ok(S3Response::new(dto::GetBucketCorsOutput { cors_rules: Some(rules.collect()) }))
    }

    pub(super) async fn put_bucket_cors(
        &self,
        request: S3Request<dto::PutBucketCorsInput>,
    ) -> S3Result<S3Response<dto::PutBucketCorsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_CORS).await?;
        let rules = request.input.cors_configuration.cors_rules.into_iter().map(|rule| Rule {
            id: rule.id,
            allowed_origins: rule.allowed_origins,
            allowed_methods: rule.allowed_methods,
            allowed_headers: rule.allowed_headers.unwrap_or_default(),
            expose_headers: rule.expose_headers.unwrap_or_default(),
            max_age_seconds: rule.max_age_seconds,
        });
        let rules: Vec<Rule> = rules.collect();
        cors::validate(&rules)?;
        let text = serde_json::to_string(&rules).expect("rules are plain data");
        self.engine.configure_bucket(&bucket.id, DOCUMENT, &text).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketCorsOutput {}))
    }

    pub(super) async fn delete_bucket_cors(
        &self,
        request: S3Request<dto::DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketCorsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_CORS).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketCorsOutput {}, StatusCode::NO_CONTENT))
    }
}
