//! `list`: the scenarios and their questions.

use super::{Exit, Workspace, put};
use std::fmt::Write;

/// One line for each scenario; all of them are read, so a broken one shows here.
pub(super) fn run(workspace: &Workspace) -> miette::Result<Exit> {
    let scenarios = workspace.load_all(&[])?;
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for scenario in &scenarios {
        let _ = writeln!(text, "{:width$}  {}", scenario.name, scenario.question);
    }
    put(&text);
    Ok(Exit::Passed)
}
