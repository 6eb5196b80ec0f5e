//! A disk that forgets at a power cut what it was not told to keep.
//!
//! The rule is POSIX's, stricter than any one file system's: the bytes and the length of a file are durable once that
//! file was synced; a name is durable once its folder was. Nothing orders what is not synced. At a cut every sector, every
//! length and every name that changed since its last sync takes, each by its own draw, its newest state, its durable one or
//! one in between, as a kernel that writes back when it likes would leave it.
//!
//! The engine is also run over the testbed's simulated disk; this one is independent of it and stands below a real process.

mod file;
mod folder;

use crate::seed::Draws;
use file::File;
use folder::Folder;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt,
};

/// The number of the root folder.
pub(crate) const ROOT: u64 = 1;

/// What of the unsynced survives a cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// Each piece with this chance in percent; of the others some state that it had before.
    Some(u64),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing unsynced kept"),
            Self::Some(chance) => write!(f, "{chance} % of the unsynced kept"),
        }
    }
}

/// Which syncs are acknowledged without being done: for the runs that prove that a loss is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// None: an honest disk.
    Never,
    /// Those of all files.
    Files,
    /// Those of files made since the lying began: of bodies, not of the database.
    NewFiles,
    /// Those of folders.
    Folders,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "nothing",
            Self::Files => "files",
            Self::NewFiles => "new files",
            Self::Folders => "folders",
        })
    }
}

/// What a cut took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dropped {
    /// Bytes of the sectors that did not keep their newest state, and of the ends of files that were cut off.
    pub(crate) bytes: u64,
    /// Names that did not keep their newest state.
    pub(crate) names: u64,
}

enum Node {
    File(File),
    Folder(Folder),
}

/// What a number stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A file of this length.
    File(u64),
    /// A folder.
    Folder,
}

/// The disk: its nodes, reachable from the root by names.
pub(crate) struct Disk {
    nodes: BTreeMap<u64, Node>,
    /// Numbers are never used twice: what was removed may come back at a cut.
    next: u64,
    draws: Draws,
    lie: Lie,
    lies_from: u64,
}

impl Disk {
    /// An empty disk.
    pub(crate) fn new(seed: u64) -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]);
        Self { nodes, next: ROOT + 1, draws: Draws::of(seed, 1), lie: Lie::Never, lies_from: 0 }
    }

    /// Lies about syncs from now on, or no longer.
    pub(crate) fn lie(&mut self, lie: Lie) {
        self.lie = lie;
        self.lies_from = self.next;
    }

    /// What a number is.
    pub(crate) fn kind(&self, node: u64) -> Option<Kind> {
        Some(match self.nodes.get(&node)? {
            Node::File(file) => Kind::File(file.bytes().len() as u64),
            Node::Folder(_) => Kind::Folder,
        })
    }

    /// The node of a name.
    pub(crate) fn find(&self, folder: u64, name: &OsStr) -> Option<u64> {
        self.folder(folder)?.names().get(name).copied()
    }

    /// What a folder holds.
    pub(crate) fn folder(&self, node: u64) -> Option<&Folder> {
        if let Some(Node::Folder(folder)) = self.nodes.get(&node) { Some(folder) } else { None }
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, node: u64) -> Option<&[u8]> {
        if let Some(Node::File(file)) = self.nodes.get(&node) { Some(file.bytes()) } else { None }
    }

    /// Makes a file or a folder; nothing if the folder is none.
    pub(crate) fn make(&mut self, folder: u64, name: &OsStr, is_folder: bool) -> Option<u64> {
        let node = self.next;
        let Some(Node::Folder(parent)) = self.nodes.get_mut(&folder) else { return None };
        parent.set(name, Some(node));
        self.next += 1;
        let new = if is_folder { Node::Folder(Folder::default()) } else { Node::File(File::default()) };
        self.nodes.insert(node, new);
        Some(node)
    }

    /// Removes a name; whether it was there. The node stays: it may be open, and the name may come back at a cut.
    pub(crate) fn unlink(&mut self, folder: u64, name: &OsStr) -> bool {
        match self.nodes.get_mut(&folder) {
            Some(Node::Folder(parent)) if parent.names().contains_key(name) => {
                parent.set(name, None);
                true
            }
            _ => false,
        }
    }

    /// Writes to a file; whether it is one.
    pub(crate) fn write(&mut self, node: u64, offset: usize, data: &[u8]) -> bool {
        let Some(Node::File(file)) = self.nodes.get_mut(&node) else { return false };
        file.write(offset, data);
        true
    }

    /// Lengthens or shortens a file; whether it is one.
    pub(crate) fn set_len(&mut self, node: u64, len: usize) -> bool {
        let Some(Node::File(file)) = self.nodes.get_mut(&node) else { return false };
        file.set_len(len);
        true
    }

    /// Makes a file or a folder durable, unless the disk lies.
    pub(crate) fn sync(&mut self, node: u64) -> bool {
        match self.nodes.get_mut(&node) {
            Some(Node::File(file)) => {
                if !(self.lie == Lie::Files || self.lie == Lie::NewFiles && node >= self.lies_from) {
                    file.sync();
                }
            }
            Some(Node::Folder(folder)) if self.lie != Lie::Folders => folder.sync(),
            Some(Node::Folder(_)) => {}
            None => return false,
        }
        true
    }

    /// The power goes: what is not durable is decided by draws, and what no name reaches any more is gone.
    pub(crate) fn cut(&mut self, keep: Keep) -> Dropped {
        let mut dropped = Dropped::default();
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => dropped.bytes += file.cut(keep, &mut self.draws),
                Node::Folder(folder) => dropped.names += folder.cut(keep, &mut self.draws),
            }
        }
        let (mut reached, mut ahead) = (BTreeSet::new(), vec![ROOT]);
        while let Some(node) = ahead.pop() {
            reached.insert(node);
            ahead.extend(self.folder(node).into_iter().flat_map(|folder| folder.names().values().copied()));
        }
        self.nodes.retain(|node, _| reached.contains(node));
        dropped
    }
}

/// The newest state, or one of those before it: the oldest, if nothing is to be kept.
fn survivor<'a, T>(older: &'a [T], newest: &'a T, keep: Keep, draws: &mut Draws) -> &'a T {
    match keep {
        _ if older.is_empty() => newest,
        Keep::Nothing => &older[0],
        Keep::Some(chance) if draws.percent(chance) => newest,
        Keep::Some(_) => &older[draws.below(older.len() as u64) as usize],
    }
}

#[cfg(test)]
mod tests;
