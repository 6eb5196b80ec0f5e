//! Where scenarios are, where reports go, and how a command that names both is written.

use super::words;
use anabranch_sim::{scenario::Scenario, world};
use miette::IntoDiagnostic;
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

const FOLDER: &str = "scenarios";

/// The folders of a call.
pub(super) struct Workspace {
    scenarios: PathBuf,
    /// Whether the folder of scenarios was named on the command line.
    is_given: bool,
    reports: PathBuf,
    here: PathBuf,
}

impl Workspace {
    /// Finds the scenarios: where the command line says, else here, else where the launcher or the build was.
    pub(super) fn find(given: Option<PathBuf>) -> miette::Result<Self> {
        let here = std::env::current_dir().into_diagnostic()?;
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let launched = std::env::var_os("ANABRANCH_ROOT").map(PathBuf::from);
        let root = [Some(here.clone()), launched, Some(built)];
        let root = root
            .into_iter()
            .flatten()
            .find(|root| root.join(FOLDER).is_dir())
            .unwrap_or_else(|| here.clone());
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self {
            is_given: given.is_some(),
            scenarios: given.map_or_else(|| root.join(FOLDER), |given| here.join(given)),
            reports: target.join("sim").join(world::NAME),
            here,
        })
    }

    /// The folder of scenarios, absolute.
    pub(super) fn scenarios(&self) -> &Path {
        &self.scenarios
    }

    /// The folder of this world's reports.
    pub(super) fn reports(&self) -> &Path {
        &self.reports
    }

    /// One scenario.
    pub(super) fn load(&self, name: &str) -> miette::Result<Scenario> {
        Ok(Scenario::load(&self.scenarios, name)?)
    }

    /// The scenarios named, or all if none is. There is at least one.
    pub(super) fn load_all(&self, names: &[String]) -> miette::Result<Vec<Scenario>> {
        let all = if names.is_empty() { Scenario::names(&self.scenarios)? } else { names.to_vec() };
        if all.is_empty() {
            let help = "a scenario is a TOML file; name its folder with --scenarios";
            return Err(miette::miette!(
                help = help,
                "there is no scenario in {}",
                self.shown(&self.scenarios)
            ));
        }
        all.iter().map(|name| self.load(name)).collect()
    }

    /// A path as short as it can be typed from here.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.here).unwrap_or(path).display().to_string()
    }

    /// The command that runs a seed again.
    pub(super) fn replay(&self, scenario: &str, seed: u64, policy: Option<&str>) -> String {
        let scenarios = self.is_given.then(|| self.shown(&self.scenarios));
        command("replay", scenario, &words::seed(seed), policy, scenarios.as_deref(), world::NAME)
    }

    /// The command that compares two runs of a seed again.
    pub(super) fn compare(&self, scenario: &str, seed: u64) -> String {
        let scenarios = self.is_given.then(|| self.shown(&self.scenarios));
        let seeds = format!("{}..{}", words::seed(seed), words::seed(seed + 1));
        command("meta", scenario, &seeds, None, scenarios.as_deref(), world::NAME)
    }
}

fn command(
    verb: &str,
    scenario: &str,
    seed: &str,
    policy: Option<&str>,
    scenarios: Option<&str>,
    world: &str,
) -> String {
    let flag = if verb == "meta" { "seeds" } else { "seed" };
    let mut line = format!("cargo sim {verb} {scenario} --{flag} {seed}");
    for (flag, value) in [("policy", policy), ("scenarios", scenarios)] {
        if let Some(value) = value {
            let _ = write!(line, " --{flag} {value}");
        }
    }
    if world != "madsim" {
        let _ = write!(line, " --world {world}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_line_says_all_that_makes_the_run_this_run() {
        let plain = command("replay", "steady", "0x0001", None, None, "madsim");
        assert_eq!(plain, "cargo sim replay steady --seed 0x0001");
        let full = command("replay", "steady", "0x0001", Some("lww"), Some("mine"), "turmoil");
        assert_eq!(
            full,
            "cargo sim replay steady --seed 0x0001 --policy lww --scenarios mine --world turmoil"
        );
        let meta = command("meta", "steady", "0x0001..0x0002", None, None, "turmoil");
        assert_eq!(meta, "cargo sim meta steady --seeds 0x0001..0x0002 --world turmoil");
    }
}
