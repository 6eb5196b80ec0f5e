//! One run beside the same plan under other rules, and its report page.

use anabranch_sim::{
    baseline::{self, Rule},
    oracle::{Accounts, Case, accounting::account},
    report::{self, Report},
    runner::{self, Finished},
    scenario::Scenario,
    sweep::caught,
    world,
};
use miette::{Context, IntoDiagnostic};
use std::path::Path;

/// A finished run with what its plan comes to under the baselines.
pub(super) struct Judged {
    /// The run.
    pub(super) finished: Finished,
    /// Where the same writes end under each rule, by its name.
    pub(super) baselines: Vec<(String, Accounts)>,
}

/// Runs one seed under Anabranch and under every baseline rule. An error is a panic's message.
pub(super) fn run(scenario: &Scenario, seed: u64) -> Result<Judged, String> {
    caught(|| {
        let finished = runner::run(scenario, seed)?;
        let baselines = Rule::ALL.map(|rule| {
            let outcome = baseline::run(&finished.outcome.plan, rule);
            (rule.name().to_owned(), account(&Case::new(&outcome)))
        });
        Ok(Judged { finished, baselines: baselines.into() })
    })
}

impl Judged {
    /// Writes the page of the run; its folder is made if it is not there.
    pub(super) fn write(&self, question: &str, replay: &str, path: &Path) -> miette::Result<()> {
        let page = report::render(&Report {
            question,
            world: world::NAME,
            outcome: &self.finished.outcome,
            judgement: &self.finished.judgement,
            baselines: &self.baselines,
            replay,
        });
        write(path, &page)
    }
}

/// Writes a file, in a folder that is made if it is not there.
pub(super) fn write(path: &Path, text: &str) -> miette::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.into_diagnostic().wrap_err_with(|| format!("writing the report {}", path.display()))
}
