//! What clients wrote and deleted, and what they were told of it.

use crate::{processes::client::Client, seed::Draws};
use bytes::Bytes;
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

/// Every version is kept; some are deleted, by their ids.
pub(crate) const KEPT: &str = "kept";
/// Keys without versions, each written once; some are deleted.
pub(crate) const PLAIN: &str = "plain";
/// Keys with versions, each written once; over some a delete marker is put.
pub(crate) const MARKED: &str = "marked";
/// Bodies above this are files.
const INLINE_MAX: usize = 4 << 10;
/// The least size of a part that is not the last.
const PART: usize = 5 << 20;

/// What is known of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody asked for it.
    No,
    /// It was asked for and not answered: it may have happened.
    Asked,
    /// It was acknowledged.
    Yes,
}

/// One write that a client began.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) bucket: &'static str,
    pub(crate) key: String,
    /// How it was made, so that its bytes can be made again; no two are the same.
    pub(crate) seed: u64,
    pub(crate) len: usize,
    /// The version that the answer named.
    pub(crate) version: Option<String>,
    pub(crate) made: Known,
    /// Whether it was deleted, or its key hidden by a marker.
    pub(crate) ended: Known,
}

impl Write {
    /// Its bytes.
    pub(crate) fn body(&self) -> Bytes {
        let mut draws = Draws::of(self.seed, 3);
        let mut bytes = vec![0; self.len];
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&draws.next().to_le_bytes()[..piece.len()]);
        }
        bytes.into()
    }
}

/// How many files a body of this length lies in: those beyond the least size of a part are uploaded in two.
pub(crate) fn files_of(len: usize) -> usize {
    if len > PART { 2 } else { usize::from(len > INLINE_MAX) }
}

/// What was acknowledged, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) inline: u64,
    pub(crate) in_files: u64,
    pub(crate) in_parts: u64,
    pub(crate) deletes: u64,
}

impl Acknowledged {
    pub(crate) fn all(&self) -> u64 {
        self.inline + self.in_files + self.in_parts + self.deletes
    }
}

#[derive(Default)]
pub(crate) struct History {
    writes: Mutex<Vec<Write>>,
    counts: Mutex<Acknowledged>,
    next: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl History {
    pub(crate) fn writes(&self) -> MutexGuard<'_, Vec<Write>> {
        self.writes.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn acknowledged(&self) -> Acknowledged {
        *self.counts()
    }

    fn counts(&self) -> MutexGuard<'_, Acknowledged> {
        self.counts.lock().expect("no holder of this lock panics")
    }
}

/// Writes and deletes until there is no answer.
pub(crate) async fn load(mut client: Client, history: Arc<History>, mut draws: Draws) {
    loop {
        let goes_on = if draws.percent(15) {
            end_one(&mut client, &history, &mut draws).await
        } else {
            write_one(&mut client, &history, &mut draws).await
        };
        if !goes_on {
            return;
        }
    }
}

async fn write_one(client: &mut Client, history: &History, draws: &mut Draws) -> bool {
    let seed = history.next.fetch_add(1, Ordering::Relaxed);
    let (bucket, key) = match draws.below(3) {
        0 => (KEPT, format!("k{:02}", draws.below(40))),
        1 => (PLAIN, format!("p{seed}")),
        _ => (MARKED, format!("m{seed}")),
    };
    let is_in_parts = draws.percent(3);
    let len = match draws.below(100) {
        _ if is_in_parts => PART + 1 + draws.below(9000) as usize,
        0..35 => INLINE_MAX + 1 + draws.below(200_000) as usize,
        _ => 1 + draws.below(INLINE_MAX as u64) as usize,
    };
    let mut write = Write { bucket, key, seed, len, version: None, made: Known::Asked, ended: Known::No };
    let bytes = write.body();
    let answer = if is_in_parts {
        client.put_in_parts(bucket, &write.key, &[bytes.slice(..PART), bytes.slice(PART..)]).await
    } else {
        client.put(bucket, &write.key, bytes).await
    };
    let is_answered = answer.is_ok();
    match answer {
        Ok(answer) if answer.status.is_success() => {
            (write.made, write.version) = (Known::Yes, answer.version);
            let mut counts = history.counts();
            let count = match files_of(write.len) {
                _ if is_in_parts => &mut counts.in_parts,
                0 => &mut counts.inline,
                _ => &mut counts.in_files,
            };
            *count += 1;
        }
        Ok(_) => {
            history.refused.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        Err(_) => {}
    }
    history.writes().push(write);
    is_answered
}

/// Deletes one of the newest writes.
async fn end_one(client: &mut Client, history: &History, draws: &mut Draws) -> bool {
    let chosen = {
        let mut writes = history.writes();
        let open = |w: &&mut Write| w.made == Known::Yes && w.ended == Known::No;
        let Some(write) = writes.iter_mut().rev().filter(open).nth(draws.below(8) as usize) else {
            return true;
        };
        write.ended = Known::Asked;
        write.clone()
    };
    let version = if chosen.bucket == KEPT { chosen.version.as_deref() } else { None };
    let Ok(answer) = client.delete(chosen.bucket, &chosen.key, version).await else { return false };
    if answer.status.is_success() {
        history.counts().deletes += 1;
        history.writes().iter_mut().filter(|w| w.seed == chosen.seed).for_each(|w| w.ended = Known::Yes);
    }
    true
}
