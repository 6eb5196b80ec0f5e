//! Signatures of version 2 in headers: taken where a site wants them, and only of now.

use super::{
    Answer, Pair,
    ask::{ANN, NOBODY},
    signer::hmac,
};
use anabranch::{
    env::Env,
    s3::{self, Settings},
};
use bytes::Bytes;
use hyper::Method;
use s3s::{
    crypto::Sha1,
    dto::{Timestamp, TimestampFormat},
};
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

impl Pair {
    /// Sends a request of the first account, signed so many milliseconds after now.
    async fn by_version_2(&self, line: &str, body: &str, skew_ms: i64) -> Answer {
        let (method, target) = line.split_once(' ').expect("a method and a path");
        let signed_ms = self.sites[0].env.wall_ms().saturating_add_signed(skew_ms);
        let mut date = Vec::new();
        let time = Timestamp::from(UNIX_EPOCH + Duration::from_millis(signed_ms));
        time.format(TimestampFormat::HttpDate, &mut date).unwrap();
        let date = String::from_utf8(date).unwrap();
        // As a bucket in the host's name is signed, and as most clients sign every bucket: with a slash.
        let signed = match target.split_once('?') {
            Some((bucket, query)) => format!("{bucket}/?{query}"),
            None => target.to_owned(),
        };
        let text = format!("{method}\n\ntext/plain\n{date}\nx-amz-acl:public-read\n{signed}");
        let signature = base64_simd::STANDARD.encode_to_string(hmac::<Sha1>(b"secret", &text));
        let headers = [
            ("authorization", &*format!("AWS KEY:{signature}")),
            ("content-type", "text/plain"),
            ("date", &date),
            ("x-amz-acl", "public-read"),
        ];
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.send_to(0, method.parse().unwrap(), target, body, &headers).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_2_in_headers_is_taken_where_it_is_wanted_and_only_of_now() {
    let mut pair = Pair::start().await;
    let told = pair.by_version_2("PUT /mine", "", 0).await;
    assert_eq!(told.refused(), (400, "InvalidRequest".into()));
    let settings = Settings { sigv2_headers: true, ..Settings::default() };
    let engine = pair.sites[0].node.engine().clone();
    pair.faces[0] = s3::service(engine, &pair.keys, settings, Arc::new(()));
    for skew_ms in [-16 * 60_000, 16 * 60_000] {
        let told = pair.by_version_2("PUT /mine", "", skew_ms).await;
        assert_eq!(told.refused(), (403, "RequestTimeTooSkewed".into()));
    }
    assert_eq!(pair.say(0, ANN, "GET /mine").await.refused(), (404, "NoSuchBucket".into()));
    pair.by_version_2("PUT /mine", "", -14 * 60_000).await.ok();
    pair.by_version_2("PUT /mine/k", "body", 0).await.ok();
    assert_eq!(pair.say(0, NOBODY, "GET /mine/k").await.ok().body, "body");
    // Rules for pages of other origins, which browsers ask for without any signature.
    let rules = "<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod>\
        <AllowedOrigin>example</AllowedOrigin></CORSRule></CORSConfiguration>";
    pair.by_version_2("PUT /mine?cors", rules, 0).await.ok();
    let target = "/mine/k?AWSAccessKeyId=KEY&Signature=c2ln&Expires=9999999999";
    for (headers, status) in [
        (&[("origin", "example"), ("access-control-request-method", "PUT")][..], 200),
        (&[("origin", "other"), ("access-control-request-method", "PUT")], 403),
        (&[("origin", "example")], 400),
    ] {
        let told = pair.send_to(0, Method::OPTIONS, target, "", headers).await;
        assert_eq!(told.status.as_u16(), status);
        let granted = if status == 200 { ("example", "PUT") } else { ("", "") };
        let told =
            ["access-control-allow-origin", "access-control-allow-methods"].map(|name| told.header(name));
        assert_eq!((told[0], told[1]), granted);
    }
}
