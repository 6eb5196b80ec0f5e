"""s5cmd: many operations at once, and older ways of Go's SDK."""
from harness import A, B, MB, bucket, check, data, equal, eventually, file, folder, http, main, name, run


def s5cmd(*words, site=A, **options):
    return run("s5cmd", "--endpoint-url", site, "--retry-count", 0, *words, **options)


@check
def make_and_remove_bucket():
    of = name()
    s5cmd("mb", f"s3://{of}")
    equal(of.encode() in s5cmd("ls"), True, "listed")
    s5cmd("rb", f"s3://{of}")
    equal(of.encode() in s5cmd("ls"), False, "listed")


@check
def put_get():
    of = bucket()
    s5cmd("cp", "--content-type", "text/x", "--metadata", "one=1", file(b"abc"), f"s3://{of}/a b+ü")
    equal(s5cmd("cat", f"s3://{of}/a b+ü"), b"abc")
    eventually(lambda: equal(s5cmd("cat", f"s3://{of}/a b+ü", site=B), b"abc"), 20)
    s5cmd("pipe", f"s3://{of}/piped", stdin=b"piped")
    equal(s5cmd("cat", f"s3://{of}/piped"), b"piped")
    equal(b"text/x" in s5cmd("head", f"s3://{of}/a b+ü"), True, "head")


@check
def multipart_and_ranges():
    # Parts go up side by side, and come down as ranges side by side.
    of, body = bucket(), data(23 * MB)
    s5cmd("cp", "--part-size", 5, file(body), f"s3://{of}/k")
    s5cmd("cp", f"s3://{of}/k", f"s3://{of}/copy")
    s5cmd("mv", f"s3://{of}/copy", f"s3://{of}/moved")
    s5cmd("cp", "--part-size", 5, f"s3://{of}/moved", folder() / "s5cmd-large")
    equal((folder() / "s5cmd-large").read_bytes() == body, True, "bytes")


@check
def many_at_once():
    of = bucket()
    for n in range(200):
        file(b"%d" % n, f"s5cmd-many/{n % 7}/{n}")
    here, back = folder() / "s5cmd-many", folder() / "s5cmd-back"
    s5cmd("cp", f"{here}/", f"s3://{of}/p/")
    equal(len(s5cmd("ls", f"s3://{of}/p/*").splitlines()), 200, "listed")
    s5cmd("cp", f"s3://{of}/p/*", f"{back}/")
    equal({path.name: path.read_bytes() for path in back.rglob("*") if path.is_file()},
          {f"{n}": b"%d" % n for n in range(200)}, "back")
    s5cmd("rm", f"s3://{of}/p/3/*")
    equal(s5cmd("du", f"s3://{of}/*").split()[3], b"171", "objects left")
    s5cmd("sync", "--delete", f"{here}/", f"s3://{of}/p/")
    equal(len(s5cmd("ls", f"s3://{of}/p/*").splitlines()), 200, "after a sync")


@check
def versions():
    of = bucket()
    s5cmd("bucket-version", "--set", "Enabled", f"s3://{of}")
    equal(b"Enabled" in s5cmd("bucket-version", f"s3://{of}"), True, "status")
    for body in [b"1", b"2"]:
        s5cmd("pipe", f"s3://{of}/k", stdin=body)
    s5cmd("rm", f"s3://{of}/k")
    ids = [line.split()[-1].decode() for line in s5cmd("ls", "--all-versions", f"s3://{of}/k").splitlines()]
    equal(len(ids), 3, "versions")
    # Markers are listed after all versions.
    found = [s5cmd("cat", "--version-id", version, f"s3://{of}/k") for version in ids[:2]]
    equal(found, [b"2", b"1"], "by id")
    s5cmd("rm", "--all-versions", f"s3://{of}/*")
    equal(b"no object found" in s5cmd("ls", "--all-versions", f"s3://{of}/*", ok=False), True, "left")


@check
def presigned():
    of = bucket()
    s5cmd("pipe", f"s3://{of}/a b", stdin=b"abc")
    equal(http("GET", s5cmd("presign", "--expire", "1m", f"s3://{of}/a b").decode().strip())[::2], (200, b"abc"))


main("s5cmd")
