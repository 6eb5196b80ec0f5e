//! A small S3 client over one connection: signed requests as any client sends them, for `dev` and `bench`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, client::conn::http1::SendRequest, header};
use hyper_util::rt::TokioIo;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::{net::SocketAddr, time::Duration};

/// How long a signature is good.
const SIGNED_FOR: Duration = Duration::from_mins(5);

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// One connection to one site.
pub(crate) struct S3Client {
    address: SocketAddr,
    region: String,
    credentials: Credentials,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl S3Client {
    /// Not connected yet.
    pub(crate) fn new(address: SocketAddr, access_key: &str, secret_key: &str, region: &str) -> Self {
        let credentials = Credentials::new(access_key, secret_key);
        Self { address, region: region.to_owned(), credentials, sender: None }
    }

    fn bucket(&self, name: &str) -> miette::Result<Bucket> {
        let endpoint = format!("http://{}", self.address).parse().into_diagnostic()?;
        Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), self.region.clone()).into_diagnostic()
    }

    /// Creates a bucket.
    pub(crate) async fn create_bucket(&mut self, name: &str) -> miette::Result<()> {
        let (bucket, credentials) = (self.bucket(name)?, self.credentials.clone());
        let action = bucket.create_bucket(&credentials);
        self.expect(Method::PUT, action.sign(SIGNED_FOR).as_str(), Bytes::new()).await?;
        Ok(())
    }

    /// Has a bucket keep every version.
    pub(crate) async fn enable_versioning(&mut self, name: &str) -> miette::Result<()> {
        let (bucket, credentials) = (self.bucket(name)?, self.credentials.clone());
        let mut action = bucket.create_bucket(&credentials);
        action.query_mut().insert("versioning", "");
        let url = action.sign(SIGNED_FOR);
        let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status>\
                    </VersioningConfiguration>";
        self.expect(Method::PUT, url.as_str(), body.into()).await?;
        Ok(())
    }

    /// Writes an object.
    pub(crate) async fn put(&mut self, bucket: &str, key: &str, body: Bytes) -> miette::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket)?, self.credentials.clone());
        let url = bucket.put_object(Some(&credentials), key).sign(SIGNED_FOR);
        self.expect(Method::PUT, url.as_str(), body).await
    }

    /// Reads an object, or one version of it.
    pub(crate) async fn get(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> miette::Result<Answer> {
        let (bucket, credentials) = (self.bucket(bucket)?, self.credentials.clone());
        let mut action = bucket.get_object(Some(&credentials), key);
        if let Some(version) = version {
            action.query_mut().insert("versionId", version.to_owned());
        }
        self.send(Method::GET, action.sign(SIGNED_FOR).as_str(), Bytes::new()).await
    }

    async fn expect(&mut self, method: Method, url: &str, body: Bytes) -> miette::Result<Answer> {
        let answer = self.send(method.clone(), url, body).await?;
        if !answer.status.is_success() {
            let path = url.split('?').next().unwrap_or_default();
            bail!(
                "{method} {path} was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(answer)
    }

    async fn send(&mut self, method: Method, url: &str, body: Bytes) -> miette::Result<Answer> {
        let sender = match &mut self.sender {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                let failed = || format!("connecting to {} failed", self.address);
                let conn = tokio::net::TcpStream::connect(self.address)
                    .await
                    .into_diagnostic()
                    .wrap_err_with(failed)?;
                conn.set_nodelay(true).into_diagnostic()?;
                let (sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(conn)).await.into_diagnostic()?;
                tokio::spawn(connection);
                self.sender.insert(sender)
            }
        };
        sender.ready().await.into_diagnostic()?;
        let origin = url.find("://").and_then(|at| url[at + 3..].find('/').map(|end| at + 3 + end));
        let path = &url[origin.ok_or_else(|| miette!("{url} has no path"))?..];
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .body(Full::new(body))
            .into_diagnostic()?;
        let answer = sender.send_request(request).await.into_diagnostic()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.into_diagnostic()?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}
