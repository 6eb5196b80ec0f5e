//! One folder: the names that it shows, and the states that each had since the folder was last synced.

use super::{Keep, survivor};
use crate::seed::Draws;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

#[derive(Default)]
pub(crate) struct Folder {
    now: BTreeMap<OsString, u64>,
    /// What each name stood for before, the durable state first.
    older: BTreeMap<OsString, Vec<Option<u64>>>,
}

impl Folder {
    pub(crate) fn names(&self) -> &BTreeMap<OsString, u64> {
        &self.now
    }

    pub(super) fn set(&mut self, name: &OsStr, node: Option<u64>) {
        let before = match node {
            Some(node) => self.now.insert(name.to_owned(), node),
            None => self.now.remove(name),
        };
        self.older.entry(name.to_owned()).or_default().push(before);
    }

    pub(super) fn sync(&mut self) {
        self.older.clear();
    }

    /// Decides which of the unsynced names were written; how many are not as they were shown.
    pub(super) fn cut(&mut self, keep: Keep, draws: &mut Draws) -> u64 {
        let mut dropped = 0;
        for (name, states) in std::mem::take(&mut self.older) {
            let newest = self.now.get(&name).copied();
            let state = *survivor(&states, &newest, keep, draws);
            dropped += u64::from(state != newest);
            match state {
                Some(node) => self.now.insert(name, node),
                None => self.now.remove(&name),
            };
        }
        dropped
    }
}
