use super::{super::super::metadata::base64, *};

/// The policy of Amazon's own example, which has the ends of its lines from another system.
const POLICY: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}"#;
/// 2015-12-29, the day of the example.
const SIGNED_MS: u64 = 1_451_347_200_000;
const DAY_MS: u64 = date::DAY_MS;

fn example(pairs: &[(&str, &str)]) -> Fields {
    let policy = base64(POLICY.replace('\n', "\r\n").as_bytes());
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    pairs.chain([("policy".to_owned(), policy)]).collect()
}

fn v4() -> Fields {
    example(&[
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
        ("x-amz-date", "20151229T000000Z"),
        ("x-amz-signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"),
    ])
}

fn v2() -> Fields {
    example(&[("awsaccesskeyid", "AKIAIOSFODNN7EXAMPLE"), ("signature", "QyigO3Da7gYxPW1IXllc6C7gI74=")])
}

/// The key and version of a form's signer, or the code of its refusal.
fn signer(fields: &Fields, now_ms: u64, allow_sigv2: bool) -> Result<Option<(String, &'static str)>, String> {
    let keys =
        Keys::default().with("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "example");
    let signer = Verifier { keys: &keys, allow_sigv2, now_ms }.signer(fields);
    let told = |signer: Signer| (signer.credentials.access_key, signer.version);
    signer.map(|signer| signer.map(told)).map_err(|error| error.code().as_str().to_owned())
}

#[test]
fn amazons_example_is_signed_well() {
    let key = || "AKIAIOSFODNN7EXAMPLE".to_owned();
    assert_eq!(signer(&v4(), SIGNED_MS, false), Ok(Some((key(), "AWS4-HMAC-SHA256"))));
    assert_eq!(signer(&v2(), SIGNED_MS, true), Ok(Some((key(), "AWS"))));
    assert_eq!(signer(&Fields::from([("key".into(), "k".into())]), SIGNED_MS, true), Ok(None));
}

#[test]
fn a_form_with_any_part_of_a_signature_is_signed_well_or_refused() {
    let with = |mut fields: Fields, name: &str, value: &str| {
        fields.insert(name.into(), value.into());
        fields
    };
    for (fields, code) in [
        (with(v4(), "x-amz-signature", &"0".repeat(64)), "SignatureDoesNotMatch"),
        (with(v4(), "x-amz-signature", "8afdbf40"), "SignatureDoesNotMatch"),
        (with(v4(), "x-amz-signature", "no number"), "SignatureDoesNotMatch"),
        (with(v4(), "policy", "e30="), "SignatureDoesNotMatch"),
        (with(v4(), "x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"), "InvalidArgument"),
        (with(v4(), "x-amz-date", "20151230T000000Z"), "InvalidArgument"),
        (with(v4(), "x-amz-date", "2015-12-29"), "InvalidArgument"),
        (with(v4(), "x-amz-credential", "AKIAIOSFODNN7EXAMPLE"), "InvalidArgument"),
        (with(v4(), "x-amz-credential", "NOBODY/20151229/us-east-1/s3/aws4_request"), "InvalidAccessKeyId"),
        (
            with(v4(), "x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/eu-west-1/s3/aws4_request"),
            "SignatureDoesNotMatch",
        ),
        (
            with(v4(), "x-amz-credential", "AKIAIOSFODNN7EXAMPLE/2015/us-east-1/s3/aws4_request"),
            "InvalidArgument",
        ),
        (with(v4(), "signature", "QyigO3Da7gYxPW1IXllc6C7gI74="), "InvalidArgument"),
        (with(v2(), "signature", "=47Ig7C6cllXI1WPxYg7aD3OgiyQ"), "SignatureDoesNotMatch"),
        (with(v2(), "policy", "e30="), "SignatureDoesNotMatch"),
        (with(v2(), "awsaccesskeyid", "NOBODY"), "InvalidAccessKeyId"),
        (example(&[]), "InvalidArgument"),
        (example(&[("signature", "x")]), "InvalidArgument"),
        (example(&[("x-amz-signature", "x")]), "InvalidArgument"),
    ] {
        assert_eq!(signer(&fields, SIGNED_MS, true), Err(code.into()), "{fields:?}");
    }
    for (whole, name) in v4().keys().map(|name| (v4(), name.clone())).chain([
        (v2(), "policy".into()),
        (v2(), "signature".into()),
        (v2(), "awsaccesskeyid".into()),
    ]) {
        let mut fields = whole;
        fields.remove(&name);
        assert_eq!(signer(&fields, SIGNED_MS, true), Err("InvalidArgument".into()), "without {name}");
    }
    assert_eq!(signer(&v2(), SIGNED_MS, false), Err("InvalidRequest".into()));
}

#[test]
fn a_signature_of_version_4_is_good_for_a_week_and_not_before_its_time() {
    let code = |now_ms| signer(&v4(), now_ms, true).err();
    assert_eq!(code(SIGNED_MS + 7 * DAY_MS), None);
    assert_eq!(code(SIGNED_MS + 7 * DAY_MS + 1).as_deref(), Some("AccessDenied"));
    assert_eq!(code(SIGNED_MS - SKEW_MS), None);
    assert_eq!(code(SIGNED_MS - SKEW_MS - 1).as_deref(), Some("RequestTimeTooSkewed"));
}
