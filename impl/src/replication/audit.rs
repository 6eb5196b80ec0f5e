//! Whether sites that have applied the same hold the same: asked of each peer from time to time, and when an operator
//! wants to know.
//!
//! Sums of ranges are compared, then the records of ranges that differ, then each record that differs, again and again
//! until both sides have applied the same: operations on their way explain most differences. What is left is damage that
//! no checksum caught; both sites add what the other has. Nothing is ever removed for a difference.

use super::Shared;
use crate::{
    causality::{SiteId, VersionVector},
    crdt::codec,
    engine::{Digest, Engine, Error, RANGES, RecordSum},
    env::{Env, timeout},
    object::{
        RecordKey,
        wire::{vector_in, vector_out},
    },
    peer::{
        Message, Purpose, Session,
        message::{AuditReply, AuditRequest, NoSource, Reading, RepairRequest},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    pin::pin,
    sync::Arc,
    time::Duration,
};

/// Ranges whose records are compared in one audit; more than these differ only if much is on its way.
const DIFFERING_MAX: usize = 64;
/// How long the side that audits may read before it asks again: every record, for the sums of all ranges. The side that
/// answers says that it is still reading.
const SILENCE: Duration = Duration::from_mins(10);
/// How many times as long as an audit took is waited before the next, at least: one reads every record at both sites.
const PAUSES: u32 = 10;
/// How often a record that differs is looked at again.
const LOOKS: u32 = 20;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// When it ended, by this site's monotonic clock.
    pub at: Duration,
    /// Records that this site holds.
    pub records: u64,
    /// Whether everything could be compared; else too much was on its way, or one of both was being mended.
    pub is_whole: bool,
    /// Records that differed though both sites had applied the same, as they are called.
    pub differing: Vec<String>,
    /// For how many of them this site added what the peer had. What a comparison found counts until the next one.
    pub mended: usize,
}

impl Audit {
    /// Whether everything was compared and nothing differed.
    pub fn is_clean(&self) -> bool {
        self.is_whole && self.differing.is_empty()
    }
}

/// Audits a peer: as soon as it is in reach and again soon until nothing differs, then from time to time.
pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>, peer: SiteId) {
    let (soonest, rarest) = (shared.config.heartbeat, shared.config.audit_every);
    let mut soon = soonest;
    loop {
        let began = shared.env.monotonic();
        let is_up = shared.links.is_up(peer);
        let is_equal = is_up && audit(&shared, peer).await.is_ok_and(|audit| audit.is_clean());
        let took = shared.env.monotonic().saturating_sub(began);
        shared.env.sleep(if is_equal { rarest } else { soon.max(took * PAUSES).min(rarest) }).await;
        soon = if is_up && !is_equal { (soon * 2).min(rarest) } else { soonest };
    }
}

/// Compares this site's records with a peer's.
pub(super) async fn audit<E: Env>(shared: &Shared<E>, peer: SiteId) -> io::Result<Audit> {
    let _one_at_a_time = shared.auditing.lock().await;
    let mut session = shared.call(peer, Purpose::Audit).await.map_err(io::Error::other)?;
    let engine = &shared.engine;
    let mut audit = Audit::default();
    let (mine, theirs) =
        (engine.digest().await.map_err(io::Error::other)?, ask(&mut session, &BTreeSet::new(), &[]).await?);
    if let (Some(mine), Some(theirs)) = (mine, theirs)
        && theirs.sums.len() == RANGES
    {
        audit.records = mine.records;
        let differing: BTreeSet<usize> = (0..RANGES).filter(|n| mine.sums[*n] != theirs.sums[*n]).collect();
        audit.is_whole = differing.len() <= DIFFERING_MAX;
        let looked_at = differing.into_iter().take(DIFFERING_MAX).collect();
        let suspects = suspects(shared, &mut session, looked_at).await?;
        audit.is_whole &= suspects.is_some();
        for key in suspects.unwrap_or_default() {
            match differs(shared, &mut session, &key).await? {
                Some(true) => {
                    audit.mended += usize::from(mend(shared, peer, &key).await?);
                    let name = RecordKey::decode(&key).map_or_else(|| "?".into(), |key| key.to_string());
                    audit.differing.push(name);
                }
                Some(false) => {}
                None => audit.is_whole = false,
            }
        }
    }
    audit.at = shared.env.monotonic();
    if !audit.differing.is_empty() {
        shared.env.mark("difference-found");
        tracing::error!(peer = shared.name(peer), keys = ?audit.differing, "records differ that must be equal");
    }
    shared.links.audited(peer, audit.clone());
    Ok(audit)
}

/// The records of ranges that differ now, by their encoded keys; none if one of both cannot say now.
async fn suspects<E: Env>(
    shared: &Shared<E>,
    session: &mut Session<E>,
    ranges: BTreeSet<usize>,
) -> io::Result<Option<Vec<Vec<u8>>>> {
    if ranges.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let theirs = ask(session, &ranges, &[]).await?;
    let mine = shared.engine.digest_records(ranges).await.map_err(io::Error::other)?;
    let (Some(theirs), Some(mine)) = (theirs, mine) else { return Ok(None) };
    let theirs: BTreeMap<Vec<u8>, RecordSum> =
        theirs.keys.into_iter().map(Vec::from).zip(theirs.sums).collect();
    let mine: BTreeMap<_, _> = mine.into_iter().collect();
    let keys: BTreeSet<_> = mine.keys().chain(theirs.keys()).collect();
    Ok(Some(keys.into_iter().filter(|key| mine.get(*key) != theirs.get(*key)).cloned().collect()))
}

/// Whether a record differs at one cut; none if the two sites never stood at one for as long as it was looked at.
async fn differs<E: Env>(
    shared: &Shared<E>,
    session: &mut Session<E>,
    key: &[u8],
) -> io::Result<Option<bool>> {
    for _ in 0..LOOKS {
        let theirs = ask(session, &BTreeSet::new(), key).await?;
        let mine = shared.engine.record_sum(key.to_vec()).await.map_err(io::Error::other)?;
        if let (Some(theirs), Some((cut, sum))) = (theirs, mine) {
            let their_cut: VersionVector = vector_in(theirs.cut).map_err(io::Error::other)?;
            if theirs.sums.first() == Some(&sum) {
                return Ok(Some(false));
            }
            if cut.dominates(&their_cut) && their_cut.dominates(&cut) {
                return Ok(Some(true));
            }
        }
        shared.env.sleep(shared.config.heartbeat / 4).await;
    }
    Ok(None)
}

/// Adds what the peer's record has; the peer does the same when it audits this site.
async fn mend<E: Env>(shared: &Shared<E>, peer: SiteId, key: &[u8]) -> io::Result<bool> {
    let Some(record_key) = RecordKey::decode(key) else { return Ok(false) };
    let mut session = shared.call(peer, Purpose::Ops).await.map_err(io::Error::other)?;
    session.sender.send(Message::RepairRequest(RepairRequest { key: key.to_vec() })).await?;
    loop {
        match session.receiver.receive().await? {
            Message::Report(_) => {}
            Message::RepairReply(reply) if reply.key == key => {
                let record = codec::decode_record(&reply.record).map_err(io::Error::other)?;
                let cut = vector_in(reply.cut).map_err(io::Error::other)?;
                let mended = shared.engine.mend_difference(record_key, record, cut).await;
                return mended.map_err(io::Error::other);
            }
            _ => return Ok(false),
        }
    }
}

async fn ask<E: Env>(
    session: &mut Session<E>,
    ranges: &BTreeSet<usize>,
    key: &[u8],
) -> io::Result<Option<AuditReply>> {
    let ranges = ranges.iter().map(|range| *range as u32).collect();
    session.sender.send(Message::AuditRequest(AuditRequest { ranges, key: key.to_vec() })).await?;
    let reply = loop {
        match session.receiver.receive().await? {
            Message::Reading(_) => {}
            reply => break reply,
        }
    };
    match reply {
        Message::AuditReply(reply) if reply.keys.is_empty() || reply.keys.len() == reply.sums.len() => {
            Ok(Some(reply))
        }
        Message::NoSource(_) => Ok(None),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Answers a peer that audits this site, until it is silent.
pub(super) async fn serve<E: Env>(shared: &Shared<E>, session: Session<E>) -> io::Result<()> {
    let mut session = session.patient(SILENCE);
    loop {
        let Message::AuditRequest(request) = session.receiver.receive().await? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut answering = pin!(answer(&shared.engine, request));
        let reply = loop {
            match timeout(&shared.env, shared.config.heartbeat, answering.as_mut()).await {
                Some(reply) => break reply.map_err(io::Error::other)?,
                None => session.sender.send(Message::Reading(Reading {})).await?,
            }
        };
        let reply = reply.map_or(Message::NoSource(NoSource {}), Message::AuditReply);
        session.sender.send(reply).await?;
    }
}

async fn answer<E: Env>(engine: &Engine<E>, request: AuditRequest) -> Result<Option<AuditReply>, Error> {
    if !request.key.is_empty() {
        let found = engine.record_sum(request.key).await?;
        return Ok(found.map(|(cut, sum)| AuditReply {
            sums: vec![sum],
            keys: Vec::new(),
            cut: vector_out(cut.iter()),
        }));
    }
    if request.ranges.is_empty() {
        let found = engine.digest().await?;
        return Ok(found.map(|Digest { cut, sums, .. }| AuditReply {
            sums,
            keys: Vec::new(),
            cut: vector_out(cut.iter()),
        }));
    }
    let found =
        engine.digest_records(request.ranges.into_iter().map(|range| range as usize).collect()).await?;
    Ok(found.map(|records| {
        let (keys, sums) = records.into_iter().map(|(key, sum)| (key.into(), sum)).unzip();
        AuditReply { sums, keys, cut: Vec::new() }
    }))
}
