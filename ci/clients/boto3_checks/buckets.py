"""Buckets themselves."""
from harness import A, at_both, bucket, check, equal, name, refused, site


@check
def bucket_life():
    s3, of = site(A), name()
    refused(404, "404", s3.head_bucket, Bucket=of)
    equal(s3.create_bucket(Bucket=of)["Location"], f"/{of}", "Location")
    at_both(of)
    # The owner may create it again in the first region.
    s3.create_bucket(Bucket=of)
    equal(s3.head_bucket(Bucket=of)["BucketRegion"], "us-east-1", "region")
    equal(s3.get_bucket_location(Bucket=of)["LocationConstraint"], None, "location")
    equal(of in [entry["Name"] for entry in s3.list_buckets()["Buckets"]], True, "listed")
    s3.put_object(Bucket=of, Key="k", Body=b"")
    refused(409, "BucketNotEmpty", s3.delete_bucket, Bucket=of)
    s3.delete_object(Bucket=of, Key="k")
    s3.delete_bucket(Bucket=of)
    refused(404, "404", s3.head_bucket, Bucket=of)
    refused(404, "NoSuchBucket", s3.delete_bucket, Bucket=of)
    refused(404, "NoSuchBucket", s3.put_object, Bucket=of, Key="k", Body=b"")
    refused(404, "NoSuchBucket", s3.list_objects_v2, Bucket=of)


@check
def bucket_names():
    for wrong in ["ab", "UPPER-case", "under_score", "-dash", "dash-", "a..b", "192.168.1.1", "x" * 64, "xn--a"]:
        try:
            refused(400, "InvalidBucketName", site(A).create_bucket, Bucket=wrong)
        except AssertionError as error:
            raise AssertionError(f"{wrong}: {error}") from None


@check
def bucket_list_in_pages():
    s3 = site(A)
    prefix = name("page")
    made = [bucket(f"{prefix[:20]}-{n}") for n in range(3)]
    pages = s3.get_paginator("list_buckets").paginate(Prefix=prefix[:20], PaginationConfig={"PageSize": 2})
    pages = [[entry["Name"] for entry in page["Buckets"]] for page in pages]
    equal(pages, [made[:2], made[2:]])
