//! Lifecycle configurations as documents, and what is told of the objects that they are about.

use super::{Pair, ask::ANN, eventually};

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
