"""Versions, delete markers, and buckets whose versioning was suspended."""
from harness import A, bucket, check, equal, refused, site


def listed(s3, of, key="k"):
    """All of a key's versions, newest first: their ids, which is the latest, which are markers."""
    page = s3.list_object_versions(Bucket=of, Prefix=key)
    entries = [(entry, False) for entry in page.get("Versions", [])]
    entries += [(entry, True) for entry in page.get("DeleteMarkers", [])]
    entries.sort(key=lambda pair: pair[0]["LastModified"], reverse=True)
    return [(entry["VersionId"], entry["IsLatest"], is_marker) for entry, is_marker in entries]


@check
def versions():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    ids = [s3.put_object(**one, Body=b"%d" % n)["VersionId"] for n in range(3)]
    equal(len(set(ids)), 3, "ids")
    for n, version in enumerate(ids):
        answer = s3.get_object(**one, VersionId=version)
        equal((answer["Body"].read(), answer["VersionId"]), (b"%d" % n, version))
        equal(s3.head_object(**one, VersionId=version)["VersionId"], version, "HEAD")
    equal(s3.get_object(**one)["VersionId"], ids[2], "current")
    equal([entry["VersionId"] for entry in s3.list_object_versions(Bucket=of)["Versions"]], ids[::-1], "newest first")
    equal([latest for _, latest, _ in listed(s3, of)], [True, False, False], "IsLatest")
    s3.delete_object(**one, VersionId=ids[2])
    equal(s3.get_object(**one)["VersionId"], ids[1], "current after the newest was deleted")
    refused(404, "NoSuchVersion", s3.get_object, **one, VersionId=ids[2])
    refused(404, "404", s3.head_object, **one, VersionId=ids[2])
    refused(400, "InvalidArgument", s3.get_object, **one, VersionId="no-version-id")
    refused(404, "NoSuchVersion", s3.get_object, Bucket=of, Key="other", VersionId=ids[0])


@check
def delete_markers():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    version = s3.put_object(**one, Body=b"x")["VersionId"]
    deleted = s3.delete_object(**one)
    marker = deleted["VersionId"]
    equal(deleted["DeleteMarker"], True, "a marker")
    answer = refused(404, "NoSuchKey", s3.get_object, **one)["ResponseMetadata"]["HTTPHeaders"]
    equal((answer.get("x-amz-delete-marker"), answer.get("x-amz-version-id")), ("true", marker), "headers of the 404")
    answer = refused(405, "MethodNotAllowed", s3.get_object, **one, VersionId=marker)
    equal(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-delete-marker"), "true", "header of the 405")
    refused(405, "405", s3.head_object, **one, VersionId=marker)
    equal(s3.get_object(**one, VersionId=version)["Body"].read(), b"x", "the version below")
    equal(listed(s3, of), [(marker, True, True), (version, False, False)])
    equal(s3.list_objects_v2(Bucket=of)["KeyCount"], 0, "listed without versions")
    refused(409, "BucketNotEmpty", s3.delete_bucket, Bucket=of)
    undone = s3.delete_object(**one, VersionId=marker)
    equal((undone["DeleteMarker"], undone["VersionId"]), (True, marker), "a marker deleted")
    equal(s3.get_object(**one)["VersionId"], version, "back again")
    # Deleting what never was leaves a marker too.
    equal(s3.delete_object(Bucket=of, Key="never")["DeleteMarker"], True, "a marker of a missing key")


@check
def delete_marker_tells_what_it_allows():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    marker = s3.delete_object(**one)["VersionId"]
    answer = refused(405, "MethodNotAllowed", s3.get_object, **one, VersionId=marker)
    equal(answer["ResponseMetadata"]["HTTPHeaders"].get("allow"), "DELETE", "Allow")


@check
def versioning_begun_late():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    equal("Status" in s3.get_bucket_versioning(Bucket=of), False, "status of a new bucket")
    equal("VersionId" in s3.put_object(**one, Body=b"before"), False, "id before")
    s3.put_bucket_versioning(Bucket=of, VersioningConfiguration={"Status": "Enabled"})
    equal(s3.get_bucket_versioning(Bucket=of)["Status"], "Enabled", "status")
    equal(s3.get_object(**one)["VersionId"], "null", "id of what was there")
    after = s3.put_object(**one, Body=b"after")["VersionId"]
    equal(listed(s3, of), [(after, True, False), ("null", False, False)])
    equal(s3.get_object(**one, VersionId="null")["Body"].read(), b"before")
    s3.delete_object(**one, VersionId="null")
    equal(listed(s3, of), [(after, True, False)])


@check
def versioning_suspended():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    first = s3.put_object(**one, Body=b"first")["VersionId"]
    s3.put_bucket_versioning(Bucket=of, VersioningConfiguration={"Status": "Suspended"})
    equal(s3.get_bucket_versioning(Bucket=of)["Status"], "Suspended", "status")
    for body in [b"second", b"third"]:
        # AWS tells "null"; the suite of Ceph wants no id.
        equal(s3.put_object(**one, Body=body).get("VersionId"), None, "id")
    equal(listed(s3, of), [("null", True, False), (first, False, False)], "the null version is replaced")
    deleted = s3.delete_object(**one)
    equal((deleted["DeleteMarker"], deleted["VersionId"]), (True, "null"), "a null marker")
    equal(listed(s3, of), [("null", True, True), (first, False, False)], "it takes the null version's place")
    refused(404, "NoSuchKey", s3.get_object, **one)
    s3.delete_object(**one, VersionId="null")
    equal(s3.get_object(**one)["Body"].read(), b"first", "what was below")
    s3.put_bucket_versioning(Bucket=of, VersioningConfiguration={"Status": "Enabled"})
    equal(s3.put_object(**one, Body=b"fourth")["VersionId"] not in ("null", first), True, "a new id")


@check
def multipart_makes_a_version():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    old = s3.put_object(**one, Body=b"old")["VersionId"]
    upload = s3.create_multipart_upload(**one)["UploadId"]
    part = s3.upload_part(**one, UploadId=upload, PartNumber=1, Body=b"new")["ETag"]
    done = s3.complete_multipart_upload(**one, UploadId=upload,
                                        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    equal(listed(s3, of), [(done["VersionId"], True, False), (old, False, False)])
