//! What a client has seen of a key, as a token that it hands back with its next write.
//!
//! A token names `(dot, hlc)` pairs and is bound to bucket and key by a keyed hash: a token of another key, or a made-up
//! one, is refused, for it would claim that a client saw what it never saw.

use super::Error;
use crate::{
    causality::{Dot, Stamp, Timestamp},
    object::{RecordKey, wire::DotMessage},
};
use prost::Message;

/// The versions that a client has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Their stamps.
    pub stamps: Vec<Stamp>,
}

/// A token: opaque text, at most [`Context::MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context(pub String);

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct SeenMessage {
    #[prost(message, optional, tag = "1")]
    dot: Option<DotMessage>,
    #[prost(fixed64, tag = "2")]
    hlc: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ContextMessage {
    #[prost(message, repeated, tag = "1")]
    seen: Vec<SeenMessage>,
    #[prost(bytes = "vec", tag = "2")]
    mac: Vec<u8>,
}

impl Context {
    /// Longest token accepted.
    pub const MAX: usize = 16 << 10;

    /// The token for what a client is shown of `record`.
    pub fn issue(cluster_key: &[u8; 32], record: &RecordKey, seen: &Seen) -> Self {
        let pairs: Vec<_> = seen
            .stamps
            .iter()
            .map(|stamp| SeenMessage { dot: Some(stamp.dot.into()), hlc: stamp.hlc.0 })
            .collect();
        let mac = mac(cluster_key, record, &pairs);
        let bytes = ContextMessage { seen: pairs, mac }.encode_to_vec();
        Self(hex(&bytes))
    }

    /// What the client has seen, if the token was issued for `record`.
    pub fn read(&self, cluster_key: &[u8; 32], record: &RecordKey) -> Result<Seen, Error> {
        let message = self.decode().ok_or(Error::InvalidContext)?;
        // A keyed hash of a whole message: comparing it leaks nothing that helps to forge another.
        if message.mac != mac(cluster_key, record, &message.seen) {
            return Err(Error::InvalidContext);
        }
        let stamps = message.seen.into_iter().map(|seen| {
            let dot = Dot::try_from(seen.dot?).ok()?;
            Some(Stamp { hlc: Timestamp(seen.hlc), dot })
        });
        Ok(Seen { stamps: stamps.collect::<Option<_>>().ok_or(Error::InvalidContext)? })
    }

    fn decode(&self) -> Option<ContextMessage> {
        if self.0.len() > Self::MAX || !self.0.is_ascii() || !self.0.len().is_multiple_of(2) {
            return None;
        }
        let bytes: Option<Vec<u8>> =
            (0..self.0.len()).step_by(2).map(|i| u8::from_str_radix(&self.0[i..i + 2], 16).ok()).collect();
        ContextMessage::decode(&bytes?[..]).ok()
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

fn mac(cluster_key: &[u8; 32], record: &RecordKey, seen: &[SeenMessage]) -> Vec<u8> {
    let mut hash = blake3::Hasher::new_keyed(cluster_key);
    let record = record.encode();
    hash.update(&(record.len() as u64).to_le_bytes());
    hash.update(&record);
    for pair in seen {
        hash.update(&pair.encode_length_delimited_to_vec());
    }
    hash.finalize().as_bytes()[..16].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        causality::{Epoch, SiteId},
        object::BucketId,
    };

    #[test]
    fn a_token_is_good_for_its_own_key_only() {
        let bucket = BucketId::new("bucket", "owner").unwrap();
        let [a, b] = ["a", "b"].map(|key| RecordKey::object(bucket.clone(), key).unwrap());
        let dot = Dot { site: SiteId(1), epoch: Epoch::new(1, 7), seq: 3 };
        let seen = Seen { stamps: vec![Stamp { hlc: Timestamp::from_ms(5), dot }] };
        let token = Context::issue(&[1; 32], &a, &seen);
        assert_eq!(token.read(&[1; 32], &a).unwrap(), seen);
        assert!(matches!(token.read(&[1; 32], &b), Err(Error::InvalidContext)));
        assert!(matches!(token.read(&[2; 32], &a), Err(Error::InvalidContext)));
        for forged in ["", "zz", "é", &token.0[2..], &"ab".repeat(Context::MAX)] {
            assert!(matches!(Context(forged.into()).read(&[1; 32], &a), Err(Error::InvalidContext)));
        }
    }
}
