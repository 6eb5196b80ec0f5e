#!/usr/bin/env bash
# Cuts the power of a real daemon on a disk that drops what was not synced: ci/powercut.sh [CUTS], else ANABRANCH_CUTS,
# else 30. ANABRANCH_SEED draws other cuts. It needs FUSE, and mounts as root or with fusermount.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! [ -c /dev/fuse ] || ! (exec 3<>/dev/fuse) 2>/dev/null; then
  echo "skipped: no /dev/fuse"
  exit
fi
if [ "$(id -u)" -ne 0 ] && ! command -v fusermount3 fusermount >/dev/null; then
  echo "skipped: not root, and no fusermount"
  exit
fi

cargo build -p anabranch
export ANABRANCH_BINARY=$PWD/target/debug/anabranch
cd impl/powercut
cargo fmt --check
cargo clippy --all-targets -- -D warnings
cargo test
cargo run -- "$@"
