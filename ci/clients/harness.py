"""What the checks of all clients share: timed checks with a limit, buckets of their own, and a look at both sites.

A client's file marks functions with @check and ends with main("its name"). Each check prints one line: pass, FAIL with the
reason below it, or skip. The sites come from the environment, as `ci/clients.sh` sets it.
"""
import atexit
import functools
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

A = os.environ["ENDPOINT_A"]
B = os.environ["ENDPOINT_B"]
KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = "us-east-1"

LIMIT = 60  # seconds that a check may take
REPLICATED = 10  # seconds in which the other site must have what one site has
MB = 1 << 20

_checks = []
_buckets = []


class Skip(Exception):
    """What a check raises that cannot be made here; the text says why."""


def check(function):
    """Marks a check. They run in the order of the file."""
    _checks.append(function)
    return function


def main(client):
    """Runs all checks, and in the end compares all that they left behind at both sites. Names as arguments choose some."""
    chosen = sys.argv[1:]
    failed = False
    for function in [*_checks, same_at_both_sites]:
        name = function.__name__.strip("_").replace("_", "-")
        if chosen and name not in chosen:
            continue
        start = time.monotonic()
        verdict, reason = _run(function)
        print(f"{verdict:5} {client:10} {name:38} {time.monotonic() - start:5.1f}s", flush=True)
        for line in reason.strip().splitlines():
            print(f"      {line[:400]}", flush=True)
        failed = failed or verdict == "FAIL"
    sys.stdout.flush()
    # A check past its limit still has a thread, which must not hold up the end.
    atexit._run_exitfuncs()
    os._exit(1 if failed else 0)


def _run(function):
    result = []

    def body():
        try:
            function()
            result.append(("pass", ""))
        except Skip as skip:
            result.append(("skip", str(skip)))
        except BaseException as error:  # whatever it is, it is this check's failure alone
            result.append(("FAIL", _reason(error)))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(LIMIT)
    return result[0] if result else ("FAIL", f"not done after {LIMIT} s")


def _reason(error):
    """What went wrong, and the line of the check that says so."""
    here = str(pathlib.Path(__file__).parent)
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(here)]
    ours = [frame for frame in ours if frame.filename != __file__] or ours
    where = f"{pathlib.Path(ours[-1].filename).name}:{ours[-1].lineno}: {ours[-1].line}\n" if ours else ""
    kind = "" if type(error) is AssertionError else f"{type(error).__name__}: "
    return f"{where}{kind}{error}"


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {_short(got)}, want {_short(want)}")


def _short(value):
    text = repr(value)
    return text if len(text) < 180 else f"{text[:80]}… ({len(text)} characters)"


def s3(site=A, key=KEY, secret=SECRET, **config):
    """A boto3 client of a site. It tries once: an answer that only a retry makes right is a failure."""
    config = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}, "read_timeout": 30, **config}
    config.setdefault("max_pool_connections", 32)
    return boto3.client("s3", endpoint_url=site, region_name=REGION, aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(**config))


@functools.cache
def site(endpoint):
    return s3(endpoint)


def name(kind="t"):
    """A bucket name that was never used."""
    return f"{kind}-{uuid.uuid4().hex[:16]}"


def bucket(kind="t", versioned=False):
    """A new bucket, at both sites when this returns."""
    made = name(kind)
    site(A).create_bucket(Bucket=made)
    if versioned:
        site(A).put_bucket_versioning(Bucket=made, VersioningConfiguration={"Status": "Enabled"})
    at_both(made)
    return made


def at_both(made):
    """Waits until the other site has a bucket too. In the end the two sites' contents of it are compared."""
    _buckets.append(made)
    want = site(A).get_bucket_versioning(Bucket=made).get("Status")
    eventually(lambda: equal(site(B).get_bucket_versioning(Bucket=made).get("Status"), want, "versioning at B"))
    return made


def eventually(test, seconds=REPLICATED):
    """Tries until the test passes or the time is up, and returns what it returns."""
    end = time.monotonic() + seconds
    while True:
        try:
            return test()
        except (AssertionError, ClientError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def refused(status, code, call, **arguments):
    """Makes a call that must be refused with this status and code, and returns the refusal. Where AWS and the S3 tests
    of Ceph disagree, either is good: status and code are tuples of both."""
    wanted = list(zip(status, code)) if isinstance(status, tuple) else [(status, code)]
    try:
        answer = call(**arguments)
    except ClientError as error:
        got = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        equal(got, got if got in wanted else wanted[0], "refusal")
        return error.response
    raise AssertionError(f"not refused with {status} {code}, but answered {_short(answer)}")


def http(method, url, body=None, headers=None):
    """A plain HTTP request: its status, its headers, its body."""
    request = urllib.request.Request(url, body, headers or {}, method=method)
    if body is not None:
        # Else urllib adds a type of its own, which a signature of version 2 covers.
        request.add_unredirected_header("Content-Type", (headers or {}).get("Content-Type", ""))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def data(size, seed=1):
    """Bytes that no two seeds share and that do not compress."""
    return random.Random(seed).randbytes(size)


@functools.cache
def folder():
    """A folder that is removed in the end."""
    made = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def file(content, called=None):
    """A file with this content."""
    path = folder() / (called or uuid.uuid4().hex)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def run(*command, env=None, ok=True, stdin=b""):
    """Runs a program, which must succeed, or fail if not `ok`, and returns what it prints, errors last."""
    environment = {**os.environ, **(env or {})}
    done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, env=environment,
                          timeout=LIMIT - 5)
    if (done.returncode == 0) != ok:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-1500:]
        raise AssertionError(f"exit code {done.returncode} of {' '.join(map(str, command))[:300]}\n{said}")
    return done.stdout if ok else done.stdout + done.stderr


def snapshot(client, of):
    """All that a site tells of a bucket: objects and versions in the order listed, with their bytes, headers and tags."""
    versions = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=of):
        entries = [("version", entry) for entry in page.get("Versions", [])]
        entries += [("marker", entry) for entry in page.get("DeleteMarkers", [])]
        versions += entries
    told = [(kind, {k: v for k, v in entry.items() if k != "Owner"}) for kind, entry in versions]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=of)
    listed = [entry for page in pages for entry in page.get("Contents", [])]
    contents = []
    for kind, entry in versions:
        if kind == "marker":
            continue
        which = {"Bucket": of, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        answer = client.get_object(**which, ChecksumMode="ENABLED")
        digest = hashlib.sha256(answer.pop("Body").read()).hexdigest()
        del answer["ResponseMetadata"]
        parts = client.get_object_attributes(**which, ObjectAttributes=["ObjectParts"]).get("ObjectParts")
        tags = client.get_object_tagging(**which)["TagSet"] if answer.get("TagCount") else []
        contents.append((entry["Key"], answer, digest, parts, tags))
    return {"versions": told, "listed": listed, "contents": contents}


def same(of):
    """Both sites tell the same of a bucket, soon. Returns what they tell."""
    def compare():
        here, there = snapshot(site(A), of), snapshot(site(B), of)
        for part in here:
            equal(len(there[part]), len(here[part]), f"{of}: number of {part} at B")
            for one, other in zip(here[part], there[part]):
                equal(other, one, f"{of}: {part} at B")
        return here
    return eventually(compare)


def same_at_both_sites():
    for made in _buckets:
        try:
            site(A).head_bucket(Bucket=made)
        except ClientError:
            continue  # a check deleted it
        same(made)
