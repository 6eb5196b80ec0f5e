//! A body on its way in or out: nothing here holds more of it than a piece in memory.
//!
//! In: a [`BodyWriter`] takes the client's bytes, puts them into segments of bounded size and syncs them; the
//! [`StoredBody`] that it ends in is published by a commit, or its files go. Out: a [`BodyReader`] reads any range, checked,
//! and fetches what is not here. A body that is being read is not collected.

use super::{Engine, Error, Unavailable, lock, writer::Purpose};
use crate::{
    causality::Dot,
    env::{Env, Work, timeout},
    object::{Body, Segment},
    store::{
        self,
        bodies::{self, Written},
    },
};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// Bytes gathered before they are written, and the most that one read returns.
pub const PIECE: usize = 1 << 20;

/// Files that nobody will name: removed by the collector.
pub(super) type Orphans = Arc<Mutex<Vec<String>>>;

/// A segment of a version.
pub type SegmentOf = (Dot, u32);

/// Files that no commit names yet. Dropped, they are nobody's.
#[derive(Debug)]
pub(super) struct Unpublished {
    files: Vec<String>,
    orphans: Orphans,
}

impl Unpublished {
    /// Hands the files over to a commit that names them.
    pub(super) fn publish(mut self) -> Vec<String> {
        std::mem::take(&mut self.files)
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        if !self.files.is_empty() {
            lock(&self.orphans).append(&mut self.files);
        }
    }
}

/// A body whose bytes are all here and synced, not yet part of any version. Dropped, its files go.
#[derive(Debug)]
pub struct StoredBody {
    /// Where the bytes are.
    pub body: Body,
    /// Length in bytes.
    pub size: u64,
    /// MD5 of the bytes.
    pub md5: [u8; 16],
    pub(super) files: Unpublished,
}

/// A body being taken in. Dropped, what was written goes.
pub struct BodyWriter<E: Env> {
    engine: Engine<E>,
    inline_max: usize,
    pending: Vec<u8>,
    /// What the blocking part works on; away while it does.
    work: Option<Storing<E>>,
}

struct Storing<E: Env> {
    env: E,
    md5: Md5,
    size: u64,
    segment_max: u64,
    done: Vec<Segment>,
    files: Unpublished,
    open: Option<bodies::Writer<E>>,
}

impl<E: Env> Storing<E> {
    fn append(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        self.md5.update(bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => bodies::Writer::create(&self.env)?,
            };
            let room = usize::try_from(self.segment_max - open.len()).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Err(error) = open.append(now) {
                let _ = open.discard(); // else the next start collects it
                return Err(error);
            }
            bytes = later;
            if open.len() == self.segment_max {
                self.close(open)?;
            } else {
                self.open = Some(open);
            }
        }
        Ok(())
    }

    fn close(&mut self, open: bodies::Writer<E>) -> std::io::Result<()> {
        let Written { blob, size, blake3 } = open.finish()?;
        self.files.files.push(blob);
        self.done.push(Segment { size, blake3 });
        Ok(())
    }
}

/// How a piece of a body's way to the disk failed.
enum Failed {
    /// Nothing is known to be wrong with what was synced before.
    Refused(store::Error),
    /// A sync failed: the process must end.
    Sync(std::io::Error),
}

impl<E: Env> Engine<E> {
    /// Begins to take a body in.
    pub fn write_body(&self) -> BodyWriter<E> {
        self.body_writer(self.config().inline_max)
    }

    pub(super) fn body_writer(&self, inline_max: usize) -> BodyWriter<E> {
        let work = Storing {
            env: self.env().clone(),
            md5: Md5::new(),
            size: 0,
            segment_max: self.config().segment_max.max(1),
            done: Vec::new(),
            files: Unpublished { files: Vec::new(), orphans: self.shared.orphans.clone() },
            open: None,
        };
        BodyWriter { engine: self.clone(), inline_max, pending: Vec::new(), work: Some(work) }
    }

    /// A file that a commit is about to name.
    pub(super) fn unpublished(&self, file: String) -> Unpublished {
        Unpublished { files: vec![file], orphans: self.shared.orphans.clone() }
    }

    /// Takes a whole body in.
    pub async fn store_body(&self, body: &[u8]) -> Result<StoredBody, Error> {
        let mut writer = self.write_body();
        writer.write(body).await?;
        writer.finish().await
    }
}

impl<E: Env> BodyWriter<E> {
    /// Takes bytes in. After an error, or if cancelled, the body is lost to the client: it sends it again.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while self.pending.len() + bytes.len() > PIECE {
            let (now, later) = bytes.split_at(PIECE - self.pending.len());
            self.pending.extend_from_slice(now);
            bytes = later;
            self.flush(false).await?;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes everything durable.
    pub async fn finish(mut self) -> Result<StoredBody, Error> {
        let work = self.work.as_mut().ok_or(Error::Unknown)?;
        let is_inline = work.size == 0 && self.pending.len() <= self.inline_max || {
            work.size == 0 && self.pending.is_empty()
        };
        if is_inline {
            let bytes = Bytes::from(std::mem::take(&mut self.pending));
            let work = self.work.take().ok_or(Error::Unknown)?;
            let md5 = Md5::digest(&bytes).into();
            return Ok(StoredBody {
                size: bytes.len() as u64,
                md5,
                body: Body::Inline(bytes),
                files: work.files,
            });
        }
        self.flush(true).await?;
        let work = self.work.take().ok_or(Error::Unknown)?;
        let md5 = work.md5.finalize().into();
        Ok(StoredBody { size: work.size, md5, body: Body::External(work.done), files: work.files })
    }

    async fn flush(&mut self, is_last: bool) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.pending);
        let mut work = self.work.take().ok_or(Error::Unknown)?; // cancelled in an earlier piece
        let reserve = self.engine.config().reserve;
        let written = self
            .engine
            .env()
            .blocking(Work::Write, move || {
                let database = store::database_bytes(&work.env).map_err(Failed::Refused)?;
                reserve.check(&work.env, database, bytes.len() as u64).map_err(Failed::Refused)?;
                work.append(&bytes).map_err(|error| Failed::Refused(error.into()))?;
                if is_last && let Some(open) = work.open.take() {
                    work.close(open).map_err(Failed::Sync)?;
                }
                Ok(work)
            })
            .await;
        match written {
            Ok(work) => {
                self.work = Some(work);
                Ok(())
            }
            Err(Failed::Refused(error)) if error.is_full() => Err(Unavailable::DiskFull.into()),
            Err(Failed::Refused(error)) => Err(error.into()),
            Err(Failed::Sync(error)) => {
                self.engine.fail(&error);
                Err(store::Error::from(error).into())
            }
        }
    }
}

/// Bodies being read: not collected meanwhile.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<BTreeMap<Dot, usize>>);

impl Readers {
    pub(super) fn is_read(&self, dot: Dot) -> bool {
        lock(&self.0).contains_key(&dot)
    }
}

struct Reading {
    dot: Dot,
    readers: Arc<Readers>,
}

impl Reading {
    fn begin(dot: Dot, readers: Arc<Readers>) -> Self {
        *lock(&readers.0).entry(dot).or_default() += 1;
        Self { dot, readers }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut readers = lock(&self.readers.0);
        if let Some(count) = readers.get_mut(&self.dot) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&self.dot);
            }
        }
    }
}

/// The body of one version. While it lives, the body is not collected here.
pub struct BodyReader<E: Env> {
    engine: Engine<E>,
    body: Body,
    size: u64,
    reading: Reading,
}

impl<E: Env> BodyReader<E> {
    pub(super) fn new(engine: &Engine<E>, dot: Dot, size: u64, body: Body) -> Self {
        let reading = Reading::begin(dot, engine.shared.readers.clone());
        Self { engine: engine.clone(), body, size, reading }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Up to `len` bytes from an offset on: at least one unless the body ends there, at most [`PIECE`]. What is not here is
    /// fetched first; if that takes too long, 503.
    pub async fn read(&self, offset: u64, len: usize) -> Result<Bytes, Error> {
        let len = len.min(PIECE);
        let segments = match &self.body {
            Body::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                return Ok(bytes.slice(start..bytes.len().min(start.saturating_add(len))));
            }
            Body::External(segments) => segments,
        };
        let mut start = 0;
        for (number, segment) in (0..).zip(segments) {
            if offset < start + segment.size {
                return self
                    .engine
                    .read_segment((self.reading.dot, number), *segment, offset - start, len)
                    .await;
            }
            start += segment.size;
        }
        Ok(Bytes::new())
    }

    /// The whole body in memory: for bodies known to be small.
    pub async fn read_all(&self) -> Result<Bytes, Error> {
        let first = self.read(0, PIECE).await?;
        if first.len() as u64 == self.size {
            return Ok(first);
        }
        let mut all = first.to_vec();
        while (all.len() as u64) < self.size {
            all.extend_from_slice(&self.read(all.len() as u64, PIECE).await?);
        }
        Ok(all.into())
    }
}

/// Wanted before all others for as long as somebody waits.
struct Urgent<'a> {
    segment: SegmentOf,
    set: &'a Mutex<BTreeSet<SegmentOf>>,
}

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        lock(self.set).remove(&self.segment);
    }
}

impl<E: Env> Engine<E> {
    /// Reads from a segment; if it is not here, it is fetched first and waited for.
    async fn read_segment(
        &self,
        of: SegmentOf,
        segment: Segment,
        offset: u64,
        len: usize,
    ) -> Result<Bytes, Error> {
        let mut arrivals = self.shared.bodies.follow();
        let held = async {
            let mut is_announced = false;
            loop {
                // Before the look: what arrives after it wakes us.
                arrivals.latest();
                let blob = self.look(move |snapshot| snapshot.segment(of)).await?;
                if let Some(blob) = blob
                    && let Some(bytes) = self.read_file(of, blob, segment.size, offset, len).await?
                {
                    return Ok(bytes);
                }
                if is_announced {
                    arrivals.changed().await;
                } else {
                    lock(&self.shared.urgent).insert(of);
                    self.bodies_changed();
                    is_announced = true;
                }
            }
        };
        // Whoever stops waiting, for whatever reason, stops being urgent.
        let _urgent = Urgent { segment: of, set: &self.shared.urgent };
        let read = timeout(self.env(), self.config().wait_max, held).await;
        read.unwrap_or(Err(Unavailable::BodyElsewhere { holder: of.0.site }.into()))
    }

    /// Reads and checks a part of a file; `None`, and wanted again, if it is gone or damaged.
    pub(crate) async fn read_file(
        &self,
        of: SegmentOf,
        blob: String,
        size: u64,
        offset: u64,
        len: usize,
    ) -> Result<Option<Bytes>, Error> {
        let (env, name) = (self.env().clone(), blob.clone());
        let read =
            self.env().blocking(Work::Read, move || bodies::read(&env, &name, size, offset, len)).await;
        match read {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if !bodies::is_gone(&error) => Err(store::Error::from(error).into()), // no evidence of anything
            Err(_) => {
                self.segment_vanished(of, blob).await?;
                Ok(None)
            }
        }
    }

    /// Notes that a held segment cannot be read: it is fetched again from a peer.
    pub(super) async fn segment_vanished(&self, (dot, number): SegmentOf, blob: String) -> Result<(), Error> {
        self.env().mark("body-vanished");
        self.submit(Purpose::Tidy, move |sequencer| {
            Ok(Ok(sequencer.tx.segment_vanished(dot, number, &blob)?))
        })
        .await?;
        self.bodies_changed();
        Ok(())
    }
}
