//! `cargo sim`: builds the testbed for the world that is asked for, and runs it.
//!
//! madsim and turmoil each need a build of their own: madsim replaces the clocks and the randomness of the whole program,
//! and only exists under `--cfg madsim`. So flags and target directories differ, and this program knows both, so that
//! nobody has to. It has no dependencies: it is there a second after a fresh clone.
//!
//! - `--world madsim` (the default) or `--world turmoil`, anywhere on the command line, chooses; all else is passed on;
//! - `meta` needs two builds of a world, and does both worlds unless one is asked for;
//! - the exit code is the testbed's; 101 means that it did not build.
#![forbid(unsafe_code)]

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader, IsTerminal, Write, stderr},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

/// Cargo's own exit code for a build that failed; the testbed never uses it.
const NOT_BUILT: u8 = 101;
/// A command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let outcome = Call::parse(env::args_os().skip(1).collect())
        .map_err(|what| (USAGE, what))
        .and_then(|call| call.obey());
    outcome.unwrap_or_else(|(code, what)| {
        eprintln!("cargo sim: {what}");
        ExitCode::from(code)
    })
}

/// A simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    Madsim,
    Turmoil,
}

impl World {
    const ALL: [Self; 2] = [Self::Madsim, Self::Turmoil];

    fn name(self) -> &'static str {
        match self {
            Self::Madsim => "madsim",
            Self::Turmoil => "turmoil",
        }
    }

    /// The compiler flags that make it.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Madsim => &["--cfg tokio_unstable", "--cfg madsim"],
            // As `.cargo/config.toml` has them, so that `cargo test` and this build share their artefacts.
            Self::Turmoil => &["--cfg tokio_unstable"],
        }
    }

    /// Where it is built.
    fn target(self, base: &Path) -> PathBuf {
        match self {
            Self::Madsim => base.join("madsim"),
            Self::Turmoil => base.to_owned(),
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    world: Option<World>,
    passed_on: Vec<OsString>,
}

/// An exit code, and what to say.
type Failure = (u8, String);

impl Call {
    fn parse(args: Vec<OsString>) -> Result<Self, String> {
        let mut call = Self { world: None, passed_on: Vec::new() };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let name = match arg.to_str() {
                Some("--world") => args.next().ok_or("--world needs a name: madsim or turmoil")?,
                Some(text) if text.starts_with("--world=") => text["--world=".len()..].into(),
                _ => {
                    call.passed_on.push(arg);
                    continue;
                }
            };
            let world = World::ALL.into_iter().find(|world| name == world.name());
            call.world = Some(
                world.ok_or_else(|| format!("there is no world {}: madsim or turmoil", name.display()))?,
            );
        }
        Ok(call)
    }

    fn obey(&self) -> Result<ExitCode, Failure> {
        let root = root();
        if self.passed_on.first().is_some_and(|command| command == "meta") {
            return self.meta(&root);
        }
        let program = build(&root, self.world.unwrap_or(World::Madsim), "sim")?;
        run(&root, &program, &self.passed_on).map(ExitCode::from)
    }

    /// Every seed runs once in an optimised build and once in a debug build: a run that depends on either shows.
    fn meta(&self, root: &Path) -> Result<ExitCode, Failure> {
        let mut worst = 0;
        for world in World::ALL.into_iter().filter(|world| self.world.is_none_or(|asked| asked == *world)) {
            let (program, other) = (build(root, world, "sim")?, build(root, world, "dev")?);
            eprintln!("world {}", world.name());
            let mut args = vec!["meta".into(), "--other".into(), other.into()];
            args.extend(self.passed_on[1..].iter().cloned());
            let code = run(root, &program, &args)?;
            worst = if worst == 0 { code } else { worst };
        }
        Ok(worst.into())
    }
}

/// The workspace, above this package's own folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("sim/launch is two below the root")
        .to_owned()
}

/// Builds the testbed for a world and returns the program. Cargo's progress is shown if there is anything to build.
fn build(root: &Path, world: World, profile: &str) -> Result<PathBuf, Failure> {
    let base = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let target = world.target(&base);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args([
        "build",
        "--package",
        "anabranch-sim",
        "--bin",
        "anabranch-sim",
        "--profile",
        profile,
    ]);
    cargo.arg("--target-dir").arg(&target);
    // RUSTFLAGS replace the flags of `.cargo/config.toml`, and encoded ones replace both.
    cargo.env("RUSTFLAGS", flags(world, &given_flags())).env_remove("CARGO_ENCODED_RUSTFLAGS");
    if stderr().is_terminal() {
        cargo.args(["--color", "always"]);
    }
    let status =
        watched(&mut cargo).map_err(|cause| (NOT_BUILT, format!("cargo does not start: {cause}")))?;
    if !status.success() {
        let what =
            format!("the {} world did not build (profile {profile}); cargo said why above", world.name());
        return Err((NOT_BUILT, what));
    }
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(folder).join(format!("anabranch-sim{}", env::consts::EXE_SUFFIX)))
}

/// The flags that the caller has set.
fn given_flags() -> String {
    match env::var("CARGO_ENCODED_RUSTFLAGS") {
        Ok(encoded) => encoded.replace('\x1f', " "),
        Err(_) => env::var("RUSTFLAGS").unwrap_or_default(),
    }
}

/// The caller's flags and the world's.
fn flags(world: World, given: &str) -> String {
    let missing = world.flags().iter().filter(|flag| !given.contains(**flag)).copied();
    let given = Some(given.trim()).filter(|given| !given.is_empty());
    given.into_iter().chain(missing).collect::<Vec<_>>().join(" ")
}

/// Runs cargo and hands on what it says, except for a lone "Finished" when there was nothing to do.
fn watched(cargo: &mut Command) -> std::io::Result<ExitStatus> {
    let mut child = cargo.stderr(Stdio::piped()).spawn()?;
    let mut said_something = false;
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = Vec::new();
    // By bytes: a compiler may quote source that is not UTF-8.
    while lines.read_until(b'\n', &mut line)? > 0 {
        if said_something || !is_finished(&line) {
            said_something = true;
            stderr().write_all(&line)?;
        }
        line.clear();
    }
    child.wait()
}

fn is_finished(line: &[u8]) -> bool {
    String::from_utf8_lossy(line).contains("Finished")
}

/// Runs the testbed where the caller is, so that the caller's paths mean what they say.
fn run(root: &Path, program: &Path, args: &[impl AsRef<OsStr>]) -> Result<u8, Failure> {
    let status = Command::new(program).args(args).env("ANABRANCH_ROOT", root).status();
    let status =
        status.map_err(|cause| (NOT_BUILT, format!("{} does not start: {cause}", program.display())))?;
    Ok(code(status))
}

/// The exit code as a shell tells it: a signal's number above 128.
fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let by_signal = None;
    status.code().or(by_signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Call, String> {
        Call::parse(args.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_world_is_taken_out_wherever_it_stands() {
        let passed_on = vec!["sweep".into(), "steady".into(), "--seeds".into(), "0..9".into()];
        for args in [
            ["--world", "turmoil", "sweep", "steady", "--seeds", "0..9"],
            ["sweep", "steady", "--world", "turmoil", "--seeds", "0..9"],
        ] {
            assert_eq!(parse(&args), Ok(Call { world: Some(World::Turmoil), passed_on: passed_on.clone() }));
        }
        assert_eq!(
            parse(&["--world=madsim"]),
            Ok(Call { world: Some(World::Madsim), passed_on: Vec::new() })
        );
        assert_eq!(parse(&[]), Ok(Call { world: None, passed_on: Vec::new() }));
        assert!(parse(&["--world"]).is_err());
        assert!(parse(&["--world", "mars"]).is_err());
    }

    #[test]
    fn a_caller_keeps_their_flags_and_none_comes_twice() {
        assert_eq!(flags(World::Turmoil, ""), "--cfg tokio_unstable");
        assert_eq!(flags(World::Madsim, "-D warnings"), "-D warnings --cfg tokio_unstable --cfg madsim");
        assert_eq!(flags(World::Madsim, "--cfg tokio_unstable"), "--cfg tokio_unstable --cfg madsim");
    }

    #[test]
    fn only_a_lone_finished_is_chatter() {
        assert!(is_finished(
            b"\x1b[1m\x1b[32m    Finished\x1b[0m `sim` profile [optimized] target(s) in 0.05s\n"
        ));
        assert!(!is_finished(b"   Compiling anabranch-sim v0.1.0\n"));
    }
}
