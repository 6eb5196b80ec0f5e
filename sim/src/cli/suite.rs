//! No command: the suite, every scenario once.

use super::{
    Exit, Workspace,
    failure::{self, Told},
    index, judged,
    progress::Progress,
    put, seeds, summary, words,
};
use anabranch_sim::{
    baseline::Rule,
    history::Ending,
    oracle::Verdict,
    report::measure,
    scenario::Scenario,
    sweep::{Facts, in_parallel},
    world,
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fmt::Write,
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Args)]
pub(super) struct Options {
    /// The seed, decimal or hexadecimal.
    #[arg(long, default_value = "1", value_parser = seeds::seed)]
    seed: u64,
    /// Runs at a time [default: all cores].
    #[arg(long, default_value_t = super::cores(), hide_default_value = true)]
    jobs: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// One run of the suite.
pub(super) struct Row {
    /// The scenario.
    pub(super) scenario: String,
    /// What it asks.
    pub(super) question: String,
    /// The seed.
    pub(super) seed: u64,
    /// What came out; an error is a panic's message.
    pub(super) found: Result<Figures, String>,
    /// The command that runs it again.
    pub(super) replay: String,
}

/// A run in figures.
pub(super) struct Figures {
    facts: Facts,
    acked: usize,
    lag: Option<[u64; measure::QUANTILES.len()]>,
    diverged_peak: usize,
    /// Writes lost under each baseline, in the order of [`Rule::ALL`].
    baselines: Vec<usize>,
    page: PathBuf,
}

impl Row {
    /// The verdict in a word.
    pub(super) fn verdict(&self) -> &'static str {
        self.found.as_ref().map_or("PANIC", |figures| figures.facts.verdict.word())
    }

    /// The name of its page, if there is one.
    pub(super) fn page(&self) -> Option<String> {
        self.found.as_ref().ok().map(|_| page_name(&self.scenario, self.seed))
    }

    fn exit(&self) -> Exit {
        self.found.as_ref().map_or(Exit::Panicked, |figures| Exit::of(figures.facts.verdict))
    }

    fn simulated(&self) -> Duration {
        self.found.as_ref().map_or(Duration::ZERO, |figures| figures.facts.simulated)
    }

    /// The cells after scenario and seed, in the order of [`header`].
    pub(super) fn cells(&self) -> Vec<String> {
        let Ok(figures) = &self.found else {
            return vec!["–".to_owned(); header().len() - 3]
                .into_iter()
                .chain([self.verdict().to_owned()])
                .collect();
        };
        let facts = &figures.facts;
        let lag = figures.lag.map_or_else(
            || "–".to_owned(),
            |[p50, _, p99, _, max]| {
                format!("{} / {} / {}", words::micros(p50), words::micros(p99), words::micros(max))
            },
        );
        let numbers = |number: usize| words::count(number as u64);
        let mut cells = vec![
            words::time(facts.simulated),
            numbers(figures.acked),
            words::count(facts.conflicts),
            numbers(facts.faults),
            lag,
            numbers(figures.diverged_peak),
            numbers(facts.destroyed),
            numbers(facts.lost),
        ];
        cells.extend(figures.baselines.iter().map(|lost| numbers(*lost)));
        cells.push(self.verdict().to_owned());
        cells
    }

    fn json(&self, workspace: &Workspace) -> Value {
        let mut value = json!({
            "scenario": self.scenario,
            "seed": self.seed,
            "verdict": self.verdict(),
            "replay": self.replay,
        });
        let more = match &self.found {
            Err(panic) => json!({ "panic": panic }),
            Ok(figures) => {
                let facts = &figures.facts;
                let baselines: serde_json::Map<String, Value> = Rule::ALL
                    .iter()
                    .zip(&figures.baselines)
                    .map(|(rule, lost)| (rule.name().to_owned(), json!(lost)))
                    .collect();
                json!({
                    "simulated_s": facts.simulated.as_secs_f64(),
                    "acked": figures.acked,
                    "writes": facts.writes,
                    "conflicts": facts.conflicts,
                    "faults": facts.faults,
                    "lag_us": figures.lag.map(|[p50, p90, p99, p999, max]| {
                        json!({ "p50": p50, "p90": p90, "p99": p99, "p99.9": p999, "max": max })
                    }),
                    "diverged_keys_peak": figures.diverged_peak,
                    "destroyed": facts.destroyed,
                    "lost": facts.lost,
                    "lost_under": baselines,
                    "marks": facts.marks,
                    "trace": format!("{:016x}", facts.trace.0),
                    "events": facts.trace.1,
                    "violations": facts.violations.iter().map(failure::json).collect::<Vec<_>>(),
                    "inconclusive": facts.inconclusive,
                    "report": workspace.shown(&figures.page),
                })
            }
        };
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }
}

/// The table's columns. A line break keeps a name of several words narrow.
pub(super) fn header() -> Vec<String> {
    let here = "scenario,seed,virtual,acked,conflicts,faults,lag p50 / p99 / max,diverged\nkeys,destroyed\n(RPO),lost";
    let baselines = Rule::ALL.map(|rule| format!("lost:\n{}", rule.name().replace(' ', "\n")));
    here.split(',').map(str::to_owned).chain(baselines).chain(["verdict".to_owned()]).collect()
}

fn page_name(scenario: &str, seed: u64) -> String {
    format!("{scenario}-{}.html", words::seed(seed))
}

/// Runs every scenario once.
pub(super) fn run(workspace: &Workspace, options: &Options) -> miette::Result<Exit> {
    let scenarios = workspace.load_all(&[])?;
    let start = Instant::now();
    let mut progress = Progress::new("scenarios", scenarios.len() as u64);
    let mut rows: Vec<Option<Row>> = scenarios.iter().map(|_| None).collect();
    let mut trouble = None;
    let work = |n| one(workspace, &scenarios[n as usize], options.seed);
    in_parallel(options.jobs, scenarios.len() as u64, work, |n, result| {
        match result {
            Ok(row) => rows[n as usize] = Some(row),
            Err(cause) => trouble = Some(cause),
        }
        progress.step(None);
        if trouble.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.finish();
    if let Some(cause) = trouble {
        return Err(cause);
    }
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    let index = workspace.reports().join("index.html");
    judged::write(&index, &index::page(&rows))?;
    let exit = Exit::worst(rows.iter().map(Row::exit));
    put(&if options.json {
        let failed = rows.iter().filter(|row| row.exit() != Exit::Passed).count();
        let object = json!({
            "schema": "anabranch.sim.suite/1",
            "world": world::NAME,
            "runs": rows.iter().map(|row| row.json(workspace)).collect::<Vec<_>>(),
            "wall_s": start.elapsed().as_secs_f64(),
            "passed": rows.len() - failed,
            "failed": failed,
            "exit": exit.code(),
        });
        format!("{object}\n")
    } else {
        tell(workspace, &rows, start.elapsed())
    });
    Ok(exit)
}

fn one(workspace: &Workspace, scenario: &Scenario, seed: u64) -> miette::Result<Row> {
    let replay = workspace.replay(&scenario.name, seed, None);
    let found = match judged::run(scenario, seed) {
        Err(panic) => Err(panic),
        Ok(judged) => {
            let page = workspace.reports().join(page_name(&scenario.name, seed));
            judged.write(&scenario.question, &replay, &page)?;
            let outcome = &judged.finished.outcome;
            let measures = measure::measure(outcome);
            Ok(Figures {
                facts: Facts::of(&judged.finished),
                acked: outcome.history.operations.values().filter(|o| o.ending == Ending::Acked).count(),
                lag: measure::quantiles(&measures.lag.overall),
                diverged_peak: measures.divergence.peak,
                baselines: judged.baselines.iter().map(|(_, accounts)| accounts.lost()).collect(),
                page,
            })
        }
    };
    Ok(Row { scenario: scenario.name.clone(), question: scenario.question.clone(), seed, found, replay })
}

fn tell(workspace: &Workspace, rows: &[Row], wall: Duration) -> String {
    let cells = rows.iter().map(|row| {
        let names = [row.scenario.clone(), words::seed(row.seed)];
        names.into_iter().chain(row.cells()).collect()
    });
    let mut text = summary::lines(&summary::table(header(), cells.collect()));
    for row in rows {
        let page = row.found.as_ref().ok().map(|figures| workspace.shown(&figures.page));
        let mut told = Told {
            scenario: &row.scenario,
            seed: row.seed,
            found: Ok(&[]),
            page: page.as_deref(),
            replay: &row.replay,
        };
        match &row.found {
            Err(panic) => told.found = Err(panic),
            Ok(figures) if figures.facts.verdict == Verdict::Inconclusive => {
                let (scenario, why) = (&row.scenario, figures.facts.inconclusive.join("; "));
                let _ = writeln!(text, "\nINCONCLUSIVE {scenario}: {why}\n  replay  {}", row.replay);
                continue;
            }
            Ok(figures) if figures.facts.violations.is_empty() => continue,
            Ok(figures) => told.found = Ok(&figures.facts.violations),
        }
        text += &failure::tell(&told);
    }
    let simulated = words::time(rows.iter().map(Row::simulated).sum());
    let index = workspace.shown(&workspace.reports().join("index.html"));
    let runs = words::some(rows.len() as u64, "run");
    let wall = words::time(wall);
    let _ = writeln!(text, "\n {runs} of the real code, {simulated} simulated in {wall} · report: {index}");
    let passed = rows.iter().filter(|row| row.exit() == Exit::Passed).count();
    text + &words::last_line(passed as u64, (rows.len() - passed) as u64)
}
