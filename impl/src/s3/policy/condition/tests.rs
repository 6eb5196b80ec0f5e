use super::*;

/// The conditions of a JSON text.
fn parse(text: &str) -> Result<Vec<Condition>, PolicyError> {
    parse_all(&Node::parse(text)?, "Condition", true)
}

/// Whether a request with one value for each named key fits.
fn holds(text: &str, context: &[(&str, &str)]) -> bool {
    let values = |key: &str| {
        let of_key = context.iter().filter(|(name, _)| *name == key);
        of_key.map(|(_, value)| (*value).to_owned()).collect()
    };
    parse(text).unwrap().iter().all(|condition| condition.holds(&values))
}

fn one(operator: &str, values: &str, found: &str) -> bool {
    holds(&format!(r#"{{"{operator}": {{"s3:X-Amz-Key": {values}}}}}"#), &[("s3:x-amz-key", found)])
}

#[test]
fn texts_are_compared_as_the_operator_says() {
    assert!(one("StringEquals", r#"["a", "b"]"#, "b"));
    assert!(!one("StringEquals", r#""b*""#, "b1"));
    assert!(!one("StringEquals", r#""b""#, "B"));
    assert!(one("StringEqualsIgnoreCase", r#""Öl""#, "öL"));
    assert!(!one("StringNotEqualsIgnoreCase", r#""b""#, "B"));
    assert!(one("StringLike", r#""public/*""#, "public/a/b"));
    assert!(!one("StringNotLike", r#"["public/*", "open/*"]"#, "open/a"));
    assert!(one("StringNotEquals", r#"["a", "b"]"#, "c"));
}

#[test]
fn numbers_dates_and_flags_are_compared_by_value() {
    assert!(one("NumericEquals", "10", "10.0"));
    assert!(one("NumericLessThanEquals", r#""10""#, "10"));
    assert!(!one("NumericLessThan", "10", "10"));
    assert!(one("NumericGreaterThan", "[100, 10]", "11"));
    assert!(!one("NumericGreaterThanEquals", "10", "many"));
    assert!(one("NumericNotEquals", "10", "many"));
    assert!(one("DateLessThan", r#""2026-11-23T10:15:00Z""#, "2026-11-23T11:14:00+01:00"));
    assert!(one("DateGreaterThanEquals", r#""2026-11-23T10:15:00Z""#, "1795428900"));
    assert!(one("DateGreaterThan", "1795428900", "2026-11-23T10:15:01Z"));
    assert!(one("DateEquals", r#"[0, "2026-11-23T10:15:00Z"]"#, "1795428900"));
    assert!(!one("DateEquals", "0", "never"));
    assert!(!one("Bool", "true", "maybe"));
    assert!(one("Bool", "true", "TRUE"));
    assert!(!one("Bool", r#""false""#, "true"));
}

#[test]
fn addresses_and_arns_are_compared_by_their_parts() {
    assert!(one("IpAddress", r#"["192.0.2.0/24", "2001:db8::/32"]"#, "2001:db8::7"));
    assert!(!one("IpAddress", r#""192.0.2.0/24""#, "192.0.3.1"));
    assert!(one("NotIpAddress", r#""192.0.2.0/24""#, "192.0.3.1"));
    assert!(one("ArnEquals", r#""arn:aws:sns:*:1234:t?pic""#, "arn:aws:sns:eu:1234:topic"));
    assert!(!one("ArnLike", r#""arn:aws:s3:*:bucket""#.replace(":*", ":::*").as_str(), "arn:aws:s3"));
    assert!(!one("ArnLike", r#""arn:*:1:2:3:x""#, "arn:aws:s3:1:2:3:x"));
    assert!(one("ArnLike", r#"["arn:aws:s3:::a", "arn:aws:s3:::b"]"#, "arn:aws:s3:::b"));
    assert!(one("ArnNotLike", r#""arn:aws:s3:::a*""#, "arn:aws:s3:::b"));
}

#[test]
fn a_request_without_the_key_fails_a_test_and_fits_its_negation() {
    let absent = |operator: &str, value: &str| {
        holds(&format!(r#"{{"{operator}": {{"aws:SourceIp": {value}}}}}"#), &[])
    };
    assert!(!absent("StringEquals", r#""a""#));
    assert!(!absent("IpAddress", r#""0.0.0.0/0""#));
    assert!(!absent("NumericLessThan", "1"));
    assert!(absent("StringNotEquals", r#""a""#));
    assert!(absent("NotIpAddress", r#""10.0.0.0/8""#));
    assert!(absent("StringLikeIfExists", r#""a""#));
    assert!(absent("ForAnyValue:StringEqualsIfExists", r#""a""#));
    assert!(absent("ForAllValues:StringEquals", r#""a""#));
    assert!(!absent("ForAnyValue:StringEquals", r#""a""#));
    assert!(!absent("ForAnyValue:StringNotEquals", r#""a""#));
}

#[test]
fn null_asks_whether_the_key_is_there() {
    let text = r#"{"Null": {"s3:x-amz-server-side-encryption": "true"}}"#;
    assert!(holds(text, &[]));
    assert!(!holds(text, &[("s3:x-amz-server-side-encryption", "AES256")]));
    assert!(holds(r#"{"Null": {"aws:Referer": false}}"#, &[("aws:referer", "x")]));
}

#[test]
fn several_values_of_a_request_are_quantified() {
    let both = [("s3:requestobjecttagkeys", "a"), ("s3:requestobjecttagkeys", "b")];
    let with = |operator: &str, values: &str| {
        holds(&format!(r#"{{"{operator}": {{"s3:RequestObjectTagKeys": {values}}}}}"#), &both)
    };
    assert!(with("ForAnyValue:StringEquals", r#""a""#));
    assert!(!with("ForAllValues:StringEquals", r#""a""#));
    assert!(with("ForAllValues:StringEquals", r#"["a", "b", "c"]"#));
    assert!(with("StringEquals", r#""a""#));
    assert!(!with("StringNotEquals", r#""a""#));
    assert!(with("ForAnyValue:StringNotEquals", r#""a""#));
}

#[test]
fn all_conditions_must_hold() {
    let text =
        r#"{"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}, "Bool": {"aws:SecureTransport": true}}"#;
    let all = [("s3:prefix", "a"), ("s3:delimiter", "/"), ("aws:securetransport", "true")];
    assert!(holds(text, &all));
    for without in 0..all.len() {
        let some: Vec<_> =
            all.iter().enumerate().filter(|(i, _)| *i != without).map(|(_, pair)| *pair).collect();
        assert!(!holds(text, &some));
    }
}

#[test]
fn the_case_of_a_key_does_not_matter_but_that_of_a_tag_does() {
    let text = r#"{"StringEquals": {"S3:existingobjectTAG/Security": "public"}}"#;
    assert!(holds(text, &[("s3:existingobjecttag/Security", "public")]));
    assert!(!holds(text, &[("s3:existingobjecttag/security", "public")]));
}

#[test]
fn a_wrong_condition_is_refused_with_its_place() {
    for (text, part) in [
        (
            r#"{"StringIs": {"s3:prefix": "a"}}"#,
            "Condition.StringIs.s3:prefix: operator StringIs is not known",
        ),
        (r#"{"ForSome:StringEquals": {"s3:prefix": "a"}}"#, "ForAnyValue:"),
        (r#"{"NullIfExists": {"s3:prefix": true}}"#, "neither IfExists"),
        (r#"{"Null": {"s3:prefix": [true, false]}}"#, "expected one value"),
        (r#"{"Bool": {"s3:prefix": "yes"}}"#, r#""yes" is not true or false"#),
        (r#"{"NumericEquals": {"s3:max-keys": "NaN"}}"#, "is not a number"),
        (r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/40"}}"#, "is not an address or network"),
        (r#"{"DateLessThan": {"aws:CurrentTime": "tomorrow"}}"#, "is not a date"),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:s3"}}"#, "is not an ARN"),
        (r#"{"StringEquals": {"prefix": "a"}}"#, "the condition key is not known"),
        (r#"{"StringEquals": {"s3:": "a"}}"#, "the condition key is not known"),
        (r#"{"StringEquals": {"s3:prefix": []}}"#, "the list is empty"),
        (r#"{"StringEquals": {"s3:prefix": {}}}"#, "expected a string"),
        (r#"{"StringEquals": "s3:prefix"}"#, "expected an object"),
        (r#"{"StringLike": {"s3:prefix": ["home/*", "home/${aws:username}/*"]}}"#, "policy variables"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn in_an_old_policy_a_variable_is_plain_text() {
    let node = Node::parse(r#"{"StringEquals": {"s3:prefix": "${aws:username}"}}"#).unwrap();
    let conditions = parse_all(&node, "Condition", false).unwrap();
    assert!(conditions[0].holds(&|_| vec!["${aws:username}".to_owned()]));
}

#[test]
fn only_fixed_values_of_trusted_keys_keep_the_public_out() {
    let restricts = |text: &str| parse(text).unwrap()[0].restricts();
    for text in [
        r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#,
        r#"{"StringEquals": {"aws:SourceVpce": "vpce-1"}}"#,
        r#"{"StringLike": {"aws:SourceAccount": "1234"}}"#,
        r#"{"ForAnyValue:ArnEquals": {"aws:SourceArn": "arn:aws:s3:::bucket"}}"#,
    ] {
        assert!(restricts(text), "{text}");
    }
    for text in [
        r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}}"#,
        r#"{"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}"#,
        r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
        r#"{"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}"#,
        r#"{"ForAllValues:StringEquals": {"aws:SourceVpce": "vpce-1"}}"#,
        r#"{"StringLike": {"aws:SourceAccount": ["1234", "12*"]}}"#,
        r#"{"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}"#,
        r#"{"StringEquals": {"aws:Referer": "https://example.com"}}"#,
        r#"{"Null": {"aws:SourceVpce": false}}"#,
    ] {
        assert!(!restricts(text), "{text}");
    }
}
