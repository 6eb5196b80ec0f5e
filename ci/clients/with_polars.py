"""polars: scans and sinks of Parquet and CSV in a bucket."""
import os

os.environ["POLARS_UPLOAD_CHUNK_SIZE"] = str(5 << 20)  # else 64 MiB would go up as one part

import polars as pl  # noqa: E402
from harness import A, B, KEY, SECRET, bucket, check, equal, eventually, main, site


def options(site=A):
    return {"endpoint_url": site, "allow_http": "true", "region": "us-east-1", "access_key_id": KEY,
            "secret_access_key": SECRET, "virtual_hosted_style_request": "false"}


FRAME = pl.DataFrame({"n": range(1000), "text": [f"{n}" for n in range(1000)]})


@check
def write_and_read():
    of = bucket()
    FRAME.write_parquet(f"s3://{of}/a b.parquet", storage_options=options())
    equal(pl.read_parquet(f"s3://{of}/a b.parquet", storage_options=options()).equals(FRAME), True, "Parquet")
    FRAME.write_csv(f"s3://{of}/k.csv", storage_options=options())
    equal(pl.read_csv(f"s3://{of}/k.csv", schema=FRAME.schema, storage_options=options()).equals(FRAME), True, "CSV")


@check
def lazy_and_multipart():
    # Numbers that do not compress: many parts up, and of them only ranges down.
    of = bucket()
    large = pl.LazyFrame({"n": range(3_000_000)}).with_columns(hash=pl.col("n").hash(seed=1))
    large.sink_parquet(f"s3://{of}/k.parquet", storage_options=options())
    equal("-" in site(A).head_object(Bucket=of, Key="k.parquet")["ETag"], True, "made of parts")
    scan = pl.scan_parquet(f"s3://{of}/k.parquet", storage_options=options())
    equal(scan.select(pl.len(), pl.col("n").max()).collect().row(0), (3_000_000, 2_999_999), "rows")
    equal(scan.filter(pl.col("n") == 777_777).collect().height, 1, "filtered")


@check
def globs_and_partitions():
    of = bucket()
    for n in range(3):
        FRAME.write_parquet(f"s3://{of}/t/p={n}/k.parquet", storage_options=options())
    scan = pl.scan_parquet(f"s3://{of}/t/*/k.parquet", storage_options=options())
    equal(scan.collect().height, 3000, "by a glob")
    scan = pl.scan_parquet(f"s3://{of}/t/", hive_partitioning=True, storage_options=options())
    equal(scan.filter(pl.col("p") == 1).collect().height, 1000, "one partition")


@check
def read_at_the_other_site():
    of = bucket()
    FRAME.write_parquet(f"s3://{of}/k.parquet", storage_options=options())

    def read():
        try:
            found = pl.read_parquet(f"s3://{of}/k.parquet", storage_options=options(B))
        except Exception as error:  # not there yet
            raise AssertionError(f"{error}") from None
        equal(found.equals(FRAME), True)
    eventually(read)


main("polars")
