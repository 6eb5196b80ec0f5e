//! `mutants`: bugs planted in the engine, each of which an oracle must name.
//!
//! Each is a patch in `sim/mutants`, with the scenario that should find it in its head. All are built in one copy of the
//! workspace with one target directory, so only our crates are built again. Found means that an oracle's verdict names a
//! violation while the unpatched engine holds on the same seeds; a panic or a hang is told apart and is not a find.

use super::{Exit, Workspace, put};
use anabranch_sim::{oracle::Verdict, sweep};
use clap::Args;
use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Args)]
pub(super) struct Options {
    /// The mutants, by the names of their patches without number [default: all].
    #[arg(value_name = "MUTANT")]
    names: Vec<String>,
    /// Seeds tried for each.
    #[arg(long, default_value = "500")]
    seeds: u64,
}

struct Mutant {
    name: String,
    patch: PathBuf,
    scenario: String,
}

/// What became of a mutant.
enum Fate {
    Found { oracles: Vec<String>, seed: u64 },
    Broke { seed: u64, how: String },
    Survived,
}

/// Builds and sweeps each mutant.
pub(super) fn run(workspace: &Workspace, options: &Options) -> miette::Result<Exit> {
    let root = std::env::var_os("ANABRANCH_ROOT").map_or_else(|| Path::new(".").to_owned(), PathBuf::from);
    let mutants: Vec<Mutant> = read(&root.join("sim/mutants"))?
        .into_iter()
        .filter(|mutant| {
            options.names.is_empty() || options.names.iter().any(|name| mutant.name.contains(name))
        })
        .collect();
    if mutants.is_empty() {
        eprintln!("no mutant of that name: see sim/mutants");
        return Ok(Exit::Usage);
    }
    let tree = root.join("target/mutants/tree");
    copy(&root, &tree)?;
    let (mut found, mut missed) = (0, 0);
    for mutant in &mutants {
        eprintln!("building {}", mutant.name);
        apply(&tree, &mutant.patch, false)?;
        let built = build(&root, &tree);
        let fate = built.and_then(|binary| sweep(&tree, &binary, mutant, options.seeds));
        apply(&tree, &mutant.patch, true)?;
        let line = match fate? {
            Fate::Found { oracles, seed } => {
                let healthy = holds(workspace, &mutant.scenario, seed)?;
                found += u32::from(healthy);
                missed += u32::from(!healthy);
                let without = if healthy { "" } else { "  BUT SO DOES THE ENGINE WITHOUT IT" };
                format!(
                    "found     {:40} {:20} seed {seed:<4} by {}{without}",
                    mutant.name,
                    mutant.scenario,
                    oracles.join(", ")
                )
            }
            Fate::Broke { seed, how } => {
                missed += 1;
                format!("panicked  {:40} {:20} seed {seed:<4} {how}", mutant.name, mutant.scenario)
            }
            Fate::Survived => {
                missed += 1;
                format!("SURVIVED  {:40} {:20} {} seeds", mutant.name, mutant.scenario, options.seeds)
            }
        };
        put(&format!("{line}\n"));
    }
    put(&format!("{found} passed, {missed} failed\n"));
    Ok(if missed == 0 { Exit::Passed } else { Exit::Unsafe })
}

/// The patches with their heads: `scenario: <name>` before the diff.
fn read(folder: &Path) -> miette::Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for entry in
        fs::read_dir(folder).into_diagnostic().wrap_err_with(|| format!("reading {}", folder.display()))?
    {
        let patch = entry.into_diagnostic()?.path();
        if patch.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let text = fs::read_to_string(&patch).into_diagnostic()?;
        let scenario = text.lines().find_map(|line| line.strip_prefix("scenario: "));
        let scenario = scenario
            .ok_or_else(|| miette!("{} names no scenario: add a line `scenario: …`", patch.display()))?;
        let name = patch.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        mutants.push(Mutant { name, scenario: scenario.to_owned(), patch: patch.clone() });
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// A copy of what is built, without anything else.
fn copy(root: &Path, tree: &Path) -> miette::Result<()> {
    if tree.exists() {
        fs::remove_dir_all(tree).into_diagnostic()?;
    }
    for part in ["Cargo.toml", "Cargo.lock", "impl", "sim", "scenarios"] {
        copy_all(&root.join(part), &tree.join(part))
            .into_diagnostic()
            .wrap_err_with(|| format!("copying {part}"))?;
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        return fs::copy(from, to).map(drop);
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn apply(tree: &Path, patch: &Path, reverse: bool) -> miette::Result<()> {
    let mut git = Command::new("git");
    git.current_dir(tree).args(["apply", "--unsafe-paths", "--whitespace=nowarn"]);
    // The copy lies below a repository, which must not be asked about it.
    git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree))
        .env("GIT_DIR", tree.join("no-repository"));
    if reverse {
        git.arg("--reverse");
    }
    let status = git.arg(fs::canonicalize(patch).into_diagnostic()?).status().into_diagnostic()?;
    if status.success() {
        return Ok(());
    }
    Err(miette!(help = "the code moved: write the patch anew", "{} does not apply", patch.display()))
}

fn build(root: &Path, tree: &Path) -> miette::Result<PathBuf> {
    let target = fs::canonicalize(root).into_diagnostic()?.join("target/mutants/build");
    let status = Command::new("cargo")
        .current_dir(tree)
        .args(["build", "--quiet", "--profile", "sim", "--package", "anabranch-sim", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", "--cfg tokio_unstable --cfg madsim -A warnings")
        .status()
        .into_diagnostic()?;
    if status.success() {
        Ok(target.join("sim/anabranch-sim"))
    } else {
        Err(miette!("the mutant does not build"))
    }
}

fn sweep(tree: &Path, binary: &Path, mutant: &Mutant, seeds: u64) -> miette::Result<Fate> {
    let output = Command::new(binary)
        .current_dir(tree)
        .env_remove("ANABRANCH_ROOT")
        .args(["sweep", &mutant.scenario, "--max-failures", "1", "--json", "--seeds", &format!("0..{seeds}")])
        .output()
        .into_diagnostic()?;
    let told: Value =
        serde_json::from_slice(&output.stdout).into_diagnostic().wrap_err("reading the mutant's sweep")?;
    let failures = told["scenarios"][0]["failures"].as_array().cloned().unwrap_or_default();
    let mut broke = None;
    for failure in failures {
        let seed = failure["seed"].as_u64().unwrap_or_default();
        let violations = failure["violations"].as_array().cloned().unwrap_or_default();
        let oracles: Vec<String> = violations
            .iter()
            .filter_map(|violation| violation["oracle"].as_str().map(str::to_owned))
            .collect();
        if !oracles.is_empty() {
            return Ok(Fate::Found { oracles, seed });
        }
        broke = broke.or_else(|| Some((seed, failure["panic"].as_str().unwrap_or("?").to_owned())));
    }
    Ok(broke.map_or(Fate::Survived, |(seed, how)| Fate::Broke { seed, how }))
}

/// Whether the engine as it is holds on the seeds up to the one that found the mutant.
fn holds(workspace: &Workspace, scenario: &str, upto: u64) -> miette::Result<bool> {
    let scenario = workspace.load(scenario)?;
    Ok((0..=upto).all(|seed| {
        let facts = sweep::run_seed(&scenario, seed);
        facts.is_ok_and(|facts| !matches!(facts.verdict, Verdict::Unsafe | Verdict::NotLive))
    }))
}
