//! The one writer: every change of the store, local or from a peer, in one order and in batches.
//!
//! Preconditions, `supersedes`, timestamp and dot are computed here, inside the transaction and in batch order, so each
//! job sees what the jobs before it did. Whoever waits is answered after the batch is committed and synced, never
//! before; the durable vector, which readers and senders follow, rises then too.
//!
//! The queue holds `queue_max` jobs; a full queue makes requests wait, at most `wait_max`, then 503. A batch takes
//! [`BATCH_MAX`] jobs. If a commit fails, nobody in the batch is answered ("unknown") and the process ends.

use super::{Config, Engine, Error, Unavailable, lock, unseen::Unseen};
use crate::{
    causality::{ClockReading, Dot, HybridClock, Timestamp, VersionVector},
    crdt::{Applied, ApplyError, Record, State},
    env::{Env, Work, timeout},
    object::{Kind, Op, RecordKey, wire},
    store::{self, Tx, keys},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Jobs in one commit: enough to share a sync, few enough that nobody waits long for one.
const BATCH_MAX: usize = 256;

/// Why a job wants the disk, which decides what happens when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It adds data: refused on a full disk.
    Grow,
    /// It removes data or notes progress: always let through.
    Tidy,
}

type Answer = Box<dyn FnOnce() + Send>;
type Run = Box<dyn FnOnce(&mut Sequencer<'_, '_>) -> Result<Answer, store::Error> + Send>;
type Refuse = Box<dyn FnOnce(Error) + Send>;

/// One change that waits for the writer.
pub(super) struct Job {
    purpose: Purpose,
    run: Run,
    refuse: Refuse,
}

/// What the writer keeps between batches.
pub(super) struct Sequencing {
    clock: HybridClock,
    pub(super) unseen: Unseen,
}

impl Sequencing {
    pub(super) fn new(clock: HybridClock, opened_at: Duration, config: &Config) -> Self {
        Self { clock, unseen: Unseen::new(config.blind_window, opened_at) }
    }
}

/// One batch's transaction with the clocks at its start.
pub(super) struct Sequencer<'a, 't> {
    pub(super) tx: &'a mut Tx<'t>,
    sequencing: &'a mut Sequencing,
    wall_ms: u64,
    now: Duration,
    pub(super) clock_suspects: u64,
}

/// A local write before it has a dot.
pub(super) struct Draft {
    pub(super) record: RecordKey,
    pub(super) kind: Kind,
    pub(super) supersedes: Vec<Dot>,
    /// What the client said it had seen; none for a blind write.
    pub(super) context: bool,
    /// A timestamp that the write must exceed besides the record's own.
    pub(super) floor: Timestamp,
    /// When the request came, by the monotonic clock: what became visible later its client cannot have seen.
    pub(super) asked_at: Duration,
}

impl Sequencer<'_, '_> {
    /// Gives a local write its dot, timestamp and unseen list, and applies it.
    pub(super) fn write(&mut self, record: &Record, draft: Draft) -> Result<Op, store::Error> {
        let dot = self.tx.next_dot();
        let unseen = if draft.context {
            Vec::new()
        } else {
            let mut unseen = self.sequencing.unseen.among(record, &draft.supersedes, draft.asked_at);
            // Nor can it have seen a version whose body is not here.
            for dot in &draft.supersedes {
                if !unseen.contains(dot) && self.tx.body_row(keys::WANTED, *dot)?.is_some() {
                    unseen.push(*dot);
                }
            }
            unseen
        };
        let op = Op {
            dot,
            prev: self.tx.chain(dot.origin()).unwrap_or_default(),
            hlc: self.sequencing.clock.tick(self.wall_ms, record.greatest_hlc().max(draft.floor)),
            record: draft.record,
            kind: draft.kind,
            supersedes: draft.supersedes,
            unseen,
            client_context: draft.context,
        };
        match self.tx.apply(&op, &wire::encode_op(&op)) {
            Ok(applied) => {
                self.note_shown(&op, &applied);
                Ok(op)
            }
            Err(ApplyError::State(error)) => Err(error),
            Err(error @ (ApplyError::Gap { .. } | ApplyError::Fork { .. })) => {
                panic!("an own write takes the next dot of its own log: {error}")
            }
        }
    }

    /// Applies a peer's operation. A gap or a fork is the peer's matter: nothing was written then.
    pub(super) fn take(&mut self, op: &Op, encoded: &[u8]) -> Result<bool, ApplyError<store::Error>> {
        let applied = self.tx.apply(op, encoded)?;
        let is_new = applied != Applied::Already;
        if is_new {
            if matches!(self.sequencing.clock.observe(op.hlc, self.wall_ms), ClockReading::Suspect { .. }) {
                self.clock_suspects += 1;
            }
            self.note_shown(op, &applied);
        }
        Ok(is_new)
    }

    fn note_shown(&mut self, op: &Op, applied: &Applied) {
        if let Applied::Changed { before, after } = applied {
            let own = self.tx.own();
            self.sequencing.unseen.applied(op, before, after, own);
        }
    }

    /// A peer's version can be seen from the moment that its body is here.
    pub(super) fn body_became_readable(&mut self, dot: Dot) {
        self.sequencing.unseen.shown_next(dot);
    }

    /// A peer's state was taken over.
    pub(super) fn state_merged(&mut self) {
        self.sequencing.unseen.merged(self.now);
    }

    /// The record to be written to, unless it is damaged: then nobody knows what a write would supersede.
    pub(super) fn writable(&mut self, key: &RecordKey) -> Result<Result<Record, Error>, store::Error> {
        let record = self.tx.record(key)?;
        let damaged = self.tx.is_damaged(key)?;
        Ok(if damaged { Err(Unavailable::Damaged.into()) } else { Ok(record) })
    }
}

impl<E: Env> Engine<E> {
    /// Has the writer do `work` and answers once it is durable.
    ///
    /// `work` returns its own refusal as the inner error, having written nothing then. Cancelled, the work may still
    /// happen: to the caller it is unknown.
    pub(super) async fn submit<R: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Sequencer<'_, '_>) -> Result<Result<R, Error>, store::Error> + Send + 'static,
    ) -> Result<R, Error> {
        let answer = self.enqueue(purpose, work).await?;
        answer.await.unwrap_or(Err(Error::Unknown))
    }

    /// Queues `work` in the caller's order; the receiver yields its outcome.
    pub(super) async fn enqueue<R: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Sequencer<'_, '_>) -> Result<Result<R, Error>, store::Error> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<R, Error>>, Error> {
        let (sender, receiver) = oneshot::channel();
        // Shared between running and refusing: only one of them ever happens.
        let reply = Arc::new(std::sync::Mutex::new(Some(sender)));
        let refused = reply.clone();
        let send = |reply: &std::sync::Mutex<Option<oneshot::Sender<_>>>, value| {
            if let Some(sender) = lock(reply).take() {
                let _ = sender.send(value); // whoever asked may have given up
            }
        };
        let job = Job {
            purpose,
            run: Box::new(move |sequencer| {
                let value = work(sequencer)?;
                Ok(Box::new(move || send(&reply, value)))
            }),
            refuse: Box::new(move |error| send(&refused, Err(error))),
        };
        match timeout(self.env(), self.config().wait_max, self.shared.jobs.send(job)).await {
            Some(Ok(())) => Ok(receiver),
            Some(Err(_)) => Err(Error::Unknown),
            None => Err(Unavailable::Overloaded.into()),
        }
    }
}

/// Runs until a commit fails.
pub(super) async fn run<E: Env>(
    engine: Engine<E>,
    mut queue: mpsc::Receiver<Job>,
    mut sequencing: Sequencing,
) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(job) = queue.try_recv()
        {
            batch.push(job);
        }
        if let Err(full) = engine.check_space(0) {
            let (grow, tidy): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|job| job.purpose == Purpose::Grow);
            batch = tidy;
            engine.env().mark("refused-disk-full");
            for job in grow {
                (job.refuse)(match &full {
                    store::Error::Full { .. } => Unavailable::DiskFull.into(),
                    other => Error::Invalid(other.to_string()),
                });
            }
            if batch.is_empty() {
                continue;
            }
        }
        match commit(&engine, batch, sequencing).await {
            Ok((answers, kept)) => {
                sequencing = kept;
                for answer in answers {
                    answer();
                }
            }
            Err(error) => {
                // Nobody is answered: what the disk holds is unknown until the next start has read it.
                engine.env().mark("commit-failed");
                lock(&engine.shared.gauges).failure = Some(error.to_string());
                engine.shared.failed.notify_one();
                return;
            }
        }
    }
}

impl<E: Env> Engine<E> {
    /// Refuses if so many bytes more would eat into the reserve.
    pub(crate) fn check_space(&self, about_to_write: u64) -> Result<(), store::Error> {
        self.config().reserve.check(self.env(), store::database_bytes(self.env())?, about_to_write)
    }
}

async fn commit<E: Env>(
    engine: &Engine<E>,
    batch: Vec<Job>,
    mut sequencing: Sequencing,
) -> Result<(Vec<Answer>, Sequencing), store::CommitError> {
    let shared = engine.shared.clone();
    let (answers, sequencing, vector, suspects) = engine
        .env()
        .blocking(Work::Write, move || {
            let (wall_ms, now) = (shared.env.wall_ms(), shared.env.monotonic());
            let ((answers, vector, suspects), mut orphans) = shared.store.commit(|tx| {
                let mut sequencer =
                    Sequencer { tx, sequencing: &mut sequencing, wall_ms, now, clock_suspects: 0 };
                let answers =
                    batch.into_iter().map(|job| (job.run)(&mut sequencer)).collect::<Result<Vec<_>, _>>()?;
                let suspects = sequencer.clock_suspects;
                if let Some(ceiling) = sequencing.clock.ceiling_due() {
                    tx.put_row(keys::CEILING, &ceiling.0)?;
                }
                Ok((answers, tx.vector().clone(), suspects))
            })?;
            lock(&shared.orphans).append(&mut orphans);
            Ok((answers, sequencing, vector, suspects))
        })
        .await?;
    let mut sequencing = sequencing;
    sequencing.unseen.published(engine.env().monotonic());
    publish(engine, vector, suspects);
    Ok((answers, sequencing))
}

/// Shows what is now durable to readers and senders.
fn publish<E: Env>(engine: &Engine<E>, vector: VersionVector, suspects: u64) {
    if suspects > 0 {
        engine.env().mark("clock-suspect");
        lock(&engine.shared.gauges).clock_suspects += suspects;
    }
    engine.shared.durable.change(|durable| {
        let changed = **durable != vector;
        if changed {
            *durable = Arc::new(vector);
        }
        changed
    });
}
