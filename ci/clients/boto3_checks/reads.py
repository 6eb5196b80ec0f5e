"""Reading: ranges, parts, headers that come back, headers that the reader asks for."""
import datetime

from harness import A, bucket, check, data, equal, refused, site


@check
def ranges():
    s3, of = site(A), bucket()
    body = data(100_000)
    s3.put_object(Bucket=of, Key="k", Body=body)
    for text, first, last in [("0-0", 0, 0), ("10-19", 10, 19), ("99990-", 99_990, 99_999), ("-10", 99_990, 99_999),
                              ("99990-200000", 99_990, 99_999), ("-200000", 0, 99_999), ("0-", 0, 99_999)]:
        answer = s3.get_object(Bucket=of, Key="k", Range=f"bytes={text}")
        equal(answer["ResponseMetadata"]["HTTPStatusCode"], 206, text)
        equal(answer["ContentRange"], f"bytes {first}-{last}/100000", text)
        equal(answer["ContentLength"], last - first + 1, text)
        equal(answer["Body"].read(), body[first:last + 1], text)


@check
def range_of_head():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"0123456789")
    head = s3.head_object(Bucket=of, Key="k", Range="bytes=2-5")
    equal((head.get("ContentRange"), head["ContentLength"]), ("bytes 2-5/10", 4))
    equal(head["ResponseMetadata"]["HTTPStatusCode"], 206, "status")


@check
def range_not_satisfiable():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"0123456789")
    s3.put_object(Bucket=of, Key="empty", Body=b"")
    refused(416, "InvalidRange", s3.get_object, Bucket=of, Key="k", Range="bytes=10-")
    refused(416, "InvalidRange", s3.get_object, Bucket=of, Key="k", Range="bytes=-0")
    refused(416, "InvalidRange", s3.get_object, Bucket=of, Key="empty", Range="bytes=0-")


@check
def range_not_understood_is_ignored():
    # Several ranges, another unit, a range the wrong way round: S3 answers 200 with the whole object.
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"0123456789")
    for text in ["bytes=0-1,4-5", "lines=1-2", "bytes=5-2", "bytes=x"]:
        answer = s3.get_object(Bucket=of, Key="k", Range=text)
        equal((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()), (200, b"0123456789"), text)


@check
def headers_and_metadata_come_back():
    s3, of = site(A), bucket()
    sent = {"CacheControl": "max-age=3", "ContentDisposition": 'attachment; filename="a b"', "ContentEncoding": "gzip",
            "ContentLanguage": "de", "ContentType": "text/plain; charset=utf-8",
            "Metadata": {"one": "1", "two-words": "a b", "empty": ""}}
    s3.put_object(Bucket=of, Key="k", Body=b"x", **sent)
    for answer in [s3.get_object(Bucket=of, Key="k"), s3.head_object(Bucket=of, Key="k")]:
        equal({name: answer.get(name) for name in sent}, sent, "headers")
        equal((answer["AcceptRanges"], answer["ContentLength"]), ("bytes", 1), "headers of every object")
    s3.put_object(Bucket=of, Key="plain", Body=b"x")
    equal(s3.head_object(Bucket=of, Key="plain")["ContentType"], "binary/octet-stream", "type if none was sent")


@check
def expires_comes_back():
    s3, of = site(A), bucket()
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    s3.put_object(Bucket=of, Key="k", Body=b"x", Expires=expires)
    for answer in [s3.get_object(Bucket=of, Key="k"), s3.head_object(Bucket=of, Key="k")]:
        equal(answer.get("ExpiresString"), "Wed, 02 Jan 2030 03:04:05 GMT")


@check
def response_headers_as_asked():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"x", ContentType="text/plain")
    answer = s3.get_object(Bucket=of, Key="k", ResponseContentType="image/png", ResponseCacheControl="no-store",
                           ResponseContentDisposition="inline", ResponseContentLanguage="fr",
                           ResponseContentEncoding="br")
    told = [answer.get(name) for name in ["ContentType", "CacheControl", "ContentDisposition", "ContentLanguage",
                                          "ContentEncoding"]]
    equal(told, ["image/png", "no-store", "inline", "fr", "br"])


@check
def missing_is_404():
    s3, of = site(A), bucket()
    refused(404, "NoSuchKey", s3.get_object, Bucket=of, Key="none")
    refused(404, "404", s3.head_object, Bucket=of, Key="none")
    refused(404, "NoSuchBucket", s3.get_object, Bucket="no-such-bucket-here", Key="none")


@check
def empty_and_large_bodies():
    s3, of = site(A), bucket()
    for size in [0, 1, 65_535, 65_536, 65_537, 1 << 20, 12_345_678]:
        body = data(size, seed=size)
        s3.put_object(Bucket=of, Key=f"{size}", Body=body)
        equal(s3.get_object(Bucket=of, Key=f"{size}")["Body"].read() == body, True, f"{size} bytes")


@check
def attributes():
    s3, of = site(A), bucket()
    put = s3.put_object(Bucket=of, Key="k", Body=b"abc", ChecksumAlgorithm="SHA256")
    answer = s3.get_object_attributes(
        Bucket=of, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
    equal(answer["ETag"].strip('"'), put["ETag"].strip('"'), "ETag")
    equal(answer["Checksum"]["ChecksumSHA256"], put["ChecksumSHA256"], "checksum")
    equal((answer["ObjectSize"], answer["StorageClass"]), (3, "STANDARD"))
    equal("ObjectParts" in answer, False, "parts of an object that was put whole")
    equal(answer["LastModified"], s3.head_object(Bucket=of, Key="k")["LastModified"], "LastModified")
    answer = s3.get_object_attributes(Bucket=of, Key="k", ObjectAttributes=["ObjectSize"])
    equal(("ETag" in answer, "Checksum" in answer, answer["ObjectSize"]), (False, False, 3), "only what was asked for")
    refused(404, "NoSuchKey", s3.get_object_attributes, Bucket=of, Key="none", ObjectAttributes=["ETag"])


@check
def attributes_etag_has_no_quotes():
    # In this answer alone.
    s3, of = site(A), bucket()
    put = s3.put_object(Bucket=of, Key="k", Body=b"abc")
    equal(s3.get_object_attributes(Bucket=of, Key="k", ObjectAttributes=["ETag"])["ETag"], put["ETag"].strip('"'))
