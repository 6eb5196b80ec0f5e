#!/usr/bin/env bash
# Fuzzes every target: ci/fuzz.sh [SECONDS EACH]. What crashes is kept in impl/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../impl"

seconds=${1:-600}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --debug --quiet cargo-fuzz --version 0.13.2
# The sanitizers' flags are for nightly compilers; nothing else here is.
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list); do
  echo "== $target: $seconds s"
  mkdir -p "fuzz/corpus/$target" "fuzz/seeds/$target"
  cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 2>&1 |
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb|DONE|SUMMARY|ERROR|panicked' || true
  [ -z "$(ls -A "fuzz/artifacts/$target" 2>/dev/null)" ] || { echo "$target: crashed"; exit 1; }
done
echo "no crash"
