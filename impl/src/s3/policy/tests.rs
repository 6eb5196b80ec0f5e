use super::*;
use proptest::prelude::*;

/// A policy on `bucket` with these statements.
fn policy(statements: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&format!(r#"{{"Version": "2012-10-17", "Statement": {statements}}}"#), "bucket")
}

/// A statement on all objects, with some more elements.
fn statement(effect: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": {{"AWS": "*"}}, "Action": "{action}",
            "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]{more}}}"#
    )
}

const ALICE: Option<Principal<'_>> = Some(Principal { account: "tenant", user: "alice" });
const BOB: Option<Principal<'_>> = Some(Principal { account: "tenant", user: "bob" });
const STRANGER: Option<Principal<'_>> = Some(Principal { account: "other", user: "alice" });

fn decide(policy: &Policy, principal: Option<Principal<'_>>, action: &str, resource: &str) -> Decision {
    policy.decide(&Request { principal, action, resource, values: &|_| vec![] })
}

/// A policy that allows everything to `principal`.
fn allowing(principal: &str) -> Result<Policy, PolicyError> {
    policy(&format!(
        r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "*", "Resource": "arn:aws:s3:::bucket/*"}}"#
    ))
}

#[test]
fn a_denial_beats_a_permission_in_any_order() {
    let (allow, deny) = (statement("Allow", "s3:*", ""), statement("Deny", "s3:Put*", ""));
    for statements in [format!("[{allow}, {deny}]"), format!("[{deny}, {allow}]")] {
        let policy = policy(&statements).unwrap();
        assert_eq!(decide(&policy, None, "s3:PutObject", "bucket/key"), Decision::Deny);
        assert_eq!(decide(&policy, None, "s3:GetObject", "bucket/key"), Decision::Allow);
    }
    let only_deny = policy(&deny).unwrap();
    assert_eq!(decide(&only_deny, None, "s3:GetObject", "bucket/key"), Decision::None);
}

#[test]
fn actions_have_wildcards_and_no_case() {
    let policy = policy(&statement("Allow", "S3:get*Tag?ing", "")).unwrap();
    assert_eq!(decide(&policy, None, "s3:GetObjectTagging", "bucket/k"), Decision::Allow);
    assert_eq!(decide(&policy, None, "s3:GetObject", "bucket/k"), Decision::None);
}

#[test]
fn principals_are_anyone_accounts_or_users() {
    let decided = |principal: &str| {
        let policy = allowing(principal).unwrap();
        [None, ALICE, BOB, STRANGER]
            .map(|who| decide(&policy, who, "s3:GetObject", "bucket/key") == Decision::Allow)
    };
    assert_eq!(decided(r#""*""#), [true; 4]);
    assert_eq!(decided(r#"{"AWS": ["*"]}"#), [true; 4]);
    assert_eq!(decided(r#"{"AWS": "tenant"}"#), [false, true, true, false]);
    assert_eq!(decided(r#"{"AWS": "arn:aws:iam::tenant:root"}"#), [false, true, true, false]);
    assert_eq!(decided(r#"{"AWS": "arn:aws:iam::tenant:user/bob"}"#), [false, false, true, false]);
    assert_eq!(decided(r#"{"Service": "logging.s3.amazonaws.com"}"#), [false; 4]);
    assert_eq!(decided(r#"{"CanonicalUser": "tenant"}"#), [false, true, true, false]);
    let two = r#"{"AWS": ["arn:aws:iam::tenant:user/bob", "arn:aws:iam::other:root"]}"#;
    assert_eq!(decided(two), [false, false, true, true]);
}

#[test]
fn a_denial_of_all_but_some_spares_them_alone() {
    let text = statement("Deny", "s3:*", "").replace(
        r#""Principal": {"AWS": "*"}"#,
        r#""NotPrincipal": {"AWS": "arn:aws:iam::tenant:user/alice"}"#,
    );
    let policy = policy(&text).unwrap();
    let decided = [None, ALICE, BOB, STRANGER].map(|who| decide(&policy, who, "s3:GetObject", "bucket/key"));
    assert_eq!(decided, [Decision::Deny, Decision::None, Decision::Deny, Decision::Deny]);
}

#[test]
fn not_action_and_not_resource_mean_the_rest() {
    let text = r#"{"Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*",
        "NotResource": ["arn:aws:s3:::bucket/open/*", "arn:aws:s3:::bucket"]}"#;
    let policy = policy(text).unwrap();
    assert_eq!(decide(&policy, ALICE, "s3:PutObject", "bucket/a"), Decision::Deny);
    assert_eq!(decide(&policy, ALICE, "s3:PutObject", "bucket/open/a"), Decision::None);
    assert_eq!(decide(&policy, ALICE, "s3:GetObject", "bucket/a"), Decision::None);
    assert_eq!(decide(&policy, ALICE, "s3:ListBucket", "bucket"), Decision::None);
}

#[test]
fn resources_are_the_bucket_or_its_objects() {
    let of = |resource: &str, asked: &str| {
        let text =
            format!(r#"{{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "{resource}"}}"#);
        decide(&policy(&text).unwrap(), None, "s3:Any", asked) == Decision::Allow
    };
    assert!(of("arn:aws:s3:::bucket", "bucket") && !of("arn:aws:s3:::bucket", "bucket/key"));
    assert!(of("arn:aws:s3:::bucket/*", "bucket/key") && !of("arn:aws:s3:::bucket/*", "bucket"));
    assert!(of("arn:aws:s3:::bucket/a?/*.jpg", "bucket/ab/x/y.jpg"));
    assert!(of("arn:aws:s3:::*", "bucket") && of("*", "bucket/key") && of("arn:aws:s3::*:bucket", "bucket"));
}

#[test]
fn a_policy_for_any_bucket_is_taken_by_each() {
    let text = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Allow Public Access to All Objects",
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:ListBucket",
        "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]}]}"#;
    for bucket in ["a-bucket", "b.bucket"] {
        let policy = Policy::parse(text, bucket).unwrap();
        assert_eq!(decide(&policy, None, "s3:ListBucket", bucket), Decision::Allow);
        assert_eq!(decide(&policy, None, "s3:ListBucket", &format!("{bucket}/key")), Decision::Allow);
    }
}

#[test]
fn a_policy_as_terraform_writes_it_is_read() {
    let text = r#"{"Statement":[{"Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny",
        "Principal":"*","Resource":["arn:aws:s3:::bucket/*","arn:aws:s3:::bucket"],"Sid":"DenyInsecureTransport"},
        {"Action":["s3:GetObject","s3:ListBucket"],"Condition":{"StringLike":{"s3:prefix":["home/*",""]}},
        "Effect":"Allow","Principal":{"AWS":["123456789012"]},"Resource":"arn:aws:s3:::bucket"}],"Version":"2012-10-17"}"#;
    let policy = Policy::parse(text, "bucket").unwrap();
    let ask = |secure: &'static str| {
        let values = move |key: &str| match key {
            "aws:securetransport" => vec![secure.to_owned()],
            "s3:prefix" => vec!["home/a".to_owned()],
            _ => vec![],
        };
        let principal = Some(Principal { account: "123456789012", user: "root" });
        policy.decide(&Request { principal, action: "s3:ListBucket", resource: "bucket", values: &values })
    };
    assert_eq!(ask("false"), Decision::Deny);
    assert_eq!(ask("true"), Decision::Allow);
}

#[test]
fn a_wrong_policy_is_refused_with_s3s_code() {
    assert_eq!(Refusal::from(policy("[]").unwrap_err()).code, "MalformedPolicy");
}

#[test]
fn conditions_read_what_the_request_carries() {
    let text =
        statement("Allow", "s3:PutObject", r#", "Condition": {"StringLike": {"s3:X-Amz-Acl": "public*"}}"#);
    let policy = policy(&text).unwrap();
    let with = |acl: &'static str| {
        let values = move |key: &str| if key == "s3:x-amz-acl" { vec![acl.to_owned()] } else { vec![] };
        policy.decide(&Request {
            principal: None,
            action: "s3:PutObject",
            resource: "bucket/k",
            values: &values,
        })
    };
    assert_eq!(with("public-read"), Decision::Allow);
    assert_eq!(with("private"), Decision::None);
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let get = statement("Allow", "s3:GetObject", "");
    for (statements, part) in [
        ("[]".into(), "Statement: the list is empty"),
        (r#"["x"]"#.into(), "Statement[0]: expected an object"),
        (get.replace("Allow", "allow"), "Statement[0].Effect: \"allow\" is neither"),
        (get.replace(r#""Effect": "Allow","#, ""), "Statement[0]: Effect is missing"),
        (get.replace(r#""Principal": {"AWS": "*"},"#, ""), "Statement[0]: Principal is missing"),
        (get.replace("Action", "Actions"), "Statement[0]: Actions is not supported"),
        (get.replace("s3:GetObject", "ec2:RunInstances"), "Statement[0].Action: invalid action"),
        (get.replace("s3:GetObject", "s3:"), "Statement[0].Action: invalid action"),
        (get.replace("\"s3:GetObject\"", "[]"), "Statement[0].Action: the list is empty"),
        (get.replace("bucket/*", "other/*"), "Statement[0].Resource: invalid resource"),
        (get.replace("bucket/*", "bucket2/*"), "use arn:aws:s3:::bucket or arn:aws:s3:::bucket/*"),
        (get.replace("aws:s3", "aws:sns"), "Statement[0].Resource: invalid resource"),
        (get.replace("bucket/*", "bucket/${aws:username}/*"), "policy variables"),
        (get.replace("\"Principal\"", "\"NotPrincipal\""), "Allow with NotPrincipal"),
        (get.replace("\"Action\"", "\"NotAction\": \"s3:*\", \"Action\""), "exclude each other"),
        (get.replace(r#"{"AWS": "*"}"#, r#"{"Role": "x"}"#), "Statement[0].Principal: Role is not supported"),
        (get.replace(r#"{"AWS": "*"}"#, r#""tenant""#), r#"write "tenant" as {"AWS": "tenant"}"#),
        (get.replace(r#"{"AWS": "*"}"#, "{}"), "Statement[0].Principal: it names nobody"),
        (get.replace(r#""Effect""#, r#""Sid": 1, "Effect""#), "Statement[0].Sid: expected a string"),
    ] {
        let error = policy(&statements).unwrap_err().to_string();
        assert!(error.contains(part), "{error} for {statements}");
    }
    for principal in
        ["arn:aws:iam::tenant:role/r", "arn:aws:iam:::root", "arn:aws:iam::tenant:user/", "ten*", ""]
    {
        let error = allowing(&format!(r#"{{"AWS": "{principal}"}}"#)).unwrap_err().to_string();
        assert!(error.contains("Statement[0].Principal.AWS: invalid principal"), "{error}");
    }
}

#[test]
fn the_document_has_a_known_shape_and_a_bounded_size() {
    let get = statement("Allow", "s3:GetObject", "");
    let error = |text: &str| Policy::parse(text, "bucket").unwrap_err().to_string();
    assert!(error(&format!(r#"{{"Version": "2020-01-01", "Statement": {get}}}"#)).starts_with("Version: "));
    assert!(
        error(&format!(r#"{{"Statement": {get}, "Statements": []}}"#))
            .contains("Statements is not supported")
    );
    assert!(error("{}").contains("Statement is missing"));
    assert!(error("[]").contains("policy: expected an object"));
    assert!(error("not json").contains("line 1, column 2"));
    let exact = format!(r#"{{"Statement": {get}}}"#);
    let padded = |size: usize| " ".repeat(size - exact.len()) + &exact;
    assert!(Policy::parse(&padded(20 * 1024), "bucket").is_ok());
    assert!(error(&padded(20 * 1024 + 1)).contains("20481 bytes"));
    let old = exact.replace("bucket/*", "bucket/${aws:username}");
    assert!(Policy::parse(&old, "bucket").is_ok(), "before 2012 a variable is plain text");
}

#[test]
fn a_policy_is_public_if_one_permission_names_anyone_without_a_restriction() {
    let only = |more: &str| policy(&statement("Allow", "s3:ListBucket", more)).unwrap().is_public();
    assert!(only(""));
    assert!(only(r#", "Condition": {"StringLike": {"aws:Referer": "https://example.com/*"}}"#));
    assert!(!only(r#", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#));
    assert!(!policy(&statement("Deny", "s3:*", "")).unwrap().is_public());
    assert!(!allowing(r#"{"AWS": "arn:aws:iam::tenant:root"}"#).unwrap().is_public());
    let denied_too = format!("[{}, {}]", statement("Allow", "s3:*", ""), statement("Deny", "s3:*", ""));
    assert!(policy(&denied_too).unwrap().is_public());
}

#[test]
fn a_policy_is_asked_about_its_own_bucket_only() {
    for resource in ["bucket2/key", "other", ""] {
        let ask = || {
            let policy = policy(&statement("Allow", "s3:*", "")).unwrap();
            decide(&policy, None, "s3:GetObject", resource)
        };
        assert!(std::panic::catch_unwind(ask).is_err(), "{resource}");
    }
}

#[test]
#[should_panic(expected = "a bucket's name is one segment")]
fn a_policy_is_of_a_bucket_and_not_of_an_object() {
    let _ = Policy::parse("{}", "bucket/key");
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"[\[\]{}":, a*$-]{0,60}"#) {
        let _ = Policy::parse(&text, "bucket");
        let _ = policy(&text);
    }

    #[test]
    fn a_denial_is_never_outvoted(effects in proptest::collection::vec(any::<bool>(), 1..6)) {
        let effect = |allow: &bool| if *allow { "Allow" } else { "Deny" };
        let statements: Vec<_> =
            effects.iter().map(|allow| statement(effect(allow), "s3:GetObject", "")).collect();
        let policy = policy(&format!("[{}]", statements.join(","))).unwrap();
        let expected = if effects.contains(&false) { Decision::Deny } else { Decision::Allow };
        prop_assert_eq!(decide(&policy, None, "s3:GetObject", "bucket/key"), expected);
    }
}
