//! One file: what reads show, and the states that each of its sectors had since they were last synced.

use super::{Keep, survivor};
use crate::seed::Draws;
use std::collections::BTreeMap;

/// What a disk writes whole or not at all.
pub(crate) const SECTOR: usize = 512;
/// States of a sector that are remembered: the durable one and the newest. A sector is seldom written more often.
const STATES_MAX: usize = 8;

type Sector = [u8; SECTOR];

#[derive(Default)]
pub(super) struct File {
    now: Vec<u8>,
    /// The states before the present one of each sector that is not synced, the durable one first.
    older: BTreeMap<usize, Vec<Sector>>,
    /// The lengths before the present one, the durable one first; none if it is synced.
    lens: Vec<usize>,
}

impl File {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.now
    }

    /// Bytes behind the end count as zeros, as a hole does.
    fn sector(&self, number: usize) -> Sector {
        let mut sector = [0; SECTOR];
        let start = (number * SECTOR).min(self.now.len());
        let held = &self.now[start..(start + SECTOR).min(self.now.len())];
        sector[..held.len()].copy_from_slice(held);
        sector
    }

    /// Remembers the states of the sectors that are about to change.
    fn remember(&mut self, start: usize, end: usize) {
        for number in start / SECTOR..end.div_ceil(SECTOR) {
            let state = self.sector(number);
            let states = self.older.entry(number).or_default();
            if states.len() == STATES_MAX {
                states.remove(1);
            }
            states.push(state);
        }
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        self.remember(offset, end);
        if end > self.now.len() {
            self.lens.push(self.now.len());
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(data);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        if len != self.now.len() {
            self.remember(len, self.now.len()); // nothing, if it grows
            self.lens.push(self.now.len());
            self.now.resize(len, 0);
        }
    }

    pub(super) fn sync(&mut self) {
        self.older.clear();
        self.lens.clear();
    }

    /// Decides what of the unsynced was written; how many bytes are not as they were shown.
    pub(super) fn cut(&mut self, keep: Keep, draws: &mut Draws) -> u64 {
        let mut dropped = 0;
        let shown = self.now.len();
        let len = *survivor(&self.lens, &shown, keep, draws);
        let reach = self.older.keys().next_back().map_or(0, |last| (last + 1) * SECTOR);
        self.now.resize(shown.max(len).max(reach), 0);
        for (number, states) in std::mem::take(&mut self.older) {
            let newest = self.sector(number);
            let state = survivor(&states, &newest, keep, draws);
            let is_cut_off = (len..shown).contains(&(number * SECTOR));
            if *state != newest || is_cut_off {
                dropped += SECTOR as u64;
            }
            self.now[number * SECTOR..][..SECTOR].copy_from_slice(state);
        }
        self.now.truncate(len);
        self.lens.clear();
        dropped
    }
}
