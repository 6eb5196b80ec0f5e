//! A client that signs and sends one request after the other, and knows that no answer is not "no".

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::{io, net::SocketAddr, time::Duration};

const LIFE: Duration = Duration::from_mins(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) credentials: Credentials,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// What stands between the tags of this name, in order.
    pub(crate) fn all(&self, tag: &str) -> Vec<String> {
        let (text, opens, closes) =
            (String::from_utf8_lossy(&self.body), format!("<{tag}>"), format!("</{tag}>"));
        let parts = text.split(&opens).skip(1);
        parts.filter_map(|part| Some(part.split_once(&closes)?.0.to_owned())).collect()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, access_key: &str, secret_key: &str) -> Self {
        Self { address, credentials: Credentials::new(access_key, secret_key), sender: None }
    }

    pub(crate) fn bucket(&self, name: &str) -> Bucket {
        let url = format!("http://{}", self.address).parse().unwrap();
        Bucket::new(url, UrlStyle::Path, name.to_owned(), "us-east-1").unwrap()
    }

    /// Creates a bucket, versioned if asked for.
    pub(crate) async fn create(&mut self, name: &str, is_versioned: bool) {
        let (bucket, credentials) = (self.bucket(name), self.credentials.clone());
        let answer = self.send(Method::PUT, &bucket.create_bucket(&credentials), Bytes::new()).await.unwrap();
        assert_eq!(answer.status, 200);
        if is_versioned {
            let mut versioning = bucket.create_bucket(&credentials);
            versioning.query_mut().insert("versioning", "");
            let xml = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                       <Status>Enabled</Status></VersioningConfiguration>";
            assert_eq!(self.send(Method::PUT, &versioning, xml.into()).await.unwrap().status, 200);
        }
    }

    pub(crate) async fn put(&mut self, bucket: &str, key: &str, body: Bytes) -> io::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket), self.credentials.clone());
        self.send(Method::PUT, &bucket.put_object(Some(&credentials), key), body).await
    }

    pub(crate) async fn get(&mut self, bucket: &str, key: &str, version: Option<&str>) -> io::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket), self.credentials.clone());
        let mut action = bucket.get_object(Some(&credentials), key);
        if let Some(version) = version {
            action.query_mut().insert("versionId", version.to_owned());
        }
        self.send(Method::GET, &action, Bytes::new()).await
    }

    pub(crate) async fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> io::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket), self.credentials.clone());
        let mut action = bucket.delete_object(Some(&credentials), key);
        if let Some(version) = version {
            action.query_mut().insert("versionId", version.to_owned());
        }
        self.send(Method::DELETE, &action, Bytes::new()).await
    }

    /// Lists what a query on a bucket asks for. Markers that are empty are left out.
    pub(crate) async fn list(&mut self, bucket: &str, query: &[(&str, &str)]) -> io::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket), self.credentials.clone());
        let mut action = bucket.list_objects_v2(Some(&credentials));
        action.query_mut().remove("list-type");
        action.query_mut().remove("encoding-type");
        for (name, value) in
            query.iter().filter(|(name, value)| !value.is_empty() || !name.ends_with("marker"))
        {
            action.query_mut().insert((*name).to_owned(), (*value).to_owned());
        }
        self.send(Method::GET, &action, Bytes::new()).await
    }

    /// Uploads in parts. An error is no answer: nobody knows what became of it.
    pub(crate) async fn put_in_parts(
        &mut self,
        bucket: &str,
        key: &str,
        parts: &[Bytes],
    ) -> io::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket), self.credentials.clone());
        let begun = self
            .send(Method::POST, &bucket.create_multipart_upload(Some(&credentials), key), Bytes::new())
            .await?;
        let Some(id) = begun.all("UploadId").pop() else { return Ok(begun) };
        let mut etags = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let action = bucket.upload_part(Some(&credentials), key, number, &id);
            let answer = self.send(Method::PUT, &action, part.clone()).await?;
            let Some(etag) = answer.etag.clone() else { return Ok(answer) };
            etags.push(etag);
        }
        let complete =
            bucket.complete_multipart_upload(Some(&credentials), key, &id, etags.iter().map(String::as_str));
        let body = complete.clone().body();
        let answer = self.send(Method::POST, &complete, body.into()).await?;
        // The answer may begin before its outcome is known: 200 with an error in it.
        if answer.status == 200 && answer.all("ETag").is_empty() {
            return Err(io::Error::other(String::from_utf8_lossy(&answer.body).into_owned()));
        }
        Ok(answer)
    }

    /// Sends one request. An error is no answer.
    pub(crate) async fn send<'a>(
        &mut self,
        method: Method,
        action: &impl S3Action<'a>,
        body: Bytes,
    ) -> io::Result<Answer> {
        let url = action.sign(LIFE);
        let sent = tokio::time::timeout(PATIENCE, self.send_to(method, path_of(url.as_str()), body));
        let answer = sent.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn send_to(&mut self, method: Method, path: &str, body: Bytes) -> io::Result<Answer> {
        let sender = match &mut self.sender {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                let conn = tokio::net::TcpStream::connect(self.address).await?;
                conn.set_nodelay(true)?;
                let shaken = hyper::client::conn::http1::handshake(TokioIo::new(conn)).await;
                let (sender, connection) = shaken.map_err(io::Error::other)?;
                tokio::spawn(connection);
                self.sender.insert(sender)
            }
        };
        sender.ready().await.map_err(io::Error::other)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .body(Full::new(body))
            .map_err(io::Error::other)?;
        let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let header = |name: &str| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
        Ok(Answer { status: head.status, version: header("x-amz-version-id"), etag: header("etag"), body })
    }
}

/// The part of a URL behind its host.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    &url[host + url[host..].find('/').unwrap_or(0)..]
}
