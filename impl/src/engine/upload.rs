//! Multipart uploads: parts gather at the site that took the upload up; completed, they are one write like any other.
//!
//! Nothing of an upload is replicated before it is complete. Its id names the site that keeps it, so another site can
//! tell where to send the client. At most `uploads_max` are under way at a site; beyond that new ones are refused.

use super::{
    Condition, Context, Engine, Error, Seen, StoredBody, Unavailable, VersionRef, Written,
    context::hex,
    put::{Draw, object_key, write_version},
    writer::Purpose,
};
use crate::{
    env::Env,
    object::{Body, BucketId, Content, Manifest, Part, RecordKey, Segment},
    store::{CompletedRow, PartRow, StoredSegment, UploadId, UploadRow},
};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// The least that a part may have, but for the last (S3: 5 MiB).
pub const PART_MIN: u64 = 5 << 20;
/// The greatest number of a part.
pub const PART_NUMBER_MAX: u16 = 10_000;

/// The beginning of an upload.
#[derive(Clone, Debug)]
pub struct BeginUpload {
    /// Where.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// User metadata and system headers of the object.
    pub headers: BTreeMap<String, String>,
    /// Who begins it.
    pub initiator: String,
}

/// The end of an upload.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    /// Which.
    pub id: UploadId,
    /// Where the client believes it to be.
    pub bucket: BucketId,
    /// The object key.
    pub key: String,
    /// The parts to be taken, in order: number, and ETag if the client names it.
    pub parts: Vec<(u16, Option<String>)>,
    /// Headers that are known only now, besides those of the beginning.
    pub headers: BTreeMap<String, String>,
    /// What the client has seen of the key.
    pub context: Option<Context>,
    /// Under which condition.
    pub condition: Option<Condition>,
}

impl<E: Env> Engine<E> {
    /// Begins an upload.
    pub async fn begin_upload(&self, begin: BeginUpload) -> Result<UploadId, Error> {
        let record = object_key(&begin.bucket, &begin.key)?;
        let id = UploadId { site: self.site(), number: self.env().random_u64() };
        let row = UploadRow {
            record,
            began_ms: self.env().wall_ms(),
            headers: begin.headers,
            initiator: begin.initiator,
        };
        let max = self.config().uploads_max;
        self.submit(Purpose::Grow, move |sequencer| {
            if let Err(error) = sequencer.bucket(row.record.bucket())? {
                return Ok(Err(error));
            }
            if sequencer.tx.has_uploads(max)? {
                return Ok(Err(Unavailable::Overloaded.into()));
            }
            sequencer.tx.put_upload(id, &row)?;
            Ok(Ok(id))
        })
        .await
    }

    /// Begins to take a part's body in.
    pub fn write_part(&self) -> super::BodyWriter<E> {
        self.body_writer(0)
    }

    /// Keeps a part; one of the same number goes. Returns its ETag.
    pub async fn put_part(
        &self,
        id: UploadId,
        record: RecordKey,
        number: u16,
        body: StoredBody,
        checksum: Option<Vec<u8>>,
    ) -> Result<String, Error> {
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            return Err(Error::Invalid(format!("part number {number} is not within 1 to {PART_NUMBER_MAX}")));
        }
        let StoredBody { body, size, md5, files } = body;
        let at_ms = self.env().wall_ms();
        self.submit(Purpose::Grow, move |sequencer| {
            if sequencer.tx.upload(id)?.is_none_or(|upload| upload.record != record) {
                return Ok(Err(Error::NoSuchUpload(id.to_string())));
            }
            let segments = body.segments().iter().zip(files.publish());
            let segments =
                segments.map(|(segment, blob)| StoredSegment { segment: *segment, blob }).collect();
            sequencer.tx.put_part(id, number, &PartRow { segments, size, md5, checksum, at_ms })?;
            Ok(Ok(hex(&md5)))
        })
        .await
    }

    /// An upload under way.
    pub async fn upload(&self, id: UploadId) -> Result<UploadRow, Error> {
        let found = self.look(move |snapshot| snapshot.upload(id)).await?;
        found.ok_or_else(|| Error::NoSuchUpload(id.to_string()))
    }

    /// The parts of an upload above a number, in order, at most `limit`.
    pub async fn parts(&self, id: UploadId, after: u16, limit: usize) -> Result<Vec<(u16, PartRow)>, Error> {
        Ok(self.read(move |snapshot| snapshot.parts(id, after, limit)).await?)
    }

    /// The uploads under way here in a bucket, by key and time of their beginning.
    pub async fn uploads(&self, bucket: &BucketId) -> Result<Vec<(UploadId, UploadRow)>, Error> {
        let mut found = self.read(super::super::store::Snapshot::uploads).await?;
        found.retain(|(_, upload)| upload.record.bucket() == bucket);
        found.sort_by(|(a, x), (b, y)| (&x.record, x.began_ms, a).cmp(&(&y.record, y.began_ms, b)));
        Ok(found)
    }

    /// The version of this object that an upload became, if it is among the latest that were completed here. The version
    /// may have gone since.
    pub async fn completed_upload(
        &self,
        id: UploadId,
        record: RecordKey,
    ) -> Result<Option<VersionRef>, Error> {
        let found = self.read(move |snapshot| snapshot.completed_upload(id)).await?;
        Ok(found.filter(|found| found.record == record).map(|found| VersionRef::Dot(found.version)))
    }

    /// Gives an upload up: its parts go.
    pub async fn abort_upload(&self, id: UploadId, record: RecordKey) -> Result<(), Error> {
        self.submit(Purpose::Tidy, move |sequencer| {
            if sequencer.tx.upload(id)?.is_none_or(|upload| upload.record != record) {
                return Ok(Err(Error::NoSuchUpload(id.to_string())));
            }
            sequencer.tx.drop_upload(id)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Makes the parts named one version of the key. All others go.
    pub async fn complete_upload(&self, complete: CompleteUpload) -> Result<Written, Error> {
        let asked_at = self.env().monotonic();
        let key = object_key(&complete.bucket, &complete.key)?;
        let seen = self.await_seen(&key, complete.context.as_ref()).await?;
        let record = key.clone();
        let (stamp, etag) = self
            .submit(Purpose::Grow, move |sequencer| {
                let CompleteUpload { id, parts, headers, condition, .. } = complete;
                let upload = sequencer.tx.upload(id)?.filter(|upload| upload.record == record);
                let Some(upload) = upload else { return Ok(Err(Error::NoSuchUpload(id.to_string()))) };
                let mut rows = Vec::with_capacity(parts.len());
                for (number, etag) in &parts {
                    let row = sequencer.tx.part(id, *number)?;
                    let names_it = |row: &PartRow| {
                        etag.as_ref().is_none_or(|etag| etag.trim_matches('"') == hex(&row.md5))
                    };
                    let Some(row) = row.filter(names_it) else {
                        return Ok(Err(Error::InvalidPart(*number)));
                    };
                    rows.push((*number, row));
                }
                if let Err(error) = check(&rows) {
                    return Ok(Err(error));
                }
                let manifest = manifest(&rows);
                let etag = manifest.etag.clone();
                let mut all = upload.headers;
                all.extend(headers);
                let draw =
                    Draw { record, seen, condition, asked_at, content: Content { manifest, headers: all } };
                let op = match write_version(sequencer, draw)? {
                    Ok(op) => op,
                    Err(error) => return Ok(Err(error)),
                };
                let mut next = 0;
                for (number, row) in rows {
                    sequencer.tx.take_part(id, number)?;
                    for stored in row.segments {
                        sequencer.tx.segment_arrived(op.dot, next, &stored.blob)?;
                        next += 1;
                    }
                }
                sequencer.tx.drop_upload(id)?;
                let completed = CompletedRow { record: op.record.clone(), version: op.dot };
                sequencer.tx.note_completed(id, &completed)?;
                Ok(Ok((op.stamp(), etag)))
            })
            .await?;
        let context = self.issue(&key, &Seen { stamps: vec![stamp] });
        Ok(Written { version: Some(stamp), etag: Some(etag), context })
    }
}

fn check(rows: &[(u16, PartRow)]) -> Result<(), Error> {
    if rows.is_empty() {
        return Err(Error::Invalid("an upload needs at least one part".into()));
    }
    if rows.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(Error::PartOrder);
    }
    match rows[..rows.len() - 1].iter().find(|(_, row)| row.size < PART_MIN) {
        Some((number, row)) => Err(Error::PartTooSmall { number: *number, size: row.size }),
        None => Ok(()),
    }
}

fn manifest(rows: &[(u16, PartRow)]) -> Manifest {
    let mut md5 = Md5::new();
    rows.iter().for_each(|(_, row)| md5.update(row.md5));
    let etag = format!("{}-{}", hex(&md5.finalize()), rows.len());
    let segments: Vec<Segment> =
        rows.iter().flat_map(|(_, row)| row.segments.iter().map(|stored| stored.segment)).collect();
    let part = |(number, row): &(u16, PartRow)| Part {
        number: *number,
        size: row.size,
        checksum: row.checksum.clone().map(Bytes::from),
    };
    let body = if segments.is_empty() { Body::Inline(Bytes::new()) } else { Body::External(segments) };
    let size = rows.iter().map(|(_, row)| row.size).sum();
    Manifest { size, etag, body, parts: rows.iter().map(part).collect() }
}
