//! `meta`: the same seed in two processes, of two builds and under two ambiences, must be the same run.

use super::{
    Exit, Workspace, panics,
    progress::Progress,
    put,
    seeds::{self, Seeds},
    words,
};
use anabranch_sim::{
    meta::{self, Fingerprint, Leak},
    sweep::in_parallel,
    world::{Ambience, Plain},
};
use clap::Args;
use miette::IntoDiagnostic;
use std::{
    fmt::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Args)]
pub(super) struct Options {
    /// The scenarios; all if none is named.
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
    /// The seeds of each: A..B, or the first N.
    #[arg(long, default_value = "2")]
    seeds: Seeds,
    /// The program that makes every second run; this one if not given.
    #[arg(long, value_name = "PROGRAM")]
    other: Option<PathBuf>,
    /// Pairs of runs at a time [default: all cores].
    #[arg(long, default_value_t = super::cores(), hide_default_value = true)]
    jobs: usize,
}

#[derive(Args)]
pub(super) struct TraceOptions {
    scenario: String,
    #[arg(long, value_parser = seeds::seed)]
    seed: u64,
    #[arg(long, default_value = "0")]
    ambience: u64,
}

/// Prints the fingerprint of one run.
pub(super) fn trace(workspace: &Workspace, options: &TraceOptions) -> miette::Result<Exit> {
    let scenario = workspace.load(&options.scenario)?;
    match meta::fingerprint::<Plain>(&scenario, options.seed, Ambience(options.ambience)) {
        Ok(fingerprint) => put(&format!("{fingerprint}\n")),
        Err(panic) => {
            eprintln!("panic: {}", panics::located(&panic));
            return Ok(Exit::Panicked);
        }
    }
    Ok(Exit::Passed)
}

/// Compares all seeds and prints a line for each scenario.
pub(super) fn run(workspace: &Workspace, options: &Options) -> miette::Result<Exit> {
    let scenarios = workspace.load_all(&options.names)?;
    let this = std::env::current_exe().into_diagnostic()?;
    let other = options.other.as_ref().unwrap_or(&this);
    let per_scenario = options.seeds.0.end - options.seeds.0.start;
    let place = |piece| ((piece / per_scenario) as usize, options.seeds.0.start + piece % per_scenario);
    let all = per_scenario.saturating_mul(scenarios.len() as u64);
    let mut found: Vec<Vec<Result<Fingerprint, Leak>>> = vec![Vec::new(); scenarios.len()];
    eprintln!("first runs: {}\nsecond runs: {}", this.display(), other.display());
    let mut progress = Progress::new("seeds", all);
    let work = |piece| {
        let (scenario, seed) = place(piece);
        meta::compare(&scenarios[scenario].name, seed, |ambience| {
            let program = if ambience == Ambience(0) { &this } else { other };
            in_a_process(program, workspace.scenarios(), &scenarios[scenario].name, seed, ambience)
        })
    };
    in_parallel(options.jobs, all, work, |piece, result| {
        progress.step(result.as_ref().err().map(|leak| format!("FAIL {leak}")).as_deref());
        found[place(piece).0].push(result);
        ControlFlow::Continue(())
    });
    progress.finish();

    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let (mut text, mut exits, mut failed) = (String::new(), Vec::new(), 0);
    for (scenario, results) in scenarios.iter().zip(&found) {
        let events = results.iter().flatten().map(|fingerprint| fingerprint.events).sum();
        let mut leaks: Vec<&Leak> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        leaks.sort_by_key(|leak| leak.seed());
        let (seeds, events) = (words::some(per_scenario, "seed"), words::count(events));
        let verdict = match leaks.len() {
            0 => format!("{seeds}, the same twice ({events} events)"),
            leaks => format!("{seeds}, {leaks} NOT THE SAME"),
        };
        let _ = writeln!(text, "{:width$}  {verdict}", scenario.name);
        failed += leaks.len() as u64;
        for leak in leaks {
            let differs = matches!(leak, Leak::Differs { .. });
            exits.push(if differs { Exit::Nondeterministic } else { Exit::Panicked });
            let _ = writeln!(text, "  {leak}\n  replay  {}", workspace.compare(&scenario.name, leak.seed()));
        }
    }
    text += &words::last_line(all - failed, failed);
    put(&text);
    Ok(Exit::worst(exits))
}

/// The fingerprint as another process prints it.
fn in_a_process(
    program: &Path,
    scenarios: &Path,
    scenario: &str,
    seed: u64,
    ambience: Ambience,
) -> Result<Fingerprint, String> {
    let mut command = Command::new(program);
    command.args(["trace", scenario, "--seed", &seed.to_string(), "--ambience", &ambience.0.to_string()]);
    command.arg("--scenarios").arg(scenarios);
    let output =
        command.output().map_err(|cause| format!("{} does not start: {cause}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", output.status, said.trim()));
    }
    String::from_utf8_lossy(&output.stdout).parse().map_err(|cause: meta::FingerprintError| cause.to_string())
}
