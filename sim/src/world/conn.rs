//! A connection between two sites: the simulator's socket with a WAN link in front of each direction.
//!
//! What is written goes into an outbox of bounded size; a pump task takes it out, waits as long as the link says, and
//! writes it to the socket. When the process dies, outbox and pump die with it, as kernel buffers do at a power cut.

use super::{
    env::SimEnv,
    fabric,
    ground::{ConnControl, Ground},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split},
    sync::Notify,
};

/// Bytes on their way before a writer waits: a socket's send buffer.
const OUTBOX_MAX: usize = 512 << 10;

/// How long a caller may take to say who it is: nothing delays it but its own end.
const PREFACE_MAX: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Outbox {
    queue: VecDeque<(Duration, Bytes)>,
    bytes: usize,
    closed: bool,
    writer: Option<Waker>,
}

struct Shared {
    outbox: Mutex<Outbox>,
    filled: Notify,
}

/// One end of a connection.
pub struct SimConn {
    ground: Arc<Ground>,
    control: Arc<ConnControl>,
    shared: Arc<Shared>,
    inner: ReadHalf<fabric::Stream>,
    /// What is read is watched under this number.
    watched: u64,
    /// The other end's site, and this end's.
    ends: (u16, u16),
}

/// A listening socket.
pub struct SimListener(fabric::Listener);

/// Calls another site: a round trip, then the socket.
pub(super) async fn connect(env: &SimEnv, address: &str) -> io::Result<SimConn> {
    let to: u16 =
        address.strip_prefix('s').and_then(|n| n.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let (ground, from) = (&env.ground, env.site);
    if from != to {
        ground.while_cut(from, to).await;
        ground.while_cut(to, from).await;
        let round_trip = {
            let mut state = ground.lock();
            let mut delay =
                |pair| state.links.get_mut(&pair).map_or(Duration::ZERO, super::link::Link::delay);
            delay((from, to)) + delay((to, from))
        };
        fabric::sleep(round_trip).await;
    }
    let mut stream = fabric::connect(to).await?;
    stream.write_all(&from.to_be_bytes()).await?;
    stream.flush().await?;
    let control = ConnControl::new((from, to));
    ground.lock().register(&control);
    Ok(SimConn::new(ground, control, stream, from, to))
}

impl SimListener {
    pub(super) fn new(inner: fabric::Listener) -> Self {
        Self(inner)
    }

    pub(super) async fn accept(&mut self, env: &SimEnv) -> io::Result<SimConn> {
        let mut stream = fabric::accept(&mut self.0).await?;
        let mut caller = [0; 2];
        // A caller that dies between connecting and saying who it is must not hold up all others for ever.
        tokio::select! {
            biased;
            read = stream.read_exact(&mut caller) => read?,
            () = fabric::sleep(PREFACE_MAX) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let from = u16::from_be_bytes(caller);
        let control = ConnControl::new((from, env.site));
        env.ground.lock().register(&control);
        Ok(SimConn::new(&env.ground, control, stream, env.site, from))
    }
}

impl SimConn {
    fn new(
        ground: &Arc<Ground>,
        control: Arc<ConnControl>,
        stream: fabric::Stream,
        from: u16,
        to: u16,
    ) -> Self {
        let (inner, socket) = split(stream);
        let shared = Arc::new(Shared { outbox: Mutex::default(), filled: Notify::new() });
        fabric::spawn(Box::pin(pump(ground.clone(), control.clone(), shared.clone(), socket, from, to)));
        let watched = ground.lock().watch.open();
        Self { ground: ground.clone(), control, shared, inner, watched, ends: (to, from) }
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().expect("no panic while held")
    }

    fn reset_error() -> io::Error {
        io::Error::from(io::ErrorKind::ConnectionReset)
    }
}

impl Drop for SimConn {
    fn drop(&mut self) {
        self.outbox().closed = true;
        self.shared.filled.notify_one();
    }
}

/// Carries one direction.
async fn pump(
    ground: Arc<Ground>,
    control: Arc<ConnControl>,
    shared: Arc<Shared>,
    mut socket: WriteHalf<fabric::Stream>,
    from: u16,
    to: u16,
) {
    let mut after = Duration::ZERO;
    loop {
        if control.is_reset() {
            return;
        }
        let next = {
            let mut outbox = shared.outbox.lock().expect("no panic while held");
            match outbox.queue.pop_front() {
                Some((sent, bytes)) => {
                    outbox.bytes -= bytes.len();
                    if let Some(writer) = outbox.writer.take() {
                        writer.wake();
                    }
                    Some((sent, bytes))
                }
                None if outbox.closed => return,
                None => None,
            }
        };
        let Some((sent, bytes)) = next else {
            tokio::select! { biased; () = shared.filled.notified() => (), () = control.changed.notified() => () }
            continue;
        };
        let transit = {
            let mut state = ground.lock();
            let link = state.links.get_mut(&(from, to));
            link.map(|link| link.send(sent, bytes.len(), after))
        };
        let mut bytes = bytes;
        if let Some(transit) = transit {
            after = transit.arrives;
            fabric::sleep(after.saturating_sub(fabric::now())).await;
            if let Some(bit) = transit.flipped {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                bytes = flipped.into();
            }
        }
        let caught = {
            let mut state = ground.lock();
            state.is_cut(from, to) && state.stalls()
        };
        if caught {
            control.stalled.store(true, Ordering::Relaxed);
        }
        ground.while_cut(from, to).await;
        ground.while_paused(to).await;
        ground.while_paused(from).await;
        if control.stalled.load(Ordering::Relaxed) {
            // The middlebox forgot the connection: nothing arrives any more, and nobody is told.
            loop {
                if control.is_reset() || shared.outbox.lock().expect("no panic while held").closed {
                    return;
                }
                tokio::select! { biased; () = shared.filled.notified() => (), () = control.changed.notified() => () }
            }
        }
        if control.is_reset() {
            return;
        }
        ground.lock().arrived(from, to, fabric::now(), &bytes);
        if socket.write_all(&bytes).await.is_err() || socket.flush().await.is_err() {
            control.reset();
            return;
        }
    }
}

impl AsyncRead for SimConn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.control.is_reset() {
            return Poll::Ready(Err(Self::reset_error()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if polled.is_pending() {
            *self.control.reader.lock().expect("no panic while held") = Some(cx.waker().clone());
        }
        let (from, to) = self.ends;
        self.ground.lock().delivered(self.watched, from, to, fabric::now(), &buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for SimConn {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.control.is_reset() {
            return Poll::Ready(Err(Self::reset_error()));
        }
        let mut outbox = self.outbox();
        let room = OUTBOX_MAX.saturating_sub(outbox.bytes);
        if room == 0 {
            outbox.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = room.min(bytes.len());
        outbox.bytes += taken;
        outbox.queue.push_back((fabric::now(), Bytes::copy_from_slice(&bytes[..taken])));
        drop(outbox);
        self.shared.filled.notify_one();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.is_reset() { Poll::Ready(Err(Self::reset_error())) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox().closed = true;
        self.shared.filled.notify_one();
        Poll::Ready(Ok(()))
    }
}
