//! Many seeds on all cores: one seed is one thread, and what comes back is small.
//!
//! A run leaves megabytes behind; a sweep keeps its [`Facts`] and forgets the rest. A panic in one seed is that seed's
//! result and ends nobody else's.
//!
//! Invariant: what a sweep finds does not depend on how many threads it has; only the order in which results come does.

use crate::{
    oracle::{Promise, Verdict, Violation},
    runner::{self, Finished},
    scenario::Scenario,
};
use std::{
    any::Any,
    collections::BTreeMap,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::sync_channel,
    },
    time::{Duration, Instant},
};

/// Every mark that the engine can reach. A mark that no seed reaches is code that no seed has tried.
pub const MARKS: [&str; 27] = [
    "body-collected",
    "body-lost",
    "body-mismatch",
    "body-row-corrupt",
    "body-vanished",
    "clock-suspect",
    "commit-failed",
    "difference-found",
    "difference-mended",
    "epoch-folded",
    "folding-resumed",
    "fork",
    "gap-refused",
    "log-trimmed",
    "merge-ended",
    "merge-needed",
    "merge-overtaken",
    "merge-resumed",
    "merge-started",
    "merge-started-over",
    "record-repaired",
    "record-withdrawn",
    "refused-disk-full",
    "reserve-released",
    "session-refused",
    "store-failed",
    "unnamed-body-collected",
];

/// The largest share of a scenario's seeds that may prove nothing before the sweep itself proves nothing.
pub const INCONCLUSIVE_MAX: f64 = 0.05;

/// What a run is worth in figures, without the run.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The verdict.
    pub verdict: Verdict,
    /// What was violated.
    pub violations: Vec<Violation>,
    /// Why the run proves nothing, if so.
    pub inconclusive: Vec<String>,
    /// Acknowledged writes.
    pub writes: usize,
    /// Those that were lost.
    pub lost: usize,
    /// Those that went with their only disk.
    pub destroyed: usize,
    /// Pairs of concurrent writes.
    pub conflicts: u64,
    /// Faults that were in effect.
    pub faults: usize,
    /// Marks reached by the engine.
    pub marks: BTreeMap<&'static str, u64>,
    /// Simulated time.
    pub simulated: Duration,
    /// The trace's hash and its number of events.
    pub trace: (u64, u64),
}

impl Facts {
    /// Of a finished run.
    pub fn of(finished: &Finished) -> Self {
        let (outcome, judgement) = (&finished.outcome, &finished.judgement);
        Self {
            verdict: judgement.verdict(),
            violations: judgement.violations.clone(),
            inconclusive: judgement.inconclusive.clone(),
            writes: judgement.accounts.acknowledged(),
            lost: judgement.accounts.lost(),
            destroyed: judgement.accounts.destroyed(),
            conflicts: judgement.conflicts,
            faults: judgement.faults,
            marks: outcome.marks.clone(),
            simulated: outcome.simulated,
            trace: outcome.trace,
        }
    }
}

/// Runs and judges one seed. An error is the message of a panic, of the world or of an oracle.
pub fn run_seed(scenario: &Scenario, seed: u64) -> Result<Facts, String> {
    caught(|| runner::run(scenario, seed)).map(|finished| Facts::of(&finished))
}

/// Carries a panic's message on as an error.
pub fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // Nothing that the work has touched is looked at after it panicked.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(message(panic.as_ref())))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panic".into())
}

/// Does pieces of work 0 to `count` on some threads and hands each result to `sink`, on this thread, as it comes. After
/// the sink breaks, no further piece is begun; those under way are waited for and handed over too.
pub fn in_parallel<T: Send>(
    threads: usize,
    count: u64,
    work: impl Fn(u64) -> T + Sync,
    mut sink: impl FnMut(u64, T) -> ControlFlow<()>,
) {
    let next = AtomicU64::new(0);
    let (sender, results) = sync_channel(threads);
    std::thread::scope(|scope| {
        for n in 0..threads.max(1) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            let worker = std::thread::Builder::new().name(format!("{WORKER} {n}")).stack_size(8 << 20);
            let body = move || {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= count || sender.send((piece, work(piece))).is_err() {
                        return;
                    }
                }
            };
            worker.spawn_scoped(scope, body).expect("the host can start a thread");
        }
        drop(sender);
        for (piece, result) in results {
            if sink(piece, result).is_break() {
                next.store(count, Ordering::Relaxed);
            }
        }
    });
}

/// Name of the threads that work through a sweep; the worlds' own threads begin like it.
pub const WORKER: &str = "seeds";

/// A seed that broke a promise, or the harness.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was violated; an error is the message of a panic.
    pub found: Result<Vec<Violation>, String>,
}

impl Failure {
    /// The worst kind of promise broken; none if the harness itself did.
    pub fn promise(&self) -> Option<Promise> {
        self.found
            .as_ref()
            .ok()
            .and_then(|violations| violations.iter().map(|violation| violation.promise).min())
    }
}

/// The totals of one scenario's seeds.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that passed.
    pub passed: u64,
    /// Seeds that prove nothing, with why.
    pub inconclusive: Vec<(u64, String)>,
    /// Seeds that failed.
    pub failures: Vec<Failure>,
    /// Acknowledged writes.
    pub writes: u64,
    /// Those that were lost.
    pub lost: u64,
    /// Those that went with their only disk.
    pub destroyed: u64,
    /// Pairs of concurrent writes.
    pub conflicts: u64,
    /// Faults that were in effect.
    pub faults: u64,
    /// Marks reached.
    pub marks: BTreeMap<&'static str, u64>,
    /// Events traced.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Time that threads have spent on it.
    pub busy: Duration,
}

impl Total {
    /// Adds a seed's result and says whether it failed.
    pub fn add(&mut self, seed: u64, result: Result<Facts, String>, took: Duration) -> bool {
        self.seeds += 1;
        self.busy += took;
        let facts = match result {
            Ok(facts) => facts,
            Err(panic) => {
                self.failures.push(Failure { seed, found: Err(panic) });
                return true;
            }
        };
        self.writes += facts.writes as u64;
        self.lost += facts.lost as u64;
        self.destroyed += facts.destroyed as u64;
        self.conflicts += facts.conflicts;
        self.faults += facts.faults as u64;
        self.events += facts.trace.1;
        self.simulated += facts.simulated;
        for (mark, times) in facts.marks {
            *self.marks.entry(mark).or_default() += times;
        }
        match facts.verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Inconclusive => self.inconclusive.push((seed, facts.inconclusive.join("; "))),
            Verdict::Unsafe | Verdict::NotLive => {
                self.failures.push(Failure { seed, found: Ok(facts.violations) });
                return true;
            }
        }
        false
    }

    /// Whether so many seeds prove nothing that the whole does not.
    pub fn proves_little(&self) -> bool {
        self.inconclusive.len() as f64 > self.seeds as f64 * INCONCLUSIVE_MAX
    }
}

/// What a sweep is told of as it goes: which scenario, which seed, its failure if it failed.
pub struct Step<'a> {
    /// The scenario's place.
    pub scenario: usize,
    /// The failure, if the seed failed.
    pub failure: Option<&'a Failure>,
}

/// Runs all seeds of all scenarios, scenario by scenario, and totals each. Stops to begin seeds after `failures_max`
/// failures; then totals show fewer seeds than asked for. Failures and inconclusive seeds are sorted by seed.
pub fn run(
    scenarios: &[Scenario],
    seeds: &std::ops::Range<u64>,
    threads: usize,
    failures_max: usize,
    mut watch: impl FnMut(&Step<'_>),
) -> Vec<Total> {
    let per_scenario = seeds.end - seeds.start;
    let place = |piece: u64| ((piece / per_scenario) as usize, seeds.start + piece % per_scenario);
    let mut totals = vec![Total::default(); scenarios.len()];
    let mut failed = 0;
    let work = |piece| {
        let (scenario, seed) = place(piece);
        let start = Instant::now();
        (run_seed(&scenarios[scenario], seed), start.elapsed())
    };
    in_parallel(
        threads,
        per_scenario.saturating_mul(scenarios.len() as u64),
        work,
        |piece, (result, took)| {
            let (scenario, seed) = place(piece);
            let total = &mut totals[scenario];
            let has_failed = total.add(seed, result, took);
            failed += usize::from(has_failed);
            watch(&Step { scenario, failure: total.failures.last().filter(|_| has_failed) });
            if failed >= failures_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    for total in &mut totals {
        total.failures.sort_by_key(|failure| failure.seed);
        total.inconclusive.sort();
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn the_catalogue_of_marks_is_what_the_engine_has() {
        fn read(folder: &Path, marks: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).expect("the engine's sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    read(&path, marks);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).expect("a source file");
                    let calls = text.split(".mark(").skip(1).filter_map(|call| call.split(';').next());
                    // Of a call's text, every second part between quotes is a literal.
                    marks
                        .extend(calls.flat_map(|call| call.split('"').skip(1).step_by(2)).map(str::to_owned));
                }
            }
        }
        let mut marks = BTreeSet::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../impl/src"), &mut marks);
        assert_eq!(marks.iter().map(String::as_str).collect::<Vec<_>>(), MARKS);
    }

    #[test]
    fn all_work_is_done_once_and_none_is_begun_after_a_break() {
        let mut done = BTreeSet::new();
        in_parallel(
            3,
            100,
            |n| n * 2,
            |n, twice| {
                assert_eq!(twice, n * 2);
                assert!(done.insert(n));
                ControlFlow::Continue(())
            },
        );
        assert_eq!(done.len(), 100);
        let mut handed = 0;
        in_parallel(
            2,
            1_000_000,
            |n| n,
            |_, _| {
                handed += 1;
                ControlFlow::Break(())
            },
        );
        assert!(handed < 100, "{handed}");
    }

    #[test]
    fn a_panic_is_a_failed_seed_and_the_others_are_counted() {
        let mut total = Total::default();
        assert_eq!(caught::<()>(|| panic!("at {}", 7)), Err("at 7".into()));
        assert!(total.add(3, Err("at 7".into()), Duration::ZERO));
        let facts = |verdict, inconclusive| Facts {
            verdict,
            violations: Vec::new(),
            inconclusive,
            writes: 10,
            lost: 0,
            destroyed: 1,
            conflicts: 2,
            faults: 1,
            marks: BTreeMap::from([("fork", 2)]),
            simulated: Duration::from_secs(9),
            trace: (1, 5),
        };
        for seed in 4..24 {
            assert!(!total.add(seed, Ok(facts(Verdict::Pass, Vec::new())), Duration::ZERO));
        }
        assert!(!total.add(24, Ok(facts(Verdict::Inconclusive, vec!["few".into()])), Duration::ZERO));
        assert_eq!((total.seeds, total.passed, total.writes, total.marks["fork"]), (22, 20, 210, 42));
        assert!(!total.proves_little(), "1 of 22 is below the limit");
        total.add(25, Ok(facts(Verdict::Inconclusive, vec!["few".into()])), Duration::ZERO);
        assert!(total.proves_little());
    }
}
