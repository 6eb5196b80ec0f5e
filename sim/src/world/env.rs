//! A site's world in the simulation: the engine's [`Env`] over the ground and one simulator.

use super::{
    conn::{SimConn, SimListener},
    fabric,
    ground::{Ground, kind},
};
use anabranch::env::{BoxFuture, DiskFile, Env, Open, Work};
use std::{io, sync::Arc, time::Duration};

/// One process's world: dead once its machine starts another process.
#[derive(Clone)]
pub struct SimEnv {
    /// What is under it.
    pub ground: Arc<Ground>,
    /// Which site it is.
    pub site: u16,
    generation: u64,
}

impl SimEnv {
    /// The world of a process that starts now.
    pub fn new(ground: &Arc<Ground>, site: u16) -> Self {
        let generation = ground.lock().machine(site).disk.generation;
        Self { ground: ground.clone(), site, generation }
    }

    /// Waits while the machine is paused.
    pub(super) async fn while_paused(&self) {
        self.ground.while_paused(self.site).await;
    }

    fn disk<R>(
        &self,
        what: &[u8],
        run: impl FnOnce(&mut super::disk::Disk) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut state = self.ground.lock();
        let now = fabric::now().as_nanos() as u64;
        state.trace.event(kind::DISK, self.site.into(), now, what);
        let disk = &mut state.machine(self.site).disk;
        if disk.generation != self.generation {
            return Err(io::Error::other("this process is gone"));
        }
        run(disk)
    }
}

impl Ground {
    /// Waits while a machine is paused.
    pub(super) async fn while_paused(&self, site: u16) {
        loop {
            let changed = self.changed.notified();
            if !self.lock().machine(site).paused {
                return;
            }
            changed.await;
        }
    }

    /// Waits while nothing gets from one site to another.
    pub(super) async fn while_cut(&self, from: u16, to: u16) {
        loop {
            let changed = self.changed.notified();
            if !self.lock().is_cut(from, to) {
                return;
            }
            changed.await;
        }
    }
}

impl Env for SimEnv {
    type Conn = SimConn;
    type Listener = SimListener;
    type File = SimFile;

    async fn connect(&self, address: &str) -> io::Result<SimConn> {
        super::conn::connect(self, address).await
    }

    async fn listen(&self, _: &str) -> io::Result<SimListener> {
        Ok(SimListener::new(fabric::listen(self.site).await?))
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<SimConn> {
        listener.accept(self).await
    }

    async fn sleep(&self, duration: Duration) {
        fabric::sleep(duration).await;
        self.while_paused().await;
    }

    fn wall_ms(&self) -> u64 {
        self.ground.lock().read_clock(self.site, fabric::now())
    }

    fn monotonic(&self) -> Duration {
        fabric::now()
    }

    fn random_u64(&self) -> u64 {
        self.ground.lock().draw(self.site, fabric::now())
    }

    fn spawn(&self, _: &'static str, task: BoxFuture) {
        fabric::spawn(task);
    }

    async fn blocking<R: Send + 'static>(&self, work: Work, run: impl FnOnce() -> R + Send + 'static) -> R {
        let latency = self.ground.lock().disk_latency_us(self.site, work == Work::Write);
        fabric::sleep(Duration::from_micros(latency)).await;
        self.while_paused().await;
        run()
    }

    fn open(&self, path: &str, how: Open) -> io::Result<SimFile> {
        let file = self.disk(path.as_bytes(), |disk| match (disk.lookup(path), how) {
            (Some(_), Open::New) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(file),
            (None, Open::Existing) => Err(io::ErrorKind::NotFound.into()),
            (None, _) => disk.create(path),
        })?;
        Ok(SimFile { env: self.clone(), file })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk(b"list", |disk| Ok(disk.list(folder)))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk(path.as_bytes(), |disk| disk.remove(path))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk(folder.as_bytes(), |disk| disk.sync_folder(folder))
    }

    fn available_bytes(&self) -> io::Result<u64> {
        self.disk(b"free", |disk| Ok(disk.available()))
    }

    fn mark(&self, mark: &'static str) {
        *self.ground.lock().marks.entry(mark).or_default() += 1;
    }
}

/// An open file of one process.
pub struct SimFile {
    env: SimEnv,
    file: u64,
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "file {} of site {}", self.file, self.env.site)
    }
}

impl SimFile {
    fn with<R>(
        &self,
        op: u8,
        at: u64,
        bytes: &[u8],
        run: impl FnOnce(&mut super::disk::Disk) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut state = self.env.ground.lock();
        let entity = u64::from(self.env.site) << 48 | u64::from(op) << 40 | (self.file & 0xff_ffff) << 16;
        // The offset stands where other events have their time: a disk operation has no duration of its own.
        state.trace.event(kind::DISK, entity, at, bytes);
        let disk = &mut state.machine(self.env.site).disk;
        if disk.generation != self.env.generation {
            return Err(io::Error::other("this process is gone"));
        }
        run(disk)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(1, 0, &[], |disk| disk.len(self.file))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let len = (buffer.len() as u64).to_le_bytes();
        self.with(2, offset, &len, |disk| disk.read(self.file, offset, buffer))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(3, offset, data, |disk| disk.write(self.file, offset, data))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(4, len, &[], |disk| disk.set_len(self.file, len))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(5, 0, &[], |disk| disk.sync(self.file))
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.with(6, 0, &[], |disk| disk.drop_cache(self.file))
    }
}
