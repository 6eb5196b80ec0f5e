#!/usr/bin/env bash
# Fuzzes targets, all or those named: ci/fuzz.sh [SECONDS EACH] [TARGET…]. What crashes is kept in impl/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../impl"

seconds=${1:-600}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --debug --quiet cargo-fuzz --version 0.13.2
# The sanitizers' flags are for nightly compilers; nothing else here is.
export RUSTC_BOOTSTRAP=1
if [ $# -gt 1 ]; then targets=("${@:2}"); else mapfile -t targets < <(cargo fuzz list); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
  echo "== $target: $seconds s"
  mkdir -p "fuzz/corpus/$target" "fuzz/seeds/$target"
  if ! cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 &>"$log"; then
    tail -n 40 "$log"
    echo "$target: crashed, or did not run"
    exit 1
  fi
  grep -E 'stat::number_of_executed_units|stat::peak_rss_mb|DONE' "$log"
done
echo "no crash"
