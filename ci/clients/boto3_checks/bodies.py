"""What protects a body on its way: checksums, digests, lengths. What does not agree is refused and leaves nothing."""
import base64
import hashlib
import http.client
import time
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from harness import A, KEY, REGION, SECRET, bucket, check, data, equal, http as plain, refused, site

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


def nothing_left(of):
    equal(site(A).list_object_versions(Bucket=of).get("Versions"), None, "what the refused write left")


@check
def checksum_algorithms():
    s3, of = site(A), bucket()
    for algorithm in ALGORITHMS:
        field = f"Checksum{algorithm}"
        put = s3.put_object(Bucket=of, Key=algorithm, Body=b"abc", ChecksumAlgorithm=algorithm)
        equal(put["ChecksumType"], "FULL_OBJECT", algorithm)
        head = s3.head_object(Bucket=of, Key=algorithm, ChecksumMode="ENABLED")
        equal((head.get(field), head.get("ChecksumType")), (put[field], "FULL_OBJECT"), algorithm)
        # The client verifies what it reads.
        equal(s3.get_object(Bucket=of, Key=algorithm, ChecksumMode="ENABLED")["Body"].read(), b"abc", algorithm)
        # The value alone says which algorithm it is.
        s3.put_object(Bucket=of, Key="again", Body=b"abc", **{field: put[field]})
        equal(s3.head_object(Bucket=of, Key="again", ChecksumMode="ENABLED").get(field), put[field], algorithm)
    listed = s3.list_objects_v2(Bucket=of)["Contents"]
    equal([entry.get("ChecksumAlgorithm") for entry in listed if entry["Key"] != "again"],
          [[algorithm] for algorithm in ALGORITHMS], "algorithms in the listing")


@check
def bad_checksum_leaves_nothing():
    s3, of = site(A), bucket(versioned=True)
    for algorithm in ALGORITHMS:
        field = f"Checksum{algorithm}"
        right = s3.put_object(Bucket=of, Key="k", Body=b"abc", ChecksumAlgorithm=algorithm)
        s3.delete_object(Bucket=of, Key="k", VersionId=right["VersionId"])
        refused(400, "BadDigest", s3.put_object, Bucket=of, Key="k", Body=b"abd", **{field: right[field]})
        # AWS says InvalidRequest; the suite of Ceph wants this.
        refused(400, "BadDigest", s3.put_object, Bucket=of, Key="k", Body=b"abc", **{field: "AAA"})
    nothing_left(of)


@check
def bad_md5_leaves_nothing():
    s3, of = site(A), bucket(versioned=True)
    right = base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    refused(400, "BadDigest", s3.put_object, Bucket=of, Key="k", Body=b"abd", ContentMD5=right)
    refused(400, "InvalidDigest", s3.put_object, Bucket=of, Key="k", Body=b"abc", ContentMD5="AAA")
    nothing_left(of)
    equal(s3.put_object(Bucket=of, Key="k", Body=b"abc", ContentMD5=right)["ETag"],
          f'"{hashlib.md5(b"abc").hexdigest()}"', "ETag")


@check
def bad_checksum_keeps_what_was_there():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"old")
    refused(400, "BadDigest", s3.put_object, Bucket=of, Key="k", Body=b"new", ChecksumCRC32="AAAAAA==")
    equal(s3.get_object(Bucket=of, Key="k")["Body"].read(), b"old")


def signed(method, path, body=b"", headers=None, payload=None):
    """A signed request that boto3 would not make: its headers. `payload` replaces the digest of the body."""
    request = AWSRequest(method, A + path, headers or {}, body)
    auth = S3SigV4Auth(Credentials(KEY, SECRET), "s3", REGION)
    if payload:
        auth.payload = lambda request: payload
    auth.add_auth(request)
    return dict(request.headers.items())


@check
def body_that_was_not_signed():
    of = bucket(versioned=True)
    headers = signed("PUT", f"/{of}/k", b"abc")
    status, _, body = plain("PUT", f"{A}/{of}/k", b"abd", headers)
    equal((status, b"XAmzContentSHA256Mismatch" in body), (400, True), body)
    nothing_left(of)


@check
def two_checksums_refused():
    of = bucket(versioned=True)
    headers = {"x-amz-checksum-crc32": "NSRBwg==", "x-amz-checksum-sha1": "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="}
    status, _, body = plain("PUT", f"{A}/{of}/k", b"abc", signed("PUT", f"/{of}/k", b"abc", headers))
    equal((status, b"InvalidRequest" in body), (400, True), body)
    nothing_left(of)


@check
def checksum_in_a_trailer():
    s3, of = site(A), bucket(versioned=True)
    content = data(100_000)
    for algorithm in ALGORITHMS:
        field, header = f"Checksum{algorithm}", f"x-amz-checksum-{algorithm.lower()}"
        right = s3.put_object(Bucket=of, Key=algorithm, Body=content, ChecksumAlgorithm=algorithm)[field]

        def put(value, cut=0):
            chunks = [content[:65_536], content[65_536:]]
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
            body += f"0\r\n{header}:{value}\r\n\r\n".encode()
            headers = {"x-amz-trailer": header, "content-encoding": "aws-chunked",
                       "x-amz-decoded-content-length": str(len(content) - cut)}
            headers = signed("PUT", f"/{of}/t", b"", headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            return plain("PUT", f"{A}/{of}/t", body, headers)

        status, headers, body = put(right)
        equal((status, headers[header]), (200, right), f"{algorithm} {body}")
        head = s3.head_object(Bucket=of, Key="t", ChecksumMode="ENABLED")
        equal((head.get(field), head["ContentLength"], head.get("ContentEncoding")), (right, 100_000, None), algorithm)
        s3.delete_object(Bucket=of, Key="t", VersionId=headers["x-amz-version-id"])
        wrong = base64.b64encode(bytes(len(base64.b64decode(right)))).decode()
        status, _, body = put(wrong)
        equal((status, b"BadDigest" in body), (400, True), f"{algorithm} {body}")
        equal(put(right, cut=1)[0], 400, f"{algorithm}, another length than announced")
        refused(404, "404", s3.head_object, Bucket=of, Key="t")


@check
def body_cut_short_leaves_nothing():
    of = bucket(versioned=True)
    headers = signed("PUT", f"/{of}/k", b"", {"Content-Length": "1000000"}, "UNSIGNED-PAYLOAD")
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(A).netloc, timeout=30)
    connection.putrequest("PUT", f"/{of}/k")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data(500_000))
    connection.close()
    time.sleep(0.5)  # the server has to notice
    nothing_left(of)
