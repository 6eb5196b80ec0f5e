//! How fast the testbed is: a fixed scenario, as many seeds as fit into a time, on one thread.
//!
//! The scenario stands here and not in `scenarios/`, so that figures of two commits compare the same work. Everything
//! that a sweep does to a seed is in the time: drawing the plan, the run, and all oracles.

use crate::{scenario::Scenario, sweep};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// The work. Changing it ends the comparison with all earlier figures.
const SCENARIO: &str = r#"
question = "How many seeds does one core judge in a second?"
sites = 3

[links]
latency_ms = [10, 80]

[phases]
warmup_s = 1
chaos_s = 19

[[workload]]
kind = "contended"
rate_per_s = 20
keys = 40
zipf = 0.7

[[workload]]
kind = "steady"
rate_per_s = 10
keys = 200
body = [64, 8000]

[[fault]]
kind = "partition"
at_s = [1, 4]
for_s = [2, 5]

[[fault]]
kind = "crash"
at_s = [5, 12]
for_s = [0.2, 1]

[[fault]]
kind = "clock-step"
at_s = [3, 12]
for_s = [2, 6]
value = 60000
"#;

/// What a bench measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Seeds run and judged.
    pub seeds: u64,
    /// Those that passed.
    pub passed: u64,
    /// Real time taken.
    pub wall: Duration,
    /// Processor time that the process has used for it; none where the host does not tell.
    pub processor: Option<Duration>,
    /// Simulated time.
    pub simulated: Duration,
    /// Events traced.
    pub events: u64,
    /// Acknowledged writes.
    pub writes: u64,
    /// The most memory that the process had, in KiB; none where the host does not tell.
    pub peak_kib: Option<u64>,
    /// The processor, as the host names it.
    pub model: String,
    /// Cores of the host.
    pub cores: usize,
}

/// Runs seeds 1, 2, … until the time is up, at least one.
pub fn run(time: Duration) -> Figures {
    let scenario = Scenario::parse("bench", SCENARIO).expect("the scenario in this file is valid");
    // The first run pays for pages and caches that all others find warm.
    drop(sweep::run_seed(&scenario, 0));
    let mut total = sweep::Total::default();
    let (start, used) = (Instant::now(), processor_time());
    while total.seeds == 0 || start.elapsed() < time {
        let seed = total.seeds + 1;
        total.add(seed, sweep::run_seed(&scenario, seed), Duration::ZERO);
    }
    Figures {
        seeds: total.seeds,
        passed: total.passed,
        wall: start.elapsed(),
        processor: processor_time().zip(used).map(|(now, then)| now.saturating_sub(then)),
        simulated: total.simulated,
        events: total.events,
        writes: total.writes,
        peak_kib: field("/proc/self/status", "VmHWM").and_then(|text| text.split(' ').next()?.parse().ok()),
        model: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Processor time of this process so far, as Linux tells it: user and system time in hundredths of a second.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets, and may hold anything; utime and stime are the 14th and 15th.
    let ticks = text.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Duration::from_millis(ticks * 10))
}

/// The first `name: value` of one of the host's files.
fn field(file: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn the_fixed_work_is_what_its_figures_claim() {
        let scenario = Scenario::parse("bench", SCENARIO).expect("a scenario");
        let plan = Plan::draw(&scenario, 1);
        assert_eq!((plan.sites, plan.heal_at), (3, Duration::from_secs(20)));
        assert!(plan.faults.len() >= 3, "{:?}", plan.faults);
        let rate = plan.ops.len() as f64 / 20.0 / f64::from(plan.sites);
        assert!((25.0..35.0).contains(&rate), "{rate} operations a second and site");
    }
}
