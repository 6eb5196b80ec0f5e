//! Taking over a peer's state, chunk by chunk, when its log no longer reaches back.

use super::Shared;
use crate::{
    causality::Dot,
    engine::{Cut, Error, MergeRange, Staged},
    env::{Env, Work},
    object::RecordKey,
    peer::{
        Message,
        message::{MergeChunk, MergeRequest, OriginBytes, RecordBytes},
        session,
    },
    store::OriginRow,
};
use bytes::Bytes;
use std::{collections::BTreeSet, io};

/// The key to go on after: empty at the beginning.
pub(super) async fn begin<E: Env>(shared: &Shared<E>) -> Result<Vec<u8>, Error> {
    let progress = shared.engine.merge_progress().await?;
    shared.env.mark(if progress.is_some() { "merge-resumed" } else { "merge-started" });
    Ok(progress.map(|progress| progress.cursor).unwrap_or_default())
}

pub(super) fn request(after: Vec<u8>) -> Message {
    Message::MergeRequest(MergeRequest { after })
}

/// Sends the state from a key on. `false` if this site is no source now.
pub(super) async fn send<E: Env>(
    shared: &Shared<E>,
    sender: &mut session::Sender<E>,
    request: MergeRequest,
) -> io::Result<bool> {
    let Some(snapshot) = shared.engine.state_to_send().await.map_err(io::Error::other)? else {
        return Ok(false);
    };
    let origins: Vec<OriginBytes> = snapshot
        .origins()
        .map_err(io::Error::other)?
        .into_iter()
        .map(|((site, epoch), row)| OriginBytes {
            last: Some(Dot { site, epoch, seq: row.last }.into()),
            chain: row.chain.to_vec(),
            folded: row.folded,
        })
        .collect();
    let mut after = request.after;
    loop {
        let (reading, start) = (snapshot.clone(), after.clone());
        let (records_max, bytes_max) = (shared.config.merge_chunk_records, shared.config.batch_bytes);
        let (records, upto) = shared
            .env
            .blocking(Work::Read, move || {
                let (mut records, mut bytes, mut more) = (Vec::new(), 0, false);
                let damaged: BTreeSet<Vec<u8>> = reading.damaged()?.iter().map(RecordKey::encode).collect();
                // The first key above the one that was sent last.
                let from = if start.is_empty() { Vec::new() } else { [&start[..], &[0]].concat() };
                reading.scan(&[], &from, |key, record| {
                    more = records.len() >= records_max || bytes >= bytes_max;
                    if more {
                        return false;
                    }
                    // What cannot be read, or is being repaired, is sent as damaged: the peer must not take it for absent.
                    let whole = record.ok().filter(|_| !damaged.contains(key));
                    let record =
                        whole.map(|record| crate::crdt::codec::encode_record(&record)).unwrap_or_default();
                    bytes += key.len() + record.len();
                    records.push(RecordBytes { key: key.to_vec(), record: record.into() });
                    true
                })?;
                let upto = records.last().map(|row| row.key.clone()).filter(|_| more);
                let gone = damaged.into_iter().filter(|key| {
                    let in_range = *key > start && upto.as_ref().is_none_or(|upto| key <= upto);
                    in_range && !records.iter().any(|row| row.key == *key)
                });
                let gone: Vec<_> = gone.map(|key| RecordBytes { key, record: Bytes::new() }).collect();
                records.extend(gone);
                Ok::<_, crate::store::Error>((records, upto))
            })
            .await
            .map_err(io::Error::other)?;
        let chunk = MergeChunk { after, upto: upto.clone(), records, origins: origins.clone() };
        sender.send(Message::MergeChunk(chunk)).await?;
        match upto {
            Some(upto) => after = upto,
            None => return Ok(true),
        }
    }
}

/// Takes the chunks in. Returns when the last one is folded in and durable.
pub(super) async fn receive<E: Env>(
    shared: &Shared<E>,
    receiver: &mut session::Receiver<E>,
    mut after: Vec<u8>,
) -> io::Result<()> {
    loop {
        let chunk = match receiver.receive().await? {
            Message::MergeChunk(chunk) => chunk,
            Message::Report(_) | Message::Ops(_) => continue,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let cut = cut_of(chunk.origins).ok_or(io::ErrorKind::InvalidData)?;
        if chunk.after != after {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let records: Vec<(Vec<u8>, Bytes)> =
            chunk.records.into_iter().map(|row| (row.key, row.record)).collect();
        let range = MergeRange { cut, after: chunk.after, upto: chunk.upto.clone(), records };
        if shared.engine.merge_range(range).await.map_err(io::Error::other)? == Staged::StartOver {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match chunk.upto {
            Some(upto) => after = upto,
            None => return Ok(()),
        }
    }
}

fn cut_of(origins: Vec<OriginBytes>) -> Option<Cut> {
    let mut cut = Cut::new();
    for OriginBytes { last, chain, folded } in origins {
        let last = Dot::try_from(last?).ok()?;
        cut.insert(
            last.origin(),
            OriginRow { last: last.seq, low: last.seq, chain: chain.try_into().ok()?, folded },
        );
    }
    Some(cut)
}
