//! Connections that carry another site's clients: after the handshake they are the S3 face's, byte for byte.
//!
//! They run where sites talk to each other anyway: the same addresses, the same certificates. What is said on them, and how
//! long either side waits, is the face's matter.

use super::{Replication, Shared};
use crate::{
    causality::SiteId,
    env::Env,
    peer::{Purpose, Session},
};
use std::io;
use tokio::sync::{Mutex, mpsc};

/// Connections that wait for the face; further ones are closed, and their clients told to come again.
const WAITING_MAX: usize = 64;

/// Where connections wait for the face.
pub(super) struct Guests<E: Env> {
    offer: mpsc::Sender<E::Conn>,
    waiting: Mutex<mpsc::Receiver<E::Conn>>,
}

impl<E: Env> Default for Guests<E> {
    fn default() -> Self {
        let (offer, waiting) = mpsc::channel(WAITING_MAX);
        Self { offer, waiting: Mutex::new(waiting) }
    }
}

/// Hands a peer's connection to the face, if it has room.
pub(super) fn admit<E: Env>(shared: &Shared<E>, session: Session<E>) {
    let _ = shared.guests.offer.try_send(session.into_conn());
}

impl<E: Env> Replication<E> {
    /// A connection to the S3 face of another member.
    pub async fn face_of(&self, site: SiteId) -> io::Result<E::Conn> {
        if !self.shared.config.peers.contains_key(&site) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("site {site} is no peer of this one"),
            ));
        }
        let session = self.shared.call(site, Purpose::Clients).await.map_err(io::Error::other)?;
        Ok(session.into_conn())
    }

    /// The next connection that another site has opened for a client of its own.
    pub async fn guest(&self) -> E::Conn {
        let next = self.shared.guests.waiting.lock().await.recv().await;
        next.expect("the sender lives as long as replication")
    }
}
