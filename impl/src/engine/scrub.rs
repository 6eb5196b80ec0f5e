//! Reading everything, to find what rotted where nobody looks. A page at a time: whoever asks paces it, and can go on later.
//!
//! What is found is taken out of service as if a client had met it, and mended from peers: records by repair, segments by
//! being fetched again.

use super::{Engine, Error, PIECE, SegmentOf, writer::Purpose};
use crate::{
    causality::Dot,
    crdt::{Payload, Record, Status},
    env::Env,
    object::{RecordKey, Segment},
    store::{self, Snapshot, keys},
};
use std::time::Duration;

/// How many times as long as a page took is waited before the next one: a scrub takes a small share of the disk.
const SHARE: u32 = 19;
/// And this long at least.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How long a page that failed waits before it is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// Records of a page, at most.
const RECORDS_MAX: usize = 256;
/// Bytes of segments read in a page; the last segment of a page may exceed it.
const BYTES_MAX: u64 = 64 << 20;

/// Where a scrub goes on: after a record, or within one, behind a segment of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubAfter {
    /// The record's encoded key; empty to begin.
    pub record: Vec<u8>,
    /// The last segment of it that was read; none if the record is done.
    pub segment: Option<SegmentOf>,
}

/// What a page of a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Records read.
    pub records: u64,
    /// Those that did not read back as written.
    pub damaged: Vec<RecordKey>,
    /// Segments of bodies read; only in a deep scrub.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Versions with a segment that is not what was written, or not there though nobody fetches it.
    pub rotten: Vec<(RecordKey, Dot)>,
    /// Where to go on; none at the end.
    pub next: Option<ScrubAfter>,
}

/// A segment that a record says is here.
struct Held {
    record: Vec<u8>,
    of: SegmentOf,
    segment: Segment,
    /// The file, or none although nobody fetches it.
    blob: Option<String>,
}

/// What a page reads of the database.
#[derive(Default)]
struct Look {
    records: u64,
    damaged: Vec<RecordKey>,
    held: Vec<Held>,
    /// The last record, if there may be more.
    last: Option<Vec<u8>>,
}

impl<E: Env> Engine<E> {
    /// Reads everything again and again, for as long as the process lives: so long after one pass the next begins, and it
    /// takes a twentieth of the time.
    pub async fn keep_scrubbing(&self, every: Duration) {
        loop {
            self.env().sleep(every).await;
            let mut after = Some(ScrubAfter::default());
            while let Some(from) = after.take() {
                let began = self.env().monotonic();
                let again = from.clone();
                match self.scrub(from, true).await {
                    Ok(page) => {
                        if !page.damaged.is_empty() || !page.rotten.is_empty() {
                            let (damaged, rotten) = (&page.damaged, &page.rotten);
                            tracing::error!(
                                ?damaged,
                                ?rotten,
                                "what was written did not read back; it is mended"
                            );
                        }
                        after = page.next;
                    }
                    Err(error) => {
                        tracing::warn!("scrubbing waits: {error}");
                        after = Some(again);
                        self.env().sleep(AGAIN).await;
                    }
                }
                let took = self.env().monotonic().saturating_sub(began);
                self.env().sleep((took * SHARE).max(PAUSE_MIN)).await;
            }
        }
    }

    /// Reads the next page: the records, and if `deep` every byte of their bodies that is here.
    pub async fn scrub(&self, after: ScrubAfter, deep: bool) -> Result<Scrubbed, Error> {
        let Look { records, damaged, held, last } =
            self.read(move |snapshot| look(snapshot, &after, deep)).await?;
        for key in &damaged {
            self.withdraw(Some(key.clone())).await;
        }
        let next = last.map(|record| ScrubAfter { record, segment: None });
        let mut page = Scrubbed { records, damaged, next, ..Scrubbed::default() };
        for held in held {
            let Held { record, of, segment, blob } = held;
            let whole = if let Some(blob) = blob {
                self.is_whole(of, segment, blob).await?
            } else {
                self.want_again(&record, of.0).await?;
                false
            };
            page.segments += 1;
            page.bytes += segment.size;
            if !whole && let Some(key) = RecordKey::decode(&record) {
                page.rotten.push((key, of.0));
            }
            if page.bytes >= BYTES_MAX {
                page.next = Some(ScrubAfter { record, segment: Some(of) });
                break;
            }
        }
        Ok(page)
    }

    /// Has a body fetched that is not here and that nobody fetches: its row rotted.
    async fn want_again(&self, record: &[u8], dot: Dot) -> Result<(), Error> {
        let Some(key) = RecordKey::decode(record) else { return Ok(()) };
        self.submit(Purpose::Tidy, move |sequencer| Ok(Ok(sequencer.tx.want_again(&key, dot)?))).await?;
        self.bodies_changed();
        Ok(())
    }

    /// Whether a segment's file holds what its version says; if not, it is fetched again from now on.
    async fn is_whole(&self, of: SegmentOf, segment: Segment, blob: String) -> Result<bool, Error> {
        let (mut offset, mut hash) = (0, blake3::Hasher::new());
        while offset < segment.size {
            let Some(bytes) = self.read_file(of, blob.clone(), segment.size, offset, PIECE).await? else {
                return Ok(false);
            };
            hash.update(&bytes);
            offset += bytes.len() as u64;
        }
        if *hash.finalize().as_bytes() == segment.blake3 {
            return Ok(true);
        }
        // Each block is sound, and all together are not what was written: a file in another's place.
        self.segment_vanished(of, blob).await?;
        Ok(false)
    }
}

fn look(snapshot: &Snapshot, after: &ScrubAfter, deep: bool) -> Result<Look, store::Error> {
    let mut look = Look::default();
    let mut bytes = 0;
    let (mut failed, mut last) = (None, None);
    snapshot.scan(&[], &after.record, |key, record| {
        let goes_on = after.segment.filter(|_| key == &after.record[..]);
        if key == &after.record[..] && goes_on.is_none() {
            return true;
        }
        if look.records as usize == RECORDS_MAX || bytes >= BYTES_MAX {
            look.last = last.take();
            return false;
        }
        last = Some(key.to_vec());
        look.records += u64::from(goes_on.is_none());
        match record {
            Ok(record) if deep => match held_by(snapshot, key, &record) {
                Ok(held) => {
                    let held = held.into_iter().filter(|held| goes_on.is_none_or(|done| held.of > done));
                    look.held.extend(held.inspect(|held| bytes += held.segment.size));
                }
                Err(error) => failed = Some(error),
            },
            Ok(_) => {}
            Err(_) => look.damaged.extend(RecordKey::decode(key)),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(look), Err)
}

/// The segments that must be here, by their versions, in order.
fn held_by(snapshot: &Snapshot, key: &[u8], record: &Record) -> Result<Vec<Held>, store::Error> {
    let mut held = Vec::new();
    for (stamp, entry) in record.versions().filter(|(_, entry)| entry.status() != Status::Purged) {
        let Payload::Version { content: Some(content), .. } = &entry.payload else { continue };
        for (number, segment) in (0..).zip(content.manifest.body.segments()) {
            let of = (stamp.dot, number);
            let blob = snapshot.segment(of)?;
            if blob.is_some() || snapshot.body(keys::WANTED, stamp.dot)?.is_none() {
                held.push(Held { record: key.to_vec(), of, segment: *segment, blob });
            }
        }
    }
    held.sort_by_key(|held| held.of);
    Ok(held)
}
