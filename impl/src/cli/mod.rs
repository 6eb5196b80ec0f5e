//! The commands. Results go to standard output, everything else to standard error.
//!
//! | exit | means |
//! |---|---|
//! | 0 | done; for `status`: in sync with every site |
//! | 1 | failed |
//! | 2 | the command line is wrong |
//! | 3 | not in sync, or something needs attention |

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "commands live in the real world")]

mod admin_client;
mod bench;
mod certificates;
mod check_config;
mod conflicts;
mod dev;
mod diff;
mod doctor;
mod init;
mod keys;
mod s3_client;
mod serve;
mod status;
mod verify;

use clap::{CommandFactory, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Where the packages put the configuration.
const CONFIG: &str = "/etc/anabranch/anabranch.toml";

/// Active-active replication for S3-compatible object stores.
#[derive(Parser)]
#[command(name = "anabranch", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The configuration that a command works on.
#[derive(clap::Args)]
struct ConfigArgument {
    /// The site's configuration
    #[arg(long, short, global = true, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Run this site
    Serve(ConfigArgument),
    /// Make certificates, keys and a configuration for every site of a new cluster
    Init(init::Arguments),
    /// Try it: a whole cluster on this machine, with keys, ready for `aws s3`
    Dev(dev::Arguments),
    /// Say whether a configuration and the files that it names can be used
    CheckConfig(ConfigArgument),
    /// Say how far this site and its peers are from each other; exit 3 if not in sync
    Status(status::Arguments),
    /// Show how far one peer, or each, lags behind
    Lag(status::LagArguments),
    /// List or show keys with versions of which nobody has chosen one
    Conflicts(conflicts::Arguments),
    /// Compare every record with a peer's; exit 3 if any differs
    Diff(diff::Arguments),
    /// Look for what may hurt: disk, clock, limits, secrets, peers; exit 3 if anything is not well
    Doctor(doctor::Arguments),
    /// Read everything that this site holds; exit 3 if any of it is not as it was written
    Verify(verify::Arguments),
    /// Make, list and revoke access keys, for all sites
    Keys(keys::Arguments),
    /// Measure how fast a site is, and how far a second one lags behind
    Bench(bench::Arguments),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What a command says at its end.
type Outcome = miette::Result<ExitCode>;

/// Runs the command line.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(ConfigArgument { config }) => serve::run(&config),
        Command::Init(arguments) => init::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::CheckConfig(ConfigArgument { config }) => check_config::run(&config),
        Command::Status(arguments) => status::run(&arguments),
        Command::Lag(arguments) => status::lag(&arguments),
        Command::Conflicts(arguments) => conflicts::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "anabranch", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|report| {
        eprintln!("{report:?}");
        ExitCode::FAILURE
    })
}

/// Runs a future on the daemon's runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    // A look at the database may wait for the disk: on a small machine the others go on meanwhile.
    let threads = std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("the operating system gives threads")
        .block_on(future)
}
