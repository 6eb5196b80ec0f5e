//! Answering a peer: its pulls, and its requests for state, records and bodies.
//!
//! Operations are streamed as they become durable here; nothing is polled. All that is kept of a peer is what it said it
//! has: if it goes away for a year, its backlog is the log on disk.

use super::{Shared, audit, bodies, guests, merge};
use crate::{
    causality::{Epoch, SiteId, VersionVector},
    crdt::codec,
    engine::{Engine, Error},
    env::{Env, timeout},
    object::{RecordKey, wire::vector_out},
    peer::{
        Message, Purpose, Refusal, Session,
        message::{
            Lacks, MergeNeeded, MergeRequest, NoSource, Ops, Pull, RepairReply, RepairRequest, Report,
            Vector, folded_hash,
        },
        session,
    },
};
use std::{io, sync::Arc};
use tokio::sync::mpsc;

/// What the receiving half has the sending half do.
enum Ask {
    Pull(VersionVector, Vec<SiteId>, u64),
    Merge(MergeRequest),
    Repair(RepairRequest),
}

pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>, conn: E::Conn) {
    let mut admitted = None;
    let admit = |site: SiteId, epoch: Epoch| {
        if !shared.engine.config().members.contains(&site) {
            return Err(Refusal::Site);
        }
        if !shared.links.admit(site, epoch) {
            return Err(Refusal::OlderEpoch);
        }
        admitted = Some((site, epoch));
        Ok(())
    };
    match session::answer(&shared.env, &shared.own, conn, admit, shared.config.limits).await {
        Ok(session) => {
            // How it ended is the peer's matter: it calls again.
            let _ = match session.purpose {
                Purpose::Ops => serve_ops(&shared, session).await,
                Purpose::Bodies => bodies::serve(&shared, session).await,
                Purpose::Audit => audit::serve(&shared, session).await,
                Purpose::Clients => {
                    guests::admit(&shared, session);
                    Ok(())
                }
            };
        }
        Err(error) => {
            shared.env.mark("session-refused");
            tracing::warn!("a caller was not answered: {error}");
        }
    }
    if let Some((site, epoch)) = admitted {
        shared.links.leave(site, epoch);
    }
}

async fn serve_ops<E: Env>(shared: &Shared<E>, session: Session<E>) -> io::Result<()> {
    let Session { peer, mut sender, mut receiver, .. } = session;
    let (asks, asked) = mpsc::channel(4);
    tokio::select! {
        biased;
        end = listen(shared, peer, &mut receiver, asks) => end,
        end = stream(shared, peer, &mut sender, asked) => end,
    }
}

async fn listen<E: Env>(
    shared: &Shared<E>,
    (site, epoch): (SiteId, Epoch),
    receiver: &mut session::Receiver<E>,
    asks: mpsc::Sender<Ask>,
) -> io::Result<()> {
    loop {
        let ask = match receiver.receive().await? {
            Message::Pull(Pull { vector, sites, folded, lacks }) => {
                let vector = decode(vector, &shared.engine)?;
                let sites =
                    sites.into_iter().filter_map(|site| u16::try_from(site).ok().map(SiteId)).collect();
                note(&shared.engine, (site, epoch), vector.clone(), lacks, None)?;
                Ask::Pull(vector, sites, folded)
            }
            Message::Report(report) => {
                let vector = decode(report.vector, &shared.engine)?;
                note(&shared.engine, (site, epoch), vector, report.lacks, Some(report.wall_ms))?;
                continue;
            }
            Message::MergeRequest(request) => Ask::Merge(request),
            Message::RepairRequest(request) => Ask::Repair(request),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        if asks.send(ask).await.is_err() {
            return Ok(());
        }
    }
}

fn note<E: Env>(
    engine: &Engine<E>,
    (site, epoch): (SiteId, Epoch),
    vector: VersionVector,
    lacks: Option<Lacks>,
    wall_ms: Option<u64>,
) -> io::Result<()> {
    let lacks = lacks.map(Lacks::decode).transpose();
    let lacks = lacks.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    engine.report(site, epoch, vector, lacks.as_deref(), wall_ms);
    Ok(())
}

fn decode<E: Env>(vector: Option<Vector>, engine: &Engine<E>) -> io::Result<VersionVector> {
    let vector = vector.ok_or(io::ErrorKind::InvalidData)?;
    vector.decode(&engine.durable()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Sends what was asked for, as it becomes durable.
async fn stream<E: Env>(
    shared: &Shared<E>,
    peer: (SiteId, Epoch),
    sender: &mut session::Sender<E>,
    mut asked: mpsc::Receiver<Ask>,
) -> io::Result<()> {
    let engine = &shared.engine;
    let mut durable = engine.watch_durable();
    // What the peer has or has been sent, of which sites; none while it has not asked, or must take over the state.
    let mut pull: Option<(VersionVector, Vec<SiteId>)> = None;
    let mut peer_folded = 0;
    loop {
        let vector = durable.latest();
        let mut drained = true;
        if let Some((sent, sites)) = &mut pull {
            let open: Vec<_> = vector
                .iter()
                .filter(|(origin, _)| sites.contains(&origin.0) && *origin != peer)
                .map(|(origin, last)| (origin, sent.last_of(origin), last))
                .filter(|(_, sent, last)| sent < last)
                .map(|(origin, sent, _)| (origin, sent))
                .collect();
            if !open.is_empty() {
                if let Ok(found) =
                    engine.log_beyond(open, shared.config.batch_bytes).await.map_err(io::Error::other)?
                {
                    drained = found.is_empty();
                    found.iter().for_each(|(dot, _)| sent.advance(dot.origin(), dot.seq));
                    let ops = found.into_iter().map(|(_, op)| op.into()).collect();
                    sender.send(Message::Ops(Ops { ops })).await?;
                } else {
                    shared.env.mark("merge-needed");
                    pull = None;
                    sender.send(Message::MergeNeeded(MergeNeeded {})).await?;
                }
            }
        }
        if drained {
            let report = Report {
                vector: Some(Vector::encode(&vector, peer_folded)),
                wall_ms: shared.env.wall_ms(),
                folded: folded_hash(&vector),
                drained: pull.is_some(),
                joined: engine.is_joined(),
                lacks: None,
            };
            sender.send(Message::Report(report)).await?;
        }
        let news = async {
            tokio::select! {
                biased;
                ask = asked.recv() => ask,
                () = durable.changed(), if drained => None,
                () = std::future::ready(()), if !drained => None,
            }
        };
        match timeout(&shared.env, shared.config.heartbeat, news).await {
            Some(Some(Ask::Pull(vector, sites, folded))) => {
                pull = Some((vector, sites));
                peer_folded = folded;
            }
            Some(Some(Ask::Merge(request))) => {
                if !merge::send(shared, sender, request).await? {
                    sender.send(Message::NoSource(NoSource {})).await?;
                }
            }
            Some(Some(Ask::Repair(request))) => answer_repair(engine, sender, request).await?,
            Some(None) | None => {}
        }
    }
}

async fn answer_repair<E: Env>(
    engine: &Engine<E>,
    sender: &mut session::Sender<E>,
    request: RepairRequest,
) -> io::Result<()> {
    let key = RecordKey::decode(&request.key).ok_or(io::ErrorKind::InvalidData)?;
    let found: Result<_, Error> = engine.record_for_repair(key).await;
    let reply = match found {
        Ok(Some((record, cut))) => Message::RepairReply(RepairReply {
            key: request.key,
            record: codec::encode_record(&record).into(),
            cut: vector_out(cut.iter()),
        }),
        Ok(None) | Err(_) => Message::NoSource(NoSource {}),
    };
    sender.send(reply).await
}
