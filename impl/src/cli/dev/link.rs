//! A link between two sites that can be cut: a forwarder on loopback.

use std::{io, net::SocketAddr};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A forwarder to one site.
pub(super) struct Link {
    /// Where it is called.
    pub(super) address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Link {
    /// Starts forwarding to `to`.
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (is_cut, cuts) = watch::channel(false);
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            loop {
                let Ok((mut from, _)) = listener.accept().await else { return };
                let mut cuts = cuts.clone();
                tokio::spawn(async move {
                    // While it is cut nothing answers: a caller waits until it gives up, as behind a lost route.
                    let _ = cuts.wait_for(|is_cut| !is_cut).await;
                    let Ok(mut to) = TcpStream::connect(to).await else { return };
                    let _ = (from.set_nodelay(true), to.set_nodelay(true));
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut from, &mut to) => (),
                        _ = cuts.wait_for(|is_cut| *is_cut) => (),
                    }
                });
            }
        });
        Ok(Self { address, is_cut })
    }

    /// Cuts it, or heals it.
    pub(super) fn cut(&self, is_cut: bool) {
        let _ = self.is_cut.send(is_cut);
    }
}
