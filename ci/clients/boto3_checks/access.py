"""Who may do what: signatures in headers and in URLs, their ends, and what they do not cover."""
import datetime
import os
import unittest.mock

from botocore import UNSIGNED
from harness import A, Skip, bucket, check, equal, http, name, refused, s3 as client, site


def answered(status, code, answer):
    got, _, body = answer
    equal((got, code.encode() in body), (status, True), body[:300])


@check
def anonymous_refused():
    of = bucket()
    site(A).put_object(Bucket=of, Key="k", Body=b"x")
    nobody = client(signature_version=UNSIGNED)
    for call, arguments in [(nobody.get_object, {"Key": "k"}), (nobody.put_object, {"Key": "k", "Body": b"y"}),
                            (nobody.delete_object, {"Key": "k"}), (nobody.list_objects_v2, {}),
                            (nobody.delete_bucket, {})]:
        refused(403, "AccessDenied", call, Bucket=of, **arguments)
    equal(site(A).get_object(Bucket=of, Key="k")["Body"].read(), b"x")


@check
def wrong_keys_refused():
    of = bucket()
    refused(403, "SignatureDoesNotMatch", client(secret="wrong").put_object, Bucket=of, Key="k", Body=b"x")
    refused(403, "InvalidAccessKeyId", client(key="AKNOBODY").put_object, Bucket=of, Key="k", Body=b"x")
    refused(403, "403", client(secret="wrong").head_bucket, Bucket=of)
    equal(site(A).list_objects_v2(Bucket=of)["KeyCount"], 0, "objects")


@check
def another_account_refused():
    if "ALT_ACCESS_KEY_ID" not in os.environ:
        raise Skip("no key of another account in ALT_ACCESS_KEY_ID and ALT_SECRET_ACCESS_KEY")
    other = client(key=os.environ["ALT_ACCESS_KEY_ID"], secret=os.environ["ALT_SECRET_ACCESS_KEY"])
    of, own = bucket(), name()
    site(A).put_object(Bucket=of, Key="k", Body=b"x")
    refused(403, "AccessDenied", other.get_object, Bucket=of, Key="k")
    refused(403, "AccessDenied", other.put_object, Bucket=of, Key="k", Body=b"y")
    refused(403, "AccessDenied", other.list_objects_v2, Bucket=of)
    refused(409, "BucketAlreadyExists", other.create_bucket, Bucket=of)
    other.create_bucket(Bucket=own)
    refused(403, "AccessDenied", other.copy_object, Bucket=own, Key="k", CopySource={"Bucket": of, "Key": "k"})
    equal(of in [entry["Name"] for entry in other.list_buckets()["Buckets"]], False, "listed")
    other.delete_bucket(Bucket=own)


def presigned(signer, mark):
    of = bucket()
    one = {"Bucket": of, "Key": "a b+ü/k"}

    def url(call, **arguments):
        made = signer.generate_presigned_url(call, {**one, **arguments}, ExpiresIn=60)
        equal(mark in made, True, made)
        return made

    status, _, body = http("PUT", url("put_object"), b"abc")
    equal(status, 200, f"PUT {body}")
    status, _, body = http("PUT", url("put_object", ContentType="text/x"), b"abcd", {"Content-Type": "text/x"})
    equal(status, 200, f"PUT with a type {body}")
    equal(http("GET", url("get_object"))[::2], (200, b"abcd"), "GET")
    equal(http("GET", url("get_object"), headers={"Range": "bytes=1-2"})[::2], (206, b"bc"), "GET of a range")
    status, headers, _ = http("GET", url("get_object", ResponseContentDisposition='attachment; filename="ü"',
                                         ResponseContentType="text/y"))
    equal((status, headers["Content-Type"]), (200, "text/y"), "GET with another type")
    equal(http("HEAD", url("head_object"))[0], 200, "HEAD")
    answered(403, "SignatureDoesNotMatch", http("GET", url("get_object").replace("/k?", "/other?")))
    answered(403, "SignatureDoesNotMatch", http("PUT", url("get_object"), b"x"))
    equal(http("DELETE", url("delete_object"))[0], 204, "DELETE")
    equal(http("GET", url("get_object"))[0], 404, "GET after DELETE")


@check
def presigned_v4():
    presigned(client(signature_version="s3v4"), "X-Amz-Signature=")


@check
def presigned_by_default():
    # Without a word of version, boto3 signs URLs of the first region with version 2.
    presigned(site(A), "AWSAccessKeyId=")


@check
def presigned_part():
    s3, of = client(signature_version="s3v4"), bucket()
    one = {"Bucket": of, "Key": "k"}
    upload = {**one, "UploadId": s3.create_multipart_upload(**one)["UploadId"]}
    status, headers, body = http("PUT", s3.generate_presigned_url("upload_part", {**upload, "PartNumber": 1}), b"abc")
    equal(status, 200, body)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": headers["ETag"]}]})
    equal(s3.get_object(**one)["Body"].read(), b"abc")


def at(when, sign):
    """Signs as if it were another time."""
    then = datetime.datetime.now(datetime.timezone.utc) + when

    def clock(remove_tzinfo=True):
        return then.replace(tzinfo=None) if remove_tzinfo else then

    # Version 4 is signed by either of two modules, version 2 reads the time itself.
    patch = unittest.mock.patch
    with patch("botocore.auth.get_current_datetime", clock), patch("botocore.crt.auth.get_current_datetime", clock), \
            patch("botocore.auth.time.time", then.timestamp):
        return sign()


@check
def presigned_expired():
    of = bucket()
    site(A).put_object(Bucket=of, Key="k", Body=b"x")
    for signer in [client(signature_version="s3v4"), site(A)]:
        def url():
            return signer.generate_presigned_url("get_object", {"Bucket": of, "Key": "k"}, ExpiresIn=60)
        equal(http("GET", at(datetime.timedelta(seconds=-30), url))[0], 200, "in its time")
        answered(403, "AccessDenied", http("GET", at(datetime.timedelta(seconds=-90), url)))
    week = client(signature_version="s3v4").generate_presigned_url("get_object", {"Bucket": of, "Key": "k"}, 604_801)
    # AWS says 400; the suite of Ceph wants 403.
    answered(403, "AuthorizationQueryParametersError", http("GET", week))


@check
def clock_skew_refused():
    of = bucket()
    for hours in [-1, 1]:
        refused(403, "RequestTimeTooSkewed", lambda: at(datetime.timedelta(hours=hours),
                                                        lambda: site(A).list_objects_v2(Bucket=of)))


@check
def unsigned_headers_refused():
    # A URL to put one object must not become a copy of another that its holder may not read.
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="secret", Body=b"secret")
    for signer in [client(signature_version="s3v4"), s3]:
        url = signer.generate_presigned_url("put_object", {"Bucket": of, "Key": "k"})
        for extra in [{"x-amz-copy-source": f"/{of}/secret"}, {"x-amz-tagging": "a=1"}]:
            status, _, body = http("PUT", url, b"", extra)
            equal(status, 403, f"{extra} {body}")
    refused(404, "NoSuchKey", s3.get_object, Bucket=of, Key="k")


@check
def presigned_headers_must_be_sent():
    of = bucket()
    signer = client(signature_version="s3v4")
    url = signer.generate_presigned_url("put_object", {"Bucket": of, "Key": "k", "IfNoneMatch": "*"})
    equal(http("PUT", url, b"x")[0], 403, "without the header that was signed")
    equal(http("PUT", url, b"x", {"If-None-Match": "*"})[0], 200, "with it")
    equal(http("PUT", url, b"x", {"If-None-Match": "*"})[0], 412, "with it, again")
