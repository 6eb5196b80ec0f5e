"""pyiceberg: a table in a catalog beside it, written at one site and read at the other from its metadata alone."""
import pyarrow as pa
from harness import A, B, KEY, SECRET, bucket, check, equal, eventually, folder, main, name
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable


def options(site):
    return {"s3.endpoint": site, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": "us-east-1",
            "s3.force-virtual-addressing": "false", "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}


def table(of):
    catalog = SqlCatalog("c", uri=f"sqlite:///{folder()}/{name()}.db", warehouse=f"s3://{of}", **options(A))
    catalog.create_namespace("ns")
    return catalog.create_table("ns.t", rows([]).schema)


def rows(numbers):
    return pa.table({"n": pa.array(numbers, pa.int64()), "text": [f"{n}" for n in numbers]},
                    pa.schema([("n", pa.int64()), ("text", pa.string())]))


def values(made):
    return sorted(made.scan().to_arrow()["n"].to_pylist())


@check
def write_and_append():
    made = table(bucket())
    made.append(rows([1, 2]))
    first = made.current_snapshot().snapshot_id
    made.append(rows([3]))
    equal(values(made), [1, 2, 3], "appended")
    equal(sorted(made.scan(snapshot_id=first).to_arrow()["n"].to_pylist()), [1, 2], "as it was")
    equal(made.scan(row_filter="n > 2").to_arrow()["text"].to_pylist(), ["3"], "filtered")
    made.delete("n = 1")
    made.overwrite(rows([9]), "n = 2")
    equal(values(made), [3, 9], "in the end")


@check
def large_and_partitioned():
    # A data file of more than one part.
    made = table(bucket())
    with made.update_spec() as spec:
        spec.add_identity("text")
    made.append(rows([1, 2, 3]))
    equal(values(made), [1, 2, 3], "partitioned")
    made = table(bucket())
    made.append(rows(list(range(1_500_000))))
    equal(values(made) == list(range(1_500_000)), True, "rows")


@check
def read_at_the_other_site():
    made = table(bucket())
    made.append(rows(list(range(1000))))

    def read():
        try:
            found = values(StaticTable.from_metadata(made.metadata_location, options(B)))
        except Exception as error:  # not all of the table's files are there yet
            raise AssertionError(f"{error}") from None
        equal(found, list(range(1000)))
    eventually(read)


main("pyiceberg")
