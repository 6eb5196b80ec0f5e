//! What the clients did and were told, and what they read in the end: plain data, and all that oracles judge by.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A write, named by its operation's place in the plan.
pub type WriteId = u32;

/// What a read showed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Shown {
    /// No such key.
    Nothing,
    /// A delete marker.
    Deleted,
    /// The bytes of this write, whole and right.
    Write(WriteId),
    /// Bytes that nobody wrote, or not like that.
    Corrupt(String),
    /// No answer, and why.
    Unavailable(String),
}

/// How an operation ended, as its client knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Acknowledged.
    Acked,
    /// Refused, and certainly not applied.
    Refused(String),
    /// Timed out, or the site died: it may or may not have been applied.
    Unknown,
}

/// One operation as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its place in the plan.
    pub id: WriteId,
    /// When the client began.
    pub invoked: Duration,
    /// When it was answered; none if it never was.
    pub completed: Option<Duration>,
    /// How it ended.
    pub ending: Ending,
    /// What the client had been shown just before it wrote.
    pub shown: Option<Shown>,
    /// Whether it handed that back as context.
    pub by_context: bool,
    /// When the read before the write was answered.
    pub read_at: Option<Duration>,
    /// What a read was answered.
    pub answer: Option<Shown>,
    /// The version that a write made.
    pub version: Option<String>,
    /// The version that a version delete named, and the write in it.
    pub target: Option<(String, WriteId)>,
}

/// The clients' history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Operations by their place in the plan; those never begun are absent.
    pub operations: BTreeMap<WriteId, Operation>,
}

impl History {
    /// An operation begins.
    pub fn invoke(&mut self, id: WriteId, at: Duration) {
        let operation = Operation {
            id,
            invoked: at,
            completed: None,
            ending: Ending::Unknown,
            shown: None,
            by_context: false,
            read_at: None,
            answer: None,
            version: None,
            target: None,
        };
        self.operations.insert(id, operation);
    }

    /// The record of an operation under way.
    pub fn get_mut(&mut self, id: WriteId) -> &mut Operation {
        self.operations.get_mut(&id).expect("an operation is invoked before anything is noted of it")
    }
}

/// Where a version was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// What the key shows.
    Current,
    /// Another live version.
    Sibling,
    /// Superseded and readable.
    Noncurrent,
}

/// A version as listed and read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionRead {
    /// Its id.
    pub version: String,
    /// Where it was listed.
    pub place: Place,
    /// What reading it by id showed.
    pub read: Shown,
    /// Its tags.
    pub tags: Option<BTreeMap<String, String>>,
}

/// A key as a client finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRead {
    /// What a plain read shows.
    pub current: Option<Shown>,
    /// All versions, newest first.
    pub versions: Vec<VersionRead>,
}

/// Everything that a client can read at one site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Buckets with their configuration, in words.
    pub buckets: BTreeMap<String, String>,
    /// Keys by `(bucket, key)`.
    pub keys: BTreeMap<(String, String), KeyRead>,
    /// Why something could not be read.
    pub failures: Vec<String>,
}

impl Dump {
    /// Where a write is found: the best of the places it is read back from.
    pub fn place_of(&self, key: &(String, String), write: WriteId) -> Option<Place> {
        let versions = &self.keys.get(key)?.versions;
        versions
            .iter()
            .filter(|version| version.read == Shown::Write(write))
            .map(|version| version.place)
            .min()
    }
}
