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
async fn a_copy_may_ask_what_it_replaces() {
    let pair = Pair::start().await;
    let etag = pair.put(0, "source", "new").await.ok().header("etag").to_owned();
    let copy = async |name, value| {
        let put =
            pair.signed("PUT", "/photos/k").with("x-amz-copy-source", "photos/source").with(name, value);
        pair.exchange(put.by_header()).await.refused()
    };
    let (failed, done) = ((412, "PreconditionFailed".to_owned()), (200, String::new()));
    assert_eq!(copy("if-match", "*").await, (404, "NoSuchKey".into()));
    assert_eq!(copy("if-none-match", "*").await, done);
    assert_eq!(copy("if-none-match", "*").await, failed);
    assert_eq!(copy("if-match", "\"deadbeef\"").await, failed);
    assert_eq!(copy("if-match", &etag).await, done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_says_what_may_be_done_with_it_and_is_no_source() {
    let pair = Pair::start().await;
    let xml = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let mut versioning = pair.signed("PUT", "/photos?versioning");
    versioning.body = xml.into();
    pair.exchange(versioning.by_header()).await.ok();
    let marker = pair.exchange(pair.signed("DELETE", "/photos/k").by_header()).await.ok();
    let marker = marker.header("x-amz-version-id").to_owned();
    for method in ["GET", "HEAD"] {
        let read = pair.signed(method, &format!("/photos/k?versionId={marker}"));
        let told = pair.exchange(read.by_header()).await;
        assert_eq!((told.status.as_u16(), told.header("allow")), (405, "DELETE"), "{method}");
    }
    let source = format!("photos/k?versionId={marker}");
    let copy = pair.signed("PUT", "/photos/other").with("x-amz-copy-source", &source);
    assert_eq!(pair.exchange(copy.by_header()).await.refused(), (400, "InvalidRequest".into()));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_read_with_its_own_checksum_and_listed_among_the_attributes() {
    const PART: usize = 5 << 20;
    let pair = Pair::start().await;
    let enabled = [("x-amz-checksum-mode", "ENABLED")];
    for algorithm in ["SHA256", ""] {
        let mut create = pair.bucket.create_multipart_upload(Some(&pair.account), "big");
        let named: Vec<_> = Some(("x-amz-checksum-algorithm", algorithm))
            .filter(|_| !algorithm.is_empty())
            .into_iter()
            .collect();
        for (name, value) in &named {
            create.headers_mut().insert(*name, *value);
        }
        let begun = pair.send_with(0, Method::POST, &create, "", &named).await.ok();
        let id = begun.all("UploadId").remove(0);
        let (mut etags, mut sums) = (Vec::new(), Vec::new());
        for (number, part) in (1..).zip([Bytes::from(vec![7; PART]), Bytes::from_static(b"end")]) {
            let upload = pair.bucket.upload_part(Some(&pair.account), "big", number, &id);
            let answer = pair.send(0, Method::PUT, &upload, part).await.ok();
            etags.push(answer.header("etag").to_owned());
            sums.push(answer.header("x-amz-checksum-sha256").to_owned());
        }
        let parts = etags.iter().zip(&sums).map(|(etag, sum)| (etag.as_str(), sum.as_str()));
        pair.complete("big", &id, &parts.collect::<Vec<_>>(), &[]).await.ok();
        let mut get = pair.bucket.get_object(Some(&pair.account), "big");
        get.query_mut().insert("partNumber", "2");
        get.headers_mut().insert(enabled[0].0, enabled[0].1);
        let part = pair.send_with(0, Method::GET, &get, "", &enabled).await.ok();
        assert_eq!(part.header("x-amz-checksum-sha256"), sums[1]);
        assert_eq!(part.header("x-amz-mp-parts-count"), "2");
        assert_eq!(part.header("x-amz-checksum-crc64nvme").is_empty(), algorithm == "SHA256");
        let head = pair.signed("HEAD", "/photos/big").with("range", "bytes=1-2");
        let head = pair.exchange(head.by_header()).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (206, "2"));
        let mut attributes = pair.bucket.get_object(Some(&pair.account), "big");
        attributes.query_mut().insert("attributes", "");
        let asked = [("x-amz-object-attributes", "ETag,ObjectParts")];
        attributes.headers_mut().insert(asked[0].0, asked[0].1);
        let answer = pair.send_with(0, Method::GET, &attributes, "", &asked).await.ok();
        assert_eq!(answer.all("PartNumber"), ["1", "2"]);
        assert_eq!(
            answer.all("ChecksumSHA256"),
            sums.into_iter().filter(|sum| !sum.is_empty()).collect::<Vec<_>>()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_delimiter_or_token_is_none() {
    let pair = Pair::start().await;
    pair.put(0, "a/b", "x").await.ok();
    for name in ["list-type", "marker", "versions"] {
        let mut list = pair.bucket.list_objects_v2(Some(&pair.account));
        list.query_mut().remove("list-type");
        list.query_mut().insert(name, if name == "list-type" { "2" } else { "" });
        list.query_mut().insert("delimiter", "");
        if name == "list-type" {
            list.query_mut().insert("continuation-token", "");
        }
        let page = pair.send(0, Method::GET, &list, "").await.ok();
        assert_eq!(page.all("Key"), ["a/b"], "{name}");
        assert_eq!(page.all("Delimiter"), [""; 0], "{name}");
        assert_eq!(page.text().contains("ContinuationToken"), name == "list-type", "{}", page.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_told_with_what_it_was_written_with_and_its_absence_with_what_is_not() {
    let pair = Pair::start().await;
    let expires = "Wed, 21 Oct 2015 07:28:00 GMT";
    let headers = [("expires", expires), ("content-encoding", "deflate, gzip"), ("x-amz-tagging", "a=1&b=2")];
    let put = pair.put_with("k", "body", &headers).await.ok();
    assert_eq!(put.header("x-amz-version-id"), "");
    let mut head = pair.bucket.head_object(Some(&pair.account), "k");
    let told = pair.send(0, Method::HEAD, &head, "").await.ok();
    assert_eq!((told.header("expires"), told.header("content-encoding")), (expires, "deflate, gzip"));
    assert_eq!(told.header("x-amz-tagging-count"), "2");
    let mut torrent = pair.bucket.get_object(Some(&pair.account), "k");
    torrent.query_mut().insert("torrent", "");
    assert_eq!(pair.send(0, Method::GET, &torrent, "").await.refused(), (404, "NoSuchKey".into()));

    head = pair.bucket.head_object(Some(&pair.account), "absent");
    let absent = pair.send(0, Method::HEAD, &head, "").await;
    assert_eq!((absent.status.as_u16(), absent.header("x-amz-delete-marker")), (404, "false"));
    let mut versioning = pair.bucket.create_bucket(&pair.account);
    versioning.query_mut().insert("versioning", "");
    let xml = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    pair.send(0, Method::PUT, &versioning, xml).await.ok();
    let put = pair.put(0, "k", "null").await.ok();
    assert_eq!(put.header("x-amz-version-id"), "", "a null version is not told");
    assert_eq!(pair.get(0, "k", &[]).await.ok().header("x-amz-version-id"), "null");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_sent_again_is_answered_as_before_while_its_version_exists() {
    let pair = Pair::start().await;
    let create = pair.bucket.create_multipart_upload(Some(&pair.account), "big");
    let id = pair.send(0, Method::POST, &create, "").await.ok().all("UploadId").remove(0);
    let mut etags = Vec::new();
    for body in ["first", "again"] {
        let upload = pair.bucket.upload_part(Some(&pair.account), "big", 1, &id);
        etags.push(pair.send(0, Method::PUT, &upload, body).await.ok().header("etag").to_owned());
    }
    // Of equal numbers the last counts.
    let numbers =
        etags.iter().map(|etag| format!("<Part><ETag>{etag}</ETag><PartNumber>1</PartNumber></Part>"));
    let xml = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", numbers.collect::<String>());
    let complete = |key| pair.bucket.complete_multipart_upload(Some(&pair.account), key, &id, [].into_iter());
    let first = pair.send(0, Method::POST, &complete("big"), xml.clone()).await.ok();
    let again = pair.send(0, Method::POST, &complete("big"), xml.clone()).await.ok();
    assert_eq!((first.all("ETag"), first.body), (again.all("ETag"), again.body));
    assert_eq!(pair.get(0, "big", &[]).await.ok().body, "again");
    let unknown = (404, "NoSuchUpload".to_owned());
    let other = pair.send(0, Method::POST, &complete("other"), xml.clone()).await;
    assert_eq!(other.refused(), unknown, "an upload is of one key");
    let mut delete = pair.bucket.delete_object(Some(&pair.account), "big");
    delete.query_mut().insert("versionId", "null");
    pair.send(0, Method::DELETE, &delete, "").await.ok();
    assert_eq!(pair.send(0, Method::POST, &complete("big"), xml).await.refused(), unknown);
}
