"""deltalake: a table whose commits are conditional puts, written at one site and read at the other."""
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from harness import A, B, KEY, SECRET, bucket, check, equal, eventually, main


def options(site):
    return {"endpoint_url": site, "allow_http": "true", "region": "us-east-1", "access_key_id": KEY,
            "secret_access_key": SECRET, "virtual_hosted_style_request": "false", "conditional_put": "etag"}


def table(of, site=A, **arguments):
    return DeltaTable(f"s3://{of}/table", storage_options=options(site), **arguments)


def write(of, values, **arguments):
    write_deltalake(f"s3://{of}/table", pa.table({"n": values}), storage_options=options(A), **arguments)


def values(of, site=A, **arguments):
    return sorted(table(of, site, **arguments).to_pyarrow_table()["n"].to_pylist())


@check
def write_and_append():
    of = bucket()
    write(of, [1, 2])
    write(of, [3], mode="append")
    equal(values(of), [1, 2, 3], "appended")
    equal(values(of, version=0), [1, 2], "as it was")
    write(of, [9], mode="overwrite")
    equal(values(of), [9], "overwritten")


@check
def concurrent_appends_all_count():
    # Each is a put of the next number in the log, if nobody was there first.
    of = bucket()
    write(of, [0])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write(of, [n], mode="append"), range(1, 9)))
    equal(values(of), list(range(9)), "rows")
    equal(table(of).version(), 8, "version")


@check
def read_at_the_other_site():
    of = bucket()
    write(of, list(range(1000)))
    write(of, [1000], mode="append")

    def read():
        try:
            found = values(of, B)
        except Exception as error:  # not all of the table's files are there yet
            raise AssertionError(f"{error}") from None
        equal(found, list(range(1001)))
    eventually(read)


@check
def delete_merge_optimize_vacuum():
    of = bucket()
    for n in range(4):
        write(of, [n], mode="append")
    table(of).delete("n = 0")
    merge = table(of).merge(pa.table({"n": [3, 7]}), "s.n = t.n", source_alias="s", target_alias="t")
    merge.when_matched_delete().when_not_matched_insert_all().execute()
    equal(values(of), [1, 2, 7], "rows")
    table(of).optimize.compact()
    removed = table(of).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    equal(len(removed) > 0, True, "files removed")
    table(of).create_checkpoint()
    equal(values(of), [1, 2, 7], "rows in the end")


main("deltalake")
