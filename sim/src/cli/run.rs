//! `run` and `replay`: one run in detail.

use super::{
    Exit, Workspace,
    failure::{self, Told},
    judged::{self, Judged},
    put, seeds, summary, words,
};
use anabranch_sim::{plan::Plan, scenario::Scenario};
use clap::Args;
use std::{fmt::Write, path::PathBuf};

#[derive(Args)]
pub(super) struct Options {
    /// The scenario.
    scenario: String,
    /// The seed, decimal or hexadecimal.
    #[arg(long, default_value = "1", value_parser = seeds::seed)]
    seed: u64,
    /// Print everything that will happen instead of letting it happen.
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(super) struct ReplayOptions {
    /// The scenario.
    scenario: String,
    /// The seed, decimal or hexadecimal.
    #[arg(long, value_parser = seeds::seed)]
    seed: u64,
    /// The trace hash that the run must have.
    #[arg(long, value_parser = seeds::hash)]
    hash: Option<u64>,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct How {
    /// The conflict policy of every bucket, instead of the scenario's.
    #[arg(long, value_parser = ["lww", "keep-both"])]
    policy: Option<String>,
    /// Where the report page goes [default: target/sim/WORLD/SCENARIO-SEED.html].
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
}

impl How {
    fn load(&self, workspace: &Workspace, name: &str) -> miette::Result<Scenario> {
        let mut scenario = workspace.load(name)?;
        if let Some(policy) = &self.policy {
            scenario.buckets.iter_mut().for_each(|bucket| bucket.policy.clone_from(policy));
        }
        Ok(scenario)
    }
}

/// `run`.
pub(super) fn run(workspace: &Workspace, options: &Options) -> miette::Result<Exit> {
    let scenario = options.how.load(workspace, &options.scenario)?;
    if options.plan {
        put(&(Plan::draw(&scenario, options.seed).describe().join("\n") + "\n"));
        return Ok(Exit::Passed);
    }
    one(workspace, &scenario, options.seed, &options.how, |_| (String::new(), Exit::Passed))
}

/// `replay`.
pub(super) fn replay(workspace: &Workspace, options: &ReplayOptions) -> miette::Result<Exit> {
    let scenario = options.how.load(workspace, &options.scenario)?;
    one(workspace, &scenario, options.seed, &options.how, |(hash, events)| {
        let trace = format!("\ntrace\n  {hash:016x} over {}\n", words::some(events, "event"));
        match options.hash {
            Some(wanted) if wanted != hash => (
                format!("{trace}  NOT THE SAME RUN: its hash was to be {wanted:016x}\n"),
                Exit::Nondeterministic,
            ),
            Some(_) => (format!("{trace}  the same run\n"), Exit::Passed),
            None => (trace, Exit::Passed),
        }
    })
}

/// Runs, tells, writes the page. `check` says what is to be told of the trace, and what that means.
fn one(
    workspace: &Workspace,
    scenario: &Scenario,
    seed: u64,
    how: &How,
    check: impl FnOnce((u64, u64)) -> (String, Exit),
) -> miette::Result<Exit> {
    let policy = how.policy.as_deref();
    let replay = workspace.replay(&scenario.name, seed, policy);
    let mut told = Told { scenario: &scenario.name, seed, found: Ok(&[]), page: None, replay: &replay };
    let judged: Judged = match judged::run(scenario, seed) {
        Ok(judged) => judged,
        Err(panic) => {
            told.found = Err(&panic);
            put(&failure::tell(&told));
            return Ok(Exit::Panicked);
        }
    };
    let mut text = summary::tell(&scenario.question, &judged);
    let (trace, exit) = check(judged.finished.outcome.trace);
    text += &trace;

    let path = how.report.clone().unwrap_or_else(|| {
        let policy = policy.map_or(String::new(), |policy| format!("-{policy}"));
        workspace.reports().join(format!("{}{policy}-{}.html", scenario.name, words::seed(seed)))
    });
    judged.write(&scenario.question, &replay, &path)?;
    let page = workspace.shown(&path);
    let judgement = &judged.finished.judgement;
    if judgement.violations.is_empty() {
        let _ = writeln!(text, "\nreport  {page}\nreplay  {replay}");
    } else {
        told.found = Ok(&judgement.violations);
        told.page = Some(&page);
        text += &failure::tell(&told);
    }
    put(&text);
    Ok(exit.max(Exit::of(judgement.verdict())))
}
