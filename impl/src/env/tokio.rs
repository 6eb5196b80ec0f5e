//! The runtime of a deployed site: tokio's sockets and timers, the operating system's files and clocks.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is where the seams end in the real world"
)]

use super::{
    BoxFuture, DiskFile, Env, Open, Work,
    tls::{PeerStream, Tls},
};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

/// Callers whose TLS handshake is under way; further ones wait in the socket's queue.
const HANDSHAKES_MAX: usize = 64;
/// How long a caller may take for its handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// The real world below one data directory.
#[derive(Clone)]
pub struct TokioEnv {
    shared: Arc<Shared>,
}

struct Shared {
    data: PathBuf,
    tls: Option<Tls>,
    start: Instant,
    tasks: Mutex<JoinSet<()>>,
    marks: Mutex<BTreeMap<&'static str, u64>>,
    syncs: Arc<AtomicU64>,
}

impl TokioEnv {
    /// A world whose files lie below `data`, which is created if missing, and whose connections are plain TCP.
    pub fn new(data: impl Into<PathBuf>) -> io::Result<Self> {
        Self::with(data, None)
    }

    /// A world whose connections are TLS, if it is given: both sides prove their names.
    pub fn with(data: impl Into<PathBuf>, tls: Option<Tls>) -> io::Result<Self> {
        let data = data.into();
        fs::create_dir_all(&data)?;
        sync_names_above(&data)?;
        let (tasks, marks, syncs) = Default::default();
        Ok(Self { shared: Arc::new(Shared { data, tls, start: Instant::now(), tasks, marks, syncs }) })
    }

    /// Takes the data directory for this process alone, for as long as the file returned is kept.
    pub fn lock(&self) -> io::Result<impl Send + Sync + 'static> {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.path("lock"))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            let remedy = "another process uses it: stop that one, or give this site a directory of its own";
            io::Error::new(io::Error::from(error).kind(), remedy)
        })?;
        Ok(file)
    }

    /// Total and available bytes of the disk below the data directory.
    pub fn disk_bytes(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::statvfs(&self.shared.data)?;
        Ok((stat.f_blocks.saturating_mul(stat.f_frsize), stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    /// Ends every task that was spawned here: a process end, within a process.
    pub fn stop(&self) {
        self.shared.tasks.lock().expect("no task panics while spawning").abort_all();
    }

    /// How often a file or folder was made durable.
    pub fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// How often each mark was reached.
    pub fn marks(&self) -> BTreeMap<&'static str, u64> {
        self.shared.marks.lock().expect("counting does not panic").clone()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.shared.data.join(path)
    }
}

/// Makes the names durable by which a folder is reached. `Env::sync_folder` ends at the data directory: without this, the
/// name of one that was just made could go in a power cut, and all that was acknowledged with it. An earlier start may have
/// ended between making and syncing, so each does it.
fn sync_names_above(data: &Path) -> io::Result<()> {
    let data = fs::canonicalize(data)?;
    let device = fs::metadata(&data)?.dev();
    for folder in data.ancestors().skip(1) {
        match fs::File::open(folder) {
            // From where it is mounted upwards nothing was made here.
            Ok(folder) if folder.metadata()?.dev() != device => break,
            Ok(folder) => folder.sync_all()?,
            // Whoever may not read a folder did not make anything in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where connections come from.
pub enum Listener {
    /// As they are.
    Plain(TcpListener),
    /// After their handshake, which a slow caller spends beside the others.
    Tls(mpsc::Receiver<Box<dyn PeerStream>>),
}

async fn accept_plain(listener: &TcpListener) -> io::Result<TcpStream> {
    let (conn, _) = listener.accept().await?;
    conn.set_nodelay(true)?;
    Ok(conn)
}

/// Takes callers and hands on those whose handshake succeeds.
async fn shake_hands(listener: TcpListener, tls: Tls, ready: mpsc::Sender<Box<dyn PeerStream>>) {
    let (mut shaking, slots) = (JoinSet::new(), Arc::new(Semaphore::new(HANDSHAKES_MAX)));
    // A peer that is refused comes again and again: it is told of once a minute.
    let told = Arc::new(Mutex::new((String::new(), Instant::now())));
    let refused = move |from: &str, error: String| {
        let mut told = told.lock().expect("no holder of this lock panics");
        if told.0 != error || told.1.elapsed() > Duration::from_mins(1) {
            tracing::warn!(from, "a peer was refused: {error}");
            *told = (error, Instant::now());
        }
    };
    loop {
        let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
        while shaking.try_join_next().is_some() {}
        let conn = match accept_plain(&listener).await {
            Ok(conn) => conn,
            Err(error) => {
                tracing::warn!(%error, "a peer's connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, ready, refused) = (tls.clone(), ready.clone(), refused.clone());
        shaking.spawn(async move {
            let _slot = slot;
            let from = conn.peer_addr().map_or_else(|_| "an unknown address".into(), |from| from.to_string());
            match tokio::time::timeout(HANDSHAKE_MAX, tls.accept(conn)).await {
                Ok(Ok(conn)) => _ = ready.send(conn).await,
                Ok(Err(error)) => refused(&from, error.to_string()),
                Err(_) => refused(&from, "its TLS handshake took too long".into()),
            }
        });
    }
}

impl Env for TokioEnv {
    type Conn = Box<dyn PeerStream>;
    type Listener = Listener;
    type File = RealFile;

    async fn connect(&self, address: &str) -> io::Result<Self::Conn> {
        let conn = TcpStream::connect(address).await?;
        conn.set_nodelay(true)?;
        match &self.shared.tls {
            None => Ok(Box::new(conn)),
            Some(tls) => tls.connect(address, conn).await,
        }
    }

    async fn listen(&self, address: &str) -> io::Result<Listener> {
        let listener = TcpListener::bind(address).await?;
        let Some(tls) = self.shared.tls.clone() else { return Ok(Listener::Plain(listener)) };
        let (ready, taken) = mpsc::channel(1);
        self.spawn("handshakes", Box::pin(shake_hands(listener, tls, ready)));
        Ok(Listener::Tls(taken))
    }

    async fn accept(&self, listener: &mut Listener) -> io::Result<Self::Conn> {
        match listener {
            Listener::Plain(listener) => Ok(Box::new(accept_plain(listener).await?)),
            Listener::Tls(ready) => ready.recv().await.ok_or_else(|| io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn proven_name(conn: &Self::Conn) -> Option<String> {
        conn.proven_name()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.shared.start.elapsed()
    }

    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .expect("the operating system gives randomness");
        u64::from_le_bytes(bytes)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture) {
        let guarded = async move {
            let ends_on_panic = EndsProcessOnPanic(name);
            task.await;
            std::mem::forget(ends_on_panic);
        };
        let mut tasks = self.shared.tasks.lock().expect("no task panics while spawning");
        while tasks.try_join_next().is_some() {}
        tasks.spawn(guarded);
    }

    async fn blocking<R: Send + 'static>(&self, work: Work, run: impl FnOnce() -> R + Send + 'static) -> R {
        // Two switches of threads cost ten times what a look does; half of a small GET's time was theirs.
        if work == Work::Look {
            return run();
        }
        match tokio::task::spawn_blocking(run).await {
            Ok(value) => value,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => std::future::pending().await, // the runtime is shutting down, and this task with it
        }
    }

    fn open(&self, path: &str, how: Open) -> io::Result<RealFile> {
        let path = self.path(path);
        if how != Open::Existing
            && let Some(folder) = path.parent()
        {
            fs::create_dir_all(folder)?;
        }
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(how == Open::OrCreate)
            .create_new(how == Open::New)
            .open(path)?;
        Ok(RealFile { file, syncs: self.shared.syncs.clone() })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    walk(root, &entry.path(), found)?;
                } else if let Some(path) = entry.path().strip_prefix(root).ok().and_then(Path::to_str) {
                    found.push(path.to_owned());
                }
            }
            Ok(())
        }
        let (mut found, start) = (Vec::new(), self.path(folder));
        if start.is_dir() {
            walk(&self.shared.data, &start, &mut found)?;
        }
        found.sort();
        Ok(found)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        // A folder that was just made is itself a name in its parent.
        let mut path = self.path(folder);
        loop {
            self.shared.syncs.fetch_add(1, Ordering::Relaxed);
            fs::File::open(&path)?.sync_all()?;
            if path == self.shared.data || !path.pop() {
                return Ok(());
            }
        }
    }

    fn available_bytes(&self) -> io::Result<u64> {
        Ok(self.disk_bytes()?.1)
    }

    fn mark(&self, mark: &'static str) {
        *self.shared.marks.lock().expect("counting does not panic").entry(mark).or_default() += 1;
    }
}

/// Dropped while a task unwinds, ends the process: a broken invariant must stop the site, not one task of it.
struct EndsProcessOnPanic(&'static str);

impl Drop for EndsProcessOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("anabranch: task {} panicked; the process ends", self.0);
            std::process::abort();
        }
    }
}

/// A file of the operating system.
#[derive(Debug)]
pub struct RealFile {
    file: fs::File,
    syncs: Arc<AtomicU64>,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn drop_cache(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed)?)
    }
}
