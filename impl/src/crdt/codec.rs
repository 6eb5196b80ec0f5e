//! The encoding of a [`Record`], on disk and in a state merge.

use super::{Entry, Payload, Raise, Record};
use crate::{
    causality::{Dot, Timestamp},
    object::wire::{
        ContentMessage, DotMessage, Malformed, field_in, field_out, versioning_in, versioning_out,
    },
};
use prost::Message;

#[derive(Clone, PartialEq, Eq, Message)]
struct RaiseMessage {
    #[prost(message, optional, tag = "1")]
    dot: Option<DotMessage>,
    #[prost(uint32, tag = "2")]
    raise: u32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PairMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct EntryMessage {
    #[prost(message, optional, tag = "1")]
    dot: Option<DotMessage>,
    #[prost(fixed64, tag = "2")]
    hlc: u64,
    #[prost(uint32, tag = "3")]
    raise: u32,
    #[prost(uint32, tag = "4")]
    payload: u32,
    #[prost(uint32, tag = "5")]
    versioning: u32,
    #[prost(message, optional, tag = "6")]
    content: Option<ContentMessage>,
    #[prost(message, optional, tag = "7")]
    target: Option<DotMessage>,
    #[prost(message, repeated, tag = "8")]
    pairs: Vec<PairMessage>,
    #[prost(message, repeated, tag = "9")]
    raises: Vec<RaiseMessage>,
    #[prost(uint32, tag = "10")]
    field: u32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct RecordMessage {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<EntryMessage>,
    #[prost(message, repeated, tag = "2")]
    pending: Vec<RaiseMessage>,
}

const VERSION: u32 = 1;
const META: u32 = 2;
const BUCKET_CREATE: u32 = 3;
const BUCKET_CONFIG: u32 = 4;

fn raise_out(dot: Dot, raise: Raise) -> RaiseMessage {
    RaiseMessage { dot: Some(dot.into()), raise: raise_code(raise) }
}

fn raise_in(message: &RaiseMessage) -> Result<(Dot, Raise), Malformed> {
    Ok((message.dot.ok_or(Malformed::Field("raise.dot"))?.try_into()?, raise_of(message.raise)?))
}

fn raise_code(raise: Raise) -> u32 {
    match raise {
        Raise::Live => 0,
        Raise::Displaced => 1,
        Raise::Retained => 2,
        Raise::Lost => 3,
        Raise::Overwritten => 4,
        Raise::Purged => 5,
    }
}

fn raise_of(code: u32) -> Result<Raise, Malformed> {
    [Raise::Live, Raise::Displaced, Raise::Retained, Raise::Lost, Raise::Overwritten, Raise::Purged]
        .get(code as usize)
        .copied()
        .ok_or(Malformed::Field("raise"))
}

/// Encodes a record.
pub fn encode_record(record: &Record) -> Vec<u8> {
    let entries = record.entries.iter().map(|(&dot, entry)| {
        let mut message = EntryMessage {
            dot: Some(dot.into()),
            hlc: entry.hlc.0,
            raise: raise_code(entry.raise),
            raises: entry.raises.iter().map(|&(dot, raise)| raise_out(dot, raise)).collect(),
            ..EntryMessage::default()
        };
        message.payload = match &entry.payload {
            Payload::Version { versioning, content } => {
                message.versioning = versioning_out(*versioning);
                message.content = content.as_ref().map(ContentMessage::from);
                VERSION
            }
            Payload::Meta { target, field, pairs } => {
                message.target = Some((*target).into());
                message.field = field_out(*field);
                message.pairs = pairs
                    .iter()
                    .map(|(name, value)| PairMessage { name: name.clone(), value: value.clone() })
                    .collect();
                META
            }
            Payload::BucketCreate => BUCKET_CREATE,
            Payload::BucketConfig { field, value } => {
                message.pairs = vec![PairMessage { name: field.clone(), value: value.clone() }];
                BUCKET_CONFIG
            }
        };
        message
    });
    let pending = record.pending.iter().map(|(&dot, &raise)| raise_out(dot, raise)).collect();
    RecordMessage { entries: entries.collect(), pending }.encode_to_vec()
}

/// Reads [`encode_record`] back.
pub fn decode_record(bytes: &[u8]) -> Result<Record, Malformed> {
    let message = RecordMessage::decode(bytes)?;
    let mut record = Record::default();
    for entry in message.entries {
        let dot = entry.dot.ok_or(Malformed::Field("entry.dot"))?.try_into()?;
        let payload = match entry.payload {
            VERSION => Payload::Version {
                versioning: versioning_in(entry.versioning)?,
                content: entry.content.map(TryInto::try_into).transpose()?,
            },
            META => Payload::Meta {
                target: entry.target.ok_or(Malformed::Field("entry.target"))?.try_into()?,
                field: field_in(entry.field)?,
                pairs: entry.pairs.into_iter().map(|pair| (pair.name, pair.value)).collect(),
            },
            BUCKET_CREATE => Payload::BucketCreate,
            BUCKET_CONFIG => {
                let [pair] = <[_; 1]>::try_from(entry.pairs).map_err(|_| Malformed::Field("entry.pairs"))?;
                Payload::BucketConfig { field: pair.name, value: pair.value }
            }
            _ => return Err(Malformed::Field("entry.payload")),
        };
        let raises = entry.raises.into_iter().map(|message| raise_in(&message)).collect::<Result<_, _>>()?;
        let entry = Entry { hlc: Timestamp(entry.hlc), raise: raise_of(entry.raise)?, payload, raises };
        record.entries.insert(dot, entry);
    }
    record.pending =
        message.pending.into_iter().map(|message| raise_in(&message)).collect::<Result<_, _>>()?;
    Ok(record)
}
