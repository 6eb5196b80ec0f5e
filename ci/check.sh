#!/usr/bin/env bash
# Everything that a commit must pass, the cheap first. It is to stay under 20 minutes on two cores, from nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ci/steps.sh

# Runs in the sweep: together, and from it for each scenario.
readonly RUNS_MIN=200
scenarios=(scenarios/*.toml)
seeds=$(((RUNS_MIN + ${#scenarios[@]} - 1) / ${#scenarios[@]}))

# installed CRATE VERSION: a cargo command, built if this machine has none. Unoptimised: it runs for seconds.
installed() {
  cargo "${1#cargo-}" --version >/dev/null 2>&1 || cargo install --locked --debug --quiet "$1" --version "$2"
}
dependencies_used() { installed cargo-machete 0.9.2 && cargo machete --with-metadata; }
dependencies_allowed() {
  installed cargo-deny 0.20.2 && cargo deny --config ci/deny.toml check bans licenses sources
}

step "format" cargo fmt --all --check
step "every dependency is used" dependencies_used
step "every dependency is allowed" dependencies_allowed
step "lints, turmoil world" cargo clippy --workspace --all-targets -- -D warnings
step "tests, turmoil world" cargo test --workspace
step "lints, madsim world" in_madsim cargo clippy -p anabranch-sim --all-targets --target-dir target/madsim -- -D warnings
step "tests, madsim world" in_madsim cargo test -p anabranch-sim --lib --bins --tests --target-dir target/madsim
step "same seed, same run, in two builds of both worlds" cargo sim meta
step "${#scenarios[@]} scenarios with $seeds seeds each" cargo sim sweep --all --seeds "0..$seeds"
step "the suite" cargo sim
finish
