//! How this site stands to each peer, as far as it can know; and when it may say that they are in sync.

use super::{Link, Replication};
use crate::{
    causality::SiteId,
    engine::{Backlog, Engine, Error, Report, Status},
    env::Env,
};
use std::{collections::BTreeMap, fmt};

/// This site and one peer.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The session to it.
    pub link: Link,
    /// What it reported last; none if it has not been heard since this site's start.
    pub report: Option<Report>,
    /// What it has not reported as applied; none if it has not been heard.
    pub backlog: Option<Backlog>,
    /// Operations that it reported and that are not here; none if it has not been heard.
    pub behind: Option<u64>,
    /// Whether its log forked or cannot be read: nothing is taken from it until an operator acts.
    pub fenced: bool,
    /// Why the two cannot be called in sync; none if they can.
    pub apart: Option<Apart>,
}

/// The first reason that applies why two sites are not in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The peer's log forked: an operator must act.
    Fenced,
    /// No session runs.
    LinkDown,
    /// It has said nothing since this site's start.
    Unheard,
    /// This site has not caught up with anyone since its disk was created.
    NotJoined,
    /// It has not reported everything that is durable here.
    Ahead,
    /// It has what is not here.
    Behind,
    /// One of both lacks bodies.
    Bodies,
    /// Records here are damaged.
    Damaged,
    /// Their records were not compared, or not all of them, since this site's start.
    NotCompared,
    /// Records differed when they were compared last.
    Differs,
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fenced => "its log forked",
            Self::LinkDown => "the link is down",
            Self::Unheard => "it was not heard since this site's start",
            Self::NotJoined => "this site has not caught up with anyone yet",
            Self::Ahead => "it lacks operations",
            Self::Behind => "this site lacks operations",
            Self::Bodies => "bodies are on their way",
            Self::Damaged => "records here are damaged",
            Self::NotCompared => "their records were not compared yet",
            Self::Differs => "records differed when they were compared last",
        })
    }
}

impl<E: Env> Replication<E> {
    /// This site's account of itself, and how it stands to every peer.
    pub async fn standings(&self) -> Result<(Status, BTreeMap<SiteId, Standing>), Error> {
        let (engine, fenced) = (&self.shared.engine, self.fenced());
        let own = engine.status().await?;
        let mut reports = engine.reports();
        let mut standings = BTreeMap::new();
        for (peer, link) in self.links() {
            let report = reports.remove(&peer);
            let backlog = match &report {
                Some(report) => Some(engine.backlog(report.vector.clone()).await?),
                None => None,
            };
            let fenced = fenced.contains(&peer);
            let behind = report.as_ref().map(|report| report.vector.beyond(&engine.durable()));
            let mut standing = Standing { link, report, backlog, behind, fenced, apart: None };
            standing.apart = apart(engine, &own, &standing);
            standings.insert(peer, standing);
        }
        Ok((own, standings))
    }
}

fn apart<E: Env>(engine: &Engine<E>, own: &Status, standing: &Standing) -> Option<Apart> {
    let durable = engine.durable();
    let Some(report) = &standing.report else {
        return Some(if standing.link.up { Apart::Unheard } else { Apart::LinkDown });
    };
    let audit = standing.link.audit.as_ref();
    let reasons = [
        (standing.fenced, Apart::Fenced),
        (!standing.link.up, Apart::LinkDown),
        (!own.joined, Apart::NotJoined),
        (durable.beyond(&report.vector) > 0, Apart::Ahead),
        (standing.behind != Some(0), Apart::Behind),
        (own.bodies_wanted > 0 || durable.beyond(&report.complete) > 0, Apart::Bodies),
        (own.damaged > 0, Apart::Damaged),
        (audit.is_some_and(|audit| !audit.differing.is_empty()), Apart::Differs),
        (!audit.is_some_and(|audit| audit.is_whole), Apart::NotCompared),
    ];
    reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}
