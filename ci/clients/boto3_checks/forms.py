"""Forms that browsers send, made with boto3: written as their policies allow, refused with anything else."""
from harness import A, bucket, check, equal, http, s3 as client, site
from urllib3 import encode_multipart_formdata


def sent(signer):
    of = bucket()
    conditions = [["starts-with", "$Content-Type", "text/"], {"acl": "private"}, ["content-length-range", 1, 10]]
    form = signer.generate_presigned_post(of, "a b+ü/${filename}", {"acl": "private", "Content-Type": "text/plain"},
                                          conditions, ExpiresIn=60)

    def post(file, **other):
        fields = {**form["fields"], **other, "file": ("k ü", file)}
        body, kind = encode_multipart_formdata(fields)
        status, headers, answer = http("POST", form["url"], body, {"Content-Type": kind})
        return status, headers["ETag"], answer

    for file, other, want in [(b"x" * 11, {}, (400, b"EntityTooLarge")), (b"", {}, (400, b"EntityTooSmall")),
                              (b"x", {"acl": "public-read"}, (403, b"AccessDenied")),
                              (b"x", {"x-amz-meta-a": "b"}, (403, b"AccessDenied")),
                              (b"x", {"policy": "e30="}, (403, b"SignatureDoesNotMatch"))]:
        status, _, answer = post(file, **other)
        equal((status, want[1] in answer), (want[0], True), (other, answer[:300]))
    equal(site(A).list_objects_v2(Bucket=of)["KeyCount"], 0, "objects")
    status, etag, answer = post(b"x" * 10)
    equal((status, answer), (204, b""))
    read = site(A).get_object(Bucket=of, Key="a b+ü/k ü")
    equal((read["Body"].read(), read["ETag"], read["ContentType"]), (b"x" * 10, etag, "text/plain"))


@check
def form_of_version_4():
    sent(client(signature_version="s3v4"))


@check
def form_of_version_2():
    sent(client(signature_version="s3"))
