//! The S3 face of two replicating sites, spoken to over HTTP with signed requests.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

#[path = "s3/access.rs"]
mod access;
#[path = "s3/ask.rs"]
mod ask;
#[path = "s3/cors.rs"]
mod cors;
#[path = "s3/details.rs"]
mod details;
#[path = "s3/form.rs"]
mod form;
#[path = "s3/forms.rs"]
mod forms;
#[path = "s3/front.rs"]
mod front;
#[path = "s3/lifecycle.rs"]
mod lifecycle;
#[path = "s3/lock.rs"]
mod lock;
#[path = "s3/malformed.rs"]
mod malformed;
#[path = "s3/policy.rs"]
mod policy;
#[path = "s3/refused_forms.rs"]
mod refused_forms;
#[path = "s3/replicas.rs"]
mod replicas;
#[path = "s3/signer.rs"]
mod signer;
#[path = "s3/sigv2.rs"]
mod sigv2;
mod sites;
#[path = "s3/uploads.rs"]
mod uploads;

use anabranch::{
    causality::SiteId,
    engine::Engine,
    env::tokio::TokioEnv,
    s3::{self, Keys, Service, Settings},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header::HeaderName};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle, actions};
use sites::{Site, addresses, eventually, start};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tempfile::TempDir;

/// How long a signature is good for.
const LIFE: Duration = Duration::from_mins(1);

/// Two sites with their S3 faces, and one account.
struct Pair {
    _data: TempDir,
    sites: [Site; 2],
    keys: Arc<Keys>,
    faces: [Service<TokioEnv>; 2],
    graceful: GracefulShutdown,
    bucket: Bucket,
    account: Credentials,
}

/// What a client was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text here"))
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// What stands between the tags of this name, in order.
    fn all(&self, tag: &str) -> Vec<String> {
        let (text, opens, closes) = (self.text(), format!("<{tag}>"), format!("</{tag}>"));
        let parts = text.split(&opens).skip(1);
        parts.filter_map(|part| Some(part.split_once(&closes)?.0.to_owned())).collect()
    }

    fn ok(self) -> Self {
        assert!(self.status.is_success(), "{self:?}");
        self
    }

    fn refused(&self) -> (u16, String) {
        (self.status.as_u16(), self.all("Code").first().cloned().unwrap_or_default())
    }
}

/// A site's face, with the way to the other site's.
fn face(site: &Site, other: u16, keys: &Arc<Keys>) -> Service<TokioEnv> {
    let replication = site.node.replication().clone();
    let reach: s3::Reach<TokioEnv> = Arc::new(move |site| {
        let replication = replication.clone();
        Box::pin(async move { replication.face_of(site).await })
    });
    let service = s3::service(site.node.engine().clone(), keys, Settings::default(), Arc::new(()));
    service.reaching([SiteId(other)].into(), reach)
}

impl Pair {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let addresses = addresses(2);
        let sites = [start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await];
        let keys = [("KEY", "ann"), ("OTHER", "bob"), ("THIRD", "eve")];
        let keys =
            keys.iter().fold(Keys::default(), |keys, (key, account)| keys.with(key, "secret", account));
        let keys = Arc::new(keys);
        let graceful = GracefulShutdown::new();
        let faces = [0, 1].map(|n: usize| face(&sites[n], 1 - n as u16, &keys));
        for (site, face) in sites.iter().zip(&faces) {
            let (replication, face) = (site.node.replication().clone(), face.clone().for_guests());
            let watcher = GracefulShutdown::new();
            tokio::spawn(async move {
                loop {
                    tokio::spawn(s3::serve_connection(face.clone(), replication.guest().await, &watcher));
                }
            });
        }
        let engines = sites.each_ref().map(|site| site.node.engine().clone());
        eventually("the sites meet", async || engines.iter().all(Engine::is_joined).then_some(())).await;
        let url = "http://store.test".parse().unwrap();
        let bucket = Bucket::new(url, UrlStyle::Path, "photos", "us-east-1").unwrap();
        let account = Credentials::new("KEY", "secret");
        let pair = Self { _data: data, sites, keys, faces, graceful, bucket, account };
        pair.send(0, Method::PUT, &pair.bucket.create_bucket(&pair.account), Bytes::new()).await.ok();
        pair
    }

    /// Sends one request on a connection of its own.
    async fn send<'a>(
        &self,
        site: usize,
        method: Method,
        action: &impl S3Action<'a>,
        body: impl Into<Bytes>,
    ) -> Answer {
        self.send_with(site, method, action, body, &[]).await
    }

    /// The same with headers that are not signed.
    async fn send_with<'a>(
        &self,
        site: usize,
        method: Method,
        action: &impl S3Action<'a>,
        body: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = action.sign(LIFE);
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        self.send_to(site, method, &target, body, headers).await
    }

    /// The same for a path and query that are signed, or not.
    async fn send_to(
        &self,
        site: usize,
        method: Method,
        target: &str,
        body: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = body.into();
        let (client, server) = tokio::io::duplex(256 << 10);
        tokio::spawn(s3::serve_connection(self.faces[site].clone(), server, &self.graceful));
        let (mut sender, conn) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
        tokio::spawn(conn);
        let length = body.len();
        let mut request = Request::builder().method(method).uri(target).header("host", "store.test");
        request = request.header("content-length", length);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn put(&self, site: usize, key: &str, body: impl Into<Bytes>) -> Answer {
        self.send(site, Method::PUT, &self.bucket.put_object(Some(&self.account), key), body).await
    }

    async fn get(&self, site: usize, key: &str, headers: &[(&str, &str)]) -> Answer {
        let get = self.bucket.get_object(Some(&self.account), key);
        self.send_with(site, Method::GET, &get, Bytes::new(), headers).await
    }

    async fn get_version(&self, site: usize, key: &str, version: &str) -> Answer {
        let mut get = self.bucket.get_object(Some(&self.account), key);
        get.query_mut().insert("versionId", version.to_owned());
        self.send(site, Method::GET, &get, Bytes::new()).await
    }

    /// What a site shows of a key once it shows anything.
    async fn arrives(&self, site: usize, key: &str) -> Answer {
        eventually("the object arrives", async || {
            Some(self.get(site, key, &[]).await).filter(|answer| answer.status == StatusCode::OK)
        })
        .await
    }

    async fn versions(&self, site: usize) -> Answer {
        let mut list = self.bucket.list_objects_v2(Some(&self.account));
        list.query_mut().remove("list-type");
        list.query_mut().insert("versions", "");
        self.send(site, Method::GET, &list, Bytes::new()).await.ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_the_same_at_both_sites() {
    let pair = Pair::start().await;
    let mut put = pair.bucket.put_object(Some(&pair.account), "a/b c+ä");
    put.headers_mut().insert("x-amz-meta-color", "red");
    let headers =
        [("x-amz-meta-color", "red"), ("content-type", "text/plain"), ("cache-control", "no-cache")];
    let written = pair.send_with(0, Method::PUT, &put, "hello", &headers).await.ok();
    let [here, there] = [pair.get(0, "a/b c+ä", &[]).await, pair.arrives(1, "a/b c+ä").await];
    assert_eq!((&here.body[..], &there.body[..]), (&b"hello"[..], &b"hello"[..]));
    for name in ["etag", "last-modified", "content-type", "cache-control", "x-amz-meta-color"] {
        assert_eq!(here.header(name), there.header(name), "{name}");
        assert_ne!(here.header(name), "", "{name}");
    }
    assert_eq!(written.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");

    let part = pair.get(1, "a/b c+ä", &[("range", "bytes=1-2")]).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &b"el"[..]));
    assert_eq!(part.header("content-range"), "bytes 1-2/5");
    let beyond = pair.get(1, "a/b c+ä", &[("range", "bytes=5-9")]).await;
    assert_eq!(beyond.refused(), (416, "InvalidRange".into()));
    let same = pair.get(1, "a/b c+ä", &[("if-none-match", written.header("etag"))]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let put = pair.bucket.put_object(Some(&pair.account), "a/b c+ä");
    let again = pair.send_with(0, Method::PUT, &put, "x", &[("if-none-match", "*")]).await;
    assert_eq!(again.refused(), (412, "PreconditionFailed".into()));

    let delete = pair.bucket.delete_object(Some(&pair.account), "a/b c+ä");
    assert_eq!(pair.send(1, Method::DELETE, &delete, Bytes::new()).await.status, StatusCode::NO_CONTENT);
    eventually("the delete arrives", async || {
        (pair.get(0, "a/b c+ä", &[]).await.refused() == (404, "NoSuchKey".into())).then_some(())
    })
    .await;
    // Ends the sites' tasks before their folder goes.
    pair.sites.iter().for_each(|site| site.env.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multipart_upload_is_one_object_everywhere_with_its_parts() {
    const PART: usize = 5 << 20;
    let pair = Pair::start().await;
    let body: Bytes = (0..PART + 1000).map(|n| (n % 251) as u8).collect();
    let begun = pair
        .send(0, Method::POST, &pair.bucket.create_multipart_upload(Some(&pair.account), "big"), "")
        .await;
    let id = begun.ok().all("UploadId").remove(0);
    let mut etags = Vec::new();
    for (number, part) in (1..).zip([body.slice(..PART), body.slice(PART..)]) {
        let upload = pair.bucket.upload_part(Some(&pair.account), "big", number, &id);
        etags.push(pair.send(0, Method::PUT, &upload, part).await.ok().header("etag").to_owned());
    }
    // Nothing shows before it is complete, and a wrong ETag completes nothing.
    assert_eq!(pair.get(0, "big", &[]).await.refused().0, 404);
    let wrong = ["\"0\"".to_owned(), etags[1].clone()];
    for (etags, status) in [(&wrong[..], 400), (&etags[..], 200)] {
        let names = etags.iter().map(String::as_str);
        let complete = pair.bucket.complete_multipart_upload(Some(&pair.account), "big", &id, names);
        let xml = actions::CompleteMultipartUpload::body(complete.clone());
        assert_eq!(pair.send(0, Method::POST, &complete, xml).await.status.as_u16(), status);
    }
    let there = pair.arrives(1, "big").await;
    assert_eq!(there.body, body);
    assert!(there.header("etag").ends_with("-2\""), "{}", there.header("etag"));
    let mut second = pair.bucket.get_object(Some(&pair.account), "big");
    second.query_mut().insert("partNumber", "2");
    let second = pair.send(1, Method::GET, &second, Bytes::new()).await;
    assert_eq!((second.status.as_u16(), second.body), (206, body.slice(PART..)));
    let gone = pair.bucket.abort_multipart_upload(Some(&pair.account), "big", &id);
    assert_eq!(
        pair.send(0, Method::DELETE, &gone, Bytes::new()).await.refused(),
        (404, "NoSuchUpload".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_and_delete_markers_are_named_and_ordered_alike_everywhere() {
    let pair = Pair::start().await;
    let mut versioning = pair.bucket.create_bucket(&pair.account);
    versioning.query_mut().insert("versioning", "");
    let xml = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    pair.send(0, Method::PUT, &versioning, xml).await.ok();
    let mut ids = Vec::new();
    for body in ["one", "two"] {
        ids.push(pair.put(0, "k", body).await.ok().header("x-amz-version-id").to_owned());
    }
    let delete = pair.bucket.delete_object(Some(&pair.account), "k");
    let marker = pair.send(0, Method::DELETE, &delete, Bytes::new()).await.ok();
    assert_eq!(marker.header("x-amz-delete-marker"), "true");
    ids.push(marker.header("x-amz-version-id").to_owned());
    ids.reverse();
    eventually("the versions arrive", async || {
        (pair.versions(1).await.all("VersionId").len() == 3).then_some(())
    })
    .await;
    let [mut here, mut there] =
        [pair.versions(0).await.all("VersionId"), pair.versions(1).await.all("VersionId")];
    assert_eq!(here, there);
    here.sort();
    here.reverse();
    assert_eq!(here, ids, "greater ids are newer versions");
    there.clear();
    assert_eq!(pair.get(1, "k", &[]).await.refused(), (404, "NoSuchKey".into()));
    assert_eq!(pair.get_version(1, "k", &ids[2]).await.ok().body, "one");
    assert_eq!(pair.get_version(1, "k", &ids[0]).await.refused(), (405, "MethodNotAllowed".into()));
    let mut undelete = pair.bucket.delete_object(Some(&pair.account), "k");
    undelete.query_mut().insert("versionId", ids[0].clone());
    pair.send(1, Method::DELETE, &undelete, Bytes::new()).await.ok();
    assert_eq!(pair.get(1, "k", &[]).await.ok().body, "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_what_was_sent_leaves_nothing() {
    let pair = Pair::start().await;
    let put = pair.bucket.put_object(Some(&pair.account), "k");
    let wrong = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    assert_eq!(
        pair.send_with(0, Method::PUT, &put, "body", &wrong).await.refused(),
        (400, "BadDigest".into())
    );
    let nonsense = [("content-md5", "nonsense")];
    assert_eq!(pair.send_with(0, Method::PUT, &put, "body", &nonsense).await.refused().0, 400);
    let mut summed = pair.bucket.put_object(Some(&pair.account), "k");
    summed.headers_mut().insert("x-amz-checksum-crc32", "AAAAAA==");
    let headers = [("x-amz-checksum-crc32", "AAAAAA==")];
    assert_eq!(
        pair.send_with(0, Method::PUT, &summed, "body", &headers).await.refused(),
        (400, "BadDigest".into())
    );
    assert_eq!(pair.get(0, "k", &[]).await.refused(), (404, "NoSuchKey".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_fold_prefixes_and_go_on_at_the_other_site() {
    let pair = Pair::start().await;
    for key in ["a", "b/1", "b/2", "c", "d/x/y"] {
        pair.put(0, key, "x").await.ok();
    }
    pair.arrives(1, "d/x/y").await;
    let (mut found, mut token, mut site) = (Vec::new(), None::<String>, 0);
    loop {
        let mut list = pair.bucket.list_objects_v2(Some(&pair.account));
        list.with_delimiter("/");
        list.with_max_keys(2);
        if let Some(token) = token.take() {
            list.with_continuation_token(token);
        }
        let page = pair.send(site, Method::GET, &list, Bytes::new()).await.ok();
        found.extend(page.all("Key"));
        found.extend(page.all("Prefix").into_iter().filter(|prefix| !prefix.is_empty()));
        let Some(next) = page.all("NextContinuationToken").pop() else { break };
        (token, site) = (Some(next), 1 - site);
    }
    found.sort();
    assert_eq!(found, ["a", "b/", "c", "d/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_in_with_anothers_rights() {
    let pair = Pair::start().await;
    pair.put(0, "k", "secret").await.ok();
    for (who, status, code) in [
        (Some(Credentials::new("OTHER", "secret")), 403, "AccessDenied"),
        (Some(Credentials::new("KEY", "wrong")), 403, "SignatureDoesNotMatch"),
        (Some(Credentials::new("NOBODY", "secret")), 403, "InvalidAccessKeyId"),
        (None, 403, "AccessDenied"),
    ] {
        let get = pair.bucket.get_object(who.as_ref(), "k");
        let answer = pair.send(0, Method::GET, &get, Bytes::new()).await;
        assert_eq!(answer.refused(), (status, code.into()), "{who:?}");
    }
    // A presigned PUT with a header added must not become a copy with the signer's rights.
    let put = pair.bucket.put_object(Some(&pair.account), "stolen");
    let added = [(HeaderName::from_static("x-amz-copy-source").as_str().to_owned(), "/photos/k")];
    let added: Vec<_> = added.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(
        pair.send_with(0, Method::PUT, &put, "", &added).await.refused(),
        (403, "AccessDenied".into())
    );
    assert_eq!(pair.get(0, "stolen", &[]).await.refused().0, 404);
}
