//! POST forms that are refused: each with one thing wrong, and nothing written.

use super::{
    Pair,
    ask::{ANN, denied},
    form::{CONDITIONS, Form, policy, refused},
};

fn with(condition: &str) -> String {
    policy(&[&CONDITIONS[..], &[condition]].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_its_policy_does_not_allow_writes_nothing() {
    let pair = Pair::start().await;
    // Anybody may write here: a form that is signed badly is refused all the same, and not taken for nobody's.
    pair.open().await;
    pair.say(0, ANN, "PUT /others").await.ok();
    let form = || Form::new("foo.txt");
    let of = |policy: &str| form().signed_v2("KEY", policy);
    let expiring = |at: &str| policy(&CONDITIONS).replace("2099-01-01T00:00:00Z", at);
    let range = |range: &str| policy(&[&CONDITIONS[..4], &[range]].concat());
    let now = pair.now();
    let (invalid, argument) = (refused(400, "InvalidPolicyDocument"), refused(400, "InvalidArgument"));
    let (wrong, unknown) = (refused(403, "SignatureDoesNotMatch"), refused(403, "InvalidAccessKeyId"));
    let reversed: String = "c2lnbmF0dXJlc2lnbmF0dXJlc2k=".chars().rev().collect();
    for (name, form, expected) in [
        ("another's access key", form().signed_v2("foo", &policy(&CONDITIONS)), unknown.clone()),
        ("an access key in reverse", form().signed().with("AWSAccessKeyId", "YEK"), unknown),
        ("a signature in reverse", form().signed().with("signature", &reversed), wrong.clone()),
        ("another policy", form().signed().with("policy", "e30="), wrong.clone()),
        (
            "another signature of version 4",
            form().signed_v4(&now, &CONDITIONS).with("x-amz-signature", "00"),
            wrong,
        ),
        ("no signature", form().signed().without("signature"), argument.clone()),
        ("no access key", form().signed().without("AWSAccessKeyId"), argument.clone()),
        ("a policy alone", form().signed().without("AWSAccessKeyId").without("signature"), argument.clone()),
        ("no policy", form().signed().without("policy"), argument.clone()),
        (
            "no key",
            form().without("key").signed_v2("KEY", &policy(&[CONDITIONS[0], CONDITIONS[2], CONDITIONS[3]])),
            argument.clone(),
        ),
        ("no key and nobody", form().without("key"), argument.clone()),
        ("an empty key", Form::new(""), argument.clone()),
        ("too long a key", Form::new(&"k".repeat(1025)), refused(400, "KeyTooLongError")),
        ("a date of another form", of(&expiring("2099-01-01 00:00:00.5+00:00")), invalid.clone()),
        ("an old policy", of(&expiring("2020-01-01T00:00:00Z")), denied()),
        ("no bucket in the policy", of(&policy(&CONDITIONS[1..])), denied()),
        (
            "a field less than in the policy",
            of(&with(r#"["starts-with", "$x-amz-meta-foo", "bar"]"#)),
            denied(),
        ),
        (
            "another value than in the policy",
            form()
                .with("x-amz-meta-foo", "barclamp")
                .signed_v2("KEY", &with(r#"["eq", "$x-amz-meta-foo", ""]"#)),
            denied(),
        ),
        ("a field more than in the policy", form().with("x-amz-meta-foo", "bar").signed(), denied()),
        ("another list", form().with("acl", "public-read").signed(), denied()),
        ("another bucket in the form", form().with("bucket", "others").signed(), denied()),
        ("another bucket in a form of nobody", form().with("bucket", "others"), denied()),
        ("CONDITIONS", of(&policy(&CONDITIONS).replace("conditions", "CONDITIONS")), invalid.clone()),
        ("EXPIRATION", of(&policy(&CONDITIONS).replace("expiration", "EXPIRATION")), invalid.clone()),
        (
            "no expiration",
            of(&policy(&CONDITIONS).replace("\"expiration\": \"2099-01-01T00:00:00Z\",", "")),
            invalid.clone(),
        ),
        ("no conditions", of(r#"{"expiration": "2099-01-01T00:00:00Z"}"#), invalid.clone()),
        ("an empty condition", of(&policy(&["{}"])), invalid.clone()),
        ("half a range", of(&range(r#"["content-length-range", 0]"#)), invalid.clone()),
        ("a range below nothing", of(&range(r#"["content-length-range", -1, 0]"#)), invalid),
        ("too large a file", of(&range(r#"["content-length-range", 0, 0]"#)), refused(400, "EntityTooLarge")),
        (
            "too small a file",
            of(&range(r#"["content-length-range", 512, 1000]"#)),
            refused(400, "EntityTooSmall"),
        ),
        ("a field twice", form().with("KEY", "bar.txt"), argument.clone()),
        ("a list twice", form().with("x-amz-acl", "public-read"), argument.clone()),
        ("a header that is none", form().with("x-amz-meta-a b", "c"), argument.clone()),
        ("an injected header", form().with("x-amz-meta-a", "b\r\nx-amz-acl: public-read"), argument),
        ("tags that are none", form().with("tagging", "a=b"), refused(400, "MalformedXML")),
        (
            "a wrong checksum",
            form().with("x-amz-checksum-sha256", "sailorjerry").signed(),
            refused(400, "BadDigest"),
        ),
    ] {
        assert_eq!(pair.post("/photos", &form).await.refused(), expected, "{name}");
    }
    for (path, expected) in [
        ("/photos/k", refused(405, "MethodNotAllowed")),
        ("/", refused(405, "MethodNotAllowed")),
        ("/No", refused(400, "InvalidBucketName")),
        ("/nothing", refused(404, "NoSuchBucket")),
        ("/others", denied()),
    ] {
        assert_eq!(pair.post(path, &form()).await.refused(), expected, "{path}");
    }
    assert!(pair.is_empty().await);
    pair.post("/photos", &form()).await.ok();
    assert!(!pair.is_empty().await, "the bucket is open to a form that is in order");
}
