"""Multipart uploads."""
import hashlib

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from harness import A, MB, bucket, check, data, equal, file, folder, refused, s3 as client, site

PART = 5 * MB  # the least that a part but the last may have


class Upload:
    """An upload of one object at one site."""

    def __init__(self, of, key="k", at=A, **arguments):
        # boto3 would send checksums of its own with the parts, which S3 then wants to see again in the list of parts.
        self.s3, self.one = client(at, request_checksum_calculation="when_required"), {"Bucket": of, "Key": key}
        self.id = {**self.one, "UploadId": self.s3.create_multipart_upload(**self.one, **arguments)["UploadId"]}

    def part(self, number, body, **arguments):
        return self.s3.upload_part(**self.id, PartNumber=number, Body=body, **arguments)

    def finish(self, parts, **arguments):
        """Parts as pairs of a number and an ETag, or of a number and the answer that the part got, for its checksums."""
        told = [(number, {"ETag": part} if isinstance(part, str) else part) for number, part in parts]
        parts = [{"PartNumber": number, **{name: value for name, value in part.items()
                                           if name == "ETag" or name.startswith("Checksum")}} for number, part in told]
        return self.s3.complete_multipart_upload(**self.id, MultipartUpload={"Parts": parts}, **arguments)


@check
def multipart():
    s3, of = site(A), bucket()
    upload = Upload(of, ContentType="text/x", Metadata={"a": "1"}, Tagging="t=1")
    bodies = {3: data(PART, 3), 4: data(PART, 4), 900: b"the last"}
    parts = [(number, upload.part(number, body)["ETag"]) for number, body in reversed(bodies.items())][::-1]
    refused(404, "NoSuchKey", s3.get_object, **upload.one)
    done = upload.finish(parts)
    digests = b"".join(hashlib.md5(body).digest() for body in bodies.values())
    equal(done["ETag"], f'"{hashlib.md5(digests).hexdigest()}-3"', "ETag")
    equal((done["Bucket"], done["Key"]), (of, "k"))
    answer = s3.get_object(**upload.one)
    equal(answer["Body"].read() == b"".join(bodies.values()), True, "bytes")
    equal((answer["ETag"], answer["ContentType"], answer["Metadata"], answer["TagCount"]),
          (done["ETag"], "text/x", {"a": "1"}, 1))
    equal(s3.get_object(**upload.one, Range=f"bytes={PART - 2}-{PART + 1}")["Body"].read(),
          bodies[3][-2:] + bodies[4][:2], "range over two parts")
    equal(s3.list_multipart_uploads(Bucket=of).get("Uploads"), None, "uploads left")
    refused(404, "NoSuchUpload", s3.upload_part, **upload.id, PartNumber=1, Body=b"")


@check
def part_by_number():
    s3, of = site(A), bucket()
    upload = Upload(of)
    bodies = [data(PART, 1), b"second"]
    upload.finish([(number, upload.part(number, body)["ETag"]) for number, body in enumerate(bodies, 1)])
    first = s3.get_object(**upload.one, PartNumber=1)
    equal((first["ContentLength"], first["PartsCount"], first["ContentRange"]),
          (PART, 2, f"bytes 0-{PART - 1}/{PART + 6}"))
    equal(first["ResponseMetadata"]["HTTPStatusCode"], 206, "status")
    equal(s3.get_object(**upload.one, PartNumber=2)["Body"].read(), b"second")
    equal(s3.head_object(**upload.one, PartNumber=2)["ContentLength"], 6)
    refused(400, "InvalidRequest", s3.get_object, **upload.one, PartNumber=1, Range="bytes=0-1")
    s3.put_object(Bucket=of, Key="whole", Body=b"whole")
    equal(s3.get_object(Bucket=of, Key="whole", PartNumber=1)["Body"].read(), b"whole")


@check
def part_that_is_not_there():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="whole", Body=b"whole")
    either = (416, 400), ("InvalidPartNumber", "InvalidPart")
    refused(*either, s3.get_object, Bucket=of, Key="whole", PartNumber=2)
    upload = Upload(of)
    upload.finish([(1, upload.part(1, b"x")["ETag"])])
    refused(*either, s3.get_object, **upload.one, PartNumber=2)


@check
def part_sent_again_replaces():
    s3, of = site(A), bucket()
    upload = Upload(of)
    old = upload.part(1, b"old")["ETag"]
    new = upload.part(1, b"newer")["ETag"]
    refused(400, "InvalidPart", upload.finish, parts=[(1, old)])
    upload.finish([(1, new)])
    equal(s3.get_object(**upload.one)["Body"].read(), b"newer")


@check
def multipart_errors():
    s3, of = site(A), bucket()
    upload = Upload(of)
    small, large = upload.part(1, b"small")["ETag"], upload.part(2, data(PART))["ETag"]
    refused(400, "InvalidPartOrder", upload.finish, parts=[(2, large), (1, small)])
    refused(400, "EntityTooSmall", upload.finish, parts=[(1, small), (2, large)])
    refused(400, "InvalidPart", upload.finish, parts=[(2, small)])
    refused(400, "InvalidPart", upload.finish, parts=[(2, large), (3, large)])
    refused(400, "MalformedXML", upload.finish, parts=[])
    for number in [0, 10_001]:
        refused(400, "InvalidArgument", upload.part, number=number, body=b"")
    refused(404, "NoSuchKey", s3.get_object, **upload.one)
    wrong = {**upload.one, "UploadId": "x" * 32}
    refused(404, "NoSuchUpload", s3.upload_part, **wrong, PartNumber=1, Body=b"")
    refused(404, "NoSuchUpload", s3.list_parts, **wrong)
    refused(404, "NoSuchUpload", s3.abort_multipart_upload, **wrong)
    refused(404, "NoSuchUpload", s3.upload_part, Bucket=of, Key="other", UploadId=upload.id["UploadId"], PartNumber=1,
            Body=b"")
    # After all that it can be finished still.
    upload.finish([(2, large)])


@check
def multipart_size_announced():
    of = bucket()
    upload = Upload(of)
    etag = upload.part(1, b"12345")["ETag"]
    refused(400, "InvalidRequest", upload.finish, parts=[(1, etag)], MpuObjectSize=4)
    upload.finish([(1, etag)], MpuObjectSize=5)


@check
def abort():
    s3, of = site(A), bucket()
    upload = Upload(of)
    etag = upload.part(1, b"x")["ETag"]
    s3.abort_multipart_upload(**upload.id)
    refused(404, "NoSuchUpload", upload.finish, parts=[(1, etag)])
    refused(404, "NoSuchUpload", s3.list_parts, **upload.id)
    refused(404, "NoSuchUpload", s3.abort_multipart_upload, **upload.id)
    equal(s3.list_multipart_uploads(Bucket=of).get("Uploads"), None, "uploads left")
    refused(404, "NoSuchKey", s3.get_object, **upload.one)


@check
def list_parts():
    s3, of = site(A), bucket()
    upload = Upload(of)
    etags = {number: upload.part(number, b"%d" % number)["ETag"] for number in [1, 2, 5, 9]}
    seen, marker = [], 0
    while True:
        page = s3.list_parts(**upload.id, MaxParts=3, PartNumberMarker=marker)
        seen += page["Parts"]
        if not page["IsTruncated"]:
            break
        equal(len(page["Parts"]), 3, "parts of a full page")
        marker = page["NextPartNumberMarker"]
    equal([(part["PartNumber"], part["ETag"], part["Size"]) for part in seen],
          [(number, etag, 1) for number, etag in etags.items()])


@check
def list_uploads():
    s3, of = site(A), bucket()
    wanted = [(key, Upload(of, key).id["UploadId"]) for key in ["a/1", "a/1", "a/2", "b", "c/1"]]
    # Uploads of one key are listed in the order in which they were begun.
    equal([(entry["Key"], entry["UploadId"]) for entry in s3.list_multipart_uploads(Bucket=of)["Uploads"]], wanted)
    some = s3.list_multipart_uploads(Bucket=of, Prefix="a/")["Uploads"]
    equal([entry["Key"] for entry in some], ["a/1", "a/1", "a/2"], "prefix")
    page = s3.list_multipart_uploads(Bucket=of, Delimiter="/")
    equal([entry["Key"] for entry in page.get("Uploads", [])], ["b"], "delimiter")
    equal([entry["Prefix"] for entry in page.get("CommonPrefixes", [])], ["a/", "c/"], "common prefixes")


@check
def list_uploads_in_pages():
    s3, of = site(A), bucket()
    wanted = [(key, Upload(of, key).id["UploadId"]) for key in 5 * ["a"] + ["b", "c"]]
    for size in [1, 2, 3]:
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=of, PaginationConfig={"PageSize": size})
        seen = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page["Uploads"]]
        equal(seen, wanted, f"pages of {size}")


@check
def part_copies():
    s3, of = site(A), bucket()
    body = data(PART + 1000)
    source = {"Bucket": of, "Key": "source a+b"}
    etag = s3.put_object(**source, Body=body)["ETag"]
    upload = Upload(of)
    copy = {**upload.id, "CopySource": source}
    parts = [s3.upload_part_copy(**copy, PartNumber=1, CopySourceRange=f"bytes=10-{PART + 9}", CopySourceIfMatch=etag),
             s3.upload_part_copy(**copy, PartNumber=2)]
    etags = [part["CopyPartResult"]["ETag"] for part in parts]
    equal(etags[0], f'"{hashlib.md5(body[10:PART + 10]).hexdigest()}"', "ETag of a copied range")
    refused(412, "PreconditionFailed", s3.upload_part_copy, **copy, PartNumber=3, CopySourceIfNoneMatch=etag)
    refused(404, "NoSuchKey", s3.upload_part_copy, **upload.id, PartNumber=3,
            CopySource={"Bucket": of, "Key": "none"})
    upload.finish(list(enumerate(etags, 1)))
    equal(s3.get_object(**upload.one)["Body"].read() == body[10:PART + 10] + body, True, "bytes")


@check
def part_copies_of_bad_ranges():
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    s3.put_object(**source, Body=b"0123456789")
    upload = Upload(of)
    # The last byte must be named.
    for text in ["bytes=5-", "bytes=-5", "bytes=9-5", "5-9", "bytes=0-1,3-4"]:
        try:
            refused(400, "InvalidArgument", s3.upload_part_copy, **upload.id, PartNumber=1, CopySource=source,
                    CopySourceRange=text)
        except AssertionError as error:
            raise AssertionError(f"{text}: {error}") from None


@check
def part_copies_past_the_end():
    # Unlike that of a GET, the range is not cut to what there is.
    s3, of = site(A), bucket()
    source = {"Bucket": of, "Key": "source"}
    s3.put_object(**source, Body=b"0123456789")
    upload = Upload(of)
    try:
        s3.upload_part_copy(**upload.id, PartNumber=1, CopySource=source, CopySourceRange="bytes=0-10")
    except ClientError as error:
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 416), True, f"{error}")
    else:
        raise AssertionError("not refused")


@check
def multipart_checksums():
    s3, of = site(A), bucket()
    bodies = [data(PART, 1), b"second"]
    for algorithm, kind in [("CRC32", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"),
                            ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")]:
        field = f"Checksum{algorithm}"
        upload = Upload(of, algorithm, ChecksumAlgorithm=algorithm, ChecksumType=kind)
        parts = [upload.part(number, body, ChecksumAlgorithm=algorithm) for number, body in enumerate(bodies, 1)]
        listed = s3.list_parts(**upload.id)
        equal([part.get(field) for part in listed["Parts"]], [part[field] for part in parts], f"{algorithm} of parts")
        equal((listed.get("ChecksumAlgorithm"), listed.get("ChecksumType")), (algorithm, kind), "in the list of parts")
        named = [{"PartNumber": number, "ETag": part["ETag"], field: part[field]} for number, part in enumerate(parts, 1)]
        done = s3.complete_multipart_upload(**upload.id, MultipartUpload={"Parts": named}, ChecksumType=kind)
        equal(done.get("ChecksumType"), kind, algorithm)
        if kind == "FULL_OBJECT":
            whole = s3.put_object(Bucket=of, Key="whole", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
            equal(done[field], whole[field], f"{algorithm} of the whole")
        else:
            equal(done[field][-2:], "-2", f"{algorithm} of parts")
        head = s3.head_object(**upload.one, ChecksumMode="ENABLED")
        equal((head.get(field), head.get("ChecksumType")), (done[field], kind), f"HEAD of {algorithm}")
        attributes = s3.get_object_attributes(**upload.one, ObjectAttributes=["ObjectParts", "Checksum"])
        equal(attributes["ObjectParts"]["TotalPartsCount"], 2, f"{algorithm}: count of parts")
        equal([part.get(field) for part in attributes["ObjectParts"].get("Parts", [])],
              [part[field] for part in parts], f"{algorithm} of parts in the attributes")
        # The client verifies what it reads of a whole.
        equal(s3.get_object(**upload.one, ChecksumMode="ENABLED")["Body"].read() == b"".join(bodies), True, algorithm)


@check
def checksums_in_the_list_of_parts_verified():
    of = bucket()
    for algorithm in ["CRC32", "SHA256"]:
        upload = Upload(of, algorithm, ChecksumAlgorithm=algorithm)
        one = upload.part(1, b"one", ChecksumAlgorithm=algorithm)
        other = upload.part(2, b"other", ChecksumAlgorithm=algorithm)
        refused(400, "InvalidPart", upload.finish, parts=[(1, {**other, "ETag": one["ETag"]})])
        upload.finish([(1, one)])


@check
def checksums_in_the_list_of_parts_must_be_there():
    # If the upload was begun with an algorithm, and its checksum is of the parts' checksums.
    upload = Upload(bucket(), ChecksumAlgorithm="SHA256")
    one = upload.part(1, b"one", ChecksumAlgorithm="SHA256")
    refused(400, "InvalidRequest", upload.finish, parts=[(1, one["ETag"])])
    upload.finish([(1, one)])


@check
def bad_part_checksum():
    s3, of = site(A), bucket()
    upload = Upload(of, ChecksumAlgorithm="CRC32")
    refused(400, "BadDigest", upload.part, number=1, body=b"x", ChecksumCRC32="AAAAAA==")
    refused(400, "BadDigest", upload.part, number=1, body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    equal(s3.list_parts(**upload.id).get("Parts"), None, "parts")


@check
def default_checksum_of_parts():
    # An upload begun without an algorithm has CRC64NVME checksums of the whole.
    of = bucket()
    upload = Upload(of)
    done = upload.finish([(1, upload.part(1, b"abc")["ETag"])])
    want = site(A).put_object(Bucket=of, Key="whole", Body=b"abc", ChecksumAlgorithm="CRC64NVME")["ChecksumCRC64NVME"]
    equal((done.get("ChecksumCRC64NVME"), done.get("ChecksumType")), (want, "FULL_OBJECT"))


@check
def transfer_manager():
    s3, of = site(A), bucket()
    body = data(20 * MB)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    s3.upload_file(str(file(body)), of, "k", Config=config)
    s3.copy({"Bucket": of, "Key": "k"}, of, "copied", Config=config)
    s3.download_file(of, "copied", str(folder() / "back"), Config=config)
    equal((folder() / "back").read_bytes() == body, True, "bytes")
