//! The paths of the admin face.

use super::{
    Site,
    access::{self, Problem, Token},
    conflicts, diff, keys, status, verify,
};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde_json::json;
use std::sync::Arc;

/// What `GET /api/v1/openapi.json` answers.
const OPENAPI: &str = include_str!("openapi.json");

/// The face of a site.
pub fn router(site: Arc<Site>, token: Token) -> Router {
    let guarded = Router::new()
        .route("/api/v1/status", get(show_status))
        .route("/api/v1/conflicts", get(conflicts::list))
        .route("/api/v1/conflicts/{bucket}/{*key}", get(conflicts::show))
        .route("/api/v1/diff/{peer}", post(diff::compare))
        .route("/api/v1/verify", post(verify::page))
        .route("/api/v1/keys", get(keys::list).post(keys::make))
        .route("/api/v1/keys/{access_key}", delete(keys::revoke))
        .route_layer(middleware::from_fn_with_state(token, access::check));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)))
        .merge(guarded)
        .fallback(async || {
            let detail = "GET /api/v1/openapi.json lists the paths".to_owned();
            Problem::new(StatusCode::NOT_FOUND, "there is no such path", detail)
        })
        .with_state(site)
}

async fn show_status(State(site): State<Arc<Site>>) -> Result<Json<status::SiteStatus>, Problem> {
    Ok(Json(status::look(&site).await?))
}

/// Whether clients may be sent here: the store is open and it is not about to stop. A peer that is down is no reason.
async fn ready(State(site): State<Arc<Site>>) -> Response {
    let mut reasons = Vec::new();
    if site.is_draining() {
        reasons.push("it is about to stop".to_owned());
    }
    if !site.node.engine().is_joined() {
        reasons.push("it has not caught up with a peer since its disk was created".to_owned());
    }
    reasons.extend(site.node.engine().failure());
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn metrics(State(site): State<Arc<Site>>) -> Result<Response, Problem> {
    let looked = status::look(&site).await?;
    let marks = site.env.marks().into_iter().collect();
    let text = site.metrics.text(&status::reading(&looked, site.env.syncs(), marks));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
