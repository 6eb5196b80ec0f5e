//! Taking over a peer's state, chunk by chunk, when its log no longer reaches back.

use super::Shared;
use crate::{
    causality::{Dot, VersionVector},
    engine::{Cut, Error, MergeRange},
    env::{Env, Work},
    peer::{
        Message,
        message::{MergeChunk, MergeRequest, OriginBytes, RecordBytes},
        session,
    },
    store::{MergeProgress, OriginRow},
};
use bytes::Bytes;
use std::{io, sync::Arc};

/// Where a merge starts: at the beginning, or where one stopped.
pub(super) async fn begin<E: Env>(shared: &Shared<E>) -> Result<Option<MergeProgress>, Error> {
    let resume = shared.engine.merge_progress().await?;
    shared.env.mark(if resume.is_some() { "merge-resumed" } else { "merge-started" });
    Ok(resume)
}

pub(super) fn request(resume: &Option<MergeProgress>) -> Message {
    let after = resume.as_ref().map(|progress| progress.cursor.clone()).unwrap_or_default();
    Message::MergeRequest(MergeRequest { after })
}

/// Sends the state from a key on. `false` if this site is no source now.
pub(super) async fn send<E: Env>(
    shared: &Shared<E>,
    sender: &mut session::Sender<E>,
    request: MergeRequest,
) -> io::Result<bool> {
    let Some(snapshot) = shared.engine.state_to_send().await.map_err(io::Error::other)? else { return Ok(false) };
    let snapshot = Arc::new(snapshot);
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
        let (reading, start, limit) = (snapshot.clone(), after.clone(), shared.config.merge_chunk_records);
        let records = shared
            .env
            .blocking(Work::Read, move || {
                let (mut records, mut damage) = (Vec::new(), None);
                reading.scan(&[], &start, |key, record| {
                    match record {
                        Ok(record) => records.push(RecordBytes {
                            key: key.to_vec(),
                            record: crate::crdt::codec::encode_record(&record).into(),
                        }),
                        Err(error) => damage = Some(error),
                    }
                    damage.is_none() && records.len() < limit
                })?;
                damage.map_or(Ok(records), Err)
            })
            .await
            .map_err(io::Error::other)?;
        let upto = (records.len() == limit).then(|| records.last().expect("a full chunk").key.clone());
        let chunk = MergeChunk { after, upto: upto.clone(), records, origins: origins.clone() };
        sender.send(Message::MergeChunk(chunk)).await?;
        match upto {
            Some(upto) => after = upto,
            None => return Ok(true),
        }
    }
}

/// Takes the chunks in. Returns when the last one is durable.
pub(super) async fn receive<E: Env>(
    shared: &Shared<E>,
    receiver: &mut session::Receiver<E>,
    mut resume: Option<MergeProgress>,
) -> io::Result<()> {
    let mut expected = resume.as_ref().map(|progress| progress.cursor.clone()).unwrap_or_default();
    loop {
        let chunk = match receiver.receive().await? {
            Message::MergeChunk(chunk) => chunk,
            Message::Report(_) | Message::Ops(_) => continue,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let cut = cut_of(chunk.origins).ok_or(io::ErrorKind::InvalidData)?;
        if let Some(progress) = &resume {
            // What was merged earlier is from an older snapshot. Only if the new one reaches at least as far may the
            // older one's claim stand; else start over.
            if !vector_of(&cut).dominates(&vector_of(&progress.origins)) {
                shared.engine.merge_abandon().await.map_err(io::Error::other)?;
                return Err(io::ErrorKind::InvalidData.into());
            }
        } else {
            resume = Some(MergeProgress { origins: cut.clone(), cursor: Vec::new() });
        }
        if chunk.after != expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let records: Vec<(Vec<u8>, Bytes)> = chunk.records.into_iter().map(|row| (row.key, row.record)).collect();
        let range = MergeRange { cut, after: chunk.after, upto: chunk.upto.clone(), records };
        let claimed = resume.as_ref().map(|progress| progress.origins.clone());
        shared.engine.merge_range(range, claimed).await.map_err(io::Error::other)?;
        match chunk.upto {
            Some(upto) => expected = upto,
            None => return Ok(()),
        }
    }
}

fn cut_of(origins: Vec<OriginBytes>) -> Option<Cut> {
    let mut cut = Cut::new();
    for OriginBytes { last, chain, folded } in origins {
        let last = Dot::try_from(last?).ok()?;
        cut.insert(last.origin(), OriginRow { last: last.seq, low: last.seq, chain: chain.try_into().ok()?, folded });
    }
    Some(cut)
}

fn vector_of(cut: &Cut) -> VersionVector {
    cut.iter().map(|(&origin, row)| (origin, row.last)).collect()
}
