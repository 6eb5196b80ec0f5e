//! The wire of the models: every copy goes over the plan's links, waits while a link is cut, and is sent again until it
//! arrives.

use super::stamp::Stamp;
use crate::{history::WriteId, world::ground::Ground};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Bytes of a message besides the body: a request's head, more or less.
const HEAD: u64 = 200;

/// What a site holds of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Its place in the order.
    pub(super) stamp: Stamp,
    /// The write in it; none for a tombstone.
    pub(super) content: Option<WriteId>,
    /// Body bytes.
    pub(super) bytes: u64,
}

/// A version on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) from: u16,
    pub(super) to: u16,
    /// The key's number.
    pub(super) key: u32,
    pub(super) version: Version,
    /// Part of a full copy: if it is news to a site, that site passes it on.
    pub(super) is_copy: bool,
}

impl Message {
    /// Bytes on the wire.
    pub(super) fn len(&self) -> u64 {
        HEAD + self.version.bytes
    }
}

/// All links with what waits for them.
pub(super) struct Wire {
    ground: Arc<Ground>,
    /// Held back while the link is cut, in order. Bounded by the plan: each write is sent once to each site, and each
    /// full copy is of a store.
    held: BTreeMap<(u16, u16), Vec<Message>>,
    last_arrival: BTreeMap<(u16, u16), Duration>,
}

impl Wire {
    pub(super) fn new(ground: &Arc<Ground>) -> Self {
        Self { ground: ground.clone(), held: BTreeMap::new(), last_arrival: BTreeMap::new() }
    }

    /// When the message arrives; none if the link is cut and it is held back.
    pub(super) fn send(&mut self, now: Duration, message: Message) -> Option<Duration> {
        let pair = (message.from, message.to);
        let mut state = self.ground.lock();
        let link = state.links.get_mut(&pair).expect("every pair of sites has a link");
        if link.is_cut() {
            drop(state);
            self.hold(message);
            return None;
        }
        // One connection: a message does not overtake another.
        let last = self.last_arrival.entry(pair).or_default();
        *last = link.send(now, message.len() as usize, *last).arrives;
        Some(*last)
    }

    /// Whether nothing gets through between two sites now.
    pub(super) fn is_cut(&self, from: u16, to: u16) -> bool {
        self.ground.lock().links.get(&(from, to)).is_some_and(crate::world::link::Link::is_cut)
    }

    /// Keeps a message until its link is mended.
    pub(super) fn hold(&mut self, message: Message) {
        self.held.entry((message.from, message.to)).or_default().push(message);
    }

    /// Everything that a site holds back for links that are mended.
    pub(super) fn mended(&mut self, from: u16) -> Vec<Message> {
        let pairs: Vec<_> =
            self.held.keys().copied().filter(|(a, b)| *a == from && !self.is_cut(*a, *b)).collect();
        pairs.into_iter().flat_map(|pair| self.held.remove(&pair).unwrap_or_default()).collect()
    }

    /// A site's disk is gone, and with it what it had still to send.
    pub(super) fn forget(&mut self, from: u16) {
        self.held.retain(|(a, _), _| *a != from);
    }
}
