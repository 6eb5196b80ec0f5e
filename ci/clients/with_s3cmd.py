"""s3cmd: an old client, which signs URLs with version 2 and trusts little that the server says."""
from urllib.parse import urlsplit

from harness import A, B, KEY, MB, SECRET, bucket, check, data, equal, eventually, file, folder, http, main, name, run


def s3cmd(*words, site=A, **options):
    host = urlsplit(site).netloc
    return run("s3cmd", "--config=/dev/null", f"--access_key={KEY}", f"--secret_key={SECRET}", f"--host={host}",
               f"--host-bucket={host}", "--no-ssl", "--region=us-east-1", "--no-progress", *words, **options)


@check
def make_and_remove_bucket():
    of = name()
    s3cmd("mb", f"s3://{of}")
    equal(of.encode() in s3cmd("ls"), True, "listed")
    s3cmd("rb", f"s3://{of}")
    equal(of.encode() in s3cmd("ls"), False, "listed")


@check
def put_get():
    of = bucket()
    s3cmd("put", file(b"abc"), f"s3://{of}/a b+ü", "--mime-type=text/x", "--add-header=x-amz-meta-one:1")
    s3cmd("get", f"s3://{of}/a b+ü", folder() / "s3cmd-got")
    equal((folder() / "s3cmd-got").read_bytes(), b"abc")
    told = s3cmd("info", f"s3://{of}/a b+ü").decode()
    for line in ["MIME type: text/x", "x-amz-meta-one: 1", "File size: 3", "MD5 sum:   900150983cd24fb0d6963f7d28e17f72"]:
        equal(line in told, True, f"{line} in {told}")
    eventually(lambda: s3cmd("info", f"s3://{of}/a b+ü", site=B), 20)


@check
def get_continued():
    of, body = bucket(), data(100_000)
    s3cmd("put", file(body), f"s3://{of}/k")
    half = file(body[:40_000])
    s3cmd("get", "--continue", f"s3://{of}/k", half)
    equal(half.read_bytes() == body, True, "bytes")


@check
def multipart():
    of, body = bucket(), data(17 * MB)
    s3cmd("put", "--multipart-chunk-size-mb=5", file(body), f"s3://{of}/k")
    s3cmd("cp", f"s3://{of}/k", f"s3://{of}/copy")
    s3cmd("mv", f"s3://{of}/copy", f"s3://{of}/moved")
    s3cmd("get", f"s3://{of}/moved", folder() / "s3cmd-large")
    equal((folder() / "s3cmd-large").read_bytes() == body, True, "bytes")
    equal(s3cmd("multipart", f"s3://{of}").count(b"\n") <= 2, True, "uploads left")


@check
def metadata_changed():
    of = bucket()
    s3cmd("put", file(b"abc"), f"s3://{of}/k")
    s3cmd("modify", "--add-header=x-amz-meta-two:2", f"s3://{of}/k")
    equal(b"x-amz-meta-two: 2" in s3cmd("info", f"s3://{of}/k"), True)


@check
def sync():
    of = bucket()
    for path in ["a", "d/b", "d/e/c"]:
        file(path.encode(), f"s3cmd-sync/{path}")
    here, back = folder() / "s3cmd-sync", folder() / "s3cmd-back"
    s3cmd("sync", f"{here}/", f"s3://{of}/p/")
    (here / "a").unlink()
    s3cmd("sync", "--delete-removed", f"{here}/", f"s3://{of}/p/")
    back.mkdir()
    s3cmd("sync", f"s3://{of}/p/", f"{back}/")
    equal(sorted(path.name for path in back.rglob("?")), ["b", "c", "d", "e"])
    s3cmd("del", "--recursive", "--force", f"s3://{of}")
    equal(s3cmd("ls", "--recursive", f"s3://{of}"), b"", "left")


@check
def list_and_usage():
    of = bucket()
    for key in ["a", "b/1", "b/2"]:
        s3cmd("put", file(b"xyz"), f"s3://{of}/{key}")
    equal([line.split()[-1].decode() for line in s3cmd("ls", f"s3://{of}").splitlines()],
          [f"s3://{of}/b/", f"s3://{of}/a"], "folded")
    equal(s3cmd("du", f"s3://{of}").split()[0], b"9", "bytes")


@check
def versioning():
    of = bucket()
    s3cmd("setversioning", f"s3://{of}", "enable")
    equal(b"Versioning:Enabled" in s3cmd("info", f"s3://{of}").replace(b" ", b""), True, "status")


@check
def signed_url():
    of = bucket()
    s3cmd("put", file(b"abc"), f"s3://{of}/a b")
    url = s3cmd("signurl", f"s3://{of}/a b", "+60").decode().strip().replace("https:", "http:")
    equal(http("GET", url)[::2], (200, b"abc"))


main("s3cmd")
