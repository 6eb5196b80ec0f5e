//! Scenarios: one question each, as TOML that people write.
//!
//! Unknown fields are refused, with the line and what is allowed there: a misspelt fault that silently does nothing would
//! prove nothing.

use crate::{nemesis::FaultSpec, workload::WorkloadSpec};
use miette::{Diagnostic, NamedSource, SourceSpan};
use rand::Rng;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A number, or a range that each seed draws from.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Range {
    /// Always the same.
    Exactly(f64),
    /// Uniformly between both.
    Between([f64; 2]),
}

impl Range {
    /// One draw.
    pub fn draw(&self, rng: &mut impl Rng) -> f64 {
        match *self {
            Self::Exactly(value) => value,
            Self::Between([low, high]) if low < high => rng.random_range(low..high),
            Self::Between([low, _]) => low,
        }
    }
}

/// The links between all sites.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// One-way delay, drawn for each pair.
    pub latency_ms: Range,
    /// Largest random addition to it.
    pub jitter_ms: f64,
    /// Bandwidth of each direction.
    pub bandwidth_mbit: f64,
    /// Chance that a packet is lost.
    pub loss: f64,
}

impl Default for Links {
    fn default() -> Self {
        Self { latency_ms: Range::Between([10.0, 80.0]), jitter_ms: 5.0, bandwidth_mbit: 200.0, loss: 0.0 }
    }
}

/// How long each phase lasts, in simulated seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phases {
    /// Traffic without faults.
    pub warmup_s: f64,
    /// Traffic and faults.
    pub chaos_s: f64,
    /// After the last fault has healed: by its end all sites must have converged. Backlog divided by bandwidth is added.
    pub quiesce_s: f64,
}

impl Default for Phases {
    fn default() -> Self {
        Self { warmup_s: 1.0, chaos_s: 10.0, quiesce_s: 30.0 }
    }
}

/// A bucket of the scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// `""`, `"enabled"` or `"suspended"`.
    #[serde(default)]
    pub versioning: String,
    /// `"lww"` or `"keep-both"`.
    #[serde(default = "lww")]
    pub policy: String,
}

fn lww() -> String {
    "lww".into()
}

/// Settings of the engine that a scenario may need.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSpec {
    /// See `engine::Config::blind_window`.
    pub blind_window_ms: u64,
    /// See `engine::Config::log_keep`. Small, so that peers that were away need a state merge.
    pub log_keep: u64,
    /// The database's cache. Small where reads are to meet the disk.
    pub cache_kib: usize,
}

impl Default for EngineSpec {
    fn default() -> Self {
        Self { blind_window_ms: 1000, log_keep: 40, cache_kib: 1024 }
    }
}

/// What a run must have reached to prove anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Pairs of concurrent writes to one key.
    pub conflicts_min: u64,
    /// Faults that were in effect.
    pub faults_min: u64,
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// What a run answers.
    pub question: String,
    /// How many sites.
    #[serde(default = "three")]
    pub sites: u16,
    /// The links.
    #[serde(default)]
    pub links: Links,
    /// The phases.
    #[serde(default)]
    pub phases: Phases,
    /// The buckets; one called `main` if none is given.
    #[serde(default, rename = "bucket")]
    pub buckets: Vec<BucketSpec>,
    /// The workloads.
    #[serde(rename = "workload")]
    pub workloads: Vec<WorkloadSpec>,
    /// The faults.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultSpec>,
    /// Settings of the engine.
    #[serde(default)]
    pub engine: EngineSpec,
    /// What must be reached.
    #[serde(default)]
    pub expect: Expect,
}

fn three() -> u16 {
    3
}

/// Why a scenario cannot be run.
#[derive(Debug, Error, Diagnostic)]
pub enum ScenarioError {
    /// There is no such file.
    #[error("there is no scenario {name:?} in {}", folder.display())]
    #[diagnostic(help("`cargo sim list` shows them; {closest}"))]
    Missing {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The nearest name.
        closest: String,
    },
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The TOML is not a scenario.
    #[error("{what}")]
    Malformed {
        /// What is wrong.
        what: String,
        /// The file.
        #[source_code]
        text: NamedSource<String>,
        /// Where.
        #[label("here")]
        at: Option<SourceSpan>,
        /// The remedy.
        #[help]
        remedy: String,
    },
}

impl Scenario {
    /// Reads a scenario from its text; `name` is its file's.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let malformed =
            |what: String, at: Option<std::ops::Range<usize>>, remedy: &str| ScenarioError::Malformed {
                what,
                text: NamedSource::new(format!("{name}.toml"), text.to_owned()),
                at: at.map(Into::into),
                remedy: remedy.to_owned(),
            };
        let mut scenario: Self = toml::from_str(text).map_err(|error| {
            malformed(
                error.message().to_owned(),
                error.span(),
                "sim/README.md lists the fields of a scenario",
            )
        })?;
        name.clone_into(&mut scenario.name);
        if scenario.buckets.is_empty() {
            let bucket = BucketSpec { name: "main".into(), versioning: String::new(), policy: lww() };
            scenario.buckets.push(bucket);
        }
        let find = |needle: &str| text.find(needle).map(|at| at..at + needle.len());
        if !(2..=8).contains(&scenario.sites) {
            return Err(malformed("sites must be 2 to 8".into(), find("sites"), "set `sites = 3`"));
        }
        for bucket in &scenario.buckets {
            if !matches!(bucket.versioning.as_str(), "" | "enabled" | "suspended")
                || !matches!(bucket.policy.as_str(), "lww" | "keep-both")
            {
                let what = format!("bucket {:?} has an unknown versioning or policy", bucket.name);
                let remedy =
                    "versioning is \"\", \"enabled\" or \"suspended\"; policy is \"lww\" or \"keep-both\"";
                return Err(malformed(what, find(&bucket.name), remedy));
            }
        }
        for workload in &scenario.workloads {
            if !workload.bucket.is_empty()
                && !scenario.buckets.iter().any(|bucket| bucket.name == workload.bucket)
            {
                let what = format!("a workload uses bucket {:?}, which is not listed", workload.bucket);
                return Err(malformed(what, find(&workload.bucket), "add a [[bucket]] of that name"));
            }
        }
        Ok(scenario)
    }

    /// Reads `<name>.toml` in a folder.
    pub fn load(folder: &Path, name: &str) -> Result<Self, ScenarioError> {
        let path = folder.join(format!("{name}.toml"));
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(name, &text),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let names = Self::names(folder).unwrap_or_default();
                let near = names.iter().find(|known| known.contains(name) || name.contains(known.as_str()));
                let closest = near
                    .map_or_else(|| format!("known: {}", names.join(", ")), |n| format!("did you mean {n}?"));
                Err(ScenarioError::Missing { name: name.into(), folder: folder.into(), closest })
            }
            Err(cause) => Err(ScenarioError::Unreadable { path, cause }),
        }
    }

    /// The names of all scenarios in a folder, sorted.
    pub fn names(folder: &Path) -> Result<Vec<String>, ScenarioError> {
        let unreadable = |cause| ScenarioError::Unreadable { path: folder.into(), cause };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml")
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_field_is_refused_with_its_place_and_the_fields_there_are() {
        let text = "question = \"?\"\n[[workload]]\nkind = \"steady\"\nrate_per_sec = 3\n";
        let Err(ScenarioError::Malformed { what, at, .. }) = Scenario::parse("x", text) else {
            panic!("accepted")
        };
        assert!(what.contains("rate_per_sec") && what.contains("rate_per_s"), "{what}");
        let at = at.expect("a place");
        assert_eq!(&text[at.offset()..at.offset() + at.len()], "rate_per_sec");
    }

    #[test]
    fn what_cannot_work_is_refused_too() {
        let base = "question = \"?\"\nworkload = []\n";
        assert!(Scenario::parse("x", base).is_ok());
        for wrong in
            ["sites = 1", "[[bucket]]\nname = \"b\"\npolicy = \"newest\"", "[[fault]]\nkind = \"meteor\""]
        {
            assert!(Scenario::parse("x", &format!("{base}{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
