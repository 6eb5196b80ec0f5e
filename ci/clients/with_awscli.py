"""awscli: the commands of `aws s3` that people and scripts use, and a few of `aws s3api`."""
import json

from harness import A, B, MB, bucket, check, data, equal, eventually, file, folder, http, main, name, run


def aws(*words, site=A, **options):
    return run("aws", "--endpoint-url", site, *words, **options)


def api(*words, **options):
    return json.loads(aws("s3api", *words, "--output", "json", **options) or "{}")


@check
def make_and_remove_bucket():
    of = name()
    aws("s3", "mb", f"s3://{of}")
    equal(of.encode() in aws("s3", "ls"), True, "listed")
    aws("s3", "cp", file(b"x"), f"s3://{of}/k")
    aws("s3", "rb", f"s3://{of}", ok=False)
    aws("s3", "rb", "--force", f"s3://{of}")
    equal(of.encode() in aws("s3", "ls"), False, "listed")


@check
def put_get():
    of = bucket()
    aws("s3", "cp", file(b"abc"), f"s3://{of}/a b+ü")
    equal(aws("s3", "cp", f"s3://{of}/a b+ü", "-"), b"abc")
    aws("s3", "cp", "-", f"s3://{of}/stream", stdin=b"streamed")
    equal(aws("s3", "cp", f"s3://{of}/stream", "-"), b"streamed")
    eventually(lambda: equal(aws("s3", "cp", f"s3://{of}/stream", "-", site=B), b"streamed"), 20)


@check
def multipart_and_copy():
    of = bucket()
    body = data(20 * MB)
    aws("s3", "cp", file(body), f"s3://{of}/large", "--checksum-algorithm", "SHA256")
    aws("s3", "cp", f"s3://{of}/large", f"s3://{of}/copied")
    aws("s3", "mv", f"s3://{of}/copied", f"s3://{of}/moved")
    aws("s3", "cp", f"s3://{of}/moved", folder() / "aws-back")
    equal((folder() / "aws-back").read_bytes() == body, True, "bytes")
    listed = aws("s3", "ls", "--recursive", f"s3://{of}").decode().split()
    equal([listed[3], listed[7], len(listed)], ["large", "moved", 8], "listed")


@check
def sync():
    of = bucket()
    for path in ["a", "d/b", "d/e/c"]:
        file(path.encode(), f"aws-sync/{path}")
    here = folder() / "aws-sync"
    aws("s3", "sync", here, f"s3://{of}/p")
    equal(aws("s3", "sync", here, f"s3://{of}/p"), b"", "a second time, nothing is copied")
    (here / "a").unlink()
    aws("s3", "sync", "--delete", here, f"s3://{of}/p")
    aws("s3", "sync", f"s3://{of}/p", folder() / "aws-synced")
    found = sorted(str(path.relative_to(folder() / "aws-synced")) for path in (folder() / "aws-synced").rglob("?"))
    equal(found, ["d", "d/b", "d/e", "d/e/c"])
    aws("s3", "rm", "--recursive", f"s3://{of}/p/d")
    equal(api("list-objects-v2", "--bucket", of).get("Contents"), None, "left")


@check
def get_range():
    of = bucket()
    aws("s3", "cp", file(b"0123456789"), f"s3://{of}/k")
    told = api("get-object", "--bucket", of, "--key", "k", "--range", "bytes=2-4", folder() / "aws-range")
    equal((told["ContentRange"], (folder() / "aws-range").read_bytes()), ("bytes 2-4/10", b"234"))


@check
def conditional_put():
    of = bucket()
    put = ["s3api", "put-object", "--bucket", of, "--key", "k", "--body", file(b"x")]
    aws(*put, "--if-none-match", "*")
    equal(b"PreconditionFailed" in aws(*put, "--if-none-match", "*", ok=False), True, "the second is refused")
    etag = api("head-object", "--bucket", of, "--key", "k")["ETag"]
    aws(*put, "--if-match", etag)
    aws(*put, "--if-match", "other", ok=False)


@check
def checksums():
    of = bucket()
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        put = api("put-object", "--bucket", of, "--key", "k", "--body", file(b"abc"), "--checksum-algorithm", algorithm)
        got = api("head-object", "--bucket", of, "--key", "k", "--checksum-mode", "ENABLED")
        equal(got.get(f"Checksum{algorithm}"), put[f"Checksum{algorithm}"], algorithm)


@check
def versions():
    of = name()
    aws("s3api", "create-bucket", "--bucket", of)
    aws("s3api", "put-bucket-versioning", "--bucket", of, "--versioning-configuration", "Status=Enabled")
    ids = [api("put-object", "--bucket", of, "--key", "k", "--body", file(body))["VersionId"] for body in (b"1", b"2")]
    marker = api("delete-object", "--bucket", of, "--key", "k")["VersionId"]
    listed = api("list-object-versions", "--bucket", of)
    equal([entry["VersionId"] for entry in listed["Versions"]], ids[::-1], "versions")
    equal([entry["VersionId"] for entry in listed["DeleteMarkers"]], [marker], "markers")
    aws("s3api", "get-object", "--bucket", of, "--key", "k", "--version-id", ids[0], folder() / "aws-version")
    equal((folder() / "aws-version").read_bytes(), b"1")


@check
def tags():
    of = bucket()
    aws("s3api", "put-object", "--bucket", of, "--key", "k", "--tagging", "a=1")
    equal(api("get-object-tagging", "--bucket", of, "--key", "k")["TagSet"], [{"Key": "a", "Value": "1"}])


@check
def presign():
    of = bucket()
    aws("s3", "cp", file(b"abc"), f"s3://{of}/k")
    url = aws("s3", "presign", f"s3://{of}/k").decode().strip()
    equal(http("GET", url)[::2], (200, b"abc"))


main("awscli")
