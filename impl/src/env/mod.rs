//! Everything that the engine asks of the world outside: time, randomness, disk, network, tasks.
//!
//! The engine is written once over [`Env`] and never goes round it (`clippy.toml` holds that). Three runtimes implement
//! it: [`tokio`](crate::env::tokio) in a deployed site, madsim and turmoil in the testbed. [`conformance`] is the suite
//! that each of them passes.

pub mod conformance;
#[cfg(feature = "tokio-runtime")]
pub mod tls;
#[cfg(feature = "tokio-runtime")]
pub mod tokio;
pub mod watched;

use ::tokio::io::{AsyncRead, AsyncWrite};
use std::{fmt, future::Future, io, pin::Pin, time::Duration};

/// A future on the heap, as tasks are handed over.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It must exist.
    Existing,
    /// It is created if missing.
    OrCreate,
    /// It must not exist.
    New,
}

/// What kind of synchronous work is handed to [`Env::blocking`]; simulations draw its latency accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A few pages of the database, mostly from its cache: not worth handing to another thread.
    Look,
    /// Reads only.
    Read,
    /// Writes and syncs.
    Write,
}

/// One site's world. Cheap to clone.
pub trait Env: Clone + Send + Sync + 'static {
    /// A byte stream to another site. Dropping it closes it.
    type Conn: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A socket that takes connections.
    type Listener: Send + 'static;
    /// An open file.
    type File: DiskFile;

    /// Opens a connection. May wait for ever behind a partition: callers use [`timeout`].
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Conn>> + Send;
    /// Takes connections at an address of this site.
    fn listen(&self, address: &str) -> impl Future<Output = io::Result<Self::Listener>> + Send;
    /// The next connection.
    fn accept(&self, listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Conn>> + Send;

    /// The name that the other side of a connection has proved to be its own; none where connections prove nothing. A
    /// session refuses a peer that says it is somebody else.
    fn proven_name(_conn: &Self::Conn) -> Option<String> {
        None
    }

    /// Sleeps by the monotonic clock.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    /// The wall clock, in milliseconds since the Unix epoch. It may be wrong, drift, step and stand still.
    fn wall_ms(&self) -> u64;
    /// The monotonic clock, since an arbitrary start.
    fn monotonic(&self) -> Duration;
    /// 64 random bits.
    fn random_u64(&self) -> u64;

    /// Starts a task that lives until it returns or the process ends. A panic in it ends the process.
    fn spawn(&self, name: &'static str, task: BoxFuture);
    /// Runs synchronous work where it may block; a [`Work::Look`] may run where it is asked for.
    fn blocking<R: Send + 'static>(
        &self,
        work: Work,
        run: impl FnOnce() -> R + Send + 'static,
    ) -> impl Future<Output = R> + Send;

    /// Opens a file by its path below the data directory (`/` between parts); folders are made as needed.
    fn open(&self, path: &str, how: Open) -> io::Result<Self::File>;
    /// The files below a folder, as paths below the data directory, sorted.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes created and removed names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Free space for new data, in bytes.
    fn available_bytes(&self) -> io::Result<u64>;

    /// Notes that a rare path was taken: a metric in a deployed site, coverage in a simulation.
    fn mark(&self, mark: &'static str);
}

/// A file that is read and written at positions. Calls block; see [`Env::blocking`].
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buffer`; an error of kind `UnexpectedEof` if the file ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data`, growing the file if needed.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or extends (with zeros) to a length.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes contents and length durable. After an error nothing is known of what was written since the last sync.
    fn sync(&self) -> io::Result<()>;
    /// Drops the cached pages, so that reads show what is on the disk: after a failed sync the cache may show data that
    /// never reached it.
    fn drop_cache(&self) -> io::Result<()>;
}

/// Waits for `future` at most `limit`; `None` if it took longer. The future is dropped then.
pub async fn timeout<E: Env, T>(env: &E, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    ::tokio::select! {
        biased;
        value = future => Some(value),
        () = env.sleep(limit) => None,
    }
}

/// [`timeout`] for I/O: a time-out is an error of kind `TimedOut`.
pub async fn io_timeout<E: Env, T>(
    env: &E,
    limit: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(env, limit, future).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}
