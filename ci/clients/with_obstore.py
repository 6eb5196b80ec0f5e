"""obstore: the object_store crate, on which deltalake, polars and others stand, with its conditional writes and copies."""
import datetime

import obstore
from harness import A, B, KEY, MB, SECRET, bucket, check, data, equal, eventually, http, main
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import S3Store


def store(of, site=A, **config):
    return S3Store(of, endpoint=site, region="us-east-1", access_key_id=KEY, secret_access_key=SECRET,
                   virtual_hosted_style_request=False, client_options={"allow_http": True}, **config)


def raises(kind, call, *words, **arguments):
    try:
        call(*words, **arguments)
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def soon(call):
    """What another site has soon: not found is not yet."""
    def attempt():
        try:
            return call()
        except (NotFoundError, FileNotFoundError) as error:
            raise AssertionError(str(error)) from None
    return eventually(attempt)


@check
def put_get():
    of = bucket()
    s3 = store(of)
    made = s3.put("a b+ü", b"0123456789", attributes={"Content-Type": "text/x", "one": "1"}, tags={"t": "1"})
    got = s3.get("a b+ü")
    equal((got.meta["e_tag"], got.attributes["Content-Type"], got.attributes["one"]), (made["e_tag"], "text/x", "1"))
    equal(bytes(got.bytes()), b"0123456789", "bytes")
    equal(bytes(s3.get_range("a b+ü", start=2, end=5)), b"234", "range")
    equal([bytes(piece) for piece in s3.get_ranges("a b+ü", starts=[0, 8], ends=[1, 10])], [b"0", b"89"], "ranges")
    equal(bytes(s3.get("a b+ü", options={"range": {"suffix": 2}}).bytes()), b"89", "suffix")
    raises((NotFoundError, FileNotFoundError), s3.get, "none")
    other = soon(lambda: store(of, B).head("a b+ü"))
    equal(other, s3.head("a b+ü"), "at the other site")


@check
def conditional_get():
    s3 = store(bucket())
    etag = s3.put("k", b"x")["e_tag"]
    s3.get("k", options={"if_match": etag})
    raises(PreconditionError, s3.get, "k", options={"if_match": '"other"'})
    raises(Exception, s3.get, "k", options={"if_none_match": etag})


@check
def conditional_put():
    s3 = store(bucket())
    etag = s3.put("k", b"1", mode="create")["e_tag"]
    raises(AlreadyExistsError, s3.put, "k", b"2", mode="create")
    s3.put("k", b"3", mode={"e_tag": etag})
    raises(PreconditionError, s3.put, "k", b"4", mode={"e_tag": etag})
    equal(bytes(s3.get("k").bytes()), b"3")


@check
def multipart():
    s3, body = store(bucket()), data(17 * MB)
    s3.put("k", body, use_multipart=True, chunk_size=5 * MB, max_concurrency=4)
    equal(bytes(s3.get("k").bytes()) == body, True, "bytes")
    with obstore.open_writer(s3, "written", buffer_size=5 * MB) as writer:
        writer.write(body)
    equal(bytes(s3.get("written").bytes()) == body, True, "written piece by piece")


@check
def copy_and_rename():
    s3 = store(bucket())
    s3.put("a b", b"x")
    s3.copy("a b", "copy")
    s3.rename("copy", "renamed")
    equal([entry["path"] for page in s3.list() for entry in page], ["a b", "renamed"])


@check
def copy_if_nothing_is_there():
    # As an upload of one copied part, which is completed only if nothing is there.
    s3 = store(bucket(), copy_if_not_exists="multipart")
    s3.put("source", b"x")
    s3.copy("source", "k", overwrite=False)
    raises(AlreadyExistsError, s3.copy, "source", "k", overwrite=False)
    equal(bytes(s3.get("k").bytes()), b"x")


@check
def list_and_delete():
    s3 = store(bucket())
    keys = [f"{folder}/{n:03}" for folder in "ab" for n in range(10)]
    for key in keys:
        s3.put(key, b"x")
    equal([entry["path"] for page in s3.list(chunk_size=7) for entry in page], keys, "all")
    equal([entry["path"] for page in s3.list("b", offset="b/005") for entry in page], keys[16:], "from a key")
    equal(s3.list_with_delimiter()["common_prefixes"], ["a", "b"], "folded")
    s3.delete(keys[:15])
    equal([entry["path"] for page in s3.list() for entry in page], keys[15:], "left")


@check
def checksums():
    s3 = store(bucket(), checksum_algorithm="sha256")
    s3.put("k", b"x")
    s3.put("large", data(11 * MB), use_multipart=True, chunk_size=5 * MB)
    equal(s3.head("large")["size"], 11 * MB)


@check
def presigned():
    s3 = store(bucket())
    minute = datetime.timedelta(minutes=1)
    equal(http("PUT", obstore.sign(s3, "PUT", "a b", minute), b"abc")[0], 200, "PUT")
    equal(http("GET", obstore.sign(s3, "GET", "a b", minute))[::2], (200, b"abc"), "GET")


main("obstore")
