//! Operations and their parts as prost messages: the format on disk and between sites.
//!
//! Field numbers are for ever; a field once used is reserved when it goes. Maps are repeated pairs in key order, so that
//! an encoding is canonical. Decoding checks everything: a message that cannot be understood is an error, never a
//! default.

use super::{Body, Content, Field, Kind, Manifest, Op, Part, RecordKey, Segment, Versioning};
use crate::causality::{Dot, Epoch, SiteId, Timestamp, VersionVector};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeMap;
use thiserror::Error;

/// Bytes that are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Not a message of this schema at all.
    #[error("not a message of this schema: {0}")]
    Schema(#[from] prost::DecodeError),
    /// A field that must be there is missing or out of range.
    #[error("field {0} is missing or out of range")]
    Field(&'static str),
}

/// Encoding of a [`Dot`].
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct DotMessage {
    #[prost(uint32, tag = "1")]
    site: u32,
    #[prost(fixed64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    seq: u64,
}

impl From<Dot> for DotMessage {
    fn from(dot: Dot) -> Self {
        Self { site: dot.site.0.into(), epoch: dot.epoch.0, seq: dot.seq }
    }
}

impl TryFrom<DotMessage> for Dot {
    type Error = Malformed;

    fn try_from(dot: DotMessage) -> Result<Self, Malformed> {
        let site = u16::try_from(dot.site).map_err(|_| Malformed::Field("dot.site"))?;
        if dot.seq == 0 {
            return Err(Malformed::Field("dot.seq"));
        }
        Ok(Self { site: SiteId(site), epoch: Epoch(dot.epoch), seq: dot.seq })
    }
}

/// Encodes a list of dots.
pub fn dots_out(dots: &[Dot]) -> Vec<DotMessage> {
    dots.iter().copied().map(DotMessage::from).collect()
}

/// Decodes a list of dots.
pub fn dots_in(dots: Vec<DotMessage>) -> Result<Vec<Dot>, Malformed> {
    dots.into_iter().map(Dot::try_from).collect()
}

/// Encoding of a [`VersionVector`] or a part of one: entries are the last dots.
pub fn vector_out(entries: impl Iterator<Item = ((SiteId, Epoch), u64)>) -> Vec<DotMessage> {
    entries.map(|((site, epoch), seq)| Dot { site, epoch, seq }.into()).collect()
}

/// Decodes [`vector_out`].
pub fn vector_in(entries: Vec<DotMessage>) -> Result<VersionVector, Malformed> {
    Ok(dots_in(entries)?.into_iter().map(|dot| (dot.origin(), dot.seq)).collect())
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PairMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

fn pairs_out(map: &BTreeMap<String, String>) -> Vec<PairMessage> {
    map.iter().map(|(name, value)| PairMessage { name: name.clone(), value: value.clone() }).collect()
}

fn pairs_in(pairs: Vec<PairMessage>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|pair| (pair.name, pair.value)).collect()
}

#[derive(Clone, PartialEq, Eq, Message)]
struct SegmentMessage {
    #[prost(uint64, tag = "1")]
    size: u64,
    #[prost(bytes = "bytes", tag = "2")]
    blake3: Bytes,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PartMessage {
    #[prost(uint32, tag = "1")]
    number: u32,
    #[prost(uint64, tag = "2")]
    size: u64,
    #[prost(bytes = "bytes", optional, tag = "3")]
    checksum: Option<Bytes>,
}

/// Encoding of a [`Content`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContentMessage {
    #[prost(uint64, tag = "1")]
    size: u64,
    #[prost(string, tag = "2")]
    etag: String,
    #[prost(bytes = "bytes", optional, tag = "3")]
    inline: Option<Bytes>,
    #[prost(message, repeated, tag = "4")]
    segments: Vec<SegmentMessage>,
    #[prost(message, repeated, tag = "5")]
    headers: Vec<PairMessage>,
    #[prost(message, repeated, tag = "6")]
    parts: Vec<PartMessage>,
}

impl From<&Content> for ContentMessage {
    fn from(content: &Content) -> Self {
        let manifest = &content.manifest;
        let inline = match &manifest.body {
            Body::Inline(bytes) => Some(bytes.clone()),
            Body::External(_) => None,
        };
        let segment = |segment: &Segment| SegmentMessage {
            size: segment.size,
            blake3: Bytes::copy_from_slice(&segment.blake3),
        };
        let part = |part: &Part| PartMessage {
            number: part.number.into(),
            size: part.size,
            checksum: part.checksum.clone(),
        };
        Self {
            size: manifest.size,
            etag: manifest.etag.clone(),
            inline,
            segments: manifest.body.segments().iter().map(segment).collect(),
            headers: pairs_out(&content.headers),
            parts: manifest.parts.iter().map(part).collect(),
        }
    }
}

impl TryFrom<ContentMessage> for Content {
    type Error = Malformed;

    fn try_from(message: ContentMessage) -> Result<Self, Malformed> {
        let segments = message.segments.into_iter().map(|segment| {
            let blake3 =
                segment.blake3.as_ref().try_into().map_err(|_| Malformed::Field("segment.blake3"))?;
            Ok(Segment { size: segment.size, blake3 })
        });
        let segments = segments.collect::<Result<Vec<Segment>, Malformed>>()?;
        let parts = message.parts.into_iter().map(|part| {
            let number = u16::try_from(part.number).map_err(|_| Malformed::Field("part.number"))?;
            Ok(Part { number, size: part.size, checksum: part.checksum })
        });
        let parts = parts.collect::<Result<Vec<Part>, Malformed>>()?;
        let sums_to_size =
            |sizes: Vec<u64>| sizes.into_iter().try_fold(0u64, u64::checked_add) == Some(message.size);
        let body = match message.inline {
            Some(bytes) if bytes.len() as u64 == message.size && segments.is_empty() => Body::Inline(bytes),
            Some(_) => return Err(Malformed::Field("content.size")),
            None => {
                let whole = segments.iter().all(|segment| segment.size > 0) && !segments.is_empty();
                if !whole || !sums_to_size(segments.iter().map(|segment| segment.size).collect()) {
                    return Err(Malformed::Field("content.segments"));
                }
                Body::External(segments)
            }
        };
        if !parts.is_empty() && !sums_to_size(parts.iter().map(|part| part.size).collect()) {
            return Err(Malformed::Field("content.parts"));
        }
        let manifest = Manifest { size: message.size, etag: message.etag, body, parts };
        Ok(Self { manifest, headers: pairs_in(message.headers) })
    }
}

/// Encodes a [`Versioning`].
pub fn versioning_out(versioning: Versioning) -> u32 {
    match versioning {
        Versioning::Unversioned => 1,
        Versioning::Enabled => 2,
        Versioning::Suspended => 3,
    }
}

/// Decodes [`versioning_out`].
pub fn versioning_in(code: u32) -> Result<Versioning, Malformed> {
    match code {
        1 => Ok(Versioning::Unversioned),
        2 => Ok(Versioning::Enabled),
        3 => Ok(Versioning::Suspended),
        _ => Err(Malformed::Field("versioning")),
    }
}

/// Encodes a [`Field`].
pub fn field_out(field: Field) -> u32 {
    match field {
        Field::Tags => 1,
        Field::Retention => 2,
        Field::LegalHold => 3,
        Field::Acl => 4,
    }
}

/// Decodes [`field_out`].
pub fn field_in(code: u32) -> Result<Field, Malformed> {
    match code {
        1 => Ok(Field::Tags),
        2 => Ok(Field::Retention),
        3 => Ok(Field::LegalHold),
        4 => Ok(Field::Acl),
        _ => Err(Malformed::Field("field")),
    }
}

#[derive(Clone, PartialEq, Eq, Message)]
struct OpMessage {
    #[prost(message, optional, tag = "1")]
    dot: Option<DotMessage>,
    #[prost(bytes = "bytes", tag = "2")]
    prev: Bytes,
    #[prost(fixed64, tag = "3")]
    hlc: u64,
    #[prost(bytes = "bytes", tag = "4")]
    record: Bytes,
    #[prost(uint32, tag = "5")]
    kind: u32,
    #[prost(message, repeated, tag = "6")]
    supersedes: Vec<DotMessage>,
    #[prost(message, repeated, tag = "7")]
    unseen: Vec<DotMessage>,
    #[prost(bool, tag = "8")]
    client_context: bool,
    #[prost(uint32, tag = "9")]
    versioning: u32,
    #[prost(message, optional, tag = "10")]
    content: Option<ContentMessage>,
    #[prost(message, optional, tag = "11")]
    target: Option<DotMessage>,
    #[prost(message, repeated, tag = "12")]
    pairs: Vec<PairMessage>,
    #[prost(uint32, tag = "13")]
    field: u32,
}

const PUT: u32 = 1;
const DELETE_MARKER: u32 = 2;
const DELETE: u32 = 3;
const VERSION_DELETE: u32 = 4;
const EXPIRE: u32 = 5;
const META: u32 = 6;
const BUCKET_CREATE: u32 = 7;
const BUCKET_CONFIG: u32 = 8;
const BUCKET_DELETE: u32 = 9;
const BODY_LOST: u32 = 10;

/// The canonical encoding of an operation.
pub fn encode_op(op: &Op) -> Vec<u8> {
    let mut message = OpMessage {
        dot: Some(op.dot.into()),
        prev: Bytes::copy_from_slice(&op.prev),
        hlc: op.hlc.0,
        record: op.record.encode().into(),
        supersedes: dots_out(&op.supersedes),
        unseen: dots_out(&op.unseen),
        client_context: op.client_context,
        ..OpMessage::default()
    };
    message.kind = match &op.kind {
        Kind::Put { versioning, content } => {
            message.versioning = versioning_out(*versioning);
            message.content = Some(content.into());
            PUT
        }
        Kind::DeleteMarker { versioning } => {
            message.versioning = versioning_out(*versioning);
            DELETE_MARKER
        }
        Kind::Delete => DELETE,
        Kind::VersionDelete => VERSION_DELETE,
        Kind::Expire => EXPIRE,
        Kind::Meta { target, field, pairs } => {
            message.target = Some((*target).into());
            message.field = field_out(*field);
            message.pairs = pairs_out(pairs);
            META
        }
        Kind::BucketCreate => BUCKET_CREATE,
        Kind::BucketConfig { field, value } => {
            message.pairs = vec![PairMessage { name: field.clone(), value: value.clone() }];
            BUCKET_CONFIG
        }
        Kind::BucketDelete => BUCKET_DELETE,
        Kind::BodyLost { versioning, restored } => {
            message.versioning = versioning_out(*versioning);
            message.content = restored.as_ref().map(ContentMessage::from);
            BODY_LOST
        }
    };
    message.encode_to_vec()
}

/// The dot alone, of an operation that may otherwise be from a newer release.
pub fn decode_dot(bytes: &[u8]) -> Result<Dot, Malformed> {
    #[derive(Clone, PartialEq, Eq, Message)]
    struct DotOnly {
        #[prost(message, optional, tag = "1")]
        dot: Option<DotMessage>,
    }
    DotOnly::decode(bytes)?.dot.ok_or(Malformed::Field("op.dot"))?.try_into()
}

/// Reads [`encode_op`] back.
pub fn decode_op(bytes: &[u8]) -> Result<Op, Malformed> {
    let message = OpMessage::decode(bytes)?;
    let content = message.content.map(Content::try_from).transpose()?;
    let kind = match message.kind {
        PUT => Kind::Put {
            versioning: versioning_in(message.versioning)?,
            content: content.ok_or(Malformed::Field("op.content"))?,
        },
        DELETE_MARKER => Kind::DeleteMarker { versioning: versioning_in(message.versioning)? },
        DELETE => Kind::Delete,
        VERSION_DELETE => Kind::VersionDelete,
        EXPIRE => Kind::Expire,
        META => Kind::Meta {
            target: message.target.ok_or(Malformed::Field("op.target"))?.try_into()?,
            field: field_in(message.field)?,
            pairs: pairs_in(message.pairs),
        },
        BUCKET_CREATE => Kind::BucketCreate,
        BUCKET_CONFIG => {
            let [pair] = <[_; 1]>::try_from(message.pairs).map_err(|_| Malformed::Field("op.pairs"))?;
            Kind::BucketConfig { field: pair.name, value: pair.value }
        }
        BUCKET_DELETE => Kind::BucketDelete,
        BODY_LOST => Kind::BodyLost { versioning: versioning_in(message.versioning)?, restored: content },
        _ => return Err(Malformed::Field("op.kind")),
    };
    Ok(Op {
        dot: message.dot.ok_or(Malformed::Field("op.dot"))?.try_into()?,
        prev: message.prev.as_ref().try_into().map_err(|_| Malformed::Field("op.prev"))?,
        hlc: Timestamp(message.hlc),
        record: RecordKey::decode(&message.record).ok_or(Malformed::Field("op.record"))?,
        kind,
        supersedes: dots_in(message.supersedes)?,
        unseen: dots_in(message.unseen)?,
        client_context: message.client_context,
    })
}
