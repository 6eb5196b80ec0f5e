//! Lifecycle configurations as documents, what is told of the objects that they are about, and what becomes of those.

use super::{Pair, ask::ANN, eventually};
use anabranch::s3::{self, Swept};
use std::time::Duration;

fn rules(rules: &str) -> String {
    format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_come_back_and_objects_tell_when_they_expire() {
    let pair = Pair::start().await;
    let missing = (404, "NoSuchLifecycleConfiguration".to_owned());
    assert_eq!(pair.say(0, ANN, "GET /photos?lifecycle").await.refused(), missing);
    assert_eq!(pair.say(0, ANN, "DELETE /photos?lifecycle").await.status.as_u16(), 204);
    let put = async |body: &str| pair.ask(0, ANN, "PUT /photos?lifecycle", &[], rules(body)).await.refused();
    let rule = "<Rule><ID>rule1</ID><Filter><Prefix>days/</Prefix></Filter><Status>Enabled</Status>\
        <Expiration><Days>1</Days></Expiration></Rule>";
    let tagged = "<Rule><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Enabled</Status>\
        <Expiration><Days>2</Days></Expiration></Rule>";
    for (body, status, code) in [
        (rule.replace(">1<", ">0<"), 400, "InvalidArgument"),
        (rule.replace("Enabled", "enabled"), 400, "MalformedXML"),
        (rule.replace("rule1", &"x".repeat(256)), 400, "InvalidArgument"),
        (format!("{rule}{rule}"), 400, "InvalidArgument"),
        (rule.replace("<Days>1</Days>", "<Date>1970-08-22T19:08:21Z</Date>"), 400, "InvalidArgument"),
        (format!("{rule}{tagged}"), 200, ""),
    ] {
        assert_eq!(put(&body).await, (status, code.into()), "{body}");
    }
    let told = pair.say(0, ANN, "GET /photos?lifecycle").await.ok();
    assert_eq!((told.all("Days"), told.all("ID").len()), (vec!["1".to_owned(), "2".to_owned()], 2));
    let put = pair.put(0, "days/k", "x").await.ok();
    assert!(put.header("x-amz-expiration").contains("rule-id=\"rule1\""), "{put:?}");
    assert!(put.header("x-amz-expiration").contains("00:00:00 GMT"), "{put:?}");
    assert_eq!(pair.put(0, "other", "x").await.ok().header("x-amz-expiration"), "");
    let tags = [("x-amz-tagging", "a=b")];
    let put = pair.ask(0, ANN, "PUT /photos/tagged", &tags, "x").await.ok();
    let copied =
        pair.ask(0, ANN, "PUT /photos/days/copy", &[("x-amz-copy-source", "photos/tagged")], "").await;
    assert!(copied.ok().header("x-amz-expiration").contains("rule-id=\"rule1\""));
    for line in ["GET /photos/tagged", "HEAD /photos/tagged"] {
        let answer = pair.say(0, ANN, line).await.ok();
        assert_eq!(answer.header("x-amz-expiration"), put.header("x-amz-expiration"), "{line}");
        assert_ne!(answer.header("x-amz-expiration"), "", "{line}");
    }
    eventually("the rules arrive", async || {
        let told = pair.say(1, ANN, "GET /photos?lifecycle").await;
        (told.status.as_u16() == 200).then_some(())
    })
    .await;
}

/// A day of a rule, for tests that cannot wait.
const DAY: Duration = Duration::from_millis(50);

impl Pair {
    /// One pass over the rules at a site, when all that is there is older than a day.
    async fn sweep(&self, site: usize) -> Swept {
        tokio::time::sleep(DAY * 3).await;
        s3::sweep(self.sites[site].node.engine(), DAY).await.unwrap()
    }

    /// Keys of a listing by versions at a site: of versions, and of delete markers.
    async fn kept(&self, site: usize, bucket: &str) -> (Vec<String>, Vec<String>) {
        let listing = self.say(site, ANN, &format!("GET /{bucket}?versions")).await.ok();
        let keys_in = |tag: &str| listing.all(tag).iter().filter_map(|part| part_key(part)).collect();
        (keys_in("Version"), keys_in("DeleteMarker"))
    }

    async fn both_keep(&self, bucket: &str, versions: &[&str], markers: &[&str]) {
        let wanted = (owned(versions), owned(markers));
        eventually("both sites keep the same", async || {
            let kept = [self.kept(0, bucket).await, self.kept(1, bucket).await];
            (kept[0] == wanted && kept[1] == wanted).then_some(())
        })
        .await;
    }
}

fn part_key(part: &str) -> Option<String> {
    Some(part.split_once("<Key>")?.1.split_once("</Key>")?.0.to_owned())
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_ends_what_it_wrote() {
    let pair = Pair::start().await;
    let body = rules(
        "<Rule><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>\
         <Expiration><Days>1</Days></Expiration>\
         <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>",
    );
    for (site, key) in [(0, "old/a"), (1, "old/b"), (0, "new/c")] {
        eventually("the bucket is there", async || {
            pair.put(site, key, "x").await.status.is_success().then_some(())
        })
        .await;
    }
    for key in ["old/u", "new/u"] {
        pair.say(0, ANN, &format!("POST /photos/{key}?uploads")).await.ok();
    }
    pair.both_keep("photos", &["new/c", "old/a", "old/b"], &[]).await;
    assert_eq!(pair.sweep(0).await, Swept::default(), "nothing ends without a rule");
    pair.ask(0, ANN, "PUT /photos?lifecycle", &[], body).await.ok();
    assert_eq!(pair.sweep(0).await, Swept { versions: 1, uploads: 1 });
    pair.both_keep("photos", &["new/c", "old/b"], &[]).await;
    eventually("the rules arrive", async || {
        let told = pair.say(1, ANN, "GET /photos?lifecycle").await;
        (told.status.as_u16() == 200).then_some(())
    })
    .await;
    assert_eq!(pair.sweep(1).await, Swept { versions: 1, uploads: 0 });
    pair.both_keep("photos", &["new/c"], &[]).await;
    assert_eq!(pair.say(0, ANN, "GET /photos?uploads").await.ok().all("Key"), ["new/u"]);
    assert_eq!([pair.sweep(0).await, pair.sweep(1).await], [Swept::default(); 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_go_in_steps_and_locked_ones_stay() {
    let pair = Pair::start().await;
    pair.ask(0, ANN, "PUT /vault", &[("x-amz-bucket-object-lock-enabled", "true")], "").await.ok();
    let body = rules(
        "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>\
         <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>",
    );
    pair.ask(0, ANN, "PUT /vault?lifecycle", &[], body).await.ok();
    pair.ask(0, ANN, "PUT /vault/held", &[("x-amz-object-lock-legal-hold", "ON")], "x").await.ok();
    for body in ["one", "two"] {
        pair.ask(0, ANN, "PUT /vault/free", &[], body).await.ok();
    }
    // First a marker over what is current, and the end of what no longer is.
    assert_eq!(pair.sweep(0).await.versions, 3);
    pair.both_keep("vault", &["free", "held"], &["free", "held"]).await;
    // Then what the marker displaced, and in the end the marker; a held version keeps its marker above it.
    assert_eq!(pair.sweep(0).await.versions, 1);
    pair.both_keep("vault", &["held"], &["free", "held"]).await;
    assert_eq!(pair.sweep(0).await.versions, 1);
    pair.both_keep("vault", &["held"], &["held"]).await;
    assert_eq!(pair.sweep(0).await, Swept::default());
    let held = pair.say(0, ANN, "GET /vault?versions").await.ok().all("Version").remove(0);
    let version = held.split_once("<VersionId>").unwrap().1.split_once('<').unwrap().0;
    assert_eq!(pair.say(0, ANN, &format!("GET /vault/held?versionId={version}")).await.ok().text(), "x");
}
