//! What sites say to each other. Field numbers are for ever.

use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    object::wire::{DotMessage, Malformed, dots_in, dots_out, vector_in, vector_out},
};
use bytes::Bytes;
use prost::{Message as _, Oneof};

/// The protocol spoken here. A session runs in the lower of both sides' versions, if both still speak it.
pub const PROTOCOL: u32 = 1;
/// The oldest protocol still spoken.
pub const PROTOCOL_MIN: u32 = 1;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Operations, reports and state.
    Ops,
    /// Bodies.
    Bodies,
    /// Comparing records.
    Audit,
    /// Requests of the caller's clients, in HTTP once the handshake is done.
    Clients,
}

/// The first message of either side.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Hello {
    /// The newest protocol the sender speaks.
    #[prost(uint32, tag = "1")]
    pub protocol: u32,
    /// The oldest it still speaks.
    #[prost(uint32, tag = "2")]
    pub protocol_min: u32,
    /// The cluster's name.
    #[prost(string, tag = "3")]
    pub cluster: String,
    /// Who speaks.
    #[prost(uint32, tag = "4")]
    pub site: u32,
    /// In which epoch.
    #[prost(fixed64, tag = "5")]
    pub epoch: u64,
    /// Its wall clock, in milliseconds since the Unix epoch.
    #[prost(uint64, tag = "6")]
    pub wall_ms: u64,
    /// 1 for operations, 2 for bodies, 3 for comparing, 4 for clients' requests.
    #[prost(uint32, tag = "7")]
    pub purpose: u32,
    /// Set if the other side is refused, and why.
    #[prost(string, tag = "8")]
    pub refused: String,
}

/// A vector on the wire. Folded entries are left out when both sides' folded sets have one hash.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Vector {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<DotMessage>,
    /// Hash of the entries left out; 0 if none are.
    #[prost(fixed64, tag = "2")]
    folded: u64,
}

impl Vector {
    /// Encodes a vector for a peer whose folded set has this hash.
    pub fn encode(vector: &VersionVector, peer_folded: u64) -> Self {
        let folded = folded_hash(vector);
        if folded == peer_folded && folded != 0 {
            Self { entries: vector_out(vector.open_part()), folded }
        } else {
            Self { entries: vector_out(vector.iter()), folded: 0 }
        }
    }

    /// Decodes; `own` supplies the folded entries that both sides have.
    pub fn decode(self, own: &VersionVector) -> Result<VersionVector, Malformed> {
        let mut vector = vector_in(self.entries)?;
        if self.folded != 0 {
            if self.folded != folded_hash(own) {
                return Err(Malformed::Field("vector.folded"));
            }
            for (origin, seq) in own.folded() {
                vector.advance(origin, seq);
            }
        }
        Ok(vector)
    }
}

/// The hash of a vector's folded entries; 0 if there are none.
pub fn folded_hash(vector: &VersionVector) -> u64 {
    let mut hash = blake3::Hasher::new();
    let mut any = false;
    for ((site, epoch), seq) in vector.folded() {
        any = true;
        hash.update(&site.0.to_le_bytes()).update(&epoch.0.to_le_bytes()).update(&seq.to_le_bytes());
    }
    if any { u64::from_le_bytes(hash.finalize().as_bytes()[..8].try_into().expect("8 bytes")) | 1 } else { 0 }
}

/// The standing request of the side that pulls.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Pull {
    /// What the puller has applied and synced.
    #[prost(message, optional, tag = "1")]
    pub vector: Option<Vector>,
    /// The origins wanted from this peer.
    #[prost(uint32, repeated, tag = "2")]
    pub sites: Vec<u32>,
    /// Hash of the puller's folded entries.
    #[prost(fixed64, tag = "3")]
    pub folded: u64,
    /// See [`Report`].
    #[prost(message, optional, tag = "4")]
    pub lacks: Option<Lacks>,
}

/// Of each origin the first operation whose body the speaker lacks; no entry where it has them all.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Lacks {
    #[prost(message, repeated, tag = "1")]
    dots: Vec<DotMessage>,
}

impl Lacks {
    /// Encodes.
    pub fn encode(dots: &[Dot]) -> Self {
        Self { dots: dots_out(dots) }
    }

    /// Decodes.
    pub fn decode(self) -> Result<Vec<Dot>, Malformed> {
        dots_in(self.dots)
    }
}

/// Operations of one or more origins, each origin's in log order, as their origins encoded them.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Ops {
    /// The operations.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub ops: Vec<Bytes>,
}

/// What the speaker has applied and synced. From the sender: sent whenever the stream has drained, and as a heartbeat.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Report {
    /// The vector.
    #[prost(message, optional, tag = "1")]
    pub vector: Option<Vector>,
    /// The speaker's wall clock.
    #[prost(uint64, tag = "2")]
    pub wall_ms: u64,
    /// Hash of the speaker's folded entries.
    #[prost(fixed64, tag = "3")]
    pub folded: u64,
    /// Whether everything that the puller asked for and the sender has was sent.
    #[prost(bool, tag = "4")]
    pub drained: bool,
    /// Whether the speaker has caught up with the cluster since its disk was created.
    #[prost(bool, tag = "5")]
    pub joined: bool,
    /// What bodies it lacks. Only the side that pulls says so.
    #[prost(message, optional, tag = "6")]
    pub lacks: Option<Lacks>,
}

/// The log no longer reaches back to the puller's vector: it must take over the state.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct MergeNeeded {}

/// Asks for the state from a key on.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MergeRequest {
    /// The last key merged; empty to start.
    #[prost(bytes = "vec", tag = "1")]
    pub after: Vec<u8>,
}

/// One key range of the state.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MergeChunk {
    /// The last key of the range before.
    #[prost(bytes = "vec", tag = "2")]
    pub after: Vec<u8>,
    /// The last key of this range; unset in the last chunk.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub upto: Option<Vec<u8>>,
    /// The records.
    #[prost(message, repeated, tag = "4")]
    pub records: Vec<RecordBytes>,
    /// Each origin's last operation in the snapshot: its vector, with the chain hashes.
    #[prost(message, repeated, tag = "5")]
    pub origins: Vec<OriginBytes>,
}

/// A record under its key, encoded.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RecordBytes {
    /// The encoded key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The encoded record.
    #[prost(bytes = "bytes", tag = "2")]
    pub record: Bytes,
}

/// An origin at the cut.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OriginBytes {
    /// Its last dot.
    #[prost(message, optional, tag = "1")]
    pub last: Option<DotMessage>,
    /// The chain hash there.
    #[prost(bytes = "vec", tag = "2")]
    pub chain: Vec<u8>,
    /// Whether every member agrees on it for good.
    #[prost(bool, tag = "3")]
    pub folded: bool,
}

/// This site is no source now: it is merging itself, or has damaged records.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct NoSource {}

/// Asks for a record, to repair a damaged one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RepairRequest {
    /// The encoded key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
}

/// A record for repair.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RepairReply {
    /// The encoded key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The encoded record.
    #[prost(bytes = "bytes", tag = "2")]
    pub record: Bytes,
    /// The vector it belongs to, whole.
    #[prost(message, repeated, tag = "3")]
    pub cut: Vec<DotMessage>,
}

/// Asks for a segment of a body from an offset on.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BodyRequest {
    /// The version.
    #[prost(message, optional, tag = "1")]
    pub dot: Option<DotMessage>,
    /// Which of its segments, from 0.
    #[prost(uint32, tag = "2")]
    pub segment: u32,
    /// The first byte wanted.
    #[prost(uint64, tag = "3")]
    pub offset: u64,
}

/// Bytes of the segment asked for, in order.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BodyChunk {
    /// The bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub bytes: Bytes,
    /// Whether the segment ends here.
    #[prost(bool, tag = "2")]
    pub last: bool,
}

/// The segment asked for is not here.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct BodyMissing {
    /// Whether this site has the version and misses this of it as well: only then does its answer count as evidence.
    #[prost(bool, tag = "1")]
    pub missed_too: bool,
}

/// Asks for sums over the records: of all ranges, of the records of some, or of one record.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AuditRequest {
    /// Which ranges' records; none for the sums of all ranges.
    #[prost(uint32, repeated, tag = "1")]
    pub ranges: Vec<u32>,
    /// Which record, by its encoded key; empty for none.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
}

/// Sums over the records.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AuditReply {
    /// One a range, or one a record.
    #[prost(fixed64, repeated, tag = "1")]
    pub sums: Vec<u64>,
    /// The encoded keys of the records of the ranges, in the order of their sums.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub keys: Vec<Bytes>,
    /// The vector they belong to, whole; empty for records of ranges.
    #[prost(message, repeated, tag = "3")]
    pub cut: Vec<DotMessage>,
}

/// What was asked for takes long to read, and still comes: a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Reading {}

/// One frame's content.
#[derive(Clone, PartialEq, Eq, Oneof)]
#[expect(missing_docs, reason = "each variant is documented on its message")]
pub enum Message {
    #[prost(message, tag = "1")]
    Hello(Hello),
    #[prost(message, tag = "2")]
    Pull(Pull),
    #[prost(message, tag = "3")]
    Ops(Ops),
    #[prost(message, tag = "4")]
    Report(Report),
    #[prost(message, tag = "5")]
    MergeNeeded(MergeNeeded),
    #[prost(message, tag = "6")]
    MergeRequest(MergeRequest),
    #[prost(message, tag = "7")]
    MergeChunk(MergeChunk),
    #[prost(message, tag = "8")]
    NoSource(NoSource),
    #[prost(message, tag = "9")]
    RepairRequest(RepairRequest),
    #[prost(message, tag = "10")]
    RepairReply(RepairReply),
    #[prost(message, tag = "11")]
    BodyRequest(BodyRequest),
    #[prost(message, tag = "12")]
    BodyChunk(BodyChunk),
    #[prost(message, tag = "13")]
    BodyMissing(BodyMissing),
    #[prost(message, tag = "14")]
    AuditRequest(AuditRequest),
    #[prost(message, tag = "15")]
    AuditReply(AuditReply),
    #[prost(message, tag = "16")]
    Reading(Reading),
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Envelope {
    #[prost(oneof = "Message", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16")]
    message: Option<Message>,
}

impl Message {
    /// The message's bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        Envelope { message: Some(self) }.encode_to_vec()
    }

    /// Reads [`Message::to_bytes`] back.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Malformed> {
        Envelope::decode(bytes)?.message.ok_or(Malformed::Field("message"))
    }
}

impl Hello {
    /// The speaker.
    pub fn origin(&self) -> Option<(SiteId, Epoch)> {
        Some((SiteId(u16::try_from(self.site).ok()?), Epoch(self.epoch)))
    }

    /// What the connection is for.
    pub fn purpose(&self) -> Option<Purpose> {
        match self.purpose {
            1 => Some(Purpose::Ops),
            2 => Some(Purpose::Bodies),
            3 => Some(Purpose::Audit),
            4 => Some(Purpose::Clients),
            _ => None,
        }
    }
}

impl Purpose {
    /// Its code in [`Hello`].
    pub fn code(self) -> u32 {
        match self {
            Self::Ops => 1,
            Self::Bodies => 2,
            Self::Audit => 3,
            Self::Clients => 4,
        }
    }
}
