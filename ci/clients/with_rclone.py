"""rclone: copies and syncs trees, and compares what is at both sites by itself."""
import json

from harness import A, B, MB, bucket, check, data, equal, eventually, file, folder, http, main, name, run, site

REMOTE = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "REGION": "us-east-1", "FORCE_PATH_STYLE": "true",
          "CHUNK_SIZE": "5Mi", "UPLOAD_CUTOFF": "5Mi", "COPY_CUTOFF": "8Mi"}
ENV = {f"RCLONE_CONFIG_{remote}_{key}": value for remote in "AB" for key, value in REMOTE.items()}
ENV |= {"RCLONE_CONFIG_A_ENDPOINT": A, "RCLONE_CONFIG_B_ENDPOINT": B, "RCLONE_CONFIG": "/dev/null",
        "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1"}


def rclone(*words, **options):
    return run("rclone", *words, env=ENV, **options)


def tree(called):
    """A folder with a few files, one of them large."""
    for path, body in [("a", b"a"), ("d/b +%ü", b"b"), ("d/e/large", data(12 * MB)), ("empty", b"")]:
        file(body, f"{called}/{path}")
    return folder() / called


@check
def make_and_remove_bucket():
    of = name()
    rclone("mkdir", f"A:{of}")
    equal(of.encode() in rclone("lsd", "A:"), True, "listed")
    rclone("rmdir", f"A:{of}")
    equal(of.encode() in rclone("lsd", "A:"), False, "listed")


@check
def copy_and_check():
    of, here = bucket(), tree("rclone-copy")
    rclone("copy", here, f"A:{of}")
    rclone("check", here, f"A:{of}")
    rclone("check", "--download", here, f"A:{of}")
    # rclone keeps the time of files in metadata, which is the same at the other site.
    eventually(lambda: rclone("check", "--download", f"A:{of}", f"B:{of}"), 20)
    times = [json.loads(rclone("lsjson", "-R", "--files-only", f"{remote}:{of}")) for remote in "AB"]
    equal(times[0], times[1], "list with times")
    rclone("copy", f"B:{of}", folder() / "rclone-back")
    rclone("check", here, folder() / "rclone-back")


@check
def sync_deletes():
    of, here = bucket(), tree("rclone-sync")
    rclone("sync", here, f"A:{of}")
    (here / "a").unlink()
    rclone("sync", here, f"A:{of}")
    equal(sorted(rclone("lsf", "-R", "--files-only", f"A:{of}").decode().split("\n")),
          ["", "d/b +%ü", "d/e/large", "empty"])
    rclone("purge", f"A:{of}/d")
    equal(rclone("lsf", "-R", f"A:{of}"), b"empty\n")
    rclone("delete", f"A:{of}")
    equal(rclone("lsf", "-R", f"A:{of}"), b"")


@check
def ranges():
    of = bucket()
    rclone("copyto", file(b"0123456789"), f"A:{of}/k")
    equal(rclone("cat", "--offset", 2, "--count", 3, f"A:{of}/k"), b"234")
    equal(rclone("cat", "--tail", 3, f"A:{of}/k"), b"789")


@check
def streams_of_unknown_size():
    of, body = bucket(), data(12 * MB)
    rclone("rcat", f"A:{of}/k", stdin=body)
    equal(rclone("cat", f"A:{of}/k") == body, True, "bytes")


@check
def copies_at_the_server():
    of, body = bucket(), data(12 * MB)
    rclone("copyto", file(body), f"A:{of}/k")
    rclone("copyto", f"A:{of}/k", f"A:{of}/copy")  # in parts: it is larger than the cutoff
    rclone("moveto", f"A:{of}/copy", f"A:{of}/moved")
    equal(rclone("lsf", f"A:{of}"), b"k\nmoved\n")
    equal(rclone("cat", f"A:{of}/moved") == body, True, "bytes")


@check
def versions():
    of = bucket(versioned=True)
    for body in [b"1", b"2"]:
        rclone("rcat", f"A:{of}/k.txt", stdin=body)
    rclone("deletefile", f"A:{of}/k.txt")
    equal(rclone("lsf", f"A:{of}"), b"", "without versions")
    equal(len(rclone("lsf", "--s3-versions", f"A:{of}").splitlines()), 2, "with versions")
    told = json.loads(rclone("backend", "versioning", f"A:{of}"))
    equal(told, "Enabled", "status")


@check
def presigned():
    of = bucket()
    rclone("copyto", file(b"abc"), f"A:{of}/a b")
    equal(http("GET", rclone("link", "--expire", "1m", f"A:{of}/a b").decode().strip())[::2], (200, b"abc"))


@check
def unfinished_uploads_cleaned():
    of = bucket()
    site(A).create_multipart_upload(Bucket=of, Key="k")
    equal(len(json.loads(rclone("backend", "list-multipart-uploads", f"A:{of}"))[of]), 1, "listed")
    rclone("backend", "cleanup", "-o", "max-age=0s", f"A:{of}")
    equal(json.loads(rclone("backend", "list-multipart-uploads", f"A:{of}"))[of], [], "left")


main("rclone")
