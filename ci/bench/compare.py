"""Starts each store, has `anabranch bench` measure it, and prints a table with ratios. See ci/bench.sh."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACCESS, SECRET = "GKbe9c4e0000000000000000aa", "be" * 32
CLIENTS, SIZES = "1,16,64", "1KiB,64KiB,8MiB"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended at its start")
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{process.args[0]} does not listen at {port}")


class Store:
    """A running store: its process and its S3 address. `region` is what requests are signed for."""

    region = "us-east-1"

    def __init__(self, cache, folder, durable):
        self.cache, self.folder, self.durable = cache, folder, durable
        self.port = free_port()
        self.log = open(folder / "log", "wb")
        self.start()

    def spawn(self, *arguments, **options):
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, **options)
        wait_for(self.port, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class SeaweedFs(Store):
    """One process with master, volume, filer and S3. Durable: volumes sync each write to /buckets; the filer's own store
    has no such setting."""

    name = "SeaweedFS 4.48"

    def start(self):
        weed = self.cache / "weed/bin/weed"
        keys = {"accessKey": ACCESS, "secretKey": SECRET}
        identity = {"name": "bench", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir()
        master, volume, filer = free_port(), free_port(), free_port()
        self.spawn(
            weed, "server", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-s3", f"-s3.port={self.port}",
            f"-s3.config={self.folder}/s3.json", f"-master.port={master}", f"-volume.port={volume}",
            f"-filer.port={filer}", "-master.volumeSizeLimitMB=1024", "-volume.max=0",
            f"-master.port.grpc={free_port()}", f"-volume.port.grpc={free_port()}",
            f"-filer.port.grpc={(grpc := free_port())}", f"-s3.port.grpc={free_port()}",
        )  # fmt: skip
        time.sleep(5)
        if self.durable:
            configure = b"fs.configure -locationPrefix=/buckets/ -fsync -apply\nexit\n"
            shell = [weed, "shell", f"-master=127.0.0.1:{master}", f"-filer=127.0.0.1:{filer}.{grpc}"]
            subprocess.run(shell, input=configure, stdout=self.log, stderr=self.log, check=True, timeout=60)


class Garage(Store):
    """One node, LMDB. Durable: `metadata_fsync` and `data_fsync`."""

    name, region = "Garage 2.5.0", "garage"

    def start(self):
        garage, rpc = self.cache / "garage/bin/garage", free_port()
        fsync = str(self.durable).lower()
        config = self.folder / "garage.toml"
        config.write_text(f"""
metadata_dir = "{self.folder}/meta"
data_dir = "{self.folder}/data"
db_engine = "lmdb"
metadata_fsync = {fsync}
data_fsync = {fsync}
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{'ab' * 32}"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:{self.port}"
root_domain = ".s3.garage"
""")
        self.spawn(garage, "-c", config, "server", env={**os.environ, "RUST_LOG": "error"})

        def admin(*arguments):
            done = subprocess.run([garage, "-c", config, *arguments], stdout=subprocess.PIPE, stderr=self.log, check=True)
            return done.stdout.decode()

        node = admin("node", "id", "-q").split("@")[0]
        admin("layout", "assign", "-z", "dc1", "-c", "1G", node)
        admin("layout", "apply", "--version", "1")
        admin("key", "import", "--yes", "-n", "bench", ACCESS, SECRET)
        admin("key", "allow", "--create-bucket", ACCESS)


def measure(binary, seconds, arguments):
    command = [binary, "bench", "load", "--json", "--seconds", seconds, "--clients", CLIENTS, "--sizes", SIZES]
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["op"], line["size"], line["clients"]): line for line in lines}


def measured(store, cache, binary, seconds, durable):
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        running = store(cache, folder, durable)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{store.name} could not be set up: {error}", file=sys.stderr)
        return {}
    try:
        arguments = ["--endpoint", f"http://127.0.0.1:{running.port}", "--access-key", ACCESS, "--secret-key", SECRET]
        return measure(binary, seconds, [*arguments, "--region", store.region, "--pid", str(running.process.pid)])
    except subprocess.CalledProcessError:
        sys.stderr.write((folder / "log").read_text(errors="replace")[-2000:])
        return {}
    finally:
        running.stop()
        shutil.rmtree(folder)


def size_of(size):
    return f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB"


def main():
    cache, binary, seconds = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    columns = {"Anabranch": measure(binary, seconds, [])}
    for store in (SeaweedFs, Garage):
        for durable in (True, False):
            name = f"{store.name}, {'synced' if durable else 'as it comes'}"
            columns[name] = measured(store, cache, binary, seconds, durable)
    ours = columns["Anabranch"]
    print("requests/s (p99 in ms); in brackets Anabranch's requests/s to theirs\n")
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in ours:
        op, size, clients = row
        cells = []
        for name, lines in columns.items():
            line = lines.get(row)
            if line is None:
                cells.append("not measured")
                continue
            cell = f"{line['requests_per_s']:,.0f} ({line['p99_ms']:.1f})"
            if line["errors"]:
                cell += f", {line['errors']} errors"
            elif name != "Anabranch":
                cell += f" [{ours[row]['requests_per_s'] / line['requests_per_s']:.2f}]"
            cells.append(cell)
        print(f"| {op} {size_of(size)}, {clients} clients | " + " | ".join(cells) + " |")
    for name, lines in columns.items():
        peaks = [line["peak_rss_mib"] for line in lines.values() if line["peak_rss_mib"]]
        if peaks:
            print(f"\n{name}: peak RSS {max(peaks):.0f} MiB", end="")
    syncs = ours.get(("PUT", 1024, 16), {}).get("syncs_per_request")
    print(f"\n\nAnabranch syncs {syncs:.2f} times a PUT of 1 KiB at 16 clients." if syncs else "")
    subprocess.run([binary, "bench", "lag", "--seconds", seconds], check=True)


main()
