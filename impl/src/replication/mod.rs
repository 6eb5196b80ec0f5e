//! Moving operations, bodies and state between sites.
//!
//! In reading order: [`puller`] keeps one session to each peer and takes its log in; [`server`] answers pullers;
//! [`merge`] takes over a peer's state when its log no longer reaches back; [`bodies`] fetches what the operations only
//! name; [`repair`] refills damaged records; [`audit`] compares what must be equal; [`guests`] are
//! connections that carry clients. `links` is what they all know of the
//! peers, and [`standing`] what may be said of it.
//!
//! Everything resumes from durable state: a session may end at any byte. Everything is bounded: batches, chunks,
//! batches in flight, workers, every wait.

mod audit;
mod bodies;
mod guests;
mod links;
mod merge;
mod puller;
mod repair;
mod server;
mod standing;

use crate::{
    causality::SiteId,
    engine::Engine,
    env::Env,
    peer::{Purpose, Session, SessionError, session},
};
pub use audit::Audit;
pub use links::Link;
use links::Links;
pub use standing::{Apart, Standing};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How replication paces itself. Defaults are those of a deployed site.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where peers call this site.
    pub listen: String,
    /// Where the other members are called.
    pub peers: BTreeMap<SiteId, String>,
    /// The names that members prove to be theirs, where connections prove names; see [`Env::proven_name`].
    pub names: BTreeMap<SiteId, String>,
    /// Silence after which either side of a session says what it has.
    pub heartbeat: Duration,
    /// Time limits of a session.
    pub limits: session::Limits,
    /// How long an origin is out of reach before its operations are asked of other members.
    pub relay_after: Duration,
    /// The first and the longest pause between two calls of a peer.
    pub reconnect: (Duration, Duration),
    /// Sessions of callers at the same time; further ones wait until one ends.
    pub sessions_max: usize,
    /// Operations in one message, in bytes.
    pub batch_bytes: usize,
    /// Batches received and not durable yet; at the bound the stream waits.
    pub batches_in_flight: usize,
    /// Bodies fetched at the same time.
    pub body_workers: usize,
    /// Bytes of a body in one message.
    pub body_chunk_bytes: usize,
    /// Records in one message of a state merge, at most; `batch_bytes` bounds their bytes.
    pub merge_chunk_records: usize,
    /// How often a peer's records are compared with this site's, once they were equal; sooner until then.
    pub audit_every: Duration,
    /// How long a version's own site waits, once every member has said that it has no body, before it ends the version.
    pub lost_after: Duration,
}

impl Config {
    /// The defaults.
    pub fn new(listen: String, peers: BTreeMap<SiteId, String>) -> Self {
        let limits = session::Limits {
            handshake: Duration::from_secs(3),
            write: Duration::from_secs(10),
            silence: Duration::from_secs(3),
        };
        Self {
            listen,
            peers,
            names: BTreeMap::new(),
            heartbeat: Duration::from_millis(500),
            limits,
            relay_after: Duration::from_secs(3),
            reconnect: (Duration::from_millis(100), Duration::from_secs(3)),
            sessions_max: 1024,
            batch_bytes: 256 << 10,
            batches_in_flight: 16,
            body_workers: 4,
            body_chunk_bytes: 256 << 10,
            merge_chunk_records: 1000,
            audit_every: Duration::from_mins(10),
            lost_after: Duration::from_secs(5),
        }
    }
}

/// What every part of replication shares.
struct Shared<E: Env> {
    env: E,
    engine: Engine<E>,
    config: Config,
    own: session::Own,
    links: Links,
    guests: guests::Guests<E>,
    /// Held while a peer's state is taken over.
    merging: tokio::sync::Mutex<()>,
    /// Held while a peer's records are compared: each reads all that is here.
    auditing: tokio::sync::Mutex<()>,
}

/// Running replication, as an operator sees it. Cheap to clone.
pub struct Replication<E: Env> {
    shared: Arc<Shared<E>>,
}

impl<E: Env> Clone for Replication<E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<E: Env> Replication<E> {
    /// The link to every peer.
    pub fn links(&self) -> BTreeMap<SiteId, Link> {
        let mut links = self.shared.links.all();
        for peer in self.shared.config.peers.keys() {
            links.entry(*peer).or_default();
        }
        links
    }

    /// Compares this site's records with a peer's, now. Reads every record at both.
    pub async fn audit(&self, peer: SiteId) -> io::Result<Audit> {
        audit::audit(&self.shared, peer).await
    }

    /// Sites whose log forked or cannot be read: nothing is taken of them until an operator acts.
    pub fn fenced(&self) -> Vec<SiteId> {
        self.shared.config.peers.keys().copied().filter(|site| self.shared.links.is_fenced(*site)).collect()
    }
}

/// Starts replication. Fails only if the address cannot be listened at.
pub async fn start<E: Env>(env: E, engine: Engine<E>, config: Config) -> io::Result<Replication<E>> {
    let cluster = engine.config().identity.cluster.clone();
    let own = session::Own { cluster, origin: engine.origin(), names: config.names.clone() };
    let mut listener = env.listen(&config.listen).await?;
    let shared = Arc::new(Shared {
        links: Links::default(),
        guests: guests::Guests::default(),
        merging: tokio::sync::Mutex::new(()),
        auditing: tokio::sync::Mutex::new(()),
        env,
        engine,
        config,
        own,
    });
    for peer in shared.config.peers.keys().copied() {
        shared.env.spawn("puller", Box::pin(puller::run(shared.clone(), peer)));
        shared.env.spawn("audit", Box::pin(audit::run(shared.clone(), peer)));
    }
    for _ in 0..shared.config.body_workers {
        shared.env.spawn("body-worker", Box::pin(bodies::run(shared.clone())));
    }
    shared.env.spawn("repair", Box::pin(repair::run(shared.clone())));
    let accepting = shared.clone();
    let accept = async move {
        let slots = Arc::new(Semaphore::new(accepting.config.sessions_max));
        loop {
            let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
            match accepting.env.accept(&mut listener).await {
                Ok(conn) => {
                    let serving = server::run(accepting.clone(), conn);
                    accepting.env.spawn(
                        "session",
                        Box::pin(async move {
                            serving.await;
                            drop(slot);
                        }),
                    );
                }
                // Out of descriptors, or the like: the next one may work.
                Err(_) => accepting.env.sleep(accepting.config.reconnect.0).await,
            }
        }
    };
    shared.env.spawn("listener", Box::pin(accept));
    Ok(Replication { shared })
}

impl<E: Env> Shared<E> {
    async fn call(&self, peer: SiteId, purpose: Purpose) -> Result<Session<E>, SessionError> {
        let address = self.config.peers.get(&peer).expect("only configured peers are called");
        session::call(&self.env, &self.own, address, peer, purpose, self.config.limits).await
    }

    /// What a peer is called in the log.
    fn name(&self, peer: SiteId) -> String {
        self.config.names.get(&peer).cloned().unwrap_or_else(|| peer.to_string())
    }

    /// Between half and all of `pause`: so that sites that failed together do not come back together.
    async fn pause(&self, pause: Duration) {
        let half = pause / 2;
        let jitter = self.env.random_u64() % (half.as_micros() as u64 + 1);
        self.env.sleep(half + Duration::from_micros(jitter)).await;
    }
}
