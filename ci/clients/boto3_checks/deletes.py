"""Deleting objects, one and many."""
from harness import A, bucket, check, equal, refused, site


@check
def delete():
    s3, of = site(A), bucket()
    s3.put_object(Bucket=of, Key="k", Body=b"")
    for key in ["k", "k", "never there"]:
        answer = s3.delete_object(Bucket=of, Key=key)
        equal((answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("DeleteMarker")), (204, None), key)
    refused(404, "NoSuchKey", s3.get_object, Bucket=of, Key="k")
    refused(404, "NoSuchBucket", s3.delete_object, Bucket="no-such-bucket-here", Key="k")


@check
def delete_many():
    s3, of = site(A), bucket()
    keys = [f"{n}" for n in range(20)]
    for key in keys[:10]:
        s3.put_object(Bucket=of, Key=key, Body=b"")
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": key} for key in keys]})
    # What was never there is told as deleted too.
    equal(sorted(entry["Key"] for entry in answer["Deleted"]), sorted(keys), "deleted")
    equal(s3.list_objects_v2(Bucket=of)["KeyCount"], 0, "left")
    s3.put_object(Bucket=of, Key="k", Body=b"")
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": "k"}], "Quiet": True})
    equal((answer.get("Deleted"), answer.get("Errors")), (None, None), "a quiet answer")
    refused(404, "NoSuchKey", s3.get_object, Bucket=of, Key="k")


@check
def delete_many_limits():
    s3, of = site(A), bucket()
    objects = [{"Key": f"{n}"} for n in range(1001)]
    equal(len(s3.delete_objects(Bucket=of, Delete={"Objects": objects[:1000]})["Deleted"]), 1000, "deleted")
    refused(400, "MalformedXML", s3.delete_objects, Bucket=of, Delete={"Objects": objects})
    refused(400, "MalformedXML", s3.delete_objects, Bucket=of, Delete={"Objects": []})


@check
def delete_many_versions():
    s3, of = site(A), bucket(versioned=True)
    ids = [s3.put_object(Bucket=of, Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    equal((answer["DeleteMarker"], "VersionId" in answer), (True, False), "a marker made")
    marker = answer["DeleteMarkerVersionId"]
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": "k", "VersionId": marker},
                                                              {"Key": "k", "VersionId": ids[2]}]})["Deleted"]
    equal({(entry["VersionId"], entry.get("DeleteMarker")) for entry in answer}, {(marker, True), (ids[2], None)})
    equal(s3.get_object(Bucket=of, Key="k")["Body"].read(), b"1", "what is current then")
    answer = s3.delete_objects(Bucket=of, Delete={"Objects": [{"Key": "k", "VersionId": "no-version-id"}]})
    equal([entry["Key"] for entry in answer.get("Errors", [])], ["k"], "errors")
