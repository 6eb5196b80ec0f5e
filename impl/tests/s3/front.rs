//! What stands before the operations: ids, dates, lengths, preflight requests, the letters of headers, idle clients.

use super::Pair;
use anabranch::s3::{self, Settings};
use bytes::Bytes;
use http_body_util::{Full, StreamBody};
use hyper::{Request, body::Frame};
use std::{convert::Infallible, fmt::Write, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_tells_the_id_that_its_header_tells() {
    let pair = Pair::start().await;
    let unsigned = Request::get("/photos/k").header("host", "store.test").body(Full::default()).unwrap();
    for request in [pair.signed("GET", "/photos/k").by_header(), unsigned] {
        let answer = pair.exchange(request).await;
        assert_eq!(answer.all("RequestId"), [answer.header("x-amz-request-id")], "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_is_as_good_as_a_date_of_amazon() {
    let pair = Pair::start().await;
    let request = pair.signed("PUT", "/photos/k");
    let time = s3s::dto::Timestamp::parse(s3s::dto::TimestampFormat::DateTime, &{
        let date = &request.date;
        let (day, time) = (&date[..8], &date[9..15]);
        format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..])
    });
    let mut text = Vec::new();
    time.unwrap().format(s3s::dto::TimestampFormat::HttpDate, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap().replace("GMT", "-0000");
    pair.exchange(request.with("date", &text).by_header()).await.ok();
    let undated = pair.signed("PUT", "/photos/k").with("date", "yesterday").by_header();
    assert_eq!(pair.exchange(undated).await.status.as_u16(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_in_chunks_is_collected_up_to_its_bound() {
    let pair = Pair::start().await;
    for (sizes, refused) in
        [(vec![1 << 20], (200, "")), ([vec![1 << 20; 16], vec![1]].concat(), (411, "MissingContentLength"))]
    {
        let request = pair.signed("PUT", "/photos/k").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let piece = |size| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![7; size])));
        let pieces = sizes.into_iter().map(piece);
        let request = request.by_header().map(|_| StreamBody::new(futures_util::stream::iter(pieces)));
        assert_eq!(pair.exchange(request).await.refused(), (refused.0, refused.1.to_owned()));
    }
    assert_eq!(pair.get(0, "k", &[]).await.ok().body.len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_in_latin_1_comes_back_as_it_was_sent() {
    let pair = Pair::start().await;
    pair.exchange(pair.signed("PUT", "/photos/k").with("x-amz-meta-a", "Hello World\u{e9}").by_header())
        .await
        .ok();
    let told = pair.exchange(pair.signed("HEAD", "/photos/k").by_header()).await.ok();
    assert_eq!(told.headers["x-amz-meta-a"].as_bytes(), b"Hello World\xe9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_is_none_is_ignored_signed_or_not() {
    let pair = Pair::start().await;
    pair.put(0, "k", "0123456789").await.ok();
    for range in ["bytes=0-1,4-5", "lines=1-2", "bytes=5-2", "bytes=x"] {
        let whole = pair.get(0, "k", &[("range", range)]).await;
        assert_eq!((whole.status.as_u16(), &whole.body[..]), (200, &b"0123456789"[..]), "{range}");
        let signed = pair.exchange(pair.signed("GET", "/photos/k").with("range", range).by_header()).await;
        assert_eq!((signed.status.as_u16(), &signed.body[..]), (200, &b"0123456789"[..]), "signed, {range}");
        let mut wrong = pair.signed("GET", "/photos/k").with("range", range).by_header();
        wrong.headers_mut().insert("range", "bytes=0-2,4-5".parse().unwrap());
        assert_eq!(pair.exchange(wrong).await.refused().0, 403, "what was not signed so is not taken");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_whole_body_ends_the_connection() {
    let pair = Pair::start().await;
    for (body, is_closed) in [("half", true), ("", false)] {
        let mut conn = pair.dial();
        let length = body.len() * 2;
        let head =
            format!("PUT /photos/k HTTP/1.1\r\nhost: store.test\r\ncontent-length: {length}\r\n\r\n{body}");
        conn.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let count = conn.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert_eq!(answer.contains("connection: close"), is_closed, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_request_is_answered_without_a_signature() {
    let pair = Pair::start().await;
    let (origin, method) = (("origin", "http://a.test"), ("access-control-request-method", "PUT"));
    for (headers, refused) in [
        (&[][..], (400, "BadRequest")),
        (&[origin], (400, "BadRequest")),
        (&[method], (400, "BadRequest")),
        (&[origin, method], (403, "AccessForbidden")),
    ] {
        let mut request = Request::options("/photos/k").header("host", "store.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = pair.exchange(request.body(Full::default()).unwrap()).await;
        assert_eq!(answer.refused(), (refused.0, refused.1.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_nothing_more_is_given_up() {
    let mut pair = Pair::start().await;
    let idle_timeout = Duration::from_millis(300);
    let settings = Settings { idle_timeout, ..Settings::default() };
    let engine = pair.sites[0].node.engine().clone();
    pair.faces[0] = s3::service(engine, &pair.keys, settings, Arc::new(()));
    let request = pair.signed("PUT", "/photos/k").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let mut text = "PUT /photos/k HTTP/1.1\r\ncontent-length: 10\r\n".to_owned();
    for (name, value) in request.by_header().headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    let mut conn = pair.dial();
    conn.write_all(format!("{text}\r\nhalf").as_bytes()).await.unwrap();
    let mut answer = String::new();
    // To the end: the connection is closed.
    conn.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
    assert_eq!(pair.get(0, "k", &[]).await.refused().0, 404);
}
