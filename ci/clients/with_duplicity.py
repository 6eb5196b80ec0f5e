"""duplicity: full and incremental backups at one site, restored at the other."""
from harness import A, B, MB, bucket, check, data, equal, eventually, file, folder, main, run

OF = []


def duplicity(*words, site=A, **options):
    # Debian's python3 with Debian's boto3, not those of the clients from PyPI.
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    archive = folder() / f"duplicity-{site[-5:].strip(':/')}"
    return run("duplicity", *words, "--no-encryption", "--archive-dir", archive, "--s3-endpoint-url", site,
               "--volsize", 5, "--num-retries", 1, env=path, **options)


def url():
    return f"boto3+s3://{OF[0]}/backup"


@check
def backup():
    OF.append(bucket())
    file(data(12 * MB), "duplicity-source/large")
    duplicity("full", folder() / "duplicity-source", url())
    file(b"b", "duplicity-source/d/b")
    duplicity("incremental", folder() / "duplicity-source", url())
    told = duplicity("collection-status", url())
    equal((b"Full" in told, b"Incremental" in told), (True, True), "status")


@check
def verify():
    duplicity("verify", "--compare-data", url(), folder() / "duplicity-source")


@check
def restore_at_the_other_site():
    eventually(lambda: duplicity("restore", "--force", url(), folder() / "duplicity-back", site=B), 20)
    for path in ["large", "d/b"]:
        equal((folder() / "duplicity-back" / path).read_bytes() == (folder() / "duplicity-source" / path).read_bytes(),
              True, path)


@check
def old_backups_removed():
    duplicity("full", folder() / "duplicity-source", url())
    duplicity("remove-all-but-n-full", 1, "--force", url())
    equal(duplicity("collection-status", url()).count(b" Full "), 1, "full backups left")


main("duplicity")
