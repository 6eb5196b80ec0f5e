//! Dropping what every member has: log entries, bodies of purged versions, epochs that moved for the last time; and a
//! state that was staged in part and that the logs have overtaken since.
//!
//! Everything here happens below the *stable cut*, what every member has applied and synced, and never by a timer. The
//! body of a purged version stays until every member has its superseder's own body too: metadata travels first, and if
//! that body were lost before it spread, the version before it would be the only one left.

use super::{Engine, Error, lock, writer::Purpose};
use crate::{
    causality::{Dot, Epoch, SiteId, VersionVector},
    env::{Env, Work},
    store::{MergeProgress, keys},
};
use std::sync::atomic::Ordering;

/// Log entries and bodies dropped in one commit: a collection never holds the writer for long.
const STEP_MAX: usize = 1000;

pub(super) async fn run<E: Env>(engine: Engine<E>) {
    loop {
        engine.env().sleep(engine.config().collect_every).await;
        // A failure here is the writer's to report; what was not collected now is collected later.
        let _ = collect(&engine).await;
    }
}

async fn collect<E: Env>(engine: &Engine<E>) -> Result<(), Error> {
    let cut = engine.stable_cut();
    if !cut.is_empty() {
        trim_logs(engine, cut).await?;
        fold(engine).await?;
        collect_bodies(engine, engine.complete_cut()).await?;
    }
    drop_overtaken_state(engine).await?;
    let orphans = std::mem::take(&mut *lock(&engine.shared.orphans));
    remove_files(engine, orphans).await;
    Ok(())
}

/// Drops what is staged of a peer's state once this site has applied all that it covers: its session broke, and the logs of
/// others reached back after all. If a session still stages, it is told to start over.
async fn drop_overtaken_state<E: Env>(engine: &Engine<E>) -> Result<(), Error> {
    let overtaken = |progress: &MergeProgress, applied: &VersionVector| {
        !progress.folding && progress.origins.iter().all(|(origin, row)| applied.last_of(*origin) >= row.last)
    };
    if !engine.shared.may_be_staged.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let (applied, progress) = (engine.durable(), engine.merge_progress().await?);
    if !progress.as_ref().is_some_and(|progress| overtaken(progress, &applied)) {
        if progress.is_some() {
            engine.shared.may_be_staged.store(true, Ordering::Relaxed);
        }
        return Ok(());
    }
    engine.env().mark("merge-overtaken");
    engine
        .submit(Purpose::Tidy, move |sequencer| {
            let tx = &mut *sequencer.tx;
            if tx.row::<MergeProgress>(keys::MERGE)?.is_some_and(|progress| overtaken(&progress, tx.vector()))
            {
                tx.clear_staged()?;
                tx.remove_row(keys::MERGE)?;
            }
            Ok(Ok(()))
        })
        .await
}

async fn trim_logs<E: Env>(engine: &Engine<E>, cut: VersionVector) -> Result<(), Error> {
    let keep = engine.config().log_keep;
    let due: Vec<((SiteId, Epoch), u64)> = engine
        .read(move |snapshot| {
            let rows = snapshot.origins()?.into_iter();
            Ok(rows
                .map(|(origin, row)| (origin, row.low, cut.last_of(origin).saturating_sub(keep)))
                .filter(|(_, low, upto)| upto > low)
                .map(|(origin, _, upto)| (origin, upto))
                .collect())
        })
        .await?;
    if due.is_empty() {
        return Ok(());
    }
    engine.env().mark("log-trimmed");
    loop {
        let due = due.clone();
        let more = engine
            .submit(Purpose::Tidy, move |sequencer| {
                let mut more = false;
                for (origin, upto) in due {
                    more |= sequencer.tx.trim_log(origin, upto, STEP_MAX)? == STEP_MAX;
                }
                Ok(Ok(more))
            })
            .await?;
        if !more {
            return Ok(());
        }
    }
}

/// Folds epochs that can move no more: their site runs in another one, and every member, it included, reports the same
/// last operation of them.
async fn fold<E: Env>(engine: &Engine<E>) -> Result<(), Error> {
    let (reports, durable, own) = (engine.reports(), engine.durable(), engine.origin());
    let is_over = |(site, epoch): (SiteId, Epoch)| {
        let runs_in = if site == own.0 { Some(own.1) } else { reports.get(&site).map(|report| report.epoch) };
        runs_in.is_some_and(|running| running != epoch)
    };
    let others = engine.config().members.iter().filter(|member| **member != own.0);
    let others: Vec<_> = others.map(|member| reports.get(member)).collect();
    let due: Vec<(SiteId, Epoch)> = durable
        .open_part()
        .filter(|(origin, last)| {
            is_over(*origin)
                && others
                    .iter()
                    .all(|report| report.is_some_and(|report| report.vector.last_of(*origin) == *last))
        })
        .map(|(origin, _)| origin)
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    engine.env().mark("epoch-folded");
    engine
        .submit(Purpose::Tidy, move |sequencer| {
            for origin in due {
                sequencer.tx.fold(origin);
            }
            Ok(Ok(()))
        })
        .await
}

async fn collect_bodies<E: Env>(engine: &Engine<E>, cut: VersionVector) -> Result<(), Error> {
    let mut after = None;
    // Page by page: rows that wait for a superseder's body must not hide those behind them.
    while let Some(last) = collect_page(engine, cut.clone(), after).await? {
        after = Some(last);
    }
    Ok(())
}

/// Collects among the next rows; returns where the page ended, if there may be more.
async fn collect_page<E: Env>(
    engine: &Engine<E>,
    cut: VersionVector,
    after: Option<Dot>,
) -> Result<Option<Dot>, Error> {
    let (due, last) = engine
        .read(move |snapshot| {
            let mut due = Vec::new();
            let page = snapshot.bodies(keys::GARBAGE, after, STEP_MAX)?;
            let last = page.last().map(|(dot, _)| *dot);
            for (dot, row) in page {
                let mut is_safe = true;
                for superseder in &row.purged_by {
                    let outstanding = snapshot.body(keys::WANTED, *superseder)?.is_some();
                    is_safe &= cut.covers(*superseder) && !outstanding;
                }
                if is_safe {
                    due.push(dot);
                }
            }
            Ok((due, last))
        })
        .await?;
    let due: Vec<Dot> = due.into_iter().filter(|dot| !engine.shared.readers.is_read(*dot)).collect();
    if due.is_empty() {
        return Ok(last);
    }
    engine.env().mark("body-collected");
    engine
        .submit(Purpose::Tidy, move |sequencer| {
            for dot in due {
                // It may have come to life since: a repair, or a version whose body it is now.
                if sequencer.tx.body_row(keys::GARBAGE, dot)?.is_some() {
                    sequencer.tx.drop_garbage(dot)?;
                }
            }
            Ok(Ok(()))
        })
        .await?;
    Ok(last)
}

/// Removes files that nothing names. The rows went first: a crash here leaves them to the next start.
async fn remove_files<E: Env>(engine: &Engine<E>, files: Vec<String>) {
    if files.is_empty() {
        return;
    }
    let env = engine.env().clone();
    let remove = move || {
        for file in files {
            let _ = env.remove(&file); // gone already, or the next start's matter
        }
    };
    engine.env().blocking(Work::Write, remove).await;
}
