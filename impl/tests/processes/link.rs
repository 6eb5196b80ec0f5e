//! A link between two sites that can be cut, and that counts what crosses it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// A forwarder to one site.
pub(crate) struct Link {
    /// Where it is called.
    pub(crate) address: SocketAddr,
    is_cut: watch::Sender<bool>,
    bytes: Arc<AtomicU64>,
}

impl Link {
    /// Starts forwarding to `to`.
    pub(crate) async fn open(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (is_cut, cuts) = watch::channel(false);
        let (address, bytes) = (listener.local_addr()?, Arc::<AtomicU64>::default());
        let counted = bytes.clone();
        tokio::spawn(async move {
            loop {
                let Ok((from, _)) = listener.accept().await else { return };
                tokio::spawn(forward(from, to, cuts.clone(), counted.clone()));
            }
        });
        Ok(Self { address, is_cut, bytes })
    }

    /// Cuts it, or heals it.
    pub(crate) fn cut(&self, is_cut: bool) {
        let _ = self.is_cut.send(is_cut);
    }

    /// Bytes that have crossed it, both ways.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn forward(from: TcpStream, to: SocketAddr, mut cuts: watch::Receiver<bool>, bytes: Arc<AtomicU64>) {
    // While it is cut nothing answers and nothing ends: as behind a lost route.
    let _ = cuts.wait_for(|is_cut| !is_cut).await;
    let Ok(to) = TcpStream::connect(to).await else { return };
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
    tokio::select! {
        () = pump(from_read, to_write, cuts.clone(), bytes.clone()) => (),
        () = pump(to_read, from_write, cuts, bytes) => (),
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut cuts: watch::Receiver<bool>,
    bytes: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let _ = cuts.wait_for(|is_cut| !is_cut).await;
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
