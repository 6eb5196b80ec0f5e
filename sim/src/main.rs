//! `cargo sim`: the command line of the testbed. The launcher in `sim/launch` builds it for a world and runs it.
#![deny(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
