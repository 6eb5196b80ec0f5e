//! Details of the answers that clients look at, as AWS gives them or as the Ceph suite of tests wants them.

use super::{Answer, Pair};
use bytes::Bytes;
use hyper::Method;
use rusty_s3::S3Action;

impl Pair {
    /// Writes a key at the first site with headers besides.
    async fn put_with(&self, key: &str, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answer {
        let mut put = self.bucket.put_object(Some(&self.account), key);
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            put.headers_mut().insert((*name).to_owned(), (*value).to_owned());
        }
        self.send_with(0, Method::PUT, &put, body, headers).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conditional_write_is_tested_against_what_the_key_shows() {
    let pair = Pair::start().await;
    let (failed, missing) = ((412, "PreconditionFailed".to_owned()), (404, "NoSuchKey".to_owned()));
    let none = (200, String::new());
    for (name, value, expected) in [
        ("if-match", "*", &missing),
        ("if-match", "deadbeef", &missing),
        ("if-none-match", "deadbeef", &none),
    ] {
        let key = format!("absent-{name}-{}", value.len());
        assert_eq!(&pair.put_with(&key, "x", &[(name, value)]).await.refused(), expected, "{name}: {value}");
    }
    let etag = pair.put(0, "k", "one").await.ok().header("etag").to_owned();
    for (name, value, expected) in [
        ("if-none-match", etag.as_str(), &failed),
        ("if-none-match", "*", &failed),
        ("if-match", "\"deadbeef\"", &failed),
        ("if-none-match", "badetag", &none),
    ] {
        assert_eq!(&pair.put_with("k", "two", &[(name, value)]).await.refused(), expected, "{name}: {value}");
    }
    let etag = pair.get(0, "k", &[]).await.ok().header("etag").to_owned();
    for (name, value) in [("if-match", etag.as_str()), ("if-match", "*")] {
        pair.put_with("k", "two", &[(name, value)]).await.ok();
    }
    let delete = pair.bucket.delete_object(Some(&pair.account), "k");
    pair.send(0, Method::DELETE, &delete, "").await.ok();
    assert_eq!(pair.put_with("k", "three", &[("if-none-match", &etag)]).await.refused(), none);
}
