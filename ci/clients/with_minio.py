"""minio-py: the client of another store, which signs and asks in its own ways."""
import datetime
import io
from urllib.parse import urlsplit

from harness import A, B, KEY, MB, SECRET, bucket, check, data, equal, eventually, file, folder, http, main, name
from harness import at_both
from minio import Minio
from minio.commonconfig import ENABLED, ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig


def at(site):
    return Minio(endpoint=urlsplit(site).netloc, access_key=KEY, secret_key=SECRET, secure=False)


here, there = at(A), at(B)


def put(of, key, body, **options):
    return here.put_object(bucket_name=of, object_name=key, data=io.BytesIO(body), length=len(body), **options)


def get(of, key, site=here, **options):
    answer = site.get_object(bucket_name=of, object_name=key, **options)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


@check
def make_and_remove_bucket():
    of = name()
    here.make_bucket(bucket_name=of)
    equal(here.bucket_exists(bucket_name=of), True, "exists")
    equal(of in [entry.name for entry in here.list_buckets()], True, "listed")
    here.remove_bucket(bucket_name=of)
    equal(here.bucket_exists(bucket_name=of), False, "exists")


@check
def put_get():
    of = bucket()
    made = put(of, "a b+ü", b"abc", content_type="text/x", metadata={"one": "1"})
    equal(get(of, "a b+ü"), b"abc")
    told = here.stat_object(bucket_name=of, object_name="a b+ü")
    equal((told.etag, told.size, told.content_type, told.metadata["x-amz-meta-one"]), (made.etag, 3, "text/x", "1"))
    equal(get(of, "a b+ü", offset=1, length=1), b"b", "range")
    other = eventually(lambda: wait(of, "a b+ü"))
    equal((other.etag, other.last_modified), (told.etag, told.last_modified), "at the other site")


def wait(of, key):
    try:
        return there.stat_object(bucket_name=of, object_name=key)
    except S3Error as error:
        raise AssertionError(str(error)) from None


@check
def multipart():
    of = bucket()
    body = data(12 * MB)
    put(of, "known", body, part_size=5 * MB)
    here.put_object(bucket_name=of, object_name="unknown", data=io.BytesIO(body), length=-1, part_size=5 * MB)
    here.fput_object(bucket_name=of, object_name="file", file_path=str(file(body)), part_size=5 * MB)
    for key in ["known", "unknown", "file"]:
        equal(get(of, key) == body, True, key)
    here.fget_object(bucket_name=of, object_name="known", file_path=str(folder() / "minio-back"))
    equal((folder() / "minio-back").read_bytes() == body, True, "fget")


@check
def copy_and_compose():
    of = bucket()
    body = data(6 * MB)
    put(of, "source", body, metadata={"one": "1"})
    here.copy_object(bucket_name=of, object_name="copy", source=CopySource(bucket_name=of, object_name="source"))
    equal(get(of, "copy") == body, True, "copy")
    here.compose_object(bucket_name=of, object_name="both", sources=2 * [ComposeSource(bucket_name=of,
                                                                                       object_name="source")])
    equal(get(of, "both") == 2 * body, True, "composed")


@check
def list_and_remove():
    of = bucket()
    keys = ["a", "b/1", "b/c/2", "ü +%"]
    for key in keys:
        put(of, key, b"")
    equal([entry.object_name for entry in here.list_objects(bucket_name=of, recursive=True)], keys, "all")
    # The client puts the prefixes of a page last.
    equal([entry.object_name for entry in here.list_objects(bucket_name=of)], ["a", "ü +%", "b/"], "folded")
    equal([entry.object_name for entry in here.list_objects(bucket_name=of, prefix="b/", use_api_v1=True)],
          ["b/1", "b/c/"], "by version 1")
    here.remove_object(bucket_name=of, object_name="a")
    equal(list(here.remove_objects(bucket_name=of, delete_object_list=[DeleteObject(name=key) for key in keys])), [])
    equal(list(here.list_objects(bucket_name=of, recursive=True)), [], "left")


@check
def versions():
    of = name()
    here.make_bucket(bucket_name=of)
    here.set_bucket_versioning(bucket_name=of, config=VersioningConfig(status=ENABLED))
    at_both(of)
    equal(here.get_bucket_versioning(bucket_name=of).status, "Enabled", "status")
    ids = [put(of, "k", body).version_id for body in (b"1", b"2")]
    here.remove_object(bucket_name=of, object_name="k")
    listed = list(here.list_objects(bucket_name=of, include_version=True))
    equal([entry.version_id for entry in listed if not entry.is_delete_marker], ids[::-1], "versions")
    equal([entry.is_latest for entry in listed if entry.is_delete_marker] in ([True], ["true"]), True, "marker")
    equal(get(of, "k", version_id=ids[0]), b"1", "old")


@check
def presigned():
    of = bucket()
    soon = datetime.timedelta(minutes=1)
    url = here.presigned_put_object(bucket_name=of, object_name="a b+ü", expires=soon)
    equal(http("PUT", url, b"abc")[0], 200, "PUT")
    url = here.presigned_get_object(bucket_name=of, object_name="a b+ü", expires=soon)
    equal(http("GET", url)[::2], (200, b"abc"), "GET")


@check
def tags():
    of = bucket()
    put(of, "k", b"x")
    made = Tags.new_object_tags()
    made["a b"] = "1"
    here.set_object_tags(bucket_name=of, object_name="k", tags=made)
    equal(dict(here.get_object_tags(bucket_name=of, object_name="k")), {"a b": "1"}, "set")
    here.delete_object_tags(bucket_name=of, object_name="k")
    equal(here.get_object_tags(bucket_name=of, object_name="k"), None, "deleted")


main("minio")
