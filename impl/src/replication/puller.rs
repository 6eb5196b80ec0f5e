//! One peer's log, pulled: a standing request with this site's vector, and operations as they are committed there.
//!
//! Each origin is pulled from itself; from another member only once it has been out of reach for `relay_after`. This
//! site's own earlier epochs are pulled from everyone: after a restore that is how it gets back what it had given out.
//!
//! Batches are queued for the writer as they come, `batches_in_flight` at most, and their outcomes awaited in order. If
//! one is refused, those behind it leave a gap and are refused too; the session ends and resumes from the durable vector.

use super::{Shared, merge};
use crate::{
    causality::SiteId,
    engine::{Error, Taken},
    env::{Env, timeout, watched::Watched},
    peer::{
        Message, Purpose, Session, SessionError,
        message::{Lacks, Pull, Report, Vector, folded_hash},
        session,
    },
};
use std::{collections::BTreeSet, io, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Why a session with a peer ended.
#[derive(Debug)]
enum End {
    /// The peer is out of reach or does not want to talk, in words.
    Lost(String),
    /// The log no longer reaches back, or the site must restart from durable state.
    Restart,
}

impl End {
    /// The peer said what this side does not understand.
    fn garbled() -> Self {
        Self::Lost("the peer sent what is not expected here".into())
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<SessionError> for End {
    fn from(error: SessionError) -> Self {
        Self::Lost(match error {
            SessionError::Io(error) => error.to_string(),
            refused => refused.to_string(),
        })
    }
}

impl From<Error> for End {
    fn from(_: Error) -> Self {
        Self::Restart
    }
}

/// What a pull session learns while it runs.
#[derive(Clone, Debug, Default)]
struct Learned {
    /// Hash of the peer's folded entries.
    folded: u64,
}

/// Calls a peer for as long as the process lives.
pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>, peer: SiteId) {
    let (first, longest) = shared.config.reconnect;
    let mut pause = first;
    loop {
        shared.links.unheard(peer, shared.env.monotonic());
        let end = session(&shared, peer).await;
        if let Err(End::Lost(error)) = &end
            && shared.links.closed(peer, error, shared.env.monotonic())
        {
            tracing::warn!(peer = shared.name(peer), "no link to a peer: {error}");
        }
        if matches!(end, Err(End::Restart))
            || !shared.links.is_out_of_reach(peer, Duration::ZERO, shared.env.monotonic())
        {
            pause = first; // it was heard: not a peer to be spared
        }
        shared.pause(pause).await;
        pause = (pause * 2).min(longest);
    }
}

async fn session<E: Env>(shared: &Shared<E>, peer: SiteId) -> Result<(), End> {
    let Session { peer: named, mut sender, mut receiver, round_trip, clock_offset_ms, .. } =
        shared.call(peer, Purpose::Ops).await?;
    if shared.links.opened(peer, round_trip, clock_offset_ms, shared.env.monotonic()) {
        tracing::info!(peer = shared.name(peer), clock_offset_ms, "linked to a peer");
    }
    let learned = Watched::new(Learned::default());
    // What waits for the writer; and what the receiving side wants said.
    let (outcomes, pending) = mpsc::channel(shared.config.batches_in_flight);
    let (say, said) = mpsc::channel(4);
    tokio::select! {
        biased;
        end = settle(shared, pending) => end,
        end = receive(shared, named, &mut receiver, &learned, outcomes, say) => end,
        end = speak(shared, peer, &mut sender, &learned, said) => end,
    }
}

/// Which sites' operations are asked of this peer.
fn wanted<E: Env>(shared: &Shared<E>, peer: SiteId) -> BTreeSet<SiteId> {
    let (now, relay_after) = (shared.env.monotonic(), shared.config.relay_after);
    let members = shared.engine.config().members.iter().copied();
    members
        .filter(|site| {
            *site == peer
                || *site == shared.own.origin.0
                || !shared.engine.is_joined()
                || shared.links.is_out_of_reach(*site, relay_after, now)
        })
        .filter(|site| !shared.links.is_fenced(*site))
        .collect()
}

/// Says what is wanted and what is applied here: at once when it changes, and as a heartbeat.
async fn speak<E: Env>(
    shared: &Shared<E>,
    peer: SiteId,
    sender: &mut session::Sender<E>,
    learned: &Watched<Learned>,
    mut said: mpsc::Receiver<Message>,
) -> Result<(), End> {
    let mut durable = shared.engine.watch_durable();
    let mut asked = BTreeSet::new();
    loop {
        let (folded, vector) = (learned.get().folded, durable.latest());
        let wants = wanted(shared, peer);
        let own_folded = folded_hash(&vector);
        let encoded = Some(Vector::encode(&vector, folded));
        // Read after the vector: a body that was missing then may have come since, but none is claimed that is not here.
        let lacks = Some(Lacks::encode(&shared.engine.lacks().await?));
        if wants == asked {
            let (wall_ms, joined) = (shared.env.wall_ms(), shared.engine.is_joined());
            let report =
                Report { vector: encoded, wall_ms, folded: own_folded, drained: false, joined, lacks };
            sender.send(Message::Report(report)).await?;
        } else {
            let sites = wants.iter().map(|site| u32::from(site.0)).collect();
            sender.send(Message::Pull(Pull { vector: encoded, sites, folded: own_folded, lacks })).await?;
            asked = wants;
        }
        // One report for all that is applied within a moment; the peer needs it only to forget.
        let pause = shared.config.heartbeat / 4;
        shared.env.sleep(pause).await;
        let news = async {
            tokio::select! {
                biased;
                message = said.recv() => message,
                () = durable.changed() => None,
            }
        };
        if let Some(Some(message)) =
            timeout(&shared.env, shared.config.heartbeat.checked_sub(pause).unwrap(), news).await
        {
            sender.send(message).await?;
        }
    }
}

/// Takes in what the peer sends.
async fn receive<E: Env>(
    shared: &Shared<E>,
    named: (SiteId, crate::causality::Epoch),
    receiver: &mut session::Receiver<E>,
    learned: &Watched<Learned>,
    outcomes: mpsc::Sender<oneshot::Receiver<Result<Taken, Error>>>,
    say: mpsc::Sender<Message>,
) -> Result<(), End> {
    loop {
        match receiver.receive().await? {
            Message::Ops(ops) => {
                shared.links.heard(named.0);
                let outcome = shared.engine.take(named.0, ops.ops).await?;
                if outcomes.send(outcome).await.is_err() {
                    return Err(End::Restart);
                }
            }
            Message::Report(report) => {
                shared.links.heard(named.0);
                take_report(shared, named, report, learned).await?;
            }
            Message::MergeNeeded(_) => {
                // One state at a time. Another session that finds it taken comes back when there is something to pull.
                let Ok(_merging) = shared.merging.try_lock() else {
                    return Err(End::Lost("another peer's state is being taken over first".into()));
                };
                let after = merge::begin(shared).await?;
                if say.send(merge::request(after.clone())).await.is_err() {
                    return Err(End::Restart);
                }
                merge::receive(shared, receiver, after).await?;
                return Err(End::Restart);
            }
            _ => return Err(End::garbled()),
        }
    }
}

async fn take_report<E: Env>(
    shared: &Shared<E>,
    (site, epoch): (SiteId, crate::causality::Epoch),
    report: Report,
    learned: &Watched<Learned>,
) -> Result<(), End> {
    let engine = &shared.engine;
    let Some(Ok(vector)) = report.vector.map(|vector| vector.decode(&engine.durable())) else {
        return Err(End::garbled());
    };
    shared.links.clock(site, report.wall_ms.cast_signed() - shared.env.wall_ms().cast_signed());
    learned.change(|learned| std::mem::replace(&mut learned.folded, report.folded) != report.folded);
    engine.report(site, epoch, vector, None, Some(report.wall_ms));
    let caught_up = engine.reports().get(&site).is_some_and(|said| engine.durable().dominates(&said.first));
    if caught_up && !engine.is_joined() {
        // A peer that has itself caught up speaks for the cluster; at a cluster's first start nobody has, and all must.
        let durable = engine.durable();
        let reports = engine.reports();
        let others = engine.config().members.iter().filter(|member| **member != engine.site());
        let all =
            others.map(|member| reports.get(member)).all(|r| r.is_some_and(|r| durable.dominates(&r.first)));
        if report.joined || all {
            engine.joined().await?;
        }
    }
    Ok(())
}

/// Awaits the batches' outcomes in order. Ends the session at the first that was not applied whole.
async fn settle<E: Env>(
    shared: &Shared<E>,
    mut pending: mpsc::Receiver<oneshot::Receiver<Result<Taken, Error>>>,
) -> Result<(), End> {
    while let Some(outcome) = pending.recv().await {
        match outcome.await {
            Ok(Ok(Taken::All)) => {}
            Ok(Ok(Taken::Gap(_))) => {
                shared.env.mark("gap-refused");
                return Err(End::Restart);
            }
            Ok(Ok(Taken::Fork((site, _)) | Taken::Undecodable(site))) => {
                shared.engine.note_fork();
                shared.links.fence(site);
                return Err(End::Restart);
            }
            Ok(Err(Error::Unavailable(_))) => {
                // A full disk, most likely: what is already on its way is refused as well.
                shared.env.sleep(Duration::from_millis(500)).await;
                return Err(End::Restart);
            }
            Ok(Err(_)) | Err(_) => return Err(End::Restart),
        }
    }
    Err(End::Restart)
}
