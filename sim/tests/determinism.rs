//! One seed is one run, whatever the host around it: another date and another order of every hash map change nothing. And
//! the check that says so finds a leak, even one in code that traces nothing itself.

use anabranch::env::{BoxFuture, Env, Open, Work};
use anabranch_sim::{
    plan::Plan,
    scenario::Scenario,
    world::{
        self, Ambience, Plain, Wrap,
        conn::{SimConn, SimListener},
        env::{SimEnv, SimFile},
    },
};
use std::{
    collections::HashMap,
    io,
    marker::PhantomData,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

fn trace<W: Wrap>(ambience: Ambience) -> (u64, u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenario = Scenario::load(&folder, "crash-restart").expect("a scenario of ours is valid");
    world::run_in::<W>(Arc::new(Plan::draw(&scenario, 3)), ambience).expect("no panic").trace
}

#[test]
fn a_seed_is_the_same_run_under_another_date_and_another_hash_order() {
    assert_eq!(trace::<Plain>(Ambience(0)), trace::<Plain>(Ambience(1)));
    assert_eq!(trace::<Plain>(Ambience(0)), trace::<Plain>(Ambience(0)), "and the second run in one process");
}

#[test]
fn a_planted_hash_map_iteration_is_found() {
    assert_ne!(trace::<Leaky<HashOrder>>(Ambience(0)), trace::<Leaky<HashOrder>>(Ambience(1)));
}

#[test]
fn a_planted_wall_clock_reading_is_found() {
    assert_ne!(trace::<Leaky<WallClock>>(Ambience(0)), trace::<Leaky<WallClock>>(Ambience(1)));
}

/// What a leak lets in: it only makes a sleep some microseconds longer.
trait Leak: Clone + Send + Sync + 'static {
    fn leaked() -> Duration;
}

#[derive(Clone)]
struct HashOrder;

impl Leak for HashOrder {
    fn leaked() -> Duration {
        let map: HashMap<u64, ()> = (0..64).map(|n| (n, ())).collect();
        Duration::from_micros(*map.keys().next().expect("64 keys") * 100)
    }
}

#[derive(Clone)]
struct WallClock;

impl Leak for WallClock {
    fn leaked() -> Duration {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        Duration::from_micros(since.as_secs() % 1009)
    }
}

/// A site's world with a leak in it.
#[derive(Clone)]
struct LeakyEnv<L>(SimEnv, PhantomData<L>);

struct Leaky<L>(PhantomData<L>);

impl<L: Leak> Wrap for Leaky<L> {
    type Env = LeakyEnv<L>;

    fn wrap(env: SimEnv) -> LeakyEnv<L> {
        LeakyEnv(env, PhantomData)
    }
}

impl<L: Leak> Env for LeakyEnv<L> {
    type Conn = SimConn;
    type Listener = SimListener;
    type File = SimFile;

    async fn connect(&self, address: &str) -> io::Result<SimConn> {
        self.0.connect(address).await
    }

    async fn listen(&self, address: &str) -> io::Result<SimListener> {
        self.0.listen(address).await
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<SimConn> {
        self.0.accept(listener).await
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration + L::leaked()).await;
    }

    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn random_u64(&self) -> u64 {
        self.0.random_u64()
    }

    fn spawn(&self, name: &'static str, task: BoxFuture) {
        self.0.spawn(name, task);
    }

    async fn blocking<R: Send + 'static>(&self, work: Work, run: impl FnOnce() -> R + Send + 'static) -> R {
        self.0.blocking(work, run).await
    }

    fn open(&self, path: &str, how: Open) -> io::Result<SimFile> {
        self.0.open(path, how)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn available_bytes(&self) -> io::Result<u64> {
        self.0.available_bytes()
    }

    fn mark(&self, mark: &'static str) {
        self.0.mark(mark);
    }
}
