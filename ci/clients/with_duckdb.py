"""duckdb: queries over Parquet and CSV in a bucket, through its httpfs extension."""
import pathlib
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs
from harness import A, B, KEY, SECRET, bucket, check, equal, eventually, main, site


def connect(site=A):
    found = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"LOAD '{found}'")
    db.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', ENDPOINT '{urlsplit(site).netloc}', "
               "URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')")
    return db


@check
def write_and_read():
    of, db = bucket(), connect()
    for kind in ["parquet", "csv", "json"]:
        db.execute(f"COPY (SELECT range AS n FROM range(1000)) TO 's3://{of}/a b+ü.{kind}'")
        equal(db.execute(f"SELECT count(*), sum(n) FROM 's3://{of}/a b+ü.{kind}'").fetchone(), (1000, 499_500), kind)


@check
def multipart_and_ranges():
    # Numbers that do not compress: many parts up, and of them only ranges down.
    of, db = bucket(), connect()
    db.execute("SET s3_uploader_max_filesize = '50GB'")  # in ten thousand parts: the least size of one
    db.execute(f"COPY (SELECT range AS n, md5(range::text) AS text FROM range(1000000)) TO 's3://{of}/k.parquet'")
    equal("-" in site(A).head_object(Bucket=of, Key="k.parquet")["ETag"], True, "made of parts")
    equal(db.execute(f"SELECT count(*), max(n) FROM 's3://{of}/k.parquet'").fetchone(), (1_000_000, 999_999))
    equal(db.execute(f"SELECT text = md5(n::text) FROM 's3://{of}/k.parquet' WHERE n = 777777").fetchone(), (True,))


@check
def partitions_and_globs():
    of, db = bucket(), connect()
    db.execute(f"COPY (SELECT range AS n, range % 5 AS p FROM range(100)) TO 's3://{of}/t' "
               "(FORMAT parquet, PARTITION_BY (p))")
    found = db.execute(f"SELECT count(*), count(DISTINCT p) FROM 's3://{of}/t/*/*.parquet'").fetchone()
    equal(found, (100, 5), "by a glob")
    equal(db.execute(f"SELECT count(*) FROM glob('s3://{of}/t/p=[12]/**')").fetchone(), (2,), "files")
    found = db.execute(f"SELECT sum(n) FROM read_parquet('s3://{of}/t/**', hive_partitioning = true) WHERE p = 3")
    equal(found.fetchone(), (1010,), "one partition")


@check
def read_at_the_other_site():
    of = bucket()
    connect().execute(f"COPY (SELECT range AS n FROM range(1000)) TO 's3://{of}/k.parquet'")

    def read():
        try:
            found = connect(B).execute(f"SELECT sum(n) FROM 's3://{of}/k.parquet'").fetchone()
        except duckdb.Error as error:
            raise AssertionError(f"{error}") from None
        equal(found, (499_500,))
    eventually(read)


main("duckdb")
