//! The engine: what a site does with a client's request and with a peer's operation.
//!
//! In reading order: [`writer`] sequences and commits everything that changes; [`body`] takes bytes in and gives them
//! out; [`put`], [`upload`], [`delete`], [`meta`] and [`bucket`] are the clients' writes, [`expire`] those of the owners' rules,
//! [`access`] the operators'; [`get`] and [`list`] their reads; [`context`] is what a client hands back to say
//! what it has seen; [`apply`], [`bootstrap`] and [`mend`] take in what peers send; [`collect`] drops what every member
//! has. [`backlog`] and [`conflicts`] answer an operator; [`digest`] sums up for other sites to
//! compare, [`scrub`] reads everything. The engine defines what it needs from replication as plain data ([`members`], the wanted bodies) and never calls
//! it: the log is the only bridge.

mod access;
mod apply;
mod backlog;
mod body;
mod bootstrap;
mod bucket;
mod collect;
mod conflicts;
mod context;
mod delete;
mod digest;
mod error;
mod expire;
mod get;
mod list;
mod members;
mod mend;
mod meta;
mod put;
mod scrub;
mod unseen;
mod upload;
mod writer;

pub use crate::store::{PartRow, UploadId, UploadRow};
pub use access::AccessKey;
pub use apply::Taken;
pub use backlog::Backlog;
pub use body::{BodyReader, BodyWriter, PIECE, SegmentOf, StoredBody};
pub use bootstrap::{Cut, MergeRange, Staged};
pub use bucket::{Bucket, DOCUMENT_MAX, DOCUMENTS};
pub use conflicts::{Conflict, Contender};
#[cfg(feature = "s3")]
pub(crate) use context::hex;
pub use context::{Context, Seen};
pub use delete::Deleted;
pub use digest::{Digest, RANGES, RecordSum};
pub use error::{Error, Unavailable};
pub use expire::Ending;
pub use get::{GetRequest, Object, VersionRef, Wanted};
pub use list::{After, Item, ListRequest, Listed, Page, Summary, VersionKind};
pub use members::{Report, Status};
pub use meta::{ACL, Change, LEGAL_HOLD, RETENTION};
pub use put::{Condition, DeleteRequest, PutRequest, Written};
pub use scrub::{ScrubAfter, Scrubbed};
pub use upload::{BeginUpload, CompleteUpload, PART_MIN, PART_NUMBER_MAX};

use crate::{
    causality::{HybridClock, SiteId, VersionVector},
    env::{
        Env, Work,
        watched::{Follower, Watched},
    },
    store::{self, Identity, Snapshot, Store, reserve::Reserve},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};

/// What one site's engine is told at its start. Defaults are those of a deployed site.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose data it is.
    pub identity: Identity,
    /// Every site of the cluster, this one included.
    pub members: BTreeSet<SiteId>,
    /// Signs context tokens: the same at every site.
    pub cluster_key: [u8; 32],
    /// Bodies up to this many bytes travel in their operation.
    pub inline_max: usize,
    /// Larger bodies are stored and fetched in segments of this many bytes.
    pub segment_max: u64,
    /// Free space below which nothing is written, beside the database's own growth.
    pub reserve: Reserve,
    /// The database's cache, in bytes.
    pub cache_bytes: usize,
    /// Another site's version that was visible here for less than this counts as unseen by a client without context.
    pub blind_window: Duration,
    /// How long a read waits for a body or a version that is known to be on its way.
    pub wait_max: Duration,
    /// How often logs and bodies are looked through for what every member has.
    pub collect_every: Duration,
    /// How many operations of an origin the log keeps below the stable cut, for peers restored from a backup.
    pub log_keep: u64,
    /// How many multipart uploads may be under way here.
    pub uploads_max: usize,
    /// How many changes may wait for the writer; beyond it requests wait, and the wait is bounded by `wait_max`.
    pub queue_max: usize,
}

impl Config {
    /// The defaults for a site of a cluster.
    pub fn new(identity: Identity, members: BTreeSet<SiteId>, cluster_key: [u8; 32]) -> Self {
        Self {
            identity,
            members,
            cluster_key,
            inline_max: 4 << 10,
            segment_max: 64 << 20,
            reserve: Reserve { margin: 64 << 20 },
            cache_bytes: 128 << 20,
            blind_window: Duration::from_secs(2),
            wait_max: Duration::from_secs(2),
            collect_every: Duration::from_secs(1),
            log_keep: 100_000,
            uploads_max: 100_000,
            queue_max: 1024,
        }
    }
}

/// One site's engine. Cheap to clone.
pub struct Engine<E: Env> {
    shared: Arc<Shared<E>>,
}

impl<E: Env> Clone for Engine<E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

struct Shared<E: Env> {
    env: E,
    config: Config,
    store: Store,
    jobs: mpsc::Sender<writer::Job>,
    /// What is applied, committed and synced. Only the writer raises it.
    durable: Watched<Arc<VersionVector>>,
    /// Changes whenever a body arrives or is missed.
    bodies: Watched<u64>,
    /// Segments that a reader waits for: fetched before all others.
    urgent: Mutex<BTreeSet<SegmentOf>>,
    /// Bodies being read.
    readers: Arc<body::Readers>,
    /// Files that the collector removes.
    orphans: body::Orphans,
    members: Mutex<BTreeMap<SiteId, Report>>,
    joined: Watched<bool>,
    /// Whether a peer's state is being folded in.
    folding: Watched<bootstrap::Folding>,
    /// Whether something may be staged: looked at from time to time, while it is so.
    may_be_staged: AtomicBool,
    failed: Notify,
    damaged_since: Mutex<Option<Duration>>,
    gauges: Mutex<members::Gauges>,
}

impl<E: Env> Engine<E> {
    /// Opens the store and starts the writer. Blocks on disk I/O.
    pub async fn open(env: E, config: Config) -> Result<Self, store::Error> {
        let (disk, opening) = (env.clone(), config.clone());
        let opened = env
            .blocking(Work::Write, move || {
                store::open(&disk, &opening.identity, opening.reserve, opening.cache_bytes)
            })
            .await?;
        let snapshot = opened.store.snapshot()?;
        let progress = snapshot.merge()?;
        let (is_staged, folding) = (progress.is_some(), progress.is_some_and(|progress| progress.folding));
        // A cluster of one has nobody to catch up with.
        let joined = snapshot.membership()?.joined || config.members.len() == 1;
        let (jobs, queue) = mpsc::channel(config.queue_max);
        let shared = Arc::new(Shared {
            store: opened.store,
            jobs,
            durable: Watched::new(Arc::new(opened.applied)),
            bodies: Watched::new(0),
            urgent: Mutex::default(),
            readers: Arc::default(),
            orphans: body::Orphans::default(),
            members: Mutex::default(),
            joined: Watched::new(joined),
            folding: Watched::new(if folding { bootstrap::Folding::Due } else { bootstrap::Folding::No }),
            may_be_staged: AtomicBool::new(is_staged),
            failed: Notify::new(),
            damaged_since: Mutex::default(),
            gauges: Mutex::default(),
            config,
            env,
        });
        let engine = Self { shared };
        if folding {
            engine.env().mark("folding-resumed");
        }
        let sequencing = writer::Sequencing::new(
            HybridClock::resume(opened.ceiling),
            engine.env().monotonic(),
            engine.config(),
        );
        engine.env().spawn("writer", Box::pin(writer::run(engine.clone(), queue, sequencing)));
        engine.env().spawn("folding", Box::pin(bootstrap::run(engine.clone())));
        engine.env().spawn("collector", Box::pin(collect::run(engine.clone())));
        Ok(engine)
    }

    /// Waits until the engine cannot go on: a commit or a sync failed. The process must end then; what was not
    /// acknowledged is unknown, and the next start recovers.
    pub async fn failed(&self) {
        self.shared.failed.notified().await;
    }

    /// This site.
    pub fn site(&self) -> SiteId {
        self.config().identity.site
    }

    /// What is applied, committed and synced here.
    pub fn durable(&self) -> Arc<VersionVector> {
        self.shared.durable.get()
    }

    /// Follows [`Engine::durable`].
    pub fn watch_durable(&self) -> Follower<Arc<VersionVector>> {
        self.shared.durable.follow()
    }

    /// Whether the store has caught up with a peer once; before, an absent key is answered 503.
    pub fn is_joined(&self) -> bool {
        self.shared.joined.get()
    }

    /// The engine's configuration.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn env(&self) -> &E {
        &self.shared.env
    }

    /// This opening's name as an origin.
    pub fn origin(&self) -> (SiteId, crate::causality::Epoch) {
        self.shared.store.origin()
    }

    /// Reads from one snapshot where that may block. A corrupt record is reported and handed to repair.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<R, store::Error> + Send + 'static,
    ) -> Result<R, store::Error> {
        self.read_as(Work::Read, read).await
    }

    /// The same for a few rows, mostly cached.
    pub async fn look<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<R, store::Error> + Send + 'static,
    ) -> Result<R, store::Error> {
        self.read_as(Work::Look, read).await
    }

    async fn read_as<R: Send + 'static>(
        &self,
        work: Work,
        read: impl FnOnce(&Snapshot) -> Result<R, store::Error> + Send + 'static,
    ) -> Result<R, store::Error> {
        let store = self.shared.store.clone();
        let read = self.env().blocking(work, move || read(&*store.snapshot()?)).await;
        if let Err(store::Error::Database(error)) = &read {
            self.fail(error); // redb refuses everything after an I/O error: only a new opening helps
        }
        read
    }

    /// A sync or the database failed: the process must end.
    pub(crate) fn fail(&self, error: &dyn std::fmt::Display) {
        self.env().mark("store-failed");
        lock(&self.shared.gauges).failure = Some(error.to_string());
        self.shared.failed.notify_one();
    }
}

impl<E: Env> Engine<E> {
    /// Wakes whoever follows the bodies.
    fn bodies_changed(&self) {
        self.shared.bodies.change(|count| {
            *count += 1;
            true
        });
    }

    fn set_joined(&self) {
        self.shared.joined.change(|joined| !std::mem::replace(joined, true));
    }
}

/// Locks what no holder panics with.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}
