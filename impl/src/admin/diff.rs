//! Comparing all records with a peer's, when an operator asks.

use super::{Site, access::Problem};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Diff {
    /// With whom.
    pub peer: String,
    /// Records that this site holds.
    pub records: u64,
    /// Whether everything could be compared; else too much was on its way, or one of both was being mended.
    pub whole: bool,
    /// Records that differed though both sites had applied the same.
    pub differing: Vec<String>,
    /// How many of them were mended here.
    pub mended: usize,
}

/// `POST /api/v1/diff/{peer}`.
pub async fn compare(State(site): State<Arc<Site>>, Path(peer): Path<String>) -> Result<Json<Diff>, Problem> {
    with(&site, &peer).await.map(Json)
}

/// Compares with a peer, now.
pub async fn with(site: &Site, peer: &str) -> Result<Diff, Problem> {
    let own = site.config.site_id();
    let names = site.config.names();
    let Some((id, _)) = names.iter().find(|(id, name)| *name == peer && **id != own) else {
        let others: Vec<_> =
            names.iter().filter(|(id, _)| **id != own).map(|(_, name)| name.as_str()).collect();
        let detail = format!("the other sites are {}", others.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no site {peer:?}"), detail));
    };
    let audit = site.node.replication().audit(*id).await.map_err(|error| {
        let title = format!("comparing with {peer} failed: {error}");
        Problem::new(StatusCode::BAD_GATEWAY, title, "`anabranch status` says how the link stands".to_owned())
    })?;
    let (records, whole, mended) = (audit.records, audit.is_whole, audit.mended);
    Ok(Diff { peer: peer.to_owned(), records, whole, differing: audit.differing, mended })
}
