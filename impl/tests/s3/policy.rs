//! Bucket policies and public access blocks: what they allow, what they deny, at both sites.

use super::{
    Pair,
    ask::{ANN, BOB, EVE, NOBODY, denied},
    eventually,
};

/// A statement about the bucket and its keys.
fn statement(effect: &str, who: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": {who}, "Action": {action},
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]{more}}}"#
    )
}

fn policy(statements: &[String]) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","))
}

const ANYONE: &str = r#""*""#;

impl Pair {
    async fn policy(&self, statements: &[String]) -> (u16, String) {
        self.ask(0, ANN, "PUT /photos?policy", &[], policy(statements)).await.refused()
    }

    async fn status(&self, who: Option<&str>, line: &str) -> u16 {
        self.say(0, who, line).await.status.as_u16()
    }

    async fn put_as(&self, who: Option<&str>, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.ask(0, who, &format!("PUT /{path}"), headers, "x").await.refused()
    }

    async fn block(&self, blocked: &str) {
        let body = format!(
            "<PublicAccessBlockConfiguration><{blocked}>true</{blocked}></PublicAccessBlockConfiguration>"
        );
        self.ask(0, ANN, "PUT /photos?publicAccessBlock", &[], body).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_comes_back_as_it_was_put_and_counts_at_the_other_site() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    let missing = (404, "NoSuchBucketPolicy".to_owned());
    assert_eq!(pair.say(0, ANN, "GET /photos?policy").await.refused(), missing);
    let text = policy(&[statement("Allow", ANYONE, r#""s3:GetObject""#, "")]);
    let put = pair.ask(0, ANN, "PUT /photos?policy", &[], text.clone()).await;
    assert_eq!(put.status.as_u16(), 204);
    assert_eq!(pair.say(0, ANN, "GET /photos?policy").await.ok().text(), text);
    assert_eq!(pair.status(NOBODY, "GET /photos/k").await, 200);
    assert_eq!(pair.status(NOBODY, "GET /photos").await, 403);
    assert_eq!(pair.status(NOBODY, "GET /photos?policy").await, 403);
    eventually("the policy arrives", async || {
        (pair.say(1, NOBODY, "GET /photos/k").await.status.as_u16() == 200).then_some(())
    })
    .await;
    // A denial is for the owner too, but for the policy itself.
    assert_eq!(pair.policy(&[statement("Deny", ANYONE, r#""s3:*""#, "")]).await.0, 204);
    for line in ["GET /photos", "GET /photos/k", "PUT /photos/k", "PUT /photos?acl"] {
        assert_eq!(pair.say(0, ANN, line).await.refused(), denied(), "{line}");
    }
    eventually("the denial arrives", async || {
        (pair.say(1, ANN, "GET /photos/k").await.refused() == denied()).then_some(())
    })
    .await;
    for _ in 0..2 {
        assert_eq!(pair.status(ANN, "DELETE /photos?policy").await, 204);
    }
    assert_eq!(pair.say(0, ANN, "GET /photos?policy").await.refused(), missing);
    assert_eq!(pair.status(ANN, "GET /photos/k").await, 200);
    for wrong in [
        "{}".to_owned(),
        policy(&[statement("Allow", ANYONE, r#""s3:GetObject""#, "").replace("Principal", "NotPrincipal")]),
        policy(&[statement(
            "Deny",
            ANYONE,
            r#""s3:*""#,
            r#", "Condition": {"Bool": {"aws:Unknown": "true"}}"#,
        )]),
    ] {
        let put = pair.ask(0, ANN, "PUT /photos?policy", &[], wrong).await;
        assert_eq!(put.refused(), (400, "MalformedPolicy".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn principals_are_accounts_and_their_keys() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    for (who, bob, eve) in [
        (r#"{"AWS": "arn:aws:iam::bob:root"}"#, 200, 403),
        (r#"{"AWS": ["bob", "eve"]}"#, 200, 200),
        (r#"{"AWS": "arn:aws:iam::eve:user/THIRD"}"#, 403, 200),
        (r#"{"AWS": "arn:aws:iam::somebody:root"}"#, 403, 403),
        (r#"{"Service": "logging.s3.amazonaws.com"}"#, 403, 403),
    ] {
        assert_eq!(pair.policy(&[statement("Allow", who, r#"["s3:Get*"]"#, "")]).await.0, 204);
        assert_eq!(pair.status(BOB, "GET /photos/k").await, bob, "{who}");
        assert_eq!(pair.status(EVE, "GET /photos/k").await, eve, "{who}");
        assert_eq!(pair.status(NOBODY, "GET /photos/k").await, 403, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_look_at_the_request_and_at_the_object() {
    let pair = Pair::start().await;
    for (key, tags) in [("public", "security=public"), ("private", "security=private"), ("plain", "a=b")] {
        assert_eq!(pair.put_as(ANN, &format!("photos/{key}"), &[("x-amz-tagging", tags)]).await.0, 200);
    }
    let when = |operator: &str, key: &str, value: &str| {
        format!(r#", "Condition": {{"{operator}": {{"{key}": "{value}"}}}}"#)
    };
    let tagged = when("StringEquals", "s3:ExistingObjectTag/security", "public");
    for (action, line, granted) in [
        (r#""s3:GetObject""#, "GET /photos/KEY", true),
        (r#""s3:GetObjectTagging""#, "GET /photos/KEY?tagging", true),
        (r#""s3:GetObjectAcl""#, "GET /photos/KEY?acl", true),
        (r#""s3:GetObjectTagging""#, "GET /photos/KEY", false),
    ] {
        assert_eq!(pair.policy(&[statement("Allow", ANYONE, action, &tagged)]).await.0, 204);
        for key in ["public", "private", "plain"] {
            let status = pair.status(BOB, &line.replace("KEY", key)).await;
            assert_eq!(status == 200, granted && key == "public", "{action}: {key}");
        }
    }
    // Tags are judged by what they were.
    assert_eq!(pair.policy(&[statement("Allow", ANYONE, r#""s3:PutObjectTagging""#, &tagged)]).await.0, 204);
    let tags = "<Tagging><TagSet><Tag><Key>security</Key><Value>private</Value></Tag></TagSet></Tagging>";
    for expected in [200, 403] {
        let put = pair.ask(0, BOB, "PUT /photos/public?tagging", &[], tags).await;
        assert_eq!(put.status.as_u16(), expected);
    }
    let requested = when("StringEquals", "s3:RequestObjectTag/security", "private");
    assert_eq!(
        pair.policy(&[statement("Allow", ANYONE, r#""s3:PutObjectTagging""#, &requested)]).await.0,
        204
    );
    let put =
        async |tags: String| pair.ask(0, BOB, "PUT /photos/plain?tagging", &[], tags).await.status.as_u16();
    assert_eq!(put(tags.replace("private", "public")).await, 403);
    assert_eq!(put(tags.to_owned()).await, 200);

    let copies = when("StringLike", "s3:x-amz-copy-source", "photos/pub*");
    assert_eq!(
        pair.policy(&[
            statement("Allow", ANYONE, r#""s3:GetObject""#, ""),
            statement("Allow", ANYONE, r#""s3:PutObject""#, &copies),
        ])
        .await
        .0,
        204
    );
    for (source, status) in [("/photos/public", 200), ("/photos/private", 403)] {
        let copied = pair.put_as(BOB, "photos/copy", &[("x-amz-copy-source", source)]).await;
        assert_eq!(copied.0, status, "{source}");
    }
    assert_eq!(pair.status(BOB, "GET /photos/copy").await, 200);
    assert_eq!(pair.put_as(BOB, "photos/copy", &[]).await, denied());

    let public = when("StringLike", "s3:x-amz-acl", "public*");
    let acls = [
        statement("Allow", ANYONE, r#""s3:PutObject""#, ""),
        statement("Deny", ANYONE, r#""s3:PutObject""#, &public),
    ];
    assert_eq!(pair.policy(&acls).await.0, 204);
    assert_eq!(pair.put_as(BOB, "photos/new", &[]).await.0, 200);
    assert_eq!(pair.put_as(BOB, "photos/new", &[("x-amz-acl", "public-read")]).await, denied());

    // A missing key is told to those who may list it.
    let listing = when("StringLike", "s3:prefix", "open/*");
    assert_eq!(pair.policy(&[statement("Allow", ANYONE, r#""s3:ListBucket""#, &listing)]).await.0, 204);
    assert_eq!(pair.status(BOB, "HEAD /photos/open/none").await, 404);
    assert_eq!(pair.status(BOB, "HEAD /photos/closed/none").await, 403);
    assert_eq!(pair.status(BOB, "GET /photos?prefix=open/").await, 200);
    assert_eq!(pair.status(BOB, "GET /photos?prefix=closed/").await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_write_may_neither_lock_nor_bypass_a_lock() {
    let pair = Pair::start().await;
    pair.ask(0, ANN, "PUT /vault", &[("x-amz-bucket-object-lock-enabled", "true")], "").await.ok();
    let everything =
        |action: &str| policy(&[statement("Allow", ANYONE, action, "").replace("photos", "vault")]);
    pair.ask(0, ANN, "PUT /vault?policy", &[], everything(r#"["s3:PutObject", "s3:Delete*"]"#)).await.ok();
    let locks = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", "2100-01-01T00:00:00Z"),
    ];
    assert_eq!(pair.put_as(BOB, "vault/k", &locks).await, denied());
    assert_eq!(pair.put_as(BOB, "vault/k", &[("x-amz-object-lock-legal-hold", "ON")]).await, denied());
    assert_eq!(pair.put_as(BOB, "vault/k", &[]).await.0, 200);
    let locked = pair.ask(0, ANN, "PUT /vault/locked", &locks, "x").await.ok();
    let line = format!("DELETE /vault/locked?versionId={}", locked.header("x-amz-version-id"));
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    assert_eq!(pair.ask(0, BOB, &line, &bypass, "").await.refused(), denied());
    pair.ask(0, ANN, "PUT /vault?policy", &[], everything(r#"["s3:Delete*", "s3:Bypass*"]"#)).await.ok();
    assert_eq!(pair.ask(0, BOB, &line, &bypass, "").await.status.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_public_by_its_policy_or_by_its_list() {
    let pair = Pair::start().await;
    let is_public = async || pair.say(0, ANN, "GET /photos?policyStatus").await.ok().all("IsPublic");
    assert_eq!(is_public().await, ["false"]);
    for (canned, expected) in [("public-read", "true"), ("authenticated-read", "true"), ("private", "false")]
    {
        pair.ask(0, ANN, "PUT /photos?acl", &[("x-amz-acl", canned)], "").await.ok();
        assert_eq!(is_public().await, [expected], "{canned}");
    }
    let address = r#", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#;
    for (who, more, expected) in [
        (ANYONE, "", "true"),
        (ANYONE, address, "false"),
        (r#"{"AWS": "arn:aws:iam::bob:root"}"#, "", "false"),
    ] {
        assert_eq!(pair.policy(&[statement("Allow", who, r#""s3:GetObject""#, more)]).await.0, 204);
        assert_eq!(is_public().await, [expected], "{who} {more}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bucket_blocks_neither_lists_nor_policies_open() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    let missing = (404, "NoSuchPublicAccessBlockConfiguration".to_owned());
    assert_eq!(pair.status(ANN, "DELETE /photos?publicAccessBlock").await, 204);
    assert_eq!(pair.say(0, ANN, "GET /photos?publicAccessBlock").await.refused(), missing);
    pair.block("BlockPublicAcls").await;
    let told = pair.say(0, ANN, "GET /photos?publicAccessBlock").await.ok();
    assert_eq!(
        (told.all("BlockPublicAcls"), told.all("IgnorePublicAcls")),
        (vec!["true".into()], vec!["false".into()])
    );
    for canned in ["public-read", "public-read-write", "authenticated-read"] {
        let header = [("x-amz-acl", canned)];
        for line in ["PUT /photos?acl", "PUT /photos/k", "PUT /photos/k?acl", "POST /photos/k?uploads"] {
            assert_eq!(pair.ask(0, ANN, line, &header, "").await.refused(), denied(), "{canned}: {line}");
        }
    }
    assert_eq!(pair.put_as(ANN, "photos/k", &[("x-amz-acl", "private")]).await.0, 200);

    pair.block("BlockPublicPolicy").await;
    assert_eq!(pair.policy(&[statement("Allow", ANYONE, r#""s3:GetObject""#, "")]).await, denied());
    let to_bob = statement("Allow", r#"{"AWS": "arn:aws:iam::bob:root"}"#, r#""s3:GetObject""#, "");
    assert_eq!(pair.policy(&[to_bob]).await.0, 204);

    pair.ask(0, ANN, "DELETE /photos?publicAccessBlock", &[], "").await.ok();
    assert_eq!(pair.policy(&[statement("Allow", ANYONE, r#""s3:GetObject""#, "")]).await.0, 204);
    assert_eq!(pair.status(NOBODY, "GET /photos/k").await, 200);
    pair.block("RestrictPublicBuckets").await;
    assert_eq!(pair.status(NOBODY, "GET /photos/k").await, 403);
    assert_eq!(pair.status(ANN, "GET /photos/k").await, 200);

    pair.ask(0, ANN, "DELETE /photos?policy", &[], "").await.ok();
    pair.block("IgnorePublicAcls").await;
    pair.ask(0, ANN, "PUT /photos?acl", &[("x-amz-acl", "public-read")], "").await.ok();
    assert_eq!(pair.put_as(ANN, "photos/k", &[("x-amz-acl", "public-read")]).await.0, 200);
    for line in ["GET /photos", "GET /photos/k"] {
        assert_eq!(pair.say(0, BOB, line).await.refused(), denied());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_has_tags_of_its_own() {
    let pair = Pair::start().await;
    let missing = (404, "NoSuchTagSet".to_owned());
    assert_eq!(pair.say(0, ANN, "GET /photos?tagging").await.refused(), missing);
    let tag = |name: &str| format!("<Tag><Key>{name}</Key><Value>v</Value></Tag>");
    let tags = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    pair.ask(0, ANN, "PUT /photos?tagging", &[], tags(&(tag("b") + &tag("a")))).await.ok();
    assert_eq!(pair.say(0, ANN, "GET /photos?tagging").await.ok().all("Key"), ["b", "a"]);
    let twice = pair.ask(0, ANN, "PUT /photos?tagging", &[], tags(&(tag("b") + &tag("b")))).await;
    assert_eq!(twice.refused(), (400, "InvalidTag".into()));
    assert_eq!(pair.status(ANN, "DELETE /photos?tagging").await, 204);
    assert_eq!(pair.say(0, ANN, "GET /photos?tagging").await.refused(), missing);
}
