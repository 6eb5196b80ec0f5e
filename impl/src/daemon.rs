//! One site as a process runs it: the node with its three faces, from its configuration to its last answer.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "clients and operators are in the real world"
)]

use crate::{
    admin::{Site, access::Token, server},
    config::{Config, KeyFile, Vault, read_secret},
    engine,
    env::{Env as _, tokio::TokioEnv},
    node::{self, Node, StartError},
    replication, s3,
    store::{Identity, reserve::Reserve},
    telemetry::Metrics,
};
use hyper_util::server::graceful::GracefulShutdown;
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

/// How long requests under way may take once the site is to stop.
const GRACE: Duration = Duration::from_secs(30);

/// How long a key that was made or revoked elsewhere may be unknown after it arrived.
const KEYS_EVERY: Duration = Duration::from_millis(250);

/// Why a site did not start, or stopped.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// A secret or certificate cannot be used.
    #[error("{0}")]
    Input(String),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {cause}")]
    Data {
        /// The directory.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// An address cannot be listened at.
    #[error(
        "listening for {face} at {address} failed: {cause}; stop what listens there or change [{section}] listen"
    )]
    Listen {
        /// Whom it listens for.
        face: &'static str,
        /// Where.
        address: SocketAddr,
        /// Where that is configured.
        section: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// The node did not start.
    #[error("the site did not start: {}", chain(.0))]
    Start(#[from] StartError),
    /// A commit or a sync failed: what was not acknowledged is unknown, and the next start recovers.
    #[error("the disk failed, and the site stopped: {0}; start it again to recover what was acknowledged")]
    Failed(String),
}

/// An error with its causes, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A running site.
pub struct Daemon {
    site: Arc<Site>,
    service: s3::Service<TokioEnv>,
    s3: TcpListener,
    admin: JoinHandle<io::Result<()>>,
    /// Keeps other processes out of the data directory.
    _lock: Box<dyn Send + Sync>,
}

impl Daemon {
    /// Opens the store and all faces. Nothing is answered before [`Daemon::run`].
    pub async fn start(config: Config) -> Result<Self, DaemonError> {
        let input = |error: &dyn std::fmt::Display| DaemonError::Input(error.to_string());
        let tls = config.tls().map_err(|error| input(&error))?;
        let secret = read_secret(&config.peer.cluster_key_file).map_err(|error| input(&error))?;
        let token = read_secret(&config.admin.token_file).map_err(|error| input(&error))?;
        let keys = KeyFile::read(&config.s3.keys_file).map_err(|error| input(&error))?;
        let path = config.site.data_dir.display().to_string();
        let unusable = |cause| DaemonError::Data { path: path.clone(), cause };
        let env = TokioEnv::with(&config.site.data_dir, Some(tls)).map_err(unusable)?;
        let lock = env.lock().map_err(unusable)?;
        // Addresses first: a site that nobody can reach need not open its store.
        let s3 = listen("S3 clients", "s3", config.s3.listen).await?;
        let admin = listen("operators", "admin", config.admin.listen).await?;
        let node = Node::start(env.clone(), node_config(&config, &secret)).await?;
        let metrics = Metrics::default();
        let settings = s3::Settings {
            region: config.s3.region.clone(),
            allow_sigv2: config.s3.allow_sigv2,
            sigv2_headers: config.s3.sigv2_headers,
            requests_max: config.s3.requests_max,
            idle_timeout: config.s3.idle_timeout,
        };
        let first_keys = keys.key.iter().map(|key| (key.id.clone(), key.account.clone())).collect();
        let keys = keys
            .key
            .iter()
            .fold(s3::Keys::default(), |keys, key| keys.with(&key.id, &key.secret, &key.account));
        let keys = Arc::new(keys);
        let (every, day) = (config.s3.lifecycle_every, config.s3.lifecycle_day);
        env.spawn("lifecycle", Box::pin(s3::keep_sweeping(node.engine().clone(), every, day)));
        let (engine, every) = (node.engine().clone(), config.store.scrub_every);
        env.spawn("scrub", Box::pin(async move { engine.keep_scrubbing(every).await }));
        let service = s3::service(node.engine().clone(), &keys, settings, Arc::new(metrics.clone()));
        let replication = node.replication().clone();
        let reach: s3::Reach<TokioEnv> = Arc::new(move |site| {
            let replication = replication.clone();
            Box::pin(async move { replication.face_of(site).await })
        });
        let service = service.reaching(config.peers().into_keys().collect(), reach);
        let site = Site::new(node, env, config, metrics, (Vault::new(&secret), first_keys));
        site.env.spawn("access-keys", Box::pin(follow_keys(site.clone(), keys)));
        let router = server::router(site.clone(), Token::new(&token));
        let admin = tokio::spawn(async move { axum::serve(admin, router).await });
        Ok(Self { site, service, s3, admin, _lock: Box::new(lock) })
    }

    /// What it shows to operators.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Serves until `stop`, then finishes the requests under way; or until the disk fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), DaemonError> {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.site.config.s3.connections_max));
        let accept = async {
            loop {
                let slot = slots.clone().acquire_owned().await.expect("nobody closes the semaphore");
                let (conn, address) = match self.s3.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, or the like: the next one may work.
                        tracing::warn!(%error, "a client's connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                let _ = conn.set_nodelay(true);
                let service = self.service.clone().from_address(address.ip());
                let serving = s3::serve_connection(service, conn, &graceful);
                tokio::spawn(async move {
                    let _slot = slot;
                    // How a client ends its connection is its matter.
                    if let Err(error) = serving.await {
                        tracing::debug!(%error, "a client's connection ended");
                    }
                });
            }
        };
        let replication = self.site.node.replication();
        let guests = async {
            loop {
                let conn = replication.guest().await;
                tokio::spawn(s3::serve_connection(self.service.clone().for_guests(), conn, &graceful));
            }
        };
        let end = tokio::select! {
            biased;
            () = self.site.node.run() => Err(DaemonError::Failed(self.site.node.engine().failure().unwrap_or_default())),
            () = stop => Ok(()),
            () = accept => Ok(()),
            () = guests => Ok(()),
        };
        if end.is_ok() {
            self.site.drain();
            tracing::info!("stopping: requests under way are finished");
            if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
                tracing::warn!("some requests were still under way after {GRACE:?} and are cut off");
            }
        }
        self.admin.abort();
        self.site.env.stop();
        end
    }
}

/// Keeps the keys of the whole cluster up to date.
async fn follow_keys(site: Arc<Site>, keys: Arc<s3::Keys>) {
    let mut durable = site.node.engine().watch_durable();
    loop {
        durable.latest();
        // A site that is catching up does not know them yet.
        if let Ok(found) = site.node.engine().access_keys().await {
            keys.share(found.into_iter().filter_map(|(key, _)| {
                let secret = site.vault.open(&key.id, &key.sealed_secret)?;
                Some((key.id, secret, key.account))
            }));
        }
        // At once for what was changed here; what comes from elsewhere may wait for a moment, for all that comes with it.
        tokio::select! {
            biased;
            () = site.keys_changed.notified() => (),
            () = async { durable.changed().await; tokio::time::sleep(KEYS_EVERY).await } => (),
        }
    }
}

async fn listen(
    face: &'static str,
    section: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, DaemonError> {
    let listening = TcpListener::bind(address).await;
    listening.map_err(|cause| DaemonError::Listen { face, address, section, cause })
}

fn node_config(config: &Config, secret: &str) -> node::Config {
    let identity = Identity { cluster: config.cluster.get_ref().clone(), site: config.site_id() };
    let members = config.names().into_keys().collect();
    let mut engine = engine::Config::new(identity, members, *blake3::hash(secret.as_bytes()).as_bytes());
    engine.inline_max = config.store.inline_max.as_u64() as usize;
    engine.cache_bytes = config.store.cache.as_u64() as usize;
    engine.reserve = Reserve { margin: config.store.reserve.as_u64() };
    engine.log_keep = config.store.log_keep;
    engine.blind_window = config.store.blind_window;
    let mut replication = replication::Config::new(config.peer.listen.to_string(), config.peers());
    replication.names = config.proven_names();
    node::Config { engine, replication }
}
