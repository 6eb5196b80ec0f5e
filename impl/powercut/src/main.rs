//! Power cuts under a real daemon: the ring around the simulated disk, and beyond `kill -9`, after which the kernel still
//! writes what it was given. The store of one site lies on a file system of our own that drops at a cut what was not
//! synced; the cut comes at a drawn change of the disk, under load and while the site starts.
//!
//! `anabranch-powercut [CUTS]`, so many under load, with ANABRANCH_BINARY naming the daemon; ANABRANCH_SEED draws other cuts. Where threads
//! meet, the same seed is not the same run.
//!
//! Then the same with a disk that lies about syncs, once for each kind of sync: the loss must be found, or the test
//! could not fail.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is outside the seams: it drives a real process"
)]

mod disk;
mod history;
mod mount;
mod power;
#[path = "../../tests/processes/mod.rs"]
mod processes;
mod seed;
mod site;
mod verify;

use disk::{Dropped, Keep, Lie};
use history::{History, KEPT, MARKED, PLAIN, load};
use seed::Draws;
use site::{Site, Started};
use std::{
    env,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    task::JoinSet,
};
use verify::{Verdict, verify};

const CUTS: u64 = 30;
const CLIENTS: u64 = 4;
/// Changes of the disk until a cut under load, at most.
const STEPS_MAX: u64 = 4000;
/// Changes of the lying disk until its cut.
const CONTROL_STEPS: u64 = 1000;
/// Changes of the disk until a cut while a site starts, at most: about as many as a start makes.
const START_STEPS_MAX: u64 = 24;
/// Cuts while the site starts for the first time, and makes its store.
const FIRST_CUTS: usize = 3;
/// What of the unsynced survives, in turn.
const KEEPS: [Keep; 4] = [Keep::Nothing, Keep::Some(50), Keep::Some(90), Keep::Some(10)];

#[derive(Default)]
struct Figures {
    /// Cuts under load.
    cuts: usize,
    /// Cuts besides, before the site answered.
    starting: usize,
    dropped: Dropped,
    read: usize,
    found: usize,
    absent: usize,
    back: Vec<Duration>,
}

impl Figures {
    fn drop(&mut self, dropped: Dropped) {
        self.dropped.bytes += dropped.bytes;
        self.dropped.names += dropped.names;
    }

    fn add(&mut self, verdict: &Verdict) {
        self.read += verdict.read;
        self.found += verdict.found;
        self.absent += verdict.absent;
    }
}

async fn create_buckets(site: &Site) {
    let mut client = site.client();
    for (bucket, is_versioned) in [(KEPT, true), (PLAIN, false), (MARKED, true)] {
        client.create(bucket, is_versioned).await;
    }
}

/// Load until the cut has come and the clients have noticed.
async fn load_until_cut(
    site: &mut Site,
    history: &Arc<History>,
    seed: u64,
    steps: u64,
    keep: Keep,
) -> Dropped {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(load(site.client(), history.clone(), Draws::of(seed, 100 + client)));
    }
    site.power.cut_after(Some(steps));
    site.cut_came().await;
    let dropped = site.cut(keep);
    clients.join_all().await;
    dropped
}

/// An honest disk, cut so many times under load: nothing may be lost.
async fn honest(seed: u64, cuts: usize) {
    let (began, mut draws) = (Instant::now(), Draws::of(seed, 2));
    let (mut site, history) = (Site::create(seed), Arc::<History>::default());
    let (mut figures, mut has_buckets) = (Figures::default(), false);
    loop {
        let is_last = figures.cuts == cuts;
        let keep = KEEPS[(figures.cuts + figures.starting) % KEEPS.len()];
        // The first starts make the store, and are cut as well.
        let is_cut_early = !is_last && (figures.starting < FIRST_CUTS || draws.percent(25));
        let (started, steps) = (Instant::now(), site.power.steps());
        let how = site.start(is_cut_early.then(|| draws.below(START_STEPS_MAX))).await;
        site.power.cut_after(None);
        if how == Started::Cut || site.power.is_cut() {
            figures.starting += 1;
            figures.drop(site.cut(keep));
            continue;
        }
        figures.back.push(started.elapsed());
        let steps = site.power.steps() - steps;
        if !has_buckets {
            create_buckets(&site).await;
            has_buckets = true;
        }
        let verdict = verify(&site, &history, &mut draws, is_last).await;
        assert!(
            verdict.is_good(),
            "seed {seed}, after cut {} ({keep} was to come next): {verdict:#?}\n{}",
            figures.cuts,
            site.told()
        );
        figures.add(&verdict);
        if is_last {
            break;
        }
        let under_load = 1 + draws.below(STEPS_MAX);
        let dropped = load_until_cut(&mut site, &history, draws.next(), under_load, keep).await;
        figures.cuts += 1;
        figures.drop(dropped);
        println!(
            "cut {}: {keep}, {} bytes and {} names dropped; the start took {} ms and {steps} changes; {} read",
            figures.cuts,
            dropped.bytes,
            dropped.names,
            figures.back.last().expect("it started").as_millis(),
            verdict.read,
        );
    }
    let acked = history.acknowledged();
    figures.back.sort();
    println!(
        "{} cuts under load and {} while it started, in {:.0} s; {} acknowledged ({} small, {} in files, {} in parts, {} \
         deletes), {} refused; not answered and whole {}, absent {}; {} bytes and {} names dropped; {} reads; back after \
         {} ms (median), {} ms (most); 0 lost, 0 torn, 0 back, 0 files of nobody",
        figures.cuts,
        figures.starting,
        began.elapsed().as_secs_f64(),
        acked.all(),
        acked.inline,
        acked.in_files,
        acked.in_parts,
        acked.deletes,
        history.refused.load(Ordering::Relaxed),
        figures.found,
        figures.absent,
        figures.dropped.bytes,
        figures.dropped.names,
        figures.read,
        figures.back[figures.back.len() / 2].as_millis(),
        figures.back.last().expect("it started").as_millis(),
    );
}

/// A disk that lies, cut once: the loss must be found.
async fn control(seed: u64, lie: Lie) {
    let (mut site, history) = (Site::create(seed), Arc::<History>::default());
    assert!(site.start(None).await == Started::Answers);
    create_buckets(&site).await;
    site.power.lie(lie);
    let dropped = load_until_cut(&mut site, &history, seed, CONTROL_STEPS, Keep::Nothing).await;
    site.power.lie(Lie::Never);
    assert!(site.start(None).await == Started::Answers);
    let acked = history.acknowledged();
    let verdict = verify(&site, &history, &mut Draws::of(seed, 2), true).await;
    let lost = verdict.lost.len();
    println!(
        "control, a disk that lies about syncs of {lie}: of {} acknowledged writes {lost} found lost ({} bytes and {} names \
         dropped){}",
        acked.all() - acked.deletes,
        dropped.bytes,
        dropped.names,
        verdict
            .lost
            .first_key_value()
            .map_or_else(String::new, |(what, why)| format!("; the first: {what} {why}")),
    );
    assert!(lost > 0, "a disk that lies about syncs must be found out: {verdict:#?}");
}

async fn all(seed: u64, cuts: usize) {
    honest(seed, cuts).await;
    for lie in [Lie::Files, Lie::NewFiles, Lie::Folders] {
        control(seed, lie).await;
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse().expect("a number"));
    let cuts = env::args().nth(1).map(|cuts| cuts.parse().expect("how many cuts"));
    let cuts = cuts.or(number("ANABRANCH_CUTS")).unwrap_or(CUTS);
    let mut ended = signal(SignalKind::terminate()).expect("signals can be listened to");
    // Whoever ends it must not be left with a process and a mounted disk: both go with the future that is dropped.
    tokio::select! {
        biased;
        _ = ctrl_c() => ExitCode::FAILURE,
        _ = ended.recv() => ExitCode::FAILURE,
        () = all(number("ANABRANCH_SEED").unwrap_or(1), cuts as usize) => ExitCode::SUCCESS,
    }
}
