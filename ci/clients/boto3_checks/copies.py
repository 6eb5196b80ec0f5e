"""Copies."""
import hashlib

from harness import A, MB, bucket, check, data, equal, refused, site


@check
def copy_keeps_or_replaces():
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    put = s3.put_object(**source, Body=b"abc", ContentType="text/a", CacheControl="no-cache", Metadata={"a": "1"},
                        Tagging="t=1&u=2")
    copied = s3.copy_object(Bucket=of, Key="kept", CopySource=source)["CopyObjectResult"]
    equal(copied["ETag"], put["ETag"], "ETag")
    kept = s3.get_object(Bucket=of, Key="kept")
    equal((kept["Body"].read(), kept["ContentType"], kept["CacheControl"], kept["Metadata"], kept["TagCount"]),
          (b"abc", "text/a", "no-cache", {"a": "1"}, 2))
    # Metadata that comes without REPLACE is ignored.
    s3.copy_object(Bucket=of, Key="kept", CopySource=source, Metadata={"b": "2"}, ContentType="text/b")
    kept = s3.head_object(Bucket=of, Key="kept")
    equal((kept["ContentType"], kept["Metadata"]), ("text/a", {"a": "1"}))
    s3.copy_object(Bucket=of, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
                   ContentType="text/b", TaggingDirective="REPLACE", Tagging="v=3")
    new = s3.head_object(Bucket=of, Key="new")
    equal((new["ContentType"], new.get("CacheControl"), new["Metadata"]), ("text/b", None, {"b": "2"}))
    equal(s3.get_object_tagging(Bucket=of, Key="new")["TagSet"], [{"Key": "v", "Value": "3"}], "tags")


@check
def copy_onto_itself():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    s3.put_object(**one, Body=b"abc", Metadata={"a": "1"})
    refused(400, "InvalidRequest", s3.copy_object, **one, CopySource=one)
    s3.copy_object(**one, CopySource=one, MetadataDirective="REPLACE", Metadata={"b": "2"})
    answer = s3.get_object(**one)
    equal((answer["Body"].read(), answer["Metadata"]), (b"abc", {"b": "2"}))


@check
def copy_conditions():
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    etag = s3.put_object(**source, Body=b"abc")["ETag"]
    copy = {"Bucket": of, "Key": "k", "CopySource": source}
    refused(412, "PreconditionFailed", s3.copy_object, **copy, CopySourceIfMatch='"other"')
    refused(412, "PreconditionFailed", s3.copy_object, **copy, CopySourceIfNoneMatch=etag)
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    s3.copy_object(**copy, CopySourceIfNoneMatch='"other"')
    refused(404, "NoSuchKey", s3.copy_object, Bucket=of, Key="k", CopySource={"Bucket": of, "Key": "none"})
    refused(404, "NoSuchBucket", s3.copy_object, Bucket=of, Key="k",
            CopySource={"Bucket": "no-such-bucket-here", "Key": "none"})


@check
def conditional_copy():
    # The conditions of the copy itself: what may be at its destination.
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    s3.put_object(**source, Body=b"abc")
    copy = {"Bucket": of, "Key": "k", "CopySource": source}
    etag = s3.copy_object(**copy, IfNoneMatch="*")["CopyObjectResult"]["ETag"]
    refused(412, "PreconditionFailed", s3.copy_object, **copy, IfNoneMatch="*")
    refused(412, "PreconditionFailed", s3.copy_object, **copy, IfMatch='"other"')
    s3.copy_object(**copy, IfMatch=etag)


@check
def copy_of_a_version():
    s3, of = site(A), bucket(versioned=True)
    source = {"Bucket": of, "Key": "source"}
    old = s3.put_object(**source, Body=b"old")["VersionId"]
    new = s3.put_object(**source, Body=b"new")["VersionId"]
    answer = s3.copy_object(Bucket=of, Key="k", CopySource={**source, "VersionId": old})
    equal(answer["CopySourceVersionId"], old, "version of the source")
    equal(s3.get_object(Bucket=of, Key="k", VersionId=answer["VersionId"])["Body"].read(), b"old")
    equal(s3.copy_object(Bucket=of, Key="k", CopySource=source)["CopySourceVersionId"], new, "current version")
    # An old version is restored by a copy onto itself.
    s3.copy_object(**source, CopySource={**source, "VersionId": old})
    equal(s3.get_object(**source)["Body"].read(), b"old")
    s3.delete_object(**source)
    refused(404, "NoSuchKey", s3.copy_object, Bucket=of, Key="k", CopySource=source)


@check
def copy_of_a_marker_refused():
    s3, of = site(A), bucket(versioned=True)
    marker = s3.delete_object(Bucket=of, Key="source")["VersionId"]
    refused(400, "InvalidRequest", s3.copy_object, Bucket=of, Key="k",
            CopySource={"Bucket": of, "Key": "source", "VersionId": marker})


@check
def copy_of_a_multipart_object_is_whole():
    s3, of = site(A), bucket()
    body = data(6 * MB)
    one = {"Bucket": of, "Key": "source"}
    upload = s3.create_multipart_upload(**one)["UploadId"]
    parts = [s3.upload_part(**one, UploadId=upload, PartNumber=n, Body=piece)["ETag"]
             for n, piece in enumerate([body[:5 * MB], body[5 * MB:]], 1)]
    s3.complete_multipart_upload(**one, UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(parts, 1)]})
    copied = s3.copy_object(Bucket=of, Key="k", CopySource=one)["CopyObjectResult"]
    equal(copied["ETag"], f'"{hashlib.md5(body).hexdigest()}"', "ETag")
    equal(s3.get_object(Bucket=of, Key="k")["Body"].read() == body, True, "bytes")


@check
def copy_with_another_checksum():
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    s3.put_object(**source, Body=b"abc", ChecksumAlgorithm="CRC32")
    want = s3.put_object(Bucket=of, Key="other", Body=b"abc", ChecksumAlgorithm="SHA256")["ChecksumSHA256"]
    copied = s3.copy_object(Bucket=of, Key="k", CopySource=source, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    equal(copied.get("ChecksumSHA256"), want)
    head = s3.head_object(Bucket=of, Key="k", ChecksumMode="ENABLED")
    equal((head.get("ChecksumSHA256"), head.get("ChecksumCRC32")), (want, None))
