//! What a run measured: replication lag, divergence and backlog, from what clients were told and what sites came to cover.
//!
//! A report that asked the engine for its own lag would show what the engine believes. So a lag starts at the answer that a
//! client got and ends when another site's durable version vector covers that write's dot.
//!
//! Invariants: percentiles are read from histograms of all samples and never averaged; a site's coverage grows, except at
//! the instant at which its disk is replaced or set back, where it falls to what that disk still has.

use crate::{history::Ending, nemesis::Loss, outcome::Outcome};
use hdrhistogram::Histogram;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A number that changes at instants: each value holds from its instant until the next. Instants rise strictly.
pub type Steps = Vec<(Duration, usize)>;

/// The percentiles that reports show, by name and quantile. The last one is the largest sample.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// Significant decimal figures of all histograms.
const FIGURES: u8 = 3;

/// Time from a write's acknowledgement until another site covers it, in microseconds; one sample for each write and site.
#[derive(Clone, Debug)]
pub struct Lag {
    /// All samples.
    pub overall: Histogram<u64>,
    /// Of writes acknowledged while no fault was in effect.
    pub outside: Histogram<u64>,
    /// Of writes acknowledged while some fault was in effect.
    pub during: Histogram<u64>,
    /// By the second in which the write was acknowledged.
    pub per_second: BTreeMap<u64, Histogram<u64>>,
    /// Pairs of a write and a site that never covered it.
    pub never: usize,
    /// Acknowledged versioned writes.
    pub writes: usize,
}

/// Keys that the sites do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Keys with an acknowledged write that some sites cover and others do not.
    pub steps: Steps,
    /// The most at one instant.
    pub peak: usize,
    /// How long there was at least one.
    pub above_zero: Duration,
}

/// All measures of a run.
#[derive(Clone, Debug)]
pub struct Measures {
    /// How late writes arrive.
    pub lag: Lag,
    /// How many keys differ.
    pub divergence: Divergence,
    /// For each site: acknowledged writes that another site covers and this one does not.
    pub backlog: BTreeMap<u16, Steps>,
}

/// Measures a run.
pub fn measure(outcome: &Outcome) -> Measures {
    let coverage = Coverage::of(outcome);
    let (divergence, backlog) = coverage.sweep(outcome);
    Measures { lag: coverage.lag(outcome), divergence, backlog }
}

/// The values at [`QUANTILES`], in microseconds; none of an empty histogram.
pub fn quantiles(samples: &Histogram<u64>) -> Option<[u64; QUANTILES.len()]> {
    (!samples.is_empty()).then(|| QUANTILES.map(|(_, quantile)| samples.value_at_quantile(quantile)))
}

/// The value of steps at an instant; zero before the first.
pub fn value_at(steps: &[(Duration, usize)], at: Duration) -> usize {
    let after = steps.partition_point(|(from, _)| *from <= at);
    after.checked_sub(1).map_or(0, |last| steps[last].1)
}

/// At most about `most` of the steps. Of each window it keeps the first, the lowest, the highest and the last, so that no
/// peak is lost.
pub fn thin(steps: &[(Duration, usize)], most: usize) -> Steps {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Steps::new() };
    if steps.len() <= most {
        return steps.to_vec();
    }
    let windows = (most / 4).max(1) as u128;
    let span = last.0.saturating_sub(first.0).as_nanos() + 1;
    let window = |at: Duration| at.saturating_sub(first.0).as_nanos() * windows / span;
    let mut kept = Steps::new();
    for chunk in steps.chunk_by(|a, b| window(a.0) == window(b.0)) {
        let lowest = (0..chunk.len()).min_by_key(|n| chunk[*n].1).unwrap_or(0);
        let highest = (0..chunk.len()).max_by_key(|n| chunk[*n].1).unwrap_or(0);
        kept.extend(BTreeSet::from([0, lowest, highest, chunk.len() - 1]).into_iter().map(|n| chunk[n]));
    }
    kept
}

/// When each fault in effect began and ended.
fn spans(outcome: &Outcome) -> Vec<(Duration, Duration)> {
    let in_effect = outcome.effective.iter().filter_map(|place| outcome.plan.faults.get(*place));
    in_effect.map(|fault| (fault.at, fault.until)).collect()
}

const RESIZES: &str = "a histogram that resizes itself takes any sample";

fn histogram() -> Histogram<u64> {
    Histogram::new(FIGURES).expect("three figures are within the histogram's limits")
}

/// An acknowledged write that made a version.
struct Versioned<'a> {
    site: u16,
    key: (&'a str, &'a str),
    acked: Duration,
    origin: &'a str,
    seq: u64,
}

/// What one site covers of one origin: runs that grow, each begun by the loss of a disk except for the first.
struct Covered(Vec<Steps64>);

type Steps64 = Vec<(Duration, u64)>;

impl Covered {
    /// When a sequence number comes to be covered and ceases to be, in turns.
    fn turns(&self, seq: u64) -> Vec<(Duration, bool)> {
        let mut turns: Vec<(Duration, bool)> = Vec::new();
        for run in &self.0 {
            let is_covered = turns.last().is_some_and(|turn| turn.1);
            let reached = run.partition_point(|(_, covered)| *covered < seq);
            if is_covered && reached > 0 {
                turns.push((run[0].0, false));
            }
            if (!is_covered || reached > 0) && reached < run.len() {
                turns.push((run[reached].0, true));
            }
        }
        turns
    }

    fn raise(&mut self, at: Duration, seq: u64) {
        let run = self.0.last_mut().expect("there is a first run");
        if run.last().is_none_or(|(_, covered)| *covered < seq) {
            run.push((at, seq));
        }
    }

    fn fall(&mut self, at: Duration, kept_until: Duration) {
        let before = self.0.iter().flatten().take_while(|(covered_at, _)| *covered_at <= kept_until);
        let kept = before.last().map_or(0, |(_, seq)| *seq);
        self.0.push(vec![(at, kept)]);
    }
}

struct Coverage<'a> {
    writes: Vec<Versioned<'a>>,
    covered: BTreeMap<(u16, &'a str), Covered>,
}

impl<'a> Coverage<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let writes = versioned(outcome);
        // A write that its own site acknowledged is covered there, whether or not the follower was awake to note it.
        let mut rises: Vec<(Duration, u16, &str, u64)> =
            writes.iter().map(|write| (write.acked, write.site, write.origin, write.seq)).collect();
        rises.extend(outcome.applied.iter().map(|a| (a.at, a.site, a.origin.as_str(), a.seq)));
        rises.sort_by_key(|(at, ..)| *at);
        let mut falls: Vec<(Duration, u16, Duration)> = outcome.losses.iter().filter_map(disk_loss).collect();
        falls.sort_by_key(|(at, ..)| *at);

        let mut covered: BTreeMap<(u16, &str), Covered> = BTreeMap::new();
        for (_, site, origin, _) in &rises {
            covered.entry((*site, *origin)).or_insert_with(|| Covered(vec![Vec::new()]));
        }
        let mut falls = falls.into_iter().peekable();
        let fall = |(at, site, kept_until): (Duration, u16, Duration),
                    covered: &mut BTreeMap<(u16, &str), Covered>| {
            for (_, of_origin) in covered.iter_mut().filter(|((of, _), _)| *of == site) {
                of_origin.fall(at, kept_until);
            }
        };
        for (at, site, origin, seq) in rises {
            while let Some(loss) = falls.next_if(|loss| loss.0 <= at) {
                fall(loss, &mut covered);
            }
            covered.get_mut(&(site, origin)).expect("entered above").raise(at, seq);
        }
        falls.for_each(|loss| fall(loss, &mut covered));
        Self { writes, covered }
    }

    fn turns(&self, write: &Versioned<'_>, site: u16) -> Vec<(Duration, bool)> {
        self.covered.get(&(site, write.origin)).map(|covered| covered.turns(write.seq)).unwrap_or_default()
    }

    fn lag(&self, outcome: &Outcome) -> Lag {
        let spans = spans(outcome);
        let (mut outside, mut during) = (histogram(), histogram());
        let (mut per_second, mut never) = (BTreeMap::new(), 0);
        for write in &self.writes {
            let is_during = spans.iter().any(|(at, until)| *at <= write.acked && write.acked <= *until);
            for site in (0..outcome.plan.sites).filter(|site| *site != write.site) {
                let Some((covered_at, _)) = self.turns(write, site).first().copied() else {
                    never += 1;
                    continue;
                };
                // A write can reach another site before its client has the answer.
                let lag = covered_at.saturating_sub(write.acked).as_micros() as u64;
                let split = if is_during { &mut during } else { &mut outside };
                for samples in [split, per_second.entry(write.acked.as_secs()).or_insert_with(histogram)] {
                    samples.record(lag).expect(RESIZES);
                }
            }
        }
        let mut overall = outside.clone();
        overall.add(&during).expect(RESIZES);
        Lag { overall, outside, during, per_second, never, writes: self.writes.len() }
    }

    /// Walks all turns in order of time. A write counts from its acknowledgement, and while any site covers it: a write
    /// that was destroyed with its only disk is nobody's backlog.
    fn sweep(&self, outcome: &Outcome) -> (Divergence, BTreeMap<u16, Steps>) {
        let sites = outcome.plan.sites;
        let mut turns: Vec<(Duration, usize, u16, bool)> = Vec::new();
        for (n, write) in self.writes.iter().enumerate() {
            for site in 0..sites {
                let of_site = self.turns(write, site);
                turns.extend(of_site.into_iter().map(|(at, gained)| (at.max(write.acked), n, site, gained)));
            }
        }
        turns.sort_by_key(|(at, ..)| *at);

        let mut holders = vec![0u16; self.writes.len()];
        let mut waiting = vec![0usize; usize::from(sites)];
        let mut differing: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut steps = vec![(Duration::ZERO, 0)];
        let mut backlog: BTreeMap<u16, Steps> = (0..sites).map(|site| (site, steps.clone())).collect();
        for instant in turns.chunk_by(|a, b| a.0 == b.0) {
            for (_, n, site, gained) in instant {
                let before = holders[*n];
                holders[*n] = if *gained { before + 1 } else { before - 1 };
                let (here, now) = (usize::from(*site), holders[*n]);
                // The first holder puts it into the backlog of all others, the last one takes it out.
                match (before, now) {
                    (0, _) => {
                        waiting.iter_mut().enumerate().filter(|(s, _)| *s != here).for_each(|(_, w)| *w += 1);
                    }
                    (_, 0) => {
                        waiting.iter_mut().enumerate().filter(|(s, _)| *s != here).for_each(|(_, w)| *w -= 1);
                    }
                    _ if *gained => waiting[here] -= 1,
                    _ => waiting[here] += 1,
                }
                let (was, is) = [before, now].map(|holders| holders > 0 && holders < sites).into();
                let key = self.writes[*n].key;
                match (was, is) {
                    (false, true) => *differing.entry(key).or_default() += 1,
                    (true, false) => {
                        let left = differing.get_mut(&key).expect("a write that differs was entered");
                        *left -= 1;
                        if *left == 0 {
                            differing.remove(&key);
                        }
                    }
                    _ => {}
                }
            }
            push(&mut steps, instant[0].0, differing.len());
            for (site, steps) in &mut backlog {
                push(steps, instant[0].0, waiting[usize::from(*site)]);
            }
        }
        let peak = steps.iter().map(|(_, keys)| *keys).max().unwrap_or(0);
        let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([outcome.simulated]);
        let above = steps.iter().zip(ends).filter(|((_, keys), _)| *keys > 0);
        let above_zero = above.map(|((from, _), until)| until.saturating_sub(*from)).sum();
        (Divergence { steps, peak, above_zero }, backlog)
    }
}

fn push(steps: &mut Steps, at: Duration, value: usize) {
    match steps.last_mut() {
        Some(last) if last.1 == value => {}
        Some(last) if last.0 == at => last.1 = value,
        _ => steps.push((at, value)),
    }
}

fn disk_loss(loss: &Loss) -> Option<(Duration, u16, Duration)> {
    match loss {
        Loss::Disk { site, at, kept_until } => Some((*at, *site, *kept_until)),
        Loss::Body { .. } => None,
    }
}

fn versioned(outcome: &Outcome) -> Vec<Versioned<'_>> {
    let ops: BTreeMap<u32, _> = outcome.plan.ops.iter().map(|op| (op.id, op)).collect();
    let acked = outcome.history.operations.values().filter(|operation| operation.ending == Ending::Acked);
    acked
        .filter_map(|operation| {
            let (op, version) = (ops.get(&operation.id)?, operation.version.as_deref()?);
            let seq = u64::from_str_radix(version.get(20..32)?, 16).ok()?;
            let (origin, acked) = (version.get(..20)?, operation.completed?);
            Some(Versioned { site: op.site, key: (&op.bucket, &op.key), acked, origin, seq })
        })
        .collect()
}

#[cfg(test)]
mod tests;
