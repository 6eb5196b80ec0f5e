//! The face for operators: what the site knows of itself, as JSON, and the two questions of a supervisor.
//!
//! [`status`] is the site's account of itself, computed when asked; [`conflicts`] what nobody has chosen between; [`diff`]
//! compares with a peer; [`keys`] makes and revokes access keys; [`access`]
//! checks the token; [`server`] puts the paths together. The types are what the commands read back, and what
//! `openapi.json` describes.

pub mod access;
pub mod conflicts;
pub mod diff;
pub mod keys;
pub mod server;
pub mod status;
pub mod verify;

use crate::{
    config::{Config, Vault},
    env::tokio::TokioEnv,
    node::Node,
    telemetry::Metrics,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// What a running site shows to its operators.
pub struct Site {
    /// The engine and its links.
    pub node: Node<TokioEnv>,
    /// The world that it runs in.
    pub env: TokioEnv,
    /// What it was told.
    pub config: Config,
    /// What it counts.
    pub metrics: Metrics,
    /// Seals the secrets of access keys.
    pub vault: Vault,
    /// The access keys of the site's own file, with their accounts.
    pub first_keys: Vec<(String, String)>,
    /// Notified when keys were made or revoked here.
    pub keys_changed: Notify,
    /// When it came up, by its monotonic clock.
    pub started: Duration,
    draining: AtomicBool,
}

impl Site {
    /// A site that has just come up.
    pub fn new(
        node: Node<TokioEnv>,
        env: TokioEnv,
        config: Config,
        metrics: Metrics,
        (vault, first_keys): (Vault, Vec<(String, String)>),
    ) -> Arc<Self> {
        use crate::env::Env as _;
        let (started, draining, keys_changed) = (env.monotonic(), AtomicBool::new(false), Notify::new());
        Arc::new(Self { node, env, config, metrics, vault, first_keys, keys_changed, started, draining })
    }

    /// From now on it is not ready: it is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
