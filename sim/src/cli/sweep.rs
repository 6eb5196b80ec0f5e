//! `sweep`: many seeds of some scenarios, totalled.

use super::{
    Exit, Workspace,
    failure::{self, Told},
    progress::Progress,
    put,
    seeds::Seeds,
    summary, words,
};
use anabranch_sim::{
    scenario::Scenario,
    sweep::{self, Failure, INCONCLUSIVE_MAX, MARKS, Total},
    world,
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

/// Inconclusive seeds listed of one scenario.
const LISTED_MAX: usize = 10;

#[derive(Args)]
pub(super) struct Options {
    /// The scenarios.
    #[arg(value_name = "SCENARIO", required_unless_present = "all")]
    names: Vec<String>,
    /// All scenarios.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// The seeds of each: A..B without B, or the first N.
    #[arg(long, default_value = "0..100")]
    seeds: Seeds,
    /// Seeds at a time [default: all cores].
    #[arg(long, default_value_t = super::cores(), hide_default_value = true)]
    jobs: usize,
    /// Begin no more seeds after so many failures.
    #[arg(long, default_value = "5")]
    max_failures: usize,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// What a sweep found.
struct Swept<'a> {
    workspace: &'a Workspace,
    scenarios: &'a [Scenario],
    totals: Vec<Total>,
    is_all: bool,
    asked: u64,
    wall: Duration,
}

/// Sweeps.
pub(super) fn run(workspace: &Workspace, options: &Options) -> miette::Result<Exit> {
    let scenarios = workspace.load_all(&options.names)?;
    let seeds = &options.seeds.0;
    let asked = (seeds.end - seeds.start).saturating_mul(scenarios.len() as u64);
    let start = Instant::now();
    let mut progress = Progress::new("seeds", asked);
    let totals = sweep::run(&scenarios, seeds, options.jobs, options.max_failures.max(1), |step| {
        let name = &scenarios[step.scenario].name;
        let line = step.failure.map(|failure| failure::headline(name, failure.seed, found(failure)));
        progress.step(line.as_deref());
    });
    progress.finish();
    let swept =
        Swept { workspace, scenarios: &scenarios, totals, is_all: options.all, asked, wall: start.elapsed() };
    put(&if options.json { format!("{}\n", swept.json()) } else { swept.tell() });
    Ok(swept.exit())
}

fn found(failure: &Failure) -> Result<&[anabranch_sim::oracle::Violation], &str> {
    failure.found.as_deref().map_err(String::as_str)
}

impl Swept<'_> {
    fn each(&self) -> impl Iterator<Item = (&str, &Total)> {
        self.scenarios.iter().map(|scenario| scenario.name.as_str()).zip(&self.totals)
    }

    fn sum(&self, of: impl Fn(&Total) -> u64) -> u64 {
        self.totals.iter().map(of).sum()
    }

    /// Passed and failed seeds. Inconclusive ones are neither, unless there are too many of them.
    fn counts(&self) -> (u64, u64) {
        let failed = |total: &Total| {
            let inconclusive = if total.proves_little() { total.inconclusive.len() } else { 0 };
            (total.failures.len() + inconclusive) as u64
        };
        (self.sum(|total| total.passed), self.sum(failed))
    }

    fn exit(&self) -> Exit {
        let failures = self.totals.iter().flat_map(|total| &total.failures);
        let failures = failures.map(|failure| Exit::of_failure(failure.promise()));
        let inconclusive = self.totals.iter().any(Total::proves_little).then_some(Exit::Inconclusive);
        Exit::worst(failures.chain(inconclusive))
    }

    fn marks(&self) -> (BTreeMap<&str, u64>, Vec<&str>) {
        let mut marks = BTreeMap::new();
        for (mark, times) in self.totals.iter().flat_map(|total| &total.marks) {
            *marks.entry(*mark).or_default() += times;
        }
        let never = MARKS.into_iter().filter(|mark| !marks.contains_key(mark)).collect();
        (marks, never)
    }

    fn tell(&self) -> String {
        let mut text = self.table();
        for (name, total) in self.each() {
            self.inconclusive(&mut text, name, total);
        }
        for (name, total) in self.each() {
            for failure in &total.failures {
                let replay = self.workspace.replay(name, failure.seed, None);
                let found = found(failure);
                text += &failure::tell(&Told {
                    scenario: name,
                    seed: failure.seed,
                    found,
                    page: None,
                    replay: &replay,
                });
            }
        }
        let (marks, never) = self.marks();
        let marks: Vec<String> =
            marks.iter().map(|(mark, times)| format!("{mark} {}", words::count(*times))).collect();
        let _ = writeln!(
            text,
            "\n marks reached: {}",
            if marks.is_empty() { "none".into() } else { marks.join(" · ") }
        );
        // One scenario does not go everywhere; all of them together should.
        let warning = if self.is_all { "warning: " } else { "" };
        if !never.is_empty() {
            let _ = writeln!(text, " {warning}marks never reached: {}", never.join(" · "));
        }
        let ran = self.sum(|total| total.seeds);
        if ran < self.asked {
            let _ = writeln!(text, " stopped early: {ran} of {} seeds ran; see --max-failures", self.asked);
        }
        let simulated = words::time(self.totals.iter().map(|total| total.simulated).sum());
        let rate = ran as f64 / self.wall.as_secs_f64();
        let seeds = words::some(ran, "seed");
        let _ = writeln!(
            text,
            " {seeds}, {simulated} simulated in {}, {rate:.1} seeds/s",
            words::time(self.wall)
        );
        let (passed, failed) = self.counts();
        text + &words::last_line(passed, failed)
    }

    fn table(&self) -> String {
        let header = "scenario,seeds,pass,inconclusive,failed,acked writes,lost,destroyed,conflicts,faults,\
                      simulated hours,seeds/s per core";
        let rows = self.each().map(|(name, total)| {
            let counts = [
                total.seeds,
                total.passed,
                total.inconclusive.len() as u64,
                total.failures.len() as u64,
                total.writes,
                total.lost,
                total.destroyed,
                total.conflicts,
                total.faults,
            ];
            let mut row = vec![name.to_owned()];
            row.extend(counts.map(words::count));
            row.push(format!("{:.2}", total.simulated.as_secs_f64() / 3600.0));
            row.push(format!("{:.1}", total.seeds as f64 / total.busy.as_secs_f64().max(1e-9)));
            row
        });
        summary::lines(&summary::table(header.split(',').map(str::to_owned).collect(), rows.collect()))
    }

    fn inconclusive(&self, text: &mut String, name: &str, total: &Total) {
        if total.inconclusive.is_empty() {
            return;
        }
        let (some, all) = (total.inconclusive.len(), total.seeds);
        let limit = INCONCLUSIVE_MAX * 100.0;
        let judged = if total.proves_little() { "more" } else { "not more" };
        let _ = writeln!(text, "\nINCONCLUSIVE {name}: {some} of {all} seeds, {judged} than {limit} %");
        for (seed, why) in total.inconclusive.iter().take(LISTED_MAX) {
            let _ = writeln!(text, "  {why}\n    replay  {}", self.workspace.replay(name, *seed, None));
        }
        if some > LISTED_MAX {
            let _ = writeln!(text, "  … and {} more", some - LISTED_MAX);
        }
    }

    fn json(&self) -> Value {
        let (passed, failed) = self.counts();
        let (marks, never) = self.marks();
        let scenarios = self.each().map(|(name, total)| {
            let failures = total.failures.iter().map(|failure| {
                json!({
                    "seed": failure.seed,
                    "violations": found(failure).unwrap_or_default().iter().map(failure::json).collect::<Vec<_>>(),
                    "panic": failure.found.as_ref().err(),
                    "replay": self.workspace.replay(name, failure.seed, None),
                })
            });
            json!({
                "scenario": name,
                "seeds": total.seeds,
                "passed": total.passed,
                "inconclusive": total.inconclusive.iter().map(|(seed, why)| json!({ "seed": seed, "why": why })).collect::<Vec<_>>(),
                "failures": failures.collect::<Vec<_>>(),
                "writes": total.writes,
                "lost": total.lost,
                "destroyed": total.destroyed,
                "conflicts": total.conflicts,
                "faults": total.faults,
                "events": total.events,
                "simulated_s": total.simulated.as_secs_f64(),
                "busy_s": total.busy.as_secs_f64(),
            })
        });
        json!({
            "schema": "anabranch.sim.sweep/1",
            "world": world::NAME,
            "scenarios": scenarios.collect::<Vec<_>>(),
            "marks": marks,
            "marks_never": never,
            "seeds_asked": self.asked,
            "wall_s": self.wall.as_secs_f64(),
            "passed": passed,
            "failed": failed,
            "exit": self.exit().code(),
        })
    }
}
