//! The token: every path but health and metrics asks for it.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The token that requests carry. Never printed.
#[derive(Clone)]
pub struct Token(Arc<[u8; 32]>);

impl Token {
    /// Of its text. Only a hash is kept, and hashes are compared: how long that takes tells nothing of the token.
    pub fn new(text: &str) -> Self {
        Self(Arc::new(*blake3::hash(text.as_bytes()).as_bytes()))
    }

    fn is(&self, text: &str) -> bool {
        blake3::Hash::from_bytes(*self.0) == blake3::hash(text.as_bytes())
    }
}

/// A refusal, as RFC 9457 describes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Problem {
    /// The status, again.
    pub status: u16,
    /// What is the matter, in one line.
    pub title: String,
    /// What can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// A refusal with what can be done.
    pub fn new(status: StatusCode, title: impl Into<String>, detail: impl Into<Option<String>>) -> Self {
        Self { status: status.as_u16(), title: title.into(), detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).expect("plain data is JSON");
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// Lets in whoever carries the token.
pub async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    let carried = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match carried.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(text) if token.is(text) => next.run(request).await,
        _ => {
            let detail = "send the header `Authorization: Bearer …` with the text of [admin] token_file";
            Problem::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong", detail.to_owned())
                .into_response()
        }
    }
}
