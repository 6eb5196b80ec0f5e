#!/usr/bin/env bash
# What can be said of the packages without installing them: the unit, the compose file, the Debian package's contents.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

unit=$(mktemp -d)
trap 'rm -rf "$unit"' EXIT
# The unit names a binary that is not installed here: any other will do for the check.
sed 's#/usr/bin/anabranch [a-z-]*#/bin/true#; s/^User=.*/User=root/; s/^Group=.*/Group=root/' \
  impl/packaging/anabranch.service >"$unit/anabranch.service"
if command -v systemd-analyze >/dev/null; then
  systemd-analyze verify --man=no "$unit/anabranch.service"
  echo "anabranch.service: verified"
else
  echo "anabranch.service: skipped, there is no systemd-analyze"
fi

python3 - <<'PY'
import re
text = open("impl/packaging/compose.yaml").read()
try:
    import yaml
    services = yaml.safe_load(text)["services"]
    assert len(services) == 3 and all(s["image"] == "anabranch" for s in services.values())
    print("compose.yaml: three sites")
except ImportError:
    print("compose.yaml: skipped, there is no PyYAML")
docker = open("impl/packaging/Dockerfile").read()
stages = re.findall(r"^FROM (\S+)", docker, re.M)
copied = re.findall(r"^COPY --from=(\w+)", docker, re.M)
assert len(stages) == 2 and set(copied) == {"build"} and "USER nonroot" in docker
print("Dockerfile: two stages, not root")
PY

cargo deb --version >/dev/null 2>&1 || cargo install --locked --debug --quiet cargo-deb --version 3.8.0
package=$(cargo deb --quiet --package anabranch --output "$unit/anabranch.deb")
dpkg-deb --contents "$package" | awk '{print $1, $6}' | grep -E 'bin/anabranch|service|completions|copyright'
