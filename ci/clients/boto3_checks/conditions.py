"""Conditional reads and writes."""
import datetime
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError
from harness import A, bucket, check, equal, refused, site

HOUR = datetime.timedelta(hours=1)


@check
def conditional_get():
    s3, of = site(A), bucket()
    etag = s3.put_object(Bucket=of, Key="k", Body=b"x")["ETag"]
    written = s3.head_object(Bucket=of, Key="k")["LastModified"]
    one = {"Bucket": of, "Key": "k"}
    for holds in [{"IfMatch": etag}, {"IfMatch": etag.strip('"')}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'},
                  {"IfModifiedSince": written - HOUR}, {"IfUnmodifiedSince": written},
                  {"IfUnmodifiedSince": written + HOUR}, {"IfMatch": etag, "IfUnmodifiedSince": written - HOUR},
                  {"IfNoneMatch": '"other"', "IfModifiedSince": written + HOUR}]:
        equal(s3.get_object(**one, **holds)["Body"].read(), b"x", holds)
        s3.head_object(**one, **holds)
    for fails in [{"IfMatch": '"other"'}, {"IfUnmodifiedSince": written - HOUR}]:
        refused(412, "PreconditionFailed", s3.get_object, **one, **fails)
        refused(412, "412", s3.head_object, **one, **fails)
    for same in [{"IfNoneMatch": etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": written},
                 {"IfNoneMatch": etag, "IfModifiedSince": written - HOUR}]:
        answer = refused(304, "304", s3.get_object, **one, **same)
        equal(answer["ResponseMetadata"]["HTTPHeaders"].get("etag"), etag, "ETag of 304")
        refused(304, "304", s3.head_object, **one, **same)


@check
def conditional_put():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    refused(404, "NoSuchKey", s3.put_object, **one, Body=b"0", IfMatch='"other"')
    etag = s3.put_object(**one, Body=b"1", IfNoneMatch="*")["ETag"]
    refused(412, "PreconditionFailed", s3.put_object, **one, Body=b"2", IfNoneMatch="*")
    refused(412, "PreconditionFailed", s3.put_object, **one, Body=b"2", IfMatch='"other"')
    equal(s3.get_object(**one)["Body"].read(), b"1", "after the refusals")
    s3.put_object(**one, Body=b"3", IfMatch=etag)
    refused(412, "PreconditionFailed", s3.put_object, **one, Body=b"4", IfMatch=etag)
    equal(s3.get_object(**one)["Body"].read(), b"3", "in the end")
    s3.delete_object(**one)
    s3.put_object(**one, Body=b"5", IfNoneMatch="*")


@check
def conditional_put_over_a_delete_marker():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    etag = s3.put_object(**one, Body=b"1")["ETag"]
    s3.delete_object(**one)
    refused(404, "NoSuchKey", s3.put_object, **one, Body=b"2", IfMatch=etag)
    s3.put_object(**one, Body=b"3", IfNoneMatch="*")
    refused(412, "PreconditionFailed", s3.put_object, **one, Body=b"4", IfNoneMatch="*")


def race(attempts):
    """Runs writes at the same time: how many won, and the codes of those that lost."""
    def attempt(write):
        try:
            write()
            return "won"
        except ClientError as error:
            return error.response["Error"]["Code"]
    with ThreadPoolExecutor(len(attempts)) as pool:
        outcomes = list(pool.map(attempt, attempts))
    # S3 answers 409 to those that lost while the winner was still writing.
    lost = {outcome for outcome in outcomes if outcome != "won"} - {"PreconditionFailed", "ConditionalRequestConflict"}
    equal(lost, set(), "codes of those that lost")
    return outcomes.count("won")


@check
def racing_writers_have_one_winner():
    s3, of = site(A), bucket()
    for turn in range(5):
        key = f"k{turn}"
        put = [lambda n=n: s3.put_object(Bucket=of, Key=key, Body=b"%d" % n, IfNoneMatch="*") for n in range(16)]
        equal(race(put), 1, "winners of If-None-Match: *")
        etag = s3.head_object(Bucket=of, Key=key)["ETag"]
        put = [lambda n=n: s3.put_object(Bucket=of, Key=key, Body=b"next %d" % n, IfMatch=etag) for n in range(16)]
        equal(race(put), 1, "winners of If-Match")


@check
def conditional_multipart():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}

    def finish(**condition):
        upload = s3.create_multipart_upload(**one)["UploadId"]
        part = s3.upload_part(**one, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        return s3.complete_multipart_upload(**one, UploadId=upload, MultipartUpload=parts, **condition)["ETag"]

    equal(race([lambda: finish(IfNoneMatch="*") for _ in range(4)]), 1, "winners")
    etag = s3.head_object(**one)["ETag"]
    refused(412, "PreconditionFailed", finish, IfMatch='"other"')
    finish(IfMatch=etag)


@check
def conditional_delete():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    etag = s3.put_object(**one, Body=b"1")["ETag"]
    refused(412, "PreconditionFailed", s3.delete_object, **one, IfMatch='"other"')
    equal(s3.get_object(**one)["Body"].read(), b"1", "after the refusal")
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": "k", "ETag": '"other"'}]})
    equal([error["Code"] for error in answer.get("Errors", [])], ["PreconditionFailed"], "errors")
    s3.delete_object(**one, IfMatch=etag)
    refused(404, "NoSuchKey", s3.get_object, **one)
