//! The composition root: the one place that wires world, engine and replication of a site together.

use crate::{
    engine::{self, Engine},
    env::Env,
    replication::{self, Replication},
    store,
};
use std::io;
use thiserror::Error;

/// All that a site is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine's part.
    pub engine: engine::Config,
    /// Replication's part.
    pub replication: replication::Config,
}

/// Why a site did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store could not be opened.
    #[error("opening the store failed")]
    Store(#[from] store::Error),
    /// The peers' address cannot be listened at.
    #[error("listening for peers at {address} failed")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// One running site.
pub struct Node<E: Env> {
    engine: Engine<E>,
    replication: Replication<E>,
}

impl<E: Env> Node<E> {
    /// Opens the store and starts replicating.
    pub async fn start(env: E, config: Config) -> Result<Self, StartError> {
        let engine = Engine::open(env.clone(), config.engine).await?;
        let address = config.replication.listen.clone();
        let replication = replication::start(env, engine.clone(), config.replication)
            .await
            .map_err(|cause| StartError::Listen { address, cause })?;
        Ok(Self { engine, replication })
    }

    /// The face that clients use.
    pub fn engine(&self) -> &Engine<E> {
        &self.engine
    }

    /// The links to the peers.
    pub fn replication(&self) -> &Replication<E> {
        &self.replication
    }

    /// Runs until the process must end: a commit or a sync failed.
    pub async fn run(&self) {
        self.engine.failed().await;
    }
}
