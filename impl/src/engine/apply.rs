//! A peer's operations, in its log order.

use super::{Engine, Error, Unavailable, writer::Purpose};
use crate::{
    causality::{Dot, Epoch, SiteId},
    crdt::ApplyError,
    env::Env,
    object::wire,
    store::{MergeProgress, keys},
};
use bytes::Bytes;
use tokio::sync::oneshot;

/// What became of a batch of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All are applied.
    All,
    /// Operations before this one are missing: pull again from the durable vector.
    Gap(Dot),
    /// This origin's log is not the one applied here: it is fenced until an operator decides.
    Fork((SiteId, Epoch)),
    /// An operation of this site cannot be decoded: its stream stops here, and status says so.
    Undecodable(SiteId),
}

impl<E: Env> Engine<E> {
    /// Queues a batch in the order of the calls; the receiver tells what became of it once that is durable.
    ///
    /// `from` is the peer that sent them. Batches may be queued before earlier ones are durable. If an earlier one fails,
    /// later ones leave a gap and are refused: nothing is ever skipped. While a peer's state is folded in they wait.
    pub async fn take(
        &self,
        from: SiteId,
        ops: Vec<Bytes>,
    ) -> Result<oneshot::Receiver<Result<Taken, Error>>, Error> {
        if !self.folded().await {
            return Err(Unavailable::Rebuilding.into());
        }
        self.enqueue(Purpose::Grow, move |sequencer| {
            // While a peer's state is being folded in, the records are ahead of the vector: what an operation did to
            // them may already be there, or undone.
            if sequencer.tx.row::<MergeProgress>(keys::MERGE)?.is_some_and(|progress| progress.folding) {
                return Ok(Err(Unavailable::Rebuilding.into()));
            }
            for encoded in &ops {
                let Ok(op) = wire::decode_op(encoded) else {
                    let author = wire::decode_dot(encoded).map_or(from, |dot| dot.site);
                    return Ok(Ok(Taken::Undecodable(author)));
                };
                match sequencer.take(&op, encoded) {
                    Ok(_) => {}
                    Err(ApplyError::Gap { dot, .. }) => return Ok(Ok(Taken::Gap(dot))),
                    Err(ApplyError::Fork { dot }) => return Ok(Ok(Taken::Fork(dot.origin()))),
                    Err(ApplyError::State(error)) => return Err(error),
                }
            }
            Ok(Ok(Taken::All))
        })
        .await
    }

    /// Notes that an origin's log has forked.
    pub fn note_fork(&self) {
        self.env().mark("fork");
        super::lock(&self.shared.gauges).forks += 1;
    }

    /// The own log and those of others above a vector, as sent to a peer: whole operations up to about `limit` bytes.
    /// `Err(origin)` if the log of an origin no longer reaches back that far.
    pub async fn log_beyond(
        &self,
        origins: Vec<((SiteId, Epoch), u64)>,
        limit: usize,
    ) -> Result<Result<Vec<(Dot, Vec<u8>)>, (SiteId, Epoch)>, Error> {
        Ok(self
            .look(move |snapshot| {
                let rows = snapshot.origins()?;
                let (mut found, mut bytes) = (Vec::new(), 0);
                for (origin, seq) in origins {
                    let Some(row) = rows.get(&origin).filter(|row| row.last > seq) else { continue };
                    if seq < row.low {
                        return Ok(Err(origin));
                    }
                    match snapshot.log_after(origin, seq, limit - bytes) {
                        Ok(ops) => {
                            bytes += ops.iter().map(|(_, op)| op.len()).sum::<usize>();
                            found.extend(ops);
                        }
                        // What cannot be read any more cannot be streamed: the peer gets the state instead.
                        Err(crate::store::Error::Corrupt { .. }) => return Ok(Err(origin)),
                        Err(error) => return Err(error),
                    }
                    if bytes >= limit {
                        break;
                    }
                }
                Ok(Ok(found))
            })
            .await?)
    }
}
