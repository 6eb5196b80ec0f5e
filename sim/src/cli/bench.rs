//! `bench`: how many seeds a core judges in a second. Figures only; whether they are good is for the reader.

use super::{Exit, put, seeds, words};
use anabranch_sim::{bench, world};
use clap::Args;
use std::{path::Path, time::Duration};

#[derive(Args)]
pub(super) struct Options {
    /// How long to measure.
    #[arg(long, default_value = "10", value_parser = seeds::seed)]
    seconds: u64,
}

/// Measures and prints.
pub(super) fn run(options: &Options) -> Exit {
    eprintln!("measuring one thread for {}s…", options.seconds);
    let figures = bench::run(Duration::from_secs(options.seconds));
    let wall = figures.wall.as_secs_f64();
    let rate = |number: u64| number as f64 / wall;
    let busy = figures.processor.map_or("unknown".into(), |used| {
        let share = used.as_secs_f64() * 100.0 / wall;
        format!("{}, {share:.0} % of the time; the rest had others on the core", words::time(used))
    });
    let rows = [
        (
            "seeds",
            format!("{} in {wall:.1}s, {} of them passed", words::count(figures.seeds), figures.passed),
        ),
        ("seeds/s per core", format!("{:.1}", rate(figures.seeds))),
        ("simulated/real time", format!("{:.1}", figures.simulated.as_secs_f64() / wall)),
        ("trace events/s", words::count(rate(figures.events) as u64)),
        ("acknowledged writes/s", words::count(rate(figures.writes) as u64)),
        ("processor time", busy),
        ("peak memory", figures.peak_kib.map_or("unknown".into(), |kib| words::bytes(kib * 1024))),
        ("world", world::NAME.into()),
        ("ran on", format!("one thread of {}, {}", words::some(figures.cores as u64, "core"), figures.model)),
        ("profile", profile()),
    ];
    put(&rows.map(|(name, value)| format!("{name:22} {value}\n")).concat());
    Exit::Passed
}

/// How this program was built: its cargo profile is the name of the folder that it is in.
fn profile() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().and_then(Path::file_name).unwrap_or_default();
    let checks = if cfg!(debug_assertions) { "with" } else { "without" };
    format!("{}, {checks} assertions", folder.display())
}
