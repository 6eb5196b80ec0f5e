//! The command line, one file a command.
//!
//! In reading order: [`exit`] says what the process's exit code means, [`seeds`] and [`workspace`] read what a person
//! typed, [`words`], [`failure`], [`summary`] and [`index`] say things, [`judged`] is a run beside its baselines,
//! [`panics`] and [`progress`] keep stderr readable; then the commands.
//!
//! | command | answers |
//! |---|---|
//! | none: [`suite`] | does every scenario hold under one seed? |
//! | [`run`] `run`, `replay` | what happened in one run? |
//! | [`sweep`] | does a scenario hold under many seeds? |
//! | [`meta`] | is the same seed the same run? |
//! | [`validate`] | does the simulated network behave as its model says? |
//! | [`bench`] | how fast is the testbed? |
//! | [`mutants`] | does every planted bug get caught? |
//! | [`list`] | what can be run? |
//!
//! Invariants: results go to stdout and everything else to stderr; a failure ends with the command that shows it again.

mod bench;
mod exit;
mod failure;
mod index;
mod judged;
mod list;
mod meta;
mod mutants;
mod panics;
mod progress;
mod run;
mod seeds;
mod suite;
mod summary;
mod sweep;
mod validate;
mod words;
mod workspace;

use anabranch_sim::world;
use clap::{Args, Parser, Subcommand};
use exit::Exit;
use std::{io::Write, path::PathBuf, process::ExitCode};
use workspace::Workspace;

const EXIT_CODES: &str = "\
Exit codes; of several the first of 6, 70, 1, 3, 5:
  0    all promises held
  1    a safety promise was broken
  2    usage, or a scenario file
  3    a liveness promise was broken
  5    inconclusive: a run proved nothing
  6    nondeterminism: the same seed was another run
  70   panic in engine or harness
  101  cargo could not build it";

/// Real replication code on simulated machines: every fault and every write from a seed, judged by independent oracles.
///
/// Without a command it runs every scenario once.
#[derive(Parser)]
#[command(name = "anabranch-sim", bin_name = "cargo sim", after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(flatten)]
    suite: suite::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Args)]
struct Everywhere {
    /// The folder of scenarios [default: `scenarios` here or in the workspace].
    #[arg(long, global = true, value_name = "DIR")]
    scenarios: Option<PathBuf>,
    /// The simulated world; seeds mean something else in each [default: madsim].
    #[arg(long, global = true, value_parser = ["madsim", "turmoil"])]
    world: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run one seed of a scenario and tell what happened.
    Run(run::Options),
    /// Run many seeds and total what they show.
    Sweep(sweep::Options),
    /// Run a seed again, and make sure that it is the same run.
    Replay(run::ReplayOptions),
    /// Show the scenarios and their questions.
    List,
    /// Run seeds twice in different processes and surroundings, and compare their traces.
    Meta(meta::Options),
    /// Print the trace of one seed, for `meta`.
    #[command(hide = true)]
    Trace(meta::TraceOptions),
    /// Check what the testbed measures against closed forms of loss.
    Validate,
    /// Measure the testbed on one core.
    Bench(bench::Options),
    /// Plant bugs in the engine and see each one caught.
    Mutants(mutants::Options),
}

/// Parses the command line, obeys it, and says how that went.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    panics::install(!matches!(cli.command, Some(Command::Run(_) | Command::Replay(_))));
    match obey(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::from(exit::USAGE)
        }
    }
}

fn obey(cli: Cli) -> miette::Result<Exit> {
    if let Some(asked) = cli.everywhere.world.filter(|asked| asked != world::NAME) {
        let help = "start it as `cargo sim --world …`, which builds what it needs";
        return Err(miette::miette!(help = help, "this program is the {} world, not {asked}", world::NAME));
    }
    let workspace = Workspace::find(cli.everywhere.scenarios)?;
    match cli.command {
        None => suite::run(&workspace, &cli.suite),
        Some(Command::Run(options)) => run::run(&workspace, &options),
        Some(Command::Sweep(options)) => sweep::run(&workspace, &options),
        Some(Command::Replay(options)) => run::replay(&workspace, &options),
        Some(Command::List) => list::run(&workspace),
        Some(Command::Meta(options)) => meta::run(&workspace, &options),
        Some(Command::Trace(options)) => meta::trace(&workspace, &options),
        Some(Command::Validate) => Ok(validate::run()),
        Some(Command::Bench(options)) => Ok(bench::run(&options)),
        Some(Command::Mutants(options)) => mutants::run(&workspace, &options),
    }
}

/// Writes results to stdout. Whoever closes the pipe early, as `head` does, has seen enough.
fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Threads to use if nobody says.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_the_suite_belong_to_no_other_command() {
        assert!(Cli::try_parse_from(["sim", "--seed", "0x10", "--jobs", "1"]).is_ok());
        assert!(Cli::try_parse_from(["sim", "list", "--scenarios", "elsewhere"]).is_ok());
        assert!(Cli::try_parse_from(["sim", "--seed", "3", "list"]).is_err());
        assert!(Cli::try_parse_from(["sim", "sweep", "--seeds", "0..9"]).is_err(), "nothing to sweep");
        for verb in ["sweep", "meta"] {
            assert!(
                Cli::try_parse_from(["sim", verb, "a", "b", "--scenarios", "elsewhere"]).is_ok(),
                "{verb}"
            );
        }
    }
}
