# Sourced by the scripts beside it: steps with a heading, their seconds, and one last line that sums them up.

# The plain build takes its flags from .cargo/config.toml; flags from outside would replace them, not add to them.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
passed=0
failed=0

# step NAME COMMAND…: runs one command. A failure is counted, and the next step runs all the same.
step() {
  local name=$1 start=$SECONDS verdict=ok
  shift
  printf '\n== %s\n' "$name"
  if "$@" </dev/null; then
    passed=$((passed + 1))
  else
    verdict="FAILED ($?)"
    failed=$((failed + 1))
  fi
  printf -- '-- %s: %s, %d s\n' "$name" "$verdict" $((SECONDS - start))
}

# in_madsim COMMAND…: with the flags of the madsim world. Give it --target-dir target/madsim: one folder for each world.
in_madsim() {
  RUSTFLAGS="--cfg tokio_unstable --cfg madsim" "$@"
}

# The last line, and the exit code that belongs to it.
finish() {
  printf '\nall steps: %d s\n%d passed, %d failed\n' "$SECONDS" "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
