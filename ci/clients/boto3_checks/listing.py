"""Listings: order, prefixes, delimiters, pages, encoding."""
from concurrent.futures import ThreadPoolExecutor

from harness import A, bucket, check, equal, refused, site

KEYS = ["a", "a b", "a/1", "a/2", "a/b/1", "b", "b/1", "c/", "c/d/e", "z", "ä", "日/本", "😀"]


def filled(keys=KEYS, **arguments):
    of = bucket(**arguments)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: site(A).put_object(Bucket=of, Key=key, Body=key.encode()), keys))
    return of


def fold(keys, prefix, delimiter):
    """What S3 lists of these keys, as one list of keys and common prefixes."""
    found = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            head, cut, _ = key[len(prefix):].partition(delimiter) if delimiter else (key, "", "")
            item = prefix + head + cut if cut else key
            if item not in found:
                found.append(item)
    return found


def items(page):
    contents = [entry["Key"] for entry in page.get("Contents", [])]
    return contents, [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


CASES = [("", ""), ("", "/"), ("a", ""), ("a", "/"), ("a/", "/"), ("a/b/", "/"), ("c/", "/"), ("c", "d/"), ("none", "/"),
         ("", "b"), ("日", "/"), ("", " ")]


@check
def list_v2_pages():
    s3, of = site(A), filled()
    for prefix, delimiter in CASES:
        want = fold(KEYS, prefix, delimiter)
        for size in [1, 2, 3, 1000]:
            seen, token = [], {}
            while True:
                page = s3.list_objects_v2(Bucket=of, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, **token)
                contents, prefixes = items(page)
                equal(page["KeyCount"], len(contents) + len(prefixes), "KeyCount")
                # Keys and prefixes come apart, but a page has the next of both taken together.
                seen += sorted(contents + prefixes, key=str.encode)
                if not page["IsTruncated"]:
                    break
                equal(page["KeyCount"], size, "items of a page that is not the last")
                token = {"ContinuationToken": page["NextContinuationToken"]}
            equal(seen, want, f"prefix {prefix!r}, delimiter {delimiter!r}, pages of {size}")


@check
def list_v1_pages():
    s3, of, wrong = site(A), filled(), []
    for prefix, delimiter in CASES:
        want = fold(KEYS, prefix, delimiter)
        for size in [1, 2, 3, 1000]:
            seen, marker = [], ""
            while True:
                page = s3.list_objects(Bucket=of, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, Marker=marker)
                contents, prefixes = items(page)
                seen += sorted(contents + prefixes, key=str.encode)
                if not page["IsTruncated"]:
                    break
                # S3 tells the next marker only if there is a delimiter; else it is the last key.
                equal("NextMarker" in page, bool(delimiter), "NextMarker told")
                marker = page.get("NextMarker") or contents[-1]
            if seen != want:
                wrong.append(f"prefix {prefix!r}, delimiter {delimiter!r}, pages of {size}: got {seen}, want {want}")
    equal(wrong, [])


@check
def list_from_a_key():
    s3, of = site(A), filled()
    ordered = sorted(KEYS, key=str.encode)
    for start in ["a/", "a/1", "aaa", "c/", "zz", "😀😀"]:
        want = [key for key in ordered if key.encode() > start.encode()]
        equal(items(s3.list_objects_v2(Bucket=of, StartAfter=start))[0], want, f"v2 after {start!r}")
        equal(items(s3.list_objects(Bucket=of, Marker=start))[0], want, f"v1 after {start!r}")
    page = s3.list_objects_v2(Bucket=of, Delimiter="/", StartAfter="a/1")
    equal(items(page), (["b", "z", "ä", "😀"], ["a/", "b/", "c/", "日/"]), "from within a prefix")


@check
def list_from_a_key_that_is_the_prefix():
    # It ends with the delimiter, but it is no common prefix: that would have to be longer than the prefix.
    s3, of = site(A), filled()
    one = {"Bucket": of, "Prefix": "c/", "Delimiter": "/"}
    found = [items(s3.list_objects_v2(**one, StartAfter="c/")), items(s3.list_objects(**one, Marker="c/")),
             items(s3.list_object_versions(**one, KeyMarker="c/"))]
    equal(found, 3 * [([], ["c/d/"])])


@check
def list_tells_of_objects():
    s3, of = site(A), bucket()
    etag = s3.put_object(Bucket=of, Key="k", Body=b"abc")["ETag"]
    page = s3.list_objects_v2(Bucket=of, FetchOwner=True)
    entry = page["Contents"][0]
    equal((entry["ETag"], entry["Size"], entry["StorageClass"]), (etag, 3, "STANDARD"))
    equal("ID" in entry["Owner"], True, "owner")
    written = s3.head_object(Bucket=of, Key="k")["LastModified"]
    equal(entry["LastModified"].replace(microsecond=0), written, "LastModified")
    equal("Owner" in s3.list_objects_v2(Bucket=of)["Contents"][0], False, "owner if not asked for")
    equal("Owner" in s3.list_objects(Bucket=of)["Contents"][0], True, "owner in version 1")
    equal((page["Name"], page["MaxKeys"], page["IsTruncated"]), (of, 1000, False))


@check
def list_nothing():
    s3, of = site(A), filled(["a", "b"])
    for call in [s3.list_objects_v2, s3.list_objects]:
        page = call(Bucket=of, MaxKeys=0)
        equal((items(page), page["IsTruncated"], page["MaxKeys"]), (([], []), False, 0))
        refused(400, "InvalidArgument", call, Bucket=of, MaxKeys=-1)
        refused(400, "InvalidArgument", call, Bucket=of, EncodingType="other")
    refused(400, "InvalidArgument", s3.list_objects_v2, Bucket=of, ContinuationToken="no token")


@check
def list_more_than_a_page():
    s3, of = site(A), filled([f"{n:04}" for n in range(1005)])
    page = s3.list_objects_v2(Bucket=of)
    equal((page["KeyCount"], page["IsTruncated"]), (1000, True), "first page")
    page = s3.list_objects_v2(Bucket=of, ContinuationToken=page["NextContinuationToken"])
    equal((page["KeyCount"], page["Contents"][-1]["Key"]), (5, "1004"), "second page")
    equal(s3.list_objects_v2(Bucket=of, MaxKeys=5000)["KeyCount"], 1000, "more than a page asked for")


@check
def list_encoding():
    # boto3 asks for encoding and decodes by itself, unless the encoding is asked for by hand. A blank may be + or %20.
    key = "a b+c%/ü\n"
    s3, of = site(A), filled([key])
    for call in [s3.list_objects_v2, s3.list_objects, s3.list_object_versions]:
        page = call(Bucket=of, EncodingType="url", Prefix="a b")
        text = page.get("Contents", page.get("Versions"))[0]["Key"]
        equal((page["EncodingType"], text.replace("+", "%20")), ("url", "a%20b%2Bc%25/%C3%BC%0A"), "key")
        equal(page["Prefix"].replace("+", "%20"), "a%20b", "prefix")
        page = call(Bucket=of, EncodingType="url", Delimiter="ü")
        equal(page["CommonPrefixes"][0]["Prefix"].replace("+", "%20"), "a%20b%2Bc%25/%C3%BC", "common prefix")
        equal(page["Delimiter"], "%C3%BC", "delimiter")


@check
def list_versions_pages():
    s3, of = site(A), filled(["a", "b/1", "b/2", "c"], versioned=True)
    for key in ["a", "c", "c"]:
        s3.put_object(Bucket=of, Key=key, Body=b"again")
    s3.delete_object(Bucket=of, Key="c")

    def pages(size, **arguments):
        seen, marker = [], {}
        while True:
            page = s3.list_object_versions(Bucket=of, MaxKeys=size, **marker, **arguments)
            found = [(entry["Key"], entry["VersionId"], entry["IsLatest"])
                     for entry in page.get("Versions", []) + page.get("DeleteMarkers", [])]
            # Versions and markers come apart; the greater id is not promised to be newer, so only what is in a page counts.
            seen.append((sorted(found), [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]))
            if not page["IsTruncated"]:
                return seen
            marker = {"KeyMarker": page["NextKeyMarker"]}
            if "NextVersionIdMarker" in page:
                marker["VersionIdMarker"] = page["NextVersionIdMarker"]

    whole = pages(1000)
    equal(len(whole[0][0]), 8, "versions and markers")
    for size in [1, 2, 3]:
        parts = pages(size)
        equal(sorted(entry for page, _ in parts for entry in page), whole[0][0], f"pages of {size}")
        equal(all(len(page) == size for page, _ in parts[:-1]), True, f"pages of {size} are full")
    keys = [key for page, _ in pages(1) for key, _, _ in page]
    equal(keys, sorted(keys), "order")
    folded = pages(2, Delimiter="/")
    equal([prefix for _, prefixes in folded for prefix in prefixes], ["b/"], "common prefixes")
    equal(sum(len(page) for page, _ in folded), 6, "versions that are not folded")
    refused(400, "InvalidArgument", s3.list_object_versions, Bucket=of, VersionIdMarker="x")
