//! The small rows beside records and log, and their encodings.

use super::{Error, envelope};
use crate::{
    causality::{Dot, Epoch, SiteId, Timestamp},
    object::{
        ChainHash, Content,
        wire::{ContentMessage, DotMessage, dots_in, dots_out},
    },
};
use prost::Message;
use std::collections::BTreeMap;

/// One origin as applied here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginRow {
    /// The last sequence number applied.
    pub last: u64,
    /// The log holds `(low, last]`.
    pub low: u64,
    /// The chain hash of the last operation.
    pub chain: ChainHash,
    /// Whether every member agrees on `last` for good.
    pub folded: bool,
}

/// One body of a version held in files, or that should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyRow {
    /// The encoded key of the record that the version is in.
    pub record: Vec<u8>,
    /// Segments that are not here.
    pub missing: u32,
    /// For garbage: the operations that purged the version.
    pub purged_by: Vec<Dot>,
    /// For garbage: the version's timestamp and content, should its superseder's body be lost before it spread.
    pub content: Option<(Timestamp, Content)>,
}

/// Where a store stands among the sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Whether it has caught up with a peer once. Before, an absent key proves nothing.
    pub joined: bool,
}

/// A state merge under way: persisted, so that a crash resumes it and nothing mistakes the half for the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeProgress {
    /// Every origin in the sender's snapshot: what may be claimed at the end.
    pub origins: BTreeMap<(SiteId, Epoch), OriginRow>,
    /// Whether the whole state is staged and is being folded into the records; else it is being received.
    pub folding: bool,
    /// Every record up to this encoded key is staged, or folded; empty before the first.
    pub cursor: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct OriginMessage {
    #[prost(uint64, tag = "1")]
    last: u64,
    #[prost(uint64, tag = "2")]
    low: u64,
    #[prost(bytes = "vec", tag = "3")]
    chain: Vec<u8>,
    #[prost(bool, tag = "4")]
    folded: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct BodyMessage {
    #[prost(bytes = "vec", tag = "1")]
    record: Vec<u8>,
    #[prost(uint32, tag = "2")]
    missing: u32,
    #[prost(message, repeated, tag = "3")]
    purged_by: Vec<DotMessage>,
    #[prost(fixed64, tag = "4")]
    hlc: u64,
    #[prost(message, optional, tag = "5")]
    content: Option<ContentMessage>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct MembershipMessage {
    #[prost(bool, tag = "1")]
    joined: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct CutMessage {
    #[prost(message, optional, tag = "1")]
    last: Option<DotMessage>,
    #[prost(bytes = "vec", tag = "2")]
    chain: Vec<u8>,
    #[prost(bool, tag = "3")]
    folded: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct MergeMessage {
    #[prost(message, repeated, tag = "1")]
    cut: Vec<CutMessage>,
    #[prost(bytes = "vec", tag = "2")]
    cursor: Vec<u8>,
    #[prost(bool, tag = "3")]
    folding: bool,
}

/// A row with an encoding of its own.
pub(crate) trait Row: Sized {
    const WHAT: &'static str;
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Option<Self>;

    fn seal(&self, key: &[u8]) -> Vec<u8> {
        envelope::seal(key, &self.encode())
    }

    fn unseal(key: &[u8], sealed: &[u8]) -> Result<Self, Error> {
        envelope::open(key, sealed)
            .and_then(Self::decode)
            .ok_or_else(|| Error::corrupt(Self::WHAT, String::from_utf8_lossy(key).escape_debug()))
    }
}

impl Row for OriginRow {
    const WHAT: &'static str = "origin";

    fn encode(&self) -> Vec<u8> {
        let Self { last, low, chain, folded } = self;
        OriginMessage { last: *last, low: *low, chain: chain.to_vec(), folded: *folded }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let OriginMessage { last, low, chain, folded } = OriginMessage::decode(bytes).ok()?;
        Some(Self { last, low, chain: chain.try_into().ok()?, folded })
    }
}

impl Row for BodyRow {
    const WHAT: &'static str = "body row";

    fn encode(&self) -> Vec<u8> {
        BodyMessage {
            record: self.record.clone(),
            missing: self.missing,
            purged_by: dots_out(&self.purged_by),
            hlc: self.content.as_ref().map_or(0, |(hlc, _)| hlc.0),
            content: self.content.as_ref().map(|(_, content)| content.into()),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = BodyMessage::decode(bytes).ok()?;
        Some(Self {
            record: message.record,
            missing: message.missing,
            purged_by: dots_in(message.purged_by).ok()?,
            content: match message.content {
                Some(content) => Some((Timestamp(message.hlc), content.try_into().ok()?)),
                None => None,
            },
        })
    }
}

impl Row for Membership {
    const WHAT: &'static str = "membership";

    fn encode(&self) -> Vec<u8> {
        MembershipMessage { joined: self.joined }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self { joined: MembershipMessage::decode(bytes).ok()?.joined })
    }
}

impl Row for MergeProgress {
    const WHAT: &'static str = "merge progress";

    fn encode(&self) -> Vec<u8> {
        let cut = self.origins.iter().map(|(&(site, epoch), row)| CutMessage {
            last: Some(Dot { site, epoch, seq: row.last }.into()),
            chain: row.chain.to_vec(),
            folded: row.folded,
        });
        MergeMessage { cut: cut.collect(), cursor: self.cursor.clone(), folding: self.folding }
            .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let message = MergeMessage::decode(bytes).ok()?;
        let mut origins = BTreeMap::new();
        for CutMessage { last, chain, folded } in message.cut {
            let last = Dot::try_from(last?).ok()?;
            let row = OriginRow { last: last.seq, low: last.seq, chain: chain.try_into().ok()?, folded };
            origins.insert(last.origin(), row);
        }
        Some(Self { origins, folding: message.folding, cursor: message.cursor })
    }
}

/// A plain number.
impl Row for u64 {
    const WHAT: &'static str = "number";

    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// A plain text.
impl Row for String {
    const WHAT: &'static str = "text";

    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}
