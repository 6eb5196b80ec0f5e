use super::*;

const NOW_MS: u64 = 1_795_428_900_000; // 2026-11-23T10:15:00Z
const LATER: &str = "2026-11-23T10:15:01Z";

fn policy(text: &str) -> Result<Policy, Refusal> {
    Policy::parse(&metadata::base64(text.as_bytes()))
}

fn of(conditions: &str) -> Policy {
    policy(&format!(r#"{{"expiration": "{LATER}", "conditions": {conditions}}}"#)).unwrap()
}

fn form(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_does_not_read_is_no_policy() {
    let expiring = |at: &str| format!(r#"{{"expiration": {at}, "conditions": []}}"#);
    let with = |condition: &str| format!(r#"{{"expiration": "{LATER}", "conditions": [{condition}]}}"#);
    assert!(policy(&expiring(&format!("{LATER:?}"))).is_ok());
    for text in [
        String::new(),
        "{}".into(),
        "[]".into(),
        format!(r#"{{"expiration": "{LATER}"}}"#),
        format!(r#"{{"expiration": "{LATER}", "CONDITIONS": []}}"#),
        format!(r#"{{"EXPIRATION": "{LATER}", "conditions": []}}"#),
        format!(r#"{{"expiration": "{LATER}", "conditions": {{}}}}"#),
        r#"{"conditions": []}"#.into(),
        expiring("1795428901"),
        expiring(r#""2026-11-23""#),
        expiring(r#""2026-11-23 10:15:01.5+00:00""#),
        expiring(r#""tomorrow""#),
        with("{}"),
        with("[]"),
        with("1"),
        with(r#"{"acl": "private", "bucket": "photos"}"#),
        with(r#"{"acl": 1}"#),
        with(r#"["eq", "$acl"]"#),
        with(r#"["eq", "$acl", 1]"#),
        with(r#"["eq", "$acl", "private", "x"]"#),
        with(r#"["ends-with", "$key", "x"]"#),
        with(r#"["content-length-range", 0]"#),
        with(r#"["content-length-range", -1, 0]"#),
        with(r#"["content-length-range", 2, 1]"#),
        with(r#"["content-length-range", 0, 0.5]"#),
        with(r#"["content-length-range", "a", "b"]"#),
    ] {
        assert_eq!(policy(&text).err().map(|refusal| refusal.code), Some("InvalidPolicyDocument"), "{text}");
    }
    assert_eq!(Policy::parse("*").err().map(|refusal| refusal.code), Some("InvalidPolicyDocument"));
    let wrapped = metadata::base64(expiring(&format!("{LATER:?}")).as_bytes());
    let (start, end) = wrapped.split_at(12);
    assert!(Policy::parse(&format!("{start}\r\n{end}\n")).is_ok(), "base64 may be broken into lines");
}

#[test]
fn a_form_says_what_its_policy_says_and_no_more() {
    const NAMED: &str = r#"[{"bucket": "photos"}, ["starts-with", "$key", "user/"], {"acl": "private"}]"#;
    let whole = [("bucket", "photos"), ("key", "user/k"), ("acl", "private")];
    let with = |pair| form(&[&whole[..], &[pair]].concat());
    let types = r#"[["starts-with", "$Content-Type", "image/"]]"#;
    let own = r#"[["eq", "$x-amz-meta-a", ""]]"#;
    for (conditions, fields, is_allowed) in [
        (NAMED, form(&whole), true),
        (NAMED, form(&whole[..2]), false),
        (NAMED, with(("acl", "public-read")), false),
        (NAMED, with(("acl", "private ")), false),
        (NAMED, with(("acl", "Private")), false),
        (NAMED, with(("key", "user")), false),
        (NAMED, with(("key", "User/k")), false),
        (NAMED, with(("key", "user/")), true),
        (NAMED, with(("bucket", "others")), false),
        // What the policy does not name is refused, but for what cannot be in it.
        (NAMED, with(("content-type", "text/plain")), false),
        (NAMED, with(("x-amz-meta-a", "")), false),
        (NAMED, with(("file", "")), false),
        (NAMED, with(("success_action_redirect", "http://a.test")), false),
        (NAMED, with(("x-amz-credential", "KEY")), false),
        (NAMED, with(("x-ignore", "")), false),
        (NAMED, with(("x-ignore-a", "")), true),
        (NAMED, with(("x-amz-checksum-sha256", "a")), true),
        (NAMED, with(("policy", "a")), true),
        (NAMED, with(("signature", "a")), true),
        (NAMED, with(("awsaccesskeyid", "a")), true),
        (NAMED, with(("x-amz-signature", "a")), true),
        // Names are the same in any case, and so are the words of conditions.
        (
            r#"[{"bUcKeT": "photos"}, ["StArTs-WiTh", "$KeY", "user/"], ["EQ", "$AcL", "private"]]"#,
            form(&whole),
            true,
        ),
        // A condition is about what was sent, a range too.
        (own, form(&[("x-amz-meta-a", "")]), true),
        (own, form(&[("x-amz-meta-a", "b")]), false),
        (own, form(&[]), false),
        (r#"[["starts-with", "$x-amz-meta-a", ""]]"#, form(&[]), false),
        (r#"[["starts-with", "$x-amz-meta-a", ""]]"#, form(&[("x-amz-meta-a", "b")]), true),
        (r#"[{"content-length-range": "0"}]"#, form(&[]), false),
        // Every condition counts, also of one field, and every type of a list.
        (
            r#"[["starts-with", "$key", "user/"], ["starts-with", "$key", "user/ann/"]]"#,
            form(&[("key", "user/k")]),
            false,
        ),
        (types, form(&[("content-type", "image/png")]), true),
        (types, form(&[("content-type", "image/png, image/gif")]), true),
        (types, form(&[("content-type", "image/png,text/html")]), false),
        // A dollar and a backslash are what they are.
        (r#"[["starts-with", "$key", "\\$foo"]]"#, form(&[("key", "\\$foo.txt")]), true),
        (r#"[["starts-with", "$key", "\\$foo"]]"#, form(&[("key", "$foo.txt")]), false),
        ("[]", form(&[]), true),
    ] {
        let checked = of(conditions).check(&fields, NOW_MS);
        let expected = if is_allowed { None } else { Some("AccessDenied") };
        assert_eq!(checked.err().map(|refusal| refusal.code), expected, "{conditions}: {fields:?}");
    }
}

#[test]
fn a_policy_expires_to_the_instant_in_any_zone() {
    for (at, now_ms, is_allowed) in [
        (LATER, NOW_MS, true),
        (LATER, NOW_MS + 999, true),
        (LATER, NOW_MS + 1000, false),
        ("2026-11-23T12:15:01.000+02:00", NOW_MS + 999, true),
        ("2026-11-23T12:15:01.000+02:00", NOW_MS + 1000, false),
        ("1969-12-31T23:59:59Z", 0, false),
    ] {
        let policy = policy(&format!(r#"{{"expiration": "{at}", "conditions": []}}"#)).unwrap();
        assert_eq!(policy.check(&form(&[]), now_ms).is_ok(), is_allowed, "{at} at {now_ms}");
    }
}

#[test]
fn sizes_are_those_that_every_range_allows() {
    assert_eq!(of("[]").sizes(), 0..=u64::MAX);
    assert_eq!(of(r#"[["content-length-range", 1, 10]]"#).sizes(), 1..=10);
    assert_eq!(of(r#"[["Content-Length-Range", "1", "10"]]"#).sizes(), 1..=10);
    let two = r#"[["content-length-range", 1, 10], ["content-length-range", 5, 20]]"#;
    assert_eq!(of(two).sizes(), 5..=10);
}
