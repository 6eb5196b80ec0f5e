"""restic: a backup made at one site is checked and restored at the other."""
import json

from harness import A, B, MB, bucket, check, data, equal, eventually, file, folder, main, run

OF = []


def restic(*words, site=A, **options):
    where = {"RESTIC_REPOSITORY": f"s3:{site}/{OF[0]}/repository", "RESTIC_PASSWORD": "p",
             "RESTIC_CACHE_DIR": str(folder() / "restic-cache")}
    return run("restic", "--option", "s3.bucket-lookup=path", *words, env=where, **options)


@check
def backup():
    OF.append(bucket())
    restic("init")
    for path, body in [("a", b"a"), ("d/large", data(20 * MB))]:
        file(body, f"restic-source/{path}")
    restic("backup", folder() / "restic-source")
    file(b"b", "restic-source/b")
    restic("backup", folder() / "restic-source")
    equal(len(json.loads(restic("snapshots", "--json"))), 2, "snapshots")
    restic("check", "--read-data")


@check
def restore():
    restic("restore", "latest", "--target", folder() / "restic-a")
    compare("restic-a")


@check
def restore_at_the_other_site():
    eventually(lambda: restic("check", "--read-data", "--no-lock", site=B), 20)
    restic("restore", "latest", "--no-lock", "--target", folder() / "restic-b", site=B)
    compare("restic-b")


def compare(called):
    for path in ["a", "b", "d/large"]:
        source = folder() / "restic-source" / path
        equal((folder() / called / str(source).lstrip("/")).read_bytes() == source.read_bytes(), True, path)


@check
def forget_and_prune():
    restic("forget", "--keep-last", 1, "--prune")
    equal(len(json.loads(restic("snapshots", "--json"))), 1, "snapshots")
    restic("check", "--read-data")


main("restic")
