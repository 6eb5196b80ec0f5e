//! The trace of a run: everything that the world did, as one hash.
//!
//! The world feeds it, never the engine: each network byte delivered, disk operation, clock reading and draw, with the
//! virtual time. Two runs of one seed are the same run exactly if their hashes are equal.

use xxhash_rust::xxh3::Xxh3;

/// A streaming hash of what happened.
pub struct Trace {
    hash: Xxh3,
    events: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: Xxh3::new(), events: 0 }
    }
}

impl Trace {
    /// Adds an event: its kind, the entity, when, and its bytes.
    pub fn event(&mut self, kind: u8, entity: u64, at_ns: u64, bytes: &[u8]) {
        let mut head = [0; 25];
        head[0] = kind;
        head[1..9].copy_from_slice(&entity.to_le_bytes());
        head[9..17].copy_from_slice(&at_ns.to_le_bytes());
        head[17..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(&head);
        self.hash.update(bytes);
        self.events += 1;
    }

    /// The hash so far and the number of events in it.
    pub fn digest(&self) -> (u64, u64) {
        (self.hash.digest(), self.events)
    }
}
