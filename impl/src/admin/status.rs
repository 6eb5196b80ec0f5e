//! A site's account of itself and of its peers, computed when asked.
//!
//! It must not lie: a peer is *in sync* only as [`Standing`] has it, which the testbed's oracles hold it to. What was not
//! heard is `null`, never zero.

use super::{Site, access::Problem};
use crate::{
    engine::Backlog,
    env::Env,
    replication::Standing,
    telemetry::metrics::{PeerReading, Reading},
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Conflicts are counted up to this many.
const CONFLICTS_MAX: usize = 100_000;

/// A peer, as seen from this site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Whether a session to it runs.
    pub link_up: bool,
    /// Since when that is so, in seconds; none before the first attempt ended.
    pub link_since_s: Option<f64>,
    /// Why there is no session.
    pub link_error: Option<String>,
    /// Whether it has everything that is here, and the other way round, and their records were equal when compared.
    pub in_sync: bool,
    /// Why it is not, in words.
    pub apart: Option<String>,
    /// Operations that it has not reported as applied; none if it has not been heard since this site's start.
    pub backlog_ops: Option<u64>,
    /// Bytes of those operations' bodies: at least so many.
    pub backlog_bytes: Option<u64>,
    /// How long the oldest of those operations has waited, in seconds.
    pub oldest_unsent_s: Option<f64>,
    /// Operations that it reports and that are not here; none if it has not been heard.
    pub behind_ops: Option<u64>,
    /// How far its wall clock was ahead of this site's when it last spoke, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Question and answer at the last handshake, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Records that differed, though both sites had applied the same, when they were compared last; none if they were not.
    pub divergent_keys: Option<u64>,
    /// How long ago that was, in seconds.
    pub audited_s: Option<f64>,
    /// Whether its log forked or cannot be read: nothing is taken from it until an operator acts.
    pub fenced: bool,
}

/// A site's account of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The site's name.
    pub site: String,
    /// The cluster's name.
    pub cluster: String,
    /// The release that runs.
    pub version: String,
    /// Seconds since it came up.
    pub uptime_s: f64,
    /// Whether it has caught up with a peer since its disk was created; before, an absent key is answered 503.
    pub joined: bool,
    /// Whether it is in sync with every peer.
    pub in_sync: bool,
    /// Its peers, by name.
    pub peers: Vec<Peer>,
    /// Keys with versions of which nobody has chosen one.
    pub conflicts_open: u64,
    /// Versions whose bytes are not here yet.
    pub bodies_wanted: u64,
    /// Records found damaged and not repaired yet.
    pub damaged: u64,
    /// Entries brought back by repair since the start.
    pub repaired: u64,
    /// Versions whose bytes were declared lost here since the start.
    pub bodies_lost: u64,
    /// Operations whose timestamp was too far ahead to follow, since the start.
    pub clock_suspects: u64,
    /// Origins whose log was found forked, since the start.
    pub forks: u64,
    /// Size of the disk in bytes.
    pub disk_bytes: u64,
    /// Free space in bytes.
    pub disk_free_bytes: u64,
}

/// An engine's error as a refusal.
pub(super) fn failed(error: &crate::engine::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), None)
}

/// Looks.
pub async fn look(site: &Site) -> Result<SiteStatus, Problem> {
    let engine = site.node.engine();
    let (own, standings) = site.node.replication().standings().await.map_err(|error| failed(&error))?;
    let conflicts = engine.conflict_count(CONFLICTS_MAX).await.map_err(|error| failed(&error))?;
    let names = site.config.names();
    let named = |id| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let mut peers: Vec<_> = standings.iter().map(|(id, standing)| peer(site, named(*id), standing)).collect();
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    let (disk_bytes, disk_free_bytes) = site.env.disk_bytes().unwrap_or_default();
    Ok(SiteStatus {
        site: site.config.site.name.get_ref().clone(),
        cluster: site.config.cluster.get_ref().clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: site.env.monotonic().saturating_sub(site.started).as_secs_f64(),
        joined: own.joined,
        in_sync: own.joined && peers.iter().all(|peer| peer.in_sync),
        peers,
        conflicts_open: conflicts as u64,
        bodies_wanted: own.bodies_wanted as u64,
        damaged: own.damaged as u64,
        repaired: own.repaired,
        bodies_lost: own.bodies_lost,
        clock_suspects: own.clock_suspects,
        forks: own.forks,
        disk_bytes,
        disk_free_bytes,
    })
}

fn peer(site: &Site, name: String, standing: &Standing) -> Peer {
    let now = site.env.monotonic();
    let Standing { link, backlog, .. } = standing;
    Peer {
        name,
        link_up: link.up,
        link_since_s: link.since.map(|since| now.saturating_sub(since).as_secs_f64()),
        link_error: link.error.clone(),
        in_sync: standing.apart.is_none(),
        apart: standing.apart.map(|apart| apart.to_string()),
        backlog_ops: backlog.map(|backlog| backlog.operations),
        backlog_bytes: backlog.map(|backlog| backlog.bytes),
        oldest_unsent_s: backlog.map(|backlog| age_s(site, backlog)),
        behind_ops: standing.behind,
        clock_offset_ms: link.clock_offset_ms,
        round_trip_ms: link.round_trip.map(|trip| trip.as_secs_f64() * 1e3),
        divergent_keys: link.audit.as_ref().map(|audit| audit.differing.len() as u64),
        audited_s: link.audit.as_ref().map(|audit| now.saturating_sub(audit.at).as_secs_f64()),
        fenced: standing.fenced,
    }
}

/// The age of a backlog's oldest operation, in seconds, by this site's wall clock; 0 without a backlog.
fn age_s(site: &Site, backlog: Backlog) -> f64 {
    backlog.oldest.map_or(0.0, |oldest| site.env.wall_ms().saturating_sub(oldest.ms()) as f64 / 1e3)
}

/// What of it `/metrics` shows.
pub fn reading(status: &SiteStatus, syncs: u64, marks: Vec<(&'static str, u64)>) -> Reading {
    let of = |peer: &Peer| PeerReading {
        name: peer.name.clone(),
        up: peer.link_up,
        oldest_unsent_s: peer.oldest_unsent_s,
        backlog_ops: peer.backlog_ops,
        backlog_bytes: peer.backlog_bytes,
        clock_offset_s: peer.clock_offset_ms.map(|ms| ms as f64 / 1e3),
        round_trip_s: peer.round_trip_ms.map(|ms| ms / 1e3),
    };
    Reading {
        peers: status.peers.iter().map(of).collect(),
        conflicts: status.conflicts_open,
        bodies_wanted: status.bodies_wanted,
        damaged: status.damaged,
        repaired: status.repaired,
        bodies_lost: status.bodies_lost,
        clock_suspects: status.clock_suspects,
        forks: status.forks,
        disk: Some((status.disk_bytes, status.disk_free_bytes)),
        syncs,
        marks,
    }
}

/// A duration for people: `4m12s`.
pub fn for_people(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 => format!("{:.0}ms", seconds * 1e3),
        1..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// The first line that an operator reads.
impl fmt::Display for SiteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let caught_up: Vec<_> =
            self.peers.iter().filter(|peer| peer.in_sync).map(|peer| &*peer.name).collect();
        if !caught_up.is_empty() {
            parts.push(format!("in sync with {}", caught_up.join(", ")));
        }
        for peer in self.peers.iter().filter(|peer| !peer.in_sync) {
            parts.push(peer.to_string());
        }
        if !self.joined {
            parts.push("CATCHING UP: absent keys are answered 503".into());
        }
        if self.peers.is_empty() {
            parts.push("alone: no other site is configured".into());
        }
        write!(f, "{} is {}", self.site, parts.join("; "))
    }
}

/// A peer that is not in sync, in words.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fenced {
            return write!(f, "FENCED from {}: its log forked", self.name);
        }
        match self.backlog_ops {
            None => write!(f, "UNKNOWN to {}: it was not heard since this site's start", self.name)?,
            Some(0) if self.behind_ops.unwrap_or_default() > 0 => {
                write!(f, "BEHIND {} by {} operations", self.name, self.behind_ops.unwrap_or_default())?;
            }
            Some(0) if self.link_up => {
                let why = self.apart.as_deref().unwrap_or_default();
                write!(f, "not in sync with {}: {why}", self.name)?;
            }
            Some(0) => write!(f, "CUT OFF from {}", self.name)?,
            Some(ops) => {
                let bytes = bytesize::ByteSize::b(self.backlog_bytes.unwrap_or_default());
                let age = for_people(self.oldest_unsent_s.unwrap_or_default());
                write!(
                    f,
                    "AHEAD of {}: {ops} operations ({bytes}) it has not, the oldest {age} old",
                    self.name
                )?;
            }
        }
        if !self.link_up {
            let since =
                self.link_since_s.map_or_else(String::new, |since| format!(" for {}", for_people(since)));
            write!(f, " (link down{since})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str) -> Peer {
        Peer {
            name: name.into(),
            link_up: true,
            link_since_s: Some(9.0),
            link_error: None,
            in_sync: true,
            apart: None,
            backlog_ops: Some(0),
            backlog_bytes: Some(0),
            oldest_unsent_s: Some(0.0),
            behind_ops: Some(0),
            clock_offset_ms: Some(0),
            round_trip_ms: Some(1.0),
            divergent_keys: Some(0),
            audited_s: Some(1.0),
            fenced: false,
        }
    }

    #[test]
    fn a_peer_that_is_not_in_sync_is_said_to_be_what_it_is() {
        let (mut cut, mut unheard) = (peer("ap"), peer("us"));
        cut.link_up = false;
        cut.link_since_s = Some(252.0);
        cut.backlog_ops = Some(1204);
        cut.backlog_bytes = Some(3 << 30);
        cut.oldest_unsent_s = Some(252.0);
        let text = cut.to_string();
        assert_eq!(
            text,
            "AHEAD of ap: 1204 operations (3.0 GiB) it has not, the oldest 4m12s old (link down for 4m12s)"
        );
        let mut bodies = peer("eu");
        bodies.apart = Some(crate::replication::Apart::Bodies.to_string());
        assert_eq!(bodies.to_string(), "not in sync with eu: bodies are on their way");
        unheard.backlog_ops = None;
        assert!(unheard.to_string().starts_with("UNKNOWN to us"));
    }
}
