//! Bodies: fetched after their metadata, on connections of their own, from whoever has them.
//!
//! Each worker keeps a connection to each peer it has used: `body_workers` a peer at most. A body broken off goes on at
//! the byte where it stopped. If every member says that it misses the body too, the
//! body is lost.

use super::Shared;
use crate::{
    causality::{Dot, SiteId},
    env::{Env, Work, timeout},
    peer::{
        Message, Purpose, Session,
        message::{BodyChunk, BodyMissing, BodyRequest},
    },
    store::{
        BodyRow,
        bodies::{Writer, is_gone},
        keys,
    },
};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

/// How many wanted bodies are looked at to find one that nobody fetches.
const LOOK_MAX: usize = 64;

/// What one peer made of a request.
enum Answer {
    Whole,
    /// It has the version and misses its body too.
    Missing,
    /// It does not answer, or does not have the version.
    Unknown,
}

pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>) {
    let mut sessions = BTreeMap::new();
    let (mut bodies, mut durable) = (shared.engine.watch_bodies(), shared.engine.watch_durable());
    // Since when every member has said that it has no body.
    let mut missing_since: BTreeMap<Dot, Duration> = BTreeMap::new();
    let mut after = None;
    loop {
        bodies.latest();
        durable.latest();
        let wanted = shared.engine.wanted_bodies(after, LOOK_MAX).await.unwrap_or_default();
        let now = shared.env.monotonic();
        let Some(dot) = shared.links.claim(wanted.iter().map(|(dot, _)| *dot), now) else {
            // The next page: bodies of a site out of reach must not hide those behind them.
            after = wanted.iter().map(|(dot, _)| *dot).max().filter(|_| wanted.len() >= LOOK_MAX);
            if after.is_some() {
                continue;
            }
            let news = async {
                tokio::select! { biased; () = bodies.changed() => (), () = durable.changed() => () }
            };
            timeout(&shared.env, shared.config.heartbeat, news).await;
            continue;
        };
        let row = wanted.into_iter().find(|(wanted, _)| *wanted == dot).expect("claimed from the list").1;
        let nowhere = fetch(&shared, &mut sessions, dot, &row).await;
        let pause = match nowhere {
            Ok(false) => None,
            Ok(true) => {
                let since = *missing_since.entry(dot).or_insert(now);
                let is_own = dot.site == shared.own.origin.0;
                let missed = now.saturating_sub(since);
                // Whoever still holds what the version had replaced goes first.
                if missed >= shared.config.lost_after / 2 {
                    let _ =
                        shared.engine.declare_lost(dot, is_own && missed >= shared.config.lost_after).await;
                }
                Some(shared.config.heartbeat)
            }
            Err(_) => Some(shared.config.heartbeat),
        };
        if nowhere.is_err() || pause.is_none() {
            missing_since.remove(&dot);
        }
        shared.links.release(dot, pause.map(|pause| shared.env.monotonic() + pause));
    }
}

/// Fetches one body. `Ok(true)` if every other member says that it has none; an error if it was not to be had now.
async fn fetch<E: Env>(
    shared: &Shared<E>,
    sessions: &mut BTreeMap<SiteId, Session<E>>,
    dot: Dot,
    row: &BodyRow,
) -> io::Result<bool> {
    // Its own site first: it had the body when it acknowledged the version.
    let mut peers: Vec<SiteId> = shared.config.peers.keys().copied().collect();
    peers.sort_by_key(|peer| (*peer != dot.site, *peer));
    let mut partial = None;
    let mut nowhere = true;
    for peer in peers {
        let answer = loop {
            let (before, kept) = (partial.as_ref().map_or(0, Writer::len), sessions.contains_key(&peer));
            match fetch_from(shared, sessions, peer, dot, row.size, &mut partial).await {
                // Broken off: it goes on where it stopped. A kept connection may have been closed meanwhile.
                Err(_) if partial.as_ref().map_or(0, Writer::len) > before || kept => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(Answer::Whole) => {
                let writer = partial.take().expect("a whole body was written");
                if publish(shared, dot, row, writer).await? {
                    return Ok(false);
                }
                nowhere = false; // what came was not the body; whether it exists elsewhere is open
            }
            Ok(Answer::Missing) => {}
            Ok(Answer::Unknown) | Err(_) => nowhere = false,
        }
    }
    if let Some(writer) = partial {
        writer.discard()?;
    }
    if nowhere { Ok(true) } else { Err(io::ErrorKind::NotFound.into()) }
}

async fn fetch_from<E: Env>(
    shared: &Shared<E>,
    sessions: &mut BTreeMap<SiteId, Session<E>>,
    peer: SiteId,
    dot: Dot,
    size: u64,
    partial: &mut Option<Writer<E>>,
) -> io::Result<Answer> {
    let mut session = match sessions.remove(&peer) {
        Some(session) => session,
        None => shared.call(peer, Purpose::Bodies).await.map_err(io::Error::other)?,
    };
    let offset = partial.as_ref().map_or(0, Writer::len);
    session.sender.send(Message::BodyRequest(BodyRequest { dot: Some(dot.into()), offset })).await?;
    loop {
        match session.receiver.receive().await? {
            Message::BodyChunk(BodyChunk { bytes, last }) => {
                let env = shared.env.clone();
                let mut writer = if let Some(writer) = partial.take() {
                    writer
                } else {
                    shared.engine.check_space(size).map_err(io::Error::other)?;
                    Writer::create(&env)?
                };
                let append = move || match writer.append(&bytes) {
                    Ok(()) => Ok(writer),
                    Err(error) => {
                        let _ = writer.discard(); // else the next start collects it
                        Err(error)
                    }
                };
                *partial = Some(shared.env.blocking(Work::Write, append).await?);
                if last {
                    sessions.insert(peer, session);
                    return Ok(Answer::Whole);
                }
            }
            Message::BodyMissing(BodyMissing { missed_too }) => {
                sessions.insert(peer, session);
                return Ok(if missed_too { Answer::Missing } else { Answer::Unknown });
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Checks, syncs and publishes a fetched body. `false` if it is not what its origin described.
async fn publish<E: Env>(shared: &Shared<E>, dot: Dot, row: &BodyRow, writer: Writer<E>) -> io::Result<bool> {
    let env = shared.env.clone();
    let (size, blake3) = (row.size, row.blake3);
    let blob = shared
        .env
        .blocking(Work::Write, move || {
            let written = writer.finish()?;
            if written.size == size && written.blake3 == blake3 {
                return Ok::<_, io::Error>(Some(written.blob));
            }
            env.remove(&written.blob)?;
            Ok(None)
        })
        .await?;
    let Some(blob) = blob else {
        shared.env.mark("body-mismatch");
        return Ok(false);
    };
    shared.engine.body_fetched(dot, blob).await.map_err(io::Error::other)?;
    Ok(true)
}

/// Answers requests for bodies on one connection, until the peer is silent.
pub(super) async fn serve<E: Env>(shared: &Shared<E>, mut session: Session<E>) -> io::Result<()> {
    loop {
        let Message::BodyRequest(request) = session.receiver.receive().await? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let dot = request.dot.and_then(|dot| Dot::try_from(dot).ok()).ok_or(io::ErrorKind::InvalidData)?;
        let found = shared
            .engine
            .read(move |snapshot| {
                // A version that is purged here may not be at the peer yet: what is left of it serves.
                let held = snapshot.body(keys::HELD, dot)?;
                let row = if held.is_some() { held } else { snapshot.body(keys::GARBAGE, dot)? };
                let wanted = snapshot.body(keys::WANTED, dot)?.is_some();
                Ok((row.filter(|row| !row.blob.is_empty()), wanted))
            })
            .await;
        let (row, wanted) = found.map_err(io::Error::other)?;
        let sent = match row {
            Some(row) => Some(send(shared, &mut session, dot, &row, request.offset).await?),
            None => None,
        };
        if sent != Some(true) {
            // Evidence only if this site misses the body too. Where the version is purged, nobody misses it.
            let missed_too = wanted || sent == Some(false);
            session.sender.send(Message::BodyMissing(BodyMissing { missed_too })).await?;
        }
    }
}

/// Sends a body from an offset on. `false` if its file turns out to be gone or damaged: it is wanted again then.
async fn send<E: Env>(
    shared: &Shared<E>,
    session: &mut Session<E>,
    dot: Dot,
    row: &BodyRow,
    mut offset: u64,
) -> io::Result<bool> {
    let mut hash = (offset == 0).then(blake3::Hasher::new);
    loop {
        let (env, blob, len) = (shared.env.clone(), row.blob.clone(), shared.config.body_chunk_bytes);
        let read = shared
            .env
            .blocking(Work::Read, move || crate::store::bodies::read(&env, &blob, offset, len))
            .await;
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if !is_gone(&error) => return Err(error),
            Err(_) => {
                shared.engine.body_vanished(dot, row.blob.clone()).await.map_err(io::Error::other)?;
                return Ok(false);
            }
        };
        hash = hash.map(|mut hash| {
            hash.update(&bytes);
            hash
        });
        offset += bytes.len() as u64;
        let last = offset >= row.size || bytes.is_empty();
        if last && hash.as_ref().is_some_and(|hash| *hash.finalize().as_bytes() != row.blake3) {
            shared.engine.body_vanished(dot, row.blob.clone()).await.map_err(io::Error::other)?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        session.sender.send(Message::BodyChunk(BodyChunk { bytes: bytes.into(), last })).await?;
        if last {
            return Ok(true);
        }
    }
}
