//! What a member has not: counted from the log when asked, so that the figure of a stuck member grows by itself.

use super::{Engine, Error};
use crate::{
    causality::{Timestamp, VersionVector},
    env::Env,
    object::{Kind, wire},
};

/// Operations of which a look reads the size, at most.
const READ_MAX: usize = 4096;
/// Bytes of the log that a look reads at once.
const PAGE: usize = 256 << 10;

/// What somebody with a certain vector has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Operations.
    pub operations: u64,
    /// Bytes of their bodies: at least so many, unless `is_exact`.
    pub bytes: u64,
    /// Whether every operation was looked at.
    pub is_exact: bool,
    /// The timestamp of the oldest of them that the log still holds.
    pub oldest: Option<Timestamp>,
}

impl<E: Env> Engine<E> {
    /// What is durable here and not covered by `vector`.
    pub async fn backlog(&self, vector: VersionVector) -> Result<Backlog, Error> {
        let durable = self.durable();
        let operations = durable.beyond(&vector);
        if operations == 0 {
            return Ok(Backlog { is_exact: true, ..Backlog::default() });
        }
        let mut found = Backlog { operations, is_exact: operations <= READ_MAX as u64, ..Backlog::default() };
        Ok(self
            .read(move |snapshot| {
                let mut room = READ_MAX;
                for (origin, row) in snapshot.origins()? {
                    // What the log has dropped is below what every member had: only a rebuilt one lacks it.
                    let mut after = vector.last_of(origin).max(row.low);
                    found.is_exact &= vector.last_of(origin) >= row.low;
                    let mut is_first = true;
                    while after < row.last && (room > 0 || is_first) {
                        let page = snapshot.log_after(origin, after, PAGE)?;
                        let Some((last, _)) = page.last() else { break };
                        after = last.seq;
                        for (_, encoded) in page.iter().take(room.max(1)) {
                            let Ok(op) = wire::decode_op(encoded) else { continue };
                            if std::mem::take(&mut is_first) {
                                found.oldest = Some(found.oldest.map_or(op.hlc, |oldest| oldest.min(op.hlc)));
                            }
                            if let Kind::Put { content, .. } = &op.kind {
                                found.bytes += content.manifest.size;
                            }
                        }
                        room = room.saturating_sub(page.len());
                    }
                }
                Ok(found)
            })
            .await?)
    }
}
