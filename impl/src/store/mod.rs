//! What a site keeps on its disk: records, the op log, bodies, and the bookkeeping between them.
//!
//! In reading order: [`envelope`] wraps each stored value, [`keys`] names them, [`tx`] is one transaction and the
//! [`State`](crate::crdt::State) that operations are applied to, [`body_table`] what it knows of bodies, [`uploads`]
//! the multipart uploads under way, [`completed`] what the latest ones became, [`snapshot`] reads, [`bodies`] are the files beside the database, [`reserve`] keeps room for the day the disk is full, [`recover`] opens it all after any crash.
//!
//! Invariant: one commit holds record, log entry, vector and body reference of every operation in it. Acknowledgement,
//! visibility and streaming to peers follow the commit's sync.

mod backend;
pub mod bodies;
mod body_table;
mod bookkeeping;
mod completed;
pub mod envelope;
pub mod keys;
mod recover;
pub mod reserve;
mod snapshot;
mod tx;
mod uploads;

pub(crate) use body_table::external;
pub use bookkeeping::{BodyRow, Membership, MergeProgress, OriginRow};
pub use completed::CompletedRow;
pub(crate) use recover::database_bytes;
pub use recover::{Identity, Opened, open};
pub use snapshot::Snapshot;
pub use tx::Tx;
pub use uploads::{PartRow, StoredSegment, UploadId, UploadRow};

use crate::{
    causality::{Epoch, SiteId},
    object::wire::Malformed,
};
use redb::{Database, ReadableDatabase, TableDefinition};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use thiserror::Error;

pub(crate) const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
pub(crate) const LOG: TableDefinition<&[u8], &[u8]> = TableDefinition::new("log");
pub(crate) const BODIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bodies");
pub(crate) const STAGED: TableDefinition<&[u8], &[u8]> = TableDefinition::new("staged");
pub(crate) const UPLOADS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("uploads");
pub(crate) const BOOKKEEPING: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bookkeeping");

/// Why the store could not do it.
#[derive(Debug, Error)]
pub enum Error {
    /// A stored value does not match its checksum or schema. It is never served; the engine has it repaired.
    #[error("the {what} stored under {key} is corrupt")]
    Corrupt {
        /// Which kind of value.
        what: &'static str,
        /// Its key, in words.
        key: String,
    },
    /// The disk has no room left.
    #[error(
        "the disk is full: {available} bytes are left, {needed} are kept free; free space or move the data directory"
    )]
    Full {
        /// Free bytes.
        available: u64,
        /// Bytes below which nothing is written.
        needed: u64,
    },
    /// The data directory belongs to another site or cluster.
    #[error(
        "the data directory belongs to {found}, not to {wanted}: check `site` and `cluster` in the configuration"
    )]
    Identity {
        /// Who wrote it.
        found: String,
        /// Who opened it.
        wanted: String,
    },
    /// The database failed. After a failed write the process ends and the next start recovers.
    #[error("the metadata database failed")]
    Database(#[from] Box<redb::Error>),
    /// The file system failed.
    #[error("the file system failed")]
    Io(#[from] io::Error),
}

impl Error {
    /// Whether the disk has no room.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io(error) => error.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    pub(crate) fn database(error: impl Into<redb::Error>) -> Self {
        Self::Database(Box::new(error.into()))
    }

    pub(crate) fn corrupt(what: &'static str, key: impl std::fmt::Display) -> Self {
        Self::Corrupt { what, key: key.to_string() }
    }

    pub(crate) fn malformed(
        what: &'static str,
        key: impl std::fmt::Display,
    ) -> impl FnOnce(Malformed) -> Self {
        move |_| Self::corrupt(what, key)
    }
}

/// Every error of redb's calls becomes [`Error::Database`].
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::database(error)
            }
        }
    )*};
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);

/// The metadata database of one opening. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Arc<Database>,
    epoch: (SiteId, Epoch),
    latest: Arc<Mutex<Latest>>,
}

/// The view that readers share until the next commit: to open one costs more than to read a few rows of it. None is kept
/// beyond a commit, for it would keep the pages that the commit replaced.
#[derive(Default)]
struct Latest {
    /// Commits so far.
    commits: u64,
    snapshot: Option<Arc<Snapshot>>,
}

impl Store {
    /// This opening's name as an origin.
    pub fn origin(&self) -> (SiteId, Epoch) {
        self.epoch
    }

    /// A consistent view of all that is committed and synced.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let commits = {
            let latest = self.latest();
            if let Some(snapshot) = &latest.snapshot {
                return Ok(snapshot.clone());
            }
            latest.commits
        };
        let snapshot = Arc::new(Snapshot::new(&self.db.begin_read()?)?);
        let mut latest = self.latest();
        // A commit meanwhile may have been acknowledged already: who asks next must see it.
        if latest.commits == commits {
            latest.snapshot = Some(snapshot.clone());
        }
        Ok(snapshot)
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().expect("no holder of this lock panics")
    }

    /// Runs one transaction and syncs it. Blocks; only the engine's writer calls it.
    ///
    /// Besides its value come back the files that nothing names any more. An error from `run` leaves nothing behind. An
    /// error of the commit itself is *unknown*: the transaction may or may not be found at the next start.
    pub fn commit<R>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> Result<R, Error>,
    ) -> Result<(R, Vec<String>), CommitError> {
        let transaction = self.db.begin_write().map_err(|error| CommitError::Failed(error.into()))?;
        let done = {
            let mut tx = Tx::new(&transaction, self.epoch).map_err(CommitError::Failed)?;
            match run(&mut tx) {
                Ok(value) => {
                    tx.flush().map_err(CommitError::Failed)?;
                    (value, tx.orphans())
                }
                Err(error) => return Err(CommitError::Refused(error)),
            }
        };
        let committed = transaction.commit();
        let mut latest = self.latest();
        latest.commits += 1;
        let before = latest.snapshot.take();
        drop((latest, before));
        committed.map_err(|error| CommitError::Failed(error.into()))?;
        Ok(done)
    }
}

/// Why a transaction did not commit.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The work itself was refused; nothing changed.
    #[error(transparent)]
    Refused(Error),
    /// Writing or syncing failed: the outcome is unknown, and the process must end.
    #[error("a commit failed: its outcome is unknown until the next start")]
    Failed(#[source] Error),
}
