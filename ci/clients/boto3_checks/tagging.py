"""Tags of objects."""
from harness import A, bucket, check, equal, refused, site


def tags(**named):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in named.items()]}


@check
def object_tags():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    s3.put_object(**one, Body=b"x", Tagging="a=1&b%20c=d%2Be")
    before = s3.get_object(**one)
    equal(before["TagCount"], 2, "TagCount")
    equal(s3.get_object_tagging(**one)["TagSet"], [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "d+e"}])
    s3.put_object_tagging(**one, Tagging=tags(x="", y="ü =:+-@/_."))
    equal(s3.get_object_tagging(**one)["TagSet"], tags(x="", y="ü =:+-@/_.")["TagSet"], "after a change")
    after = s3.get_object(**one)
    equal((after["LastModified"], after["ETag"]), (before["LastModified"], before["ETag"]), "the object itself")
    s3.delete_object_tagging(**one)
    equal(s3.get_object_tagging(**one)["TagSet"], [], "after the end")
    equal("TagCount" in s3.head_object(**one), False, "TagCount of none")
    refused(404, "NoSuchKey", s3.get_object_tagging, Bucket=of, Key="none")
    refused(404, "NoSuchKey", s3.put_object_tagging, Bucket=of, Key="none", Tagging=tags(a="1"))
    # A new object has none of the old one's.
    s3.put_object_tagging(**one, Tagging=tags(a="1"))
    s3.put_object(**one, Body=b"y")
    equal(s3.get_object_tagging(**one)["TagSet"], [], "of a new object")


@check
def object_tags_of_versions():
    s3, of = site(A), bucket(versioned=True)
    one = {"Bucket": of, "Key": "k"}
    old, new = (s3.put_object(**one, Body=b"x", Tagging=f"n={n}")["VersionId"] for n in range(2))
    answer = s3.put_object_tagging(**one, VersionId=old, Tagging=tags(n="changed"))
    equal(answer["VersionId"], old, "version told")
    equal(s3.get_object_tagging(**one, VersionId=old)["TagSet"], tags(n="changed")["TagSet"], "old")
    equal(s3.get_object_tagging(**one)["TagSet"], tags(n="1")["TagSet"], "new")
    equal(s3.get_object_tagging(**one)["VersionId"], new, "version told of the current")


@check
def object_tags_refused():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    s3.put_object(**one, Body=b"x")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    for wrong in [tags(**{"k" * 129: "v"}), tags(k="v" * 257), twice]:
        refused(400, "InvalidTag", s3.put_object_tagging, **one, Tagging=wrong)
    equal(s3.get_object_tagging(**one)["TagSet"], [], "tags in the end")


@check
def too_many_tags_refused():
    s3, of = site(A), bucket()
    one = {"Bucket": of, "Key": "k"}
    eleven = {f"k{n}": "v" for n in range(11)}
    s3.put_object(**one, Body=b"x")
    # AWS says BadRequest, which tells a client nothing; Ceph's tests want InvalidTag.
    either = (400, 400), ("BadRequest", "InvalidTag")
    refused(*either, s3.put_object_tagging, **one, Tagging=tags(**eleven))
    refused(*either, s3.put_object, **one, Body=b"y", Tagging="&".join(f"{key}=v" for key in eleven))
    equal(s3.get_object_tagging(**one)["TagSet"], [], "tags in the end")
