//! Bodies: fetched after their metadata, segment by segment, on connections of their own, from whoever has them.
//!
//! Each worker keeps a connection to each peer it has used: `body_workers` a peer at most. A segment broken off goes on at
//! the byte where it stopped. If every member says that it misses the segment too, the body is lost.

use super::Shared;
use crate::{
    causality::{Dot, SiteId},
    engine::{SegmentOf, Wanted},
    env::{Env, Work, timeout},
    object::RecordKey,
    peer::{
        Message, Purpose, Session,
        message::{BodyChunk, BodyMissing, BodyRequest},
    },
    store::{self, bodies::Writer, keys},
};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

/// How many wanted segments are looked at to find one that nobody fetches.
const LOOK_MAX: usize = 64;

/// What one peer made of a request.
enum Answer {
    Whole,
    /// It has the version and misses the segment too.
    Missing,
    /// It does not answer, or does not have the version.
    Unknown,
}

pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>) {
    let mut sessions = BTreeMap::new();
    let (mut bodies, mut durable) = (shared.engine.watch_bodies(), shared.engine.watch_durable());
    // Since when every member has said that it does not have it.
    let mut missing_since: BTreeMap<SegmentOf, Duration> = BTreeMap::new();
    let mut after: Option<Dot> = None;
    loop {
        bodies.latest();
        durable.latest();
        let wanted = shared.engine.wanted_segments(after, LOOK_MAX).await.unwrap_or_default();
        let now = shared.env.monotonic();
        let Some(of) = shared.links.claim(wanted.iter().map(|wanted| wanted.of), now) else {
            // The next page: bodies of a site out of reach must not hide those behind them.
            after = wanted.iter().map(|wanted| wanted.of.0).max().filter(|_| wanted.len() >= LOOK_MAX);
            if after.is_some() {
                continue;
            }
            let news = async {
                tokio::select! { biased; () = bodies.changed() => (), () = durable.changed() => () }
            };
            timeout(&shared.env, shared.config.heartbeat, news).await;
            continue;
        };
        let wanted = wanted.into_iter().find(|wanted| wanted.of == of).expect("claimed from the list");
        let nowhere = fetch(&shared, &mut sessions, wanted).await;
        let pause = match nowhere {
            Ok(false) => None,
            Ok(true) => {
                let since = *missing_since.entry(of).or_insert(now);
                let is_own = of.0.site == shared.own.origin.0;
                let missed = now.saturating_sub(since);
                // Whoever still holds what the version had replaced goes first.
                if missed >= shared.config.lost_after / 2 {
                    let _ =
                        shared.engine.declare_lost(of.0, is_own && missed >= shared.config.lost_after).await;
                }
                Some(shared.config.heartbeat)
            }
            Err(_) => Some(shared.config.heartbeat),
        };
        if nowhere.is_err() || pause.is_none() {
            missing_since.remove(&of);
        }
        shared.links.release(of, pause.map(|pause| shared.env.monotonic() + pause));
    }
}

/// Fetches one segment. `Ok(true)` if every other member says that it has none; an error if it was not to be had now.
async fn fetch<E: Env>(
    shared: &Shared<E>,
    sessions: &mut BTreeMap<SiteId, Session<E>>,
    wanted: Wanted,
) -> io::Result<bool> {
    // Its own site first: it had the body when it acknowledged the version.
    let mut peers: Vec<SiteId> = shared.config.peers.keys().copied().collect();
    peers.sort_by_key(|peer| (*peer != wanted.of.0.site, *peer));
    let mut partial = None;
    let mut nowhere = true;
    for peer in peers {
        let answer = loop {
            let (before, kept) = (partial.as_ref().map_or(0, Writer::len), sessions.contains_key(&peer));
            match fetch_from(shared, sessions, peer, wanted, &mut partial).await {
                // Broken off: it goes on where it stopped. A kept connection may have been closed meanwhile.
                Err(_) if partial.as_ref().map_or(0, Writer::len) > before || kept => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(Answer::Whole) => {
                let writer = partial.take().expect("a whole segment was written");
                if publish(shared, wanted, writer).await? {
                    return Ok(false);
                }
                nowhere = false; // what came was something else; whether it exists elsewhere is open
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
    Wanted { of: (dot, number), segment }: Wanted,
    partial: &mut Option<Writer<E>>,
) -> io::Result<Answer> {
    let mut session = match sessions.remove(&peer) {
        Some(session) => session,
        None => shared.call(peer, Purpose::Bodies).await.map_err(io::Error::other)?,
    };
    let offset = partial.as_ref().map_or(0, Writer::len);
    let request = BodyRequest { dot: Some(dot.into()), segment: number, offset };
    session.sender.send(Message::BodyRequest(request)).await?;
    loop {
        match session.receiver.receive().await? {
            Message::BodyChunk(BodyChunk { bytes, last }) => {
                let env = shared.env.clone();
                let mut writer = if let Some(writer) = partial.take() {
                    writer
                } else {
                    shared.engine.check_space(segment.size).map_err(io::Error::other)?;
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

/// Checks, syncs and publishes a fetched segment. `false` if it is not what its origin described.
async fn publish<E: Env>(
    shared: &Shared<E>,
    Wanted { of, segment }: Wanted,
    writer: Writer<E>,
) -> io::Result<bool> {
    let env = shared.env.clone();
    let blob = shared
        .env
        .blocking(Work::Write, move || {
            let written = writer.finish()?;
            if written.size == segment.size && written.blake3 == segment.blake3 {
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
    shared.engine.segment_fetched(of, blob).await.map_err(io::Error::other)?;
    Ok(true)
}

/// Answers requests for bodies on one connection, until the peer is silent.
pub(super) async fn serve<E: Env>(shared: &Shared<E>, mut session: Session<E>) -> io::Result<()> {
    loop {
        let Message::BodyRequest(request) = session.receiver.receive().await? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let dot = request.dot.and_then(|dot| Dot::try_from(dot).ok()).ok_or(io::ErrorKind::InvalidData)?;
        let of = (dot, request.segment);
        let found = shared.engine.look(move |snapshot| held(snapshot, of)).await;
        let Held { file, is_wanted, corrupt } = found.map_err(io::Error::other)?;
        // Nobody else may read it for long: what asks for its body must not wait for that.
        shared.engine.withdraw(corrupt).await;
        let sent = match file {
            Some((blob, size)) => Some(send(shared, &mut session, of, blob, size, request.offset).await?),
            None => None,
        };
        if sent != Some(true) {
            // Evidence only if this site misses it too. Where the version is purged, nobody misses it.
            let missed_too = is_wanted || sent == Some(false);
            session.sender.send(Message::BodyMissing(BodyMissing { missed_too })).await?;
        }
    }
}

/// What is known here of a segment that a peer asks for.
#[derive(Default)]
struct Held {
    /// Its file and size, if it is here.
    file: Option<(String, u64)>,
    /// Whether its version wants it.
    is_wanted: bool,
    /// The record that would tell, if it turned out corrupt.
    corrupt: Option<RecordKey>,
}

fn held(snapshot: &store::Snapshot, (dot, number): SegmentOf) -> Result<Held, store::Error> {
    let wanted = snapshot.body(keys::WANTED, dot)?;
    let is_wanted = wanted.is_some();
    let absent = Held { is_wanted, ..Held::default() };
    let Some(blob) = snapshot.segment((dot, number))? else { return Ok(absent) };
    let held = if is_wanted { wanted } else { snapshot.body(keys::HELD, dot)? };
    let segment = match held {
        Some(row) => {
            let Some(key) = RecordKey::decode(&row.record) else { return Ok(absent) };
            let record = match snapshot.record(&key) {
                // While it is being repaired nothing is evidence of anything.
                Err(store::Error::Corrupt { .. }) => {
                    return Ok(Held { corrupt: Some(key), ..Held::default() });
                }
                record => record?,
            };
            let segments = record.entries.get(&dot).and_then(store::external).unwrap_or_default();
            segments.get(number as usize).copied()
        }
        // A version that is purged here may not be at the peer yet: what is left of it serves.
        None => snapshot.body(keys::GARBAGE, dot)?.and_then(|row| {
            let (_, content) = row.content?;
            content.manifest.body.segments().get(number as usize).copied()
        }),
    };
    Ok(Held { file: segment.map(|segment| (blob, segment.size)), is_wanted, corrupt: None })
}

/// Sends a segment from an offset on. `false` if its file turns out to be gone or damaged: it is wanted again then.
async fn send<E: Env>(
    shared: &Shared<E>,
    session: &mut Session<E>,
    of: SegmentOf,
    blob: String,
    size: u64,
    mut offset: u64,
) -> io::Result<bool> {
    loop {
        let len = shared.config.body_chunk_bytes;
        let read = shared.engine.read_file(of, blob.clone(), size, offset, len).await;
        let Some(bytes) = read.map_err(io::Error::other)? else { return Ok(false) };
        offset += bytes.len() as u64;
        let last = offset >= size;
        session.sender.send(Message::BodyChunk(BodyChunk { bytes, last })).await?;
        if last {
            return Ok(true);
        }
    }
}
