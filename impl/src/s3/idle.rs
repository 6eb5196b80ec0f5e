//! A request's body that must not stand still: a client that sends nothing for too long is given up.
//!
//! Stands around the body itself, not where bodies are taken in: forms and XML are read before an operation begins, and
//! `s3s` unpacks signed chunks on the way.

use crate::env::{BoxFuture, Env};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

/// How far a request's body came, for whoever answers.
#[derive(Clone, Default)]
pub(super) struct Progress {
    stalled: Arc<AtomicBool>,
    unread: Arc<AtomicBool>,
    pieces: Arc<AtomicU64>,
}

impl Progress {
    /// Whether the client was given up: that is then said, whatever became of the operation.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// How many pieces of it were read.
    pub(super) fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Whether there is a body of which some was not read.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }
}

/// A body with a limit on the time between two of its pieces.
pub(super) struct Moving<E, B> {
    env: E,
    limit: Duration,
    body: B,
    /// Runs while the client is waited for.
    timer: Option<BoxFuture>,
    progress: Progress,
}

impl<E: Env, B> Moving<E, B> {
    pub(super) fn new(env: E, limit: Duration, body: B, progress: Progress) -> Self {
        progress.unread.store(true, Ordering::Relaxed);
        Self { env, limit, body, timer: None, progress }
    }
}

/// Nothing in it is pinned in its place.
impl<E, B: Unpin> Unpin for Moving<E, B> {}

impl<E: Env, B> Body for Moving<E, B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.timer = None;
            self.progress.pieces.fetch_add(1, Ordering::Relaxed);
            if frame.is_none() || self.body.is_end_stream() {
                self.progress.unread.store(false, Ordering::Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let (env, limit) = (self.env.clone(), self.limit);
        let timer = self.timer.get_or_insert_with(|| Box::pin(async move { env.sleep(limit).await }));
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        self.progress.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
