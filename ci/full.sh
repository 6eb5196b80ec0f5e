#!/usr/bin/env bash
# What takes hours: before a release, and each night. Start it after ci/check.sh has passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ci/steps.sh

# Every interleaving of six writes, where `cargo test` walks a smaller scope.
exhaustive() { ANABRANCH_EXHAUSTIVE_WRITES=6 cargo test --release -p anabranch --test exhaustive; }

kills() { ANABRANCH_CRASH_CYCLES=210 cargo test -p anabranch --test crash -- --nocapture; }
cut_off() { ANABRANCH_PARTITION_S=60 cargo test -p anabranch --test partition -- --nocapture; }

step "real processes killed 210 times" kills
step "real processes cut off for a minute" cut_off
step "the power of a real process cut 100 times" ci/powercut.sh 100
step "real clients" ci/clients.sh
step "fuzzing" ci/fuzz.sh 600
step "packages" impl/packaging/check.sh
step "what is measured agrees with closed forms" cargo sim validate
step "same seed, same run, more seeds" cargo sim meta --seeds 0..20
step "every interleaving of the small scope" exhaustive
step "every planted bug is caught" cargo sim mutants
step "many seeds, turmoil" cargo sim --world turmoil sweep --all --seeds 0..100
step "many seeds, madsim" cargo sim sweep --all --seeds 0..2000 --jobs 2
step "how fast the testbed is" cargo sim bench
finish
