//! Reading everything that a site holds, when an operator asks: page by page, so that no request takes long.

use super::{Site, access::Problem, status::failed};
use crate::{
    causality::Dot,
    engine::{ScrubAfter, Scrubbed},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{fmt::Write, sync::Arc};

/// What is to be read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Whether bodies are read too, byte by byte.
    pub deep: bool,
    /// Where to go on: `next` of the page before.
    pub after: Option<String>,
}

/// One page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Records read.
    pub records: u64,
    /// Segments of bodies read.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that did not read back as written: they are mended from peers.
    pub damaged: Vec<String>,
    /// Versions with bytes that are gone or not what was written: they are fetched again.
    pub rotten: Vec<String>,
    /// Where to go on; null at the end.
    pub next: Option<String>,
}

/// `POST /api/v1/verify`.
pub async fn page(State(site): State<Arc<Site>>, Json(ask): Json<Ask>) -> Result<Json<Verified>, Problem> {
    let after = match ask.after {
        None => ScrubAfter::default(),
        Some(text) => read(&text).ok_or_else(|| {
            let detail = "send `next` of the page before, or nothing".to_owned();
            Problem::new(StatusCode::BAD_REQUEST, "`after` is none of ours", detail)
        })?,
    };
    let scrubbed = site.node.engine().scrub(after, ask.deep).await.map_err(|error| failed(&error))?;
    let Scrubbed { records, damaged, segments, bytes, rotten, next } = scrubbed;
    Ok(Json(Verified {
        records,
        segments,
        bytes,
        damaged: damaged.iter().map(ToString::to_string).collect(),
        rotten: rotten.iter().map(|(key, dot)| format!("{key} version {dot}")).collect(),
        next: next.as_ref().map(written),
    }))
}

/// `KEY` or `KEY.DOT.NUMBER`, in hexadecimal digits.
fn written(after: &ScrubAfter) -> String {
    let mut text = after.record.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    });
    if let Some((dot, number)) = after.segment {
        write!(text, ".{dot}.{number:x}").expect("writing to a string succeeds");
    }
    text
}

fn read(text: &str) -> Option<ScrubAfter> {
    let (key, segment) = match text.split_once('.') {
        Some((key, segment)) => {
            let (dot, number) = segment.split_once('.')?;
            (key, Some((dot.parse::<Dot>().ok()?, u32::from_str_radix(number, 16).ok()?)))
        }
        None => (text, None),
    };
    let is_hex = key.len().is_multiple_of(2) && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |n: usize| u8::from_str_radix(&key[2 * n..2 * n + 2], 16).ok();
    let record = if is_hex { (0..key.len() / 2).map(byte).collect() } else { None };
    Some(ScrubAfter { record: record?, segment })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causality::{Epoch, SiteId};

    #[test]
    fn where_to_go_on_reads_back_and_nothing_else_does() {
        let dot = Dot { site: SiteId(3), epoch: Epoch::new(1, 2), seq: 77 };
        for segment in [None, Some((dot, 300))] {
            let after = ScrubAfter { record: vec![0, 1, 0xff], segment };
            assert_eq!(read(&written(&after)), Some(after));
        }
        for text in ["0", "xy", "00.", "00.1.2", "é", "00.zz.1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
