//! Object lock: what is locked stays, at every site that knows of it.

use super::{
    Answer, Pair,
    ask::{ANN, denied},
    eventually,
};

const LOCKS: (&str, &str) = ("x-amz-bucket-object-lock-enabled", "true");
const BYPASS: (&str, &str) = ("x-amz-bypass-governance-retention", "true");

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

fn default_retention(mode: &str, period: &str) -> String {
    format!(
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
         <Mode>{mode}</Mode>{period}</DefaultRetention></Rule></ObjectLockConfiguration>"
    )
}

impl Pair {
    async fn lock_bucket(&self, name: &str) {
        self.ask(0, ANN, &format!("PUT /{name}"), &[LOCKS], "").await.ok();
    }

    /// Writes a key and tells its version's id.
    async fn version(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let put = self.ask(0, ANN, &format!("PUT /{path}"), headers, "body").await.ok();
        put.header("x-amz-version-id").to_owned()
    }

    async fn delete_version(
        &self,
        site: usize,
        path: &str,
        version: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.ask(site, ANN, &format!("DELETE /{path}?versionId={version}"), headers, "").await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_with_object_lock_keeps_versions_and_its_configuration() {
    let pair = Pair::start().await;
    pair.lock_bucket("vault").await;
    let versioning = pair.say(0, ANN, "GET /vault?versioning").await.ok();
    assert_eq!(versioning.all("Status"), ["Enabled"]);
    let configuration = pair.say(0, ANN, "GET /vault?object-lock").await.ok();
    assert_eq!(configuration.all("ObjectLockEnabled"), ["Enabled"]);
    assert!(configuration.all("Rule").is_empty());
    let put = async |bucket: &str, body: String| {
        pair.ask(0, ANN, &format!("PUT /{bucket}?object-lock"), &[], body).await.refused()
    };
    for (mode, period, status, code) in [
        ("GOVERNANCE", "<Days>1</Days>", 200, ""),
        ("COMPLIANCE", "<Years>1</Years>", 200, ""),
        ("GOVERNANCE", "<Days>1</Days><Years>1</Years>", 400, "MalformedXML"),
        ("governance", "<Days>1</Days>", 400, "MalformedXML"),
        ("GOVERNANCE", "<Days>0</Days>", 400, "InvalidRetentionPeriod"),
        ("GOVERNANCE", "<Years>-1</Years>", 400, "InvalidRetentionPeriod"),
    ] {
        let answer = put("vault", default_retention(mode, period)).await;
        assert_eq!(answer, (status, code.into()), "{mode} {period}");
    }
    let disabled = default_retention("GOVERNANCE", "<Days>1</Days>").replace("Enabled<", "Disabled<");
    assert_eq!(put("vault", disabled).await, (400, "MalformedXML".into()));
    let configuration = pair.say(0, ANN, "GET /vault?object-lock").await.ok();
    assert_eq!(
        (configuration.all("Mode"), configuration.all("Years"), configuration.all("Days")),
        (vec!["COMPLIANCE".to_owned()], vec!["1".to_owned()], vec![])
    );
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let suspend = pair.ask(0, ANN, "PUT /vault?versioning", &[], suspended).await;
    assert_eq!(suspend.refused(), (409, "InvalidBucketState".into()));

    // A bucket of the usual kind has no locks until its versions are kept.
    let body = default_retention("GOVERNANCE", "<Days>1</Days>");
    let configuration = pair.say(0, ANN, "GET /photos?object-lock").await;
    assert_eq!(configuration.refused(), (404, "ObjectLockConfigurationNotFoundError".into()));
    assert_eq!(put("photos", body.clone()).await, (409, "InvalidBucketState".into()));
    pair.put(0, "k", "body").await.ok();
    for line in ["GET /photos/k?retention", "GET /photos/k?legal-hold"] {
        assert_eq!(pair.say(0, ANN, line).await.refused(), (400, "InvalidRequest".into()));
    }
    let put_retention =
        pair.ask(0, ANN, "PUT /photos/k?retention", &[], retention("GOVERNANCE", "2140-01-01T00:00:00Z"));
    assert_eq!(put_retention.await.refused(), (400, "InvalidRequest".into()));
    let enabled = suspended.replace("Suspended", "Enabled");
    pair.ask(0, ANN, "PUT /photos?versioning", &[], enabled).await.ok();
    assert_eq!(put("photos", body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retention_set_at_one_site_is_honoured_at_the_other() {
    let pair = Pair::start().await;
    pair.lock_bucket("vault").await;
    let version = pair.version("vault/k", &[]).await;
    let set = async |headers: &[(&str, &str)], mode: &str, until: &str| {
        pair.ask(0, ANN, "PUT /vault/k?retention", headers, retention(mode, until)).await.refused()
    };
    assert_eq!(set(&[], "governance", "2140-01-01T00:00:00Z").await, (400, "MalformedXML".into()));
    assert_eq!(set(&[], "GOVERNANCE", "2130-01-01T00:00:00Z").await.0, 200);
    assert_eq!(set(&[], "GOVERNANCE", "2140-01-01T00:00:00Z").await.0, 200, "later is stricter");
    assert_eq!(set(&[], "GOVERNANCE", "2135-01-01T00:00:00Z").await, denied());
    assert_eq!(set(&[BYPASS], "GOVERNANCE", "2135-01-01T00:00:00Z").await.0, 200);
    eventually("the retention arrives", async || {
        let told = pair.say(1, ANN, "GET /vault/k?retention").await;
        told.text().contains("2135-01-01T00:00:00").then_some(())
    })
    .await;
    let head = pair.say(1, ANN, "HEAD /vault/k").await.ok();
    assert_eq!(head.header("x-amz-object-lock-mode"), "GOVERNANCE");
    assert_eq!(head.header("x-amz-object-lock-retain-until-date"), "2135-01-01T00:00:00.000Z");
    assert_eq!(pair.delete_version(1, "vault/k", &version, &[]).await.refused(), denied());
    // A delete that names no version leaves all of them, and its marker may go.
    let marker = pair.say(1, ANN, "DELETE /vault/k").await.ok().header("x-amz-version-id").to_owned();
    pair.delete_version(1, "vault/k", &marker, &[]).await.ok();
    assert_eq!(pair.delete_version(1, "vault/k", &version, &[]).await.refused(), denied());
    assert_eq!(pair.delete_version(1, "vault/k", &version, &[BYPASS]).await.status.as_u16(), 204);

    let version = pair.version("vault/c", &[]).await;
    let compliance = retention("COMPLIANCE", "2140-01-01T00:00:00Z");
    pair.ask(0, ANN, "PUT /vault/c?retention", &[], compliance).await.ok();
    let weaker = retention("GOVERNANCE", "2140-01-01T00:00:00Z");
    let weaker = pair.ask(0, ANN, "PUT /vault/c?retention", &[BYPASS], weaker).await;
    assert_eq!(weaker.refused(), denied());
    assert_eq!(pair.delete_version(0, "vault/c", &version, &[BYPASS]).await.refused(), denied());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_born_with_the_lock_it_asks_for_or_the_buckets() {
    let pair = Pair::start().await;
    pair.lock_bucket("vault").await;
    let until = ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z");
    let all = [("x-amz-object-lock-mode", "GOVERNANCE"), until, ("x-amz-object-lock-legal-hold", "ON")];
    let held = pair.version("vault/held", &all).await;
    let told = pair.say(0, ANN, "GET /vault/held").await.ok();
    for (name, value) in all {
        assert_eq!(told.header(name).replace(".000Z", "Z"), value);
    }
    assert_eq!(pair.delete_version(0, "vault/held", &held, &[BYPASS]).await.refused(), denied());
    let off = "<LegalHold><Status>OFF</Status></LegalHold>";
    let nonsense = pair.ask(0, ANN, "PUT /vault/held?legal-hold", &[], off.replace("OFF", "abc")).await;
    assert_eq!(nonsense.refused(), (400, "MalformedXML".into()));
    pair.ask(0, ANN, "PUT /vault/held?legal-hold", &[], off).await.ok();
    assert_eq!(pair.say(0, ANN, "GET /vault/held?legal-hold").await.ok().all("Status"), ["OFF"]);
    assert_eq!(pair.delete_version(0, "vault/held", &held, &[]).await.refused(), denied());
    pair.delete_version(0, "vault/held", &held, &[BYPASS]).await.ok();
    // A copy asks for its own.
    let mut copied = vec![("x-amz-copy-source", "/vault/source")];
    pair.version("vault/source", &all[..2]).await;
    pair.ask(0, ANN, "PUT /vault/copy", &copied, "").await.ok();
    assert_eq!(pair.say(0, ANN, "HEAD /vault/copy").await.ok().header("x-amz-object-lock-mode"), "");
    copied.extend(&all[..2]);
    pair.ask(0, ANN, "PUT /vault/copy", &copied, "").await.ok();
    assert_eq!(
        pair.say(0, ANN, "HEAD /vault/copy").await.ok().header("x-amz-object-lock-mode"),
        "GOVERNANCE"
    );
    for refused in [&all[..1], &[("x-amz-object-lock-legal-hold", "maybe")]] {
        assert_eq!(pair.ask(0, ANN, "PUT /vault/k", refused, "").await.refused().0, 400);
    }
    assert_eq!(pair.ask(0, ANN, "PUT /photos/k", &all, "").await.refused(), (400, "InvalidRequest".into()));

    let default = default_retention("GOVERNANCE", "<Days>1</Days>");
    pair.ask(0, ANN, "PUT /vault?object-lock", &[], default).await.ok();
    let kept = pair.version("vault/kept", &[]).await;
    let free = pair.version("vault/strict", &[("x-amz-object-lock-mode", "COMPLIANCE"), until]).await;
    assert_eq!(
        pair.say(0, ANN, "HEAD /vault/kept").await.ok().header("x-amz-object-lock-mode"),
        "GOVERNANCE"
    );
    let strict = pair.say(0, ANN, "HEAD /vault/strict").await.ok();
    assert_eq!(strict.header("x-amz-object-lock-mode"), "COMPLIANCE", "{free}");
    let later = retention("GOVERNANCE", "2030-01-01T00:00:00Z");
    pair.ask(0, ANN, "PUT /vault/kept?retention", &[], later).await.ok();

    // Of several deletions each is told by itself.
    let free = pair.say(0, ANN, "DELETE /vault/none").await.ok().header("x-amz-version-id").to_owned();
    let object =
        |key: &str, id: &str| format!("<Object><Key>{key}</Key><VersionId>{id}</VersionId></Object>");
    let both = format!("<Delete>{}{}</Delete>", object("kept", &kept), object("none", &free));
    let deleted = pair.ask(0, ANN, "POST /vault?delete", &[], both.clone()).await.ok();
    assert_eq!((deleted.all("Code"), deleted.all("Deleted").len()), (vec!["AccessDenied".to_owned()], 1));
    let deleted = pair.ask(0, ANN, "POST /vault?delete", &[BYPASS], both).await.ok();
    assert_eq!((deleted.all("Code").len(), deleted.all("Deleted").len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_completes_to_a_version_with_the_lock_it_began_with() {
    let pair = Pair::start().await;
    pair.lock_bucket("vault").await;
    for (key, headers) in [("asked", &[("x-amz-object-lock-legal-hold", "ON")][..]), ("default", &[][..])] {
        if key == "default" {
            let default = default_retention("COMPLIANCE", "<Days>1</Days>");
            pair.ask(0, ANN, "PUT /vault?object-lock", &[], default).await.ok();
        }
        let begun = pair.ask(0, ANN, &format!("POST /vault/{key}?uploads"), headers, "").await.ok();
        let id = begun.all("UploadId").remove(0);
        let part =
            pair.ask(0, ANN, &format!("PUT /vault/{key}?partNumber=1&uploadId={id}"), &[], "part").await.ok();
        let bucket = rusty_s3::Bucket::new(
            "http://store.test".parse().unwrap(),
            rusty_s3::UrlStyle::Path,
            "vault",
            "us-east-1",
        )
        .unwrap();
        let etags = [part.header("etag")];
        let complete = bucket.complete_multipart_upload(Some(&pair.account), key, &id, etags.iter().copied());
        let xml = rusty_s3::actions::CompleteMultipartUpload::body(complete.clone());
        let done = pair.send(0, hyper::Method::POST, &complete, xml).await.ok();
        let version = done.header("x-amz-version-id").to_owned();
        let path = format!("vault/{key}");
        assert_eq!(pair.delete_version(0, &path, &version, &[BYPASS]).await.refused(), denied(), "{key}");
    }
}
