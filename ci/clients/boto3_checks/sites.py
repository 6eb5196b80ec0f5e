"""The other site: it soon has the same, whichever of the two was written to."""
import time
from concurrent.futures import ThreadPoolExecutor

from boto3_checks.multipart import PART, Upload
from harness import A, B, at_both, bucket, check, data, equal, eventually, name, refused, same, site

WAYS = [(A, B), (B, A)]


def found(there, of, key="k", **arguments):
    return eventually(lambda: site(there).get_object(Bucket=of, Key=key, **arguments))


@check
def other_site_has_objects():
    for here, there in WAYS:
        of = bucket()
        body = data(300_000)
        sent = {"ContentType": "text/x", "Metadata": {"a": "1"}, "CacheControl": "no-store"}
        site(here).put_object(Bucket=of, Key="ü k", Body=body, ChecksumAlgorithm="SHA256", Tagging="a=1", **sent)
        answer, own = found(there, of, "ü k"), site(here).get_object(Bucket=of, Key="ü k")
        equal(answer["Body"].read() == body, True, "bytes")
        for field in ["ETag", "LastModified", "ContentType", "Metadata", "CacheControl", "TagCount", "ChecksumSHA256"]:
            equal(answer[field], own[field], field)
        same(of)


@check
def other_site_sees_changes_and_ends():
    for here, there in WAYS:
        of = bucket()
        site(here).put_object(Bucket=of, Key="k", Body=b"1")
        found(there, of)
        site(here).put_object(Bucket=of, Key="k", Body=b"2")
        eventually(lambda: equal(found(there, of)["Body"].read(), b"2"))
        site(here).delete_object(Bucket=of, Key="k")
        eventually(lambda: refused(404, "NoSuchKey", site(there).get_object, Bucket=of, Key="k"))
        equal(eventually(lambda: site(there).list_objects_v2(Bucket=of))["KeyCount"], 0, "listed")


@check
def other_site_has_versions_and_markers():
    for here, there in WAYS:
        of = bucket(versioned=True)
        one = {"Bucket": of, "Key": "k"}
        ids = [site(here).put_object(**one, Body=b"%d" % n, Tagging=f"n={n}")["VersionId"] for n in range(3)]
        for n, version in enumerate(ids):
            answer = found(there, of, VersionId=version)
            equal((answer["Body"].read(), answer["VersionId"]), (b"%d" % n, version))
        marker = site(here).delete_object(**one)["VersionId"]
        answer = eventually(lambda: refused(404, "NoSuchKey", site(there).get_object, **one))
        equal(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-version-id"), marker, "marker")
        told = same(of)["versions"]
        equal([entry["VersionId"] for kind, entry in told if kind == "version"], ids[::-1], "versions")
        equal([entry["VersionId"] for kind, entry in told if kind == "marker"], [marker], "markers")
        # Undone at the other site, it is undone at this one.
        site(there).delete_object(**one, VersionId=marker)
        equal(found(here, of)["VersionId"], ids[2], "current again")
        site(there).delete_object(**one, VersionId=ids[1])
        eventually(lambda: refused(404, "NoSuchVersion", site(here).get_object, **one, VersionId=ids[1]))
        same(of)


@check
def other_site_has_tags():
    for here, there in WAYS:
        of = bucket()
        one = {"Bucket": of, "Key": "k"}

        def tags(want):
            eventually(lambda: equal(site(there).get_object_tagging(**one)["TagSet"], want, "tags"))

        site(here).put_object(**one, Body=b"x", Tagging="a=1")
        tags([{"Key": "a", "Value": "1"}])
        site(here).put_object_tagging(**one, Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
        tags([{"Key": "b", "Value": "2"}])
        site(here).delete_object_tagging(**one)
        tags([])


@check
def other_site_has_parts():
    for here, there in WAYS:
        of = bucket()
        upload = Upload(of, at=here, ChecksumAlgorithm="SHA256", Metadata={"a": "1"})
        bodies = [data(PART, 1), data(PART, 2), b"last"]
        etag = upload.finish([(n, upload.part(n, body, ChecksumAlgorithm="SHA256"))
                              for n, body in enumerate(bodies, 1)])["ETag"]
        answer = found(there, of, PartNumber=3)
        equal((answer["Body"].read(), answer["PartsCount"], answer["ETag"]), (b"last", 3, etag))
        equal(found(there, of)["Body"].read() == b"".join(bodies), True, "bytes")
        both = [site(where).get_object_attributes(**upload.one, ObjectAttributes=["ObjectParts", "Checksum", "ETag"])
                for where in (here, there)]
        for answer in both:
            del answer["ResponseMetadata"]
        equal(both[1], both[0], "attributes")
        equal(both[1]["ObjectParts"]["TotalPartsCount"], 3, "parts")


@check
def other_site_has_buckets():
    of = name()
    site(B).create_bucket(Bucket=of)
    eventually(lambda: site(A).head_bucket(Bucket=of))
    site(B).put_bucket_versioning(Bucket=of, VersioningConfiguration={"Status": "Enabled"})
    eventually(lambda: equal(site(A).get_bucket_versioning(Bucket=of).get("Status"), "Enabled", "versioning"))
    created = [next(entry["CreationDate"] for entry in site(where).list_buckets()["Buckets"] if entry["Name"] == of)
               for where in (A, B)]
    equal(created[0], created[1], "CreationDate")
    site(A).delete_bucket(Bucket=of)
    eventually(lambda: refused(404, "404", site(B).head_bucket, Bucket=of))


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]


@check
def concurrent_writes_keep_all_versions():
    of = bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    writes = [lambda n=n: site([A, B][n % 2]).put_object(**one, Body=b"%d" % n)["VersionId"] for n in range(16)]
    ids = at_once(*writes)
    # All of them are there, in one order, and both sites say the same is the latest.
    eventually(lambda: equal(len(site(A).list_object_versions(Bucket=of)["Versions"]), 16, "versions"))
    told = same(of)["versions"]
    equal({entry["VersionId"] for _, entry in told}, set(ids), "versions")
    equal([entry["IsLatest"] for _, entry in told], [True] + 15 * [False], "the latest")
    equal(site(A).get_object(**one)["VersionId"], told[0][1]["VersionId"], "current")


@check
def concurrent_writes_and_deletes_agree():
    of = bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    calls = []
    for where in (A, B):
        calls += 4 * [lambda where=where: site(where).put_object(**one, Body=where.encode())]
        calls += 4 * [lambda where=where: site(where).delete_object(**one)]
    at_once(*calls)

    def count():
        page = site(A).list_object_versions(Bucket=of)
        equal((len(page["Versions"]), len(page["DeleteMarkers"])), (8, 8), "versions and markers")
    eventually(count)
    same(of)


@check
def concurrent_writes_without_versions_agree():
    of = bucket()
    for turn in range(10):
        at_once(*[lambda where=where: site(where).put_object(Bucket=of, Key=f"{turn}", Body=where.encode(),
                                                             Metadata={"site": where}) for where in (A, B)])
    told = same(of)
    equal(len(told["listed"]), 10, "objects")


@check
def concurrent_creation_of_a_bucket():
    of = name()
    at_once(lambda: site(A).create_bucket(Bucket=of), lambda: site(B).create_bucket(Bucket=of))
    at_both(of)
    site(A).put_object(Bucket=of, Key="a", Body=b"a")
    site(B).put_object(Bucket=of, Key="b", Body=b"b")
    eventually(lambda: equal(site(A).list_objects_v2(Bucket=of)["KeyCount"], 2, "objects"))
    same(of)


@check
def list_goes_on_at_the_other_site():
    of = bucket()
    for n in range(5):
        site(A).put_object(Bucket=of, Key=f"{n}", Body=b"")
    same(of)
    page = site(A).list_objects_v2(Bucket=of, MaxKeys=2)
    rest = site(B).list_objects_v2(Bucket=of, ContinuationToken=page["NextContinuationToken"])
    equal([entry["Key"] for entry in rest["Contents"]], ["2", "3", "4"])


@check
def replication_is_soon():
    of = bucket()
    start = time.monotonic()
    site(A).put_object(Bucket=of, Key="k", Body=b"x")
    found(B, of)
    equal(time.monotonic() - start < 2, True, "within 2 s")
