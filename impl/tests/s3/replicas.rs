//! Replication as S3 clients configure it and ask for it.

use super::{Pair, ask::ANN, eventually};

fn rules(rules: &str) -> String {
    format!(
        "<ReplicationConfiguration><Role>arn:aws:iam::ann:role/r</Role>{rules}</ReplicationConfiguration>"
    )
}

fn rule(inner: &str) -> String {
    format!(
        "<Rule><ID>r1</ID><Priority>1</Priority>{inner}<Destination><Bucket>arn:aws:s3:::there</Bucket></Destination></Rule>"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_configured_comes_back_and_the_status_is_true() {
    let pair = Pair::start().await;
    let missing = (404, "ReplicationConfigurationNotFoundError".to_owned());
    assert_eq!(pair.say(0, ANN, "GET /photos?replication").await.refused(), missing);
    let put = async |body: String| pair.ask(0, ANN, "PUT /photos?replication", &[], body).await.refused();
    let good = rules(&rule(
        "<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>\
         <Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>",
    ));
    assert_eq!(put(good.clone()).await, (400, "InvalidRequest".into()), "versions are not kept yet");
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    pair.ask(0, ANN, "PUT /photos?versioning", &[], enabled).await.ok();
    for wrong in [rules(""), rules(&rule("<Status>enabled</Status>"))] {
        assert_eq!(put(wrong).await, (400, "MalformedXML".into()));
    }
    assert_eq!(put(good).await, (200, String::new()));
    let told = pair.say(0, ANN, "GET /photos?replication").await.ok();
    assert_eq!(told.all("Prefix"), ["a/"]);
    assert_eq!(told.all("Status"), ["Disabled", "Enabled"]);
    assert_eq!((told.all("Key"), told.all("Priority")), (vec!["k".to_owned()], vec!["1".to_owned()]));

    let tags = [("x-amz-tagging", "k=v")];
    pair.ask(0, ANN, "PUT /photos/a/about", &tags, "x").await.ok();
    pair.put(0, "a/not", "x").await.ok();
    let status = async |site: usize, line: &str| {
        let answer = pair.say(site, ANN, line).await;
        answer.header("x-amz-replication-status").to_owned()
    };
    eventually("the other site has it", async || {
        (status(0, "HEAD /photos/a/about").await == "COMPLETED").then_some(())
    })
    .await;
    eventually("and the rules", async || (status(1, "GET /photos/a/about").await == "REPLICA").then_some(()))
        .await;
    assert_eq!(status(0, "HEAD /photos/a/not").await, "");
    pair.sites[1].env.stop();
    pair.ask(0, ANN, "PUT /photos/a/alone", &tags, "x").await.ok();
    assert_eq!(status(0, "GET /photos/a/alone").await, "PENDING");
    assert_eq!(pair.say(0, ANN, "DELETE /photos?replication").await.status.as_u16(), 204);
    assert_eq!(status(0, "GET /photos/a/alone").await, "");
}
