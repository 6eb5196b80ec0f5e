//! Requests signed in their headers by hand, so that any part of them can be wrong: the crate that the other tests sign
//! with makes URLs only, and good ones.

use super::{Answer, LIFE, Pair};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Body, header::HeaderValue};
use hyper_util::rt::TokioIo;
use rusty_s3::S3Action;
use s3s::crypto::{Checksum, Sha256};
use std::{collections::BTreeMap, fmt::Write};

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(super) fn hmac<C: Checksum<Output: AsRef<[u8]>>>(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = [&block.map(|byte| byte ^ 0x36)[..], message.as_bytes()].concat();
    let inner = C::checksum(&inner);
    C::checksum(&[&block.map(|byte| byte ^ 0x5c)[..], inner.as_ref()].concat()).as_ref().to_vec()
}

/// What a text is signed with in a scope, `DAY/REGION/SERVICE/aws4_request`.
pub(super) fn signing_key(scope: &str) -> Vec<u8> {
    scope.split('/').fold(b"AWS4secret".to_vec(), |key, part| hmac::<Sha256>(&key, part))
}

/// A request to be signed: each part as it is sent. Paths and queries are written as they are signed, encoded and sorted.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    /// Signed, all of them.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    pub(crate) access_key: &'static str,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    /// `YYYYMMDDTHHMMSSZ`.
    pub(crate) date: String,
    pub(crate) scope_date: Option<&'static str>,
}

impl Signed {
    fn scope(&self) -> String {
        let day = self.scope_date.unwrap_or(&self.date[..8]);
        format!("{day}/{}/{}/aws4_request", self.region, self.service)
    }

    fn signature(&self, query: &str, hash: &str) -> String {
        let mut headers = String::new();
        for (name, value) in &self.headers {
            writeln!(headers, "{name}:{value}").unwrap();
        }
        let path = self.target.split('?').next().unwrap();
        let canonical =
            format!("{}\n{path}\n{query}\n{headers}\n{}\n{hash}", self.method, self.signed_headers());
        let canonical = hex(&Sha256::checksum(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{canonical}", self.date, self.scope());
        hex(&hmac::<Sha256>(&signing_key(&self.scope()), &text))
    }

    fn signed_headers(&self) -> String {
        self.headers.keys().map(String::as_str).collect::<Vec<_>>().join(";")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Signs in the headers.
    pub(crate) fn by_header(mut self) -> Request<Full<Bytes>> {
        let hash = hex(&Sha256::checksum(&self.body));
        let hash = self.headers.entry("x-amz-content-sha256".into()).or_insert(hash).clone();
        if !self.headers.contains_key("date") {
            self.headers.entry("x-amz-date".into()).or_insert(self.date.clone());
        }
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let named = |pair: &str| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") };
        let query: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(named).collect();
        let signature = self.signature(&query.join("&"), &hash);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            self.scope(),
            self.signed_headers()
        );
        let mut request = self.request(&self.target);
        let authorization = HeaderValue::from_str(&authorization).unwrap();
        request.headers_mut().entry("authorization").or_insert(authorization);
        request
    }

    /// Signs in the URL, for so many seconds.
    pub(crate) fn by_url(self, expires: &str) -> Request<Full<Bytes>> {
        let path = self.target.clone();
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={}&X-Amz-Expires={expires}\
             &X-Amz-SignedHeaders={}",
            self.access_key,
            self.scope().replace('/', "%2F"),
            self.date,
            self.signed_headers().replace(';', "%3B"),
        );
        let signature = self.signature(&query, "UNSIGNED-PAYLOAD");
        self.request(&format!("{path}?{query}&X-Amz-Signature={signature}"))
    }

    fn request(&self, target: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(self.method).uri(target);
        for (name, value) in &self.headers {
            // As Python's clients do: signed in UTF-8, sent in Latin-1.
            let latin1: Vec<u8> = value.chars().map(|char| u8::try_from(char).unwrap()).collect();
            request = request.header(name, HeaderValue::from_bytes(&latin1).unwrap());
        }
        request.body(Full::new(self.body.clone())).unwrap()
    }
}

impl Pair {
    /// The time, as signatures have it.
    pub(crate) fn now(&self) -> String {
        let url = self.bucket.head_bucket(Some(&self.account)).sign(LIFE);
        url.query_pairs().find(|(name, _)| name == "X-Amz-Date").unwrap().1.into_owned()
    }

    /// A request of the first account, good so far.
    pub(crate) fn signed(&self, method: &'static str, target: &str) -> Signed {
        Signed {
            method,
            target: target.into(),
            headers: BTreeMap::from([("host".into(), "store.test".into())]),
            body: Bytes::new(),
            access_key: "KEY",
            region: "us-east-1",
            service: "s3",
            date: self.now(),
            scope_date: None,
        }
    }

    /// Sends a request to the first site as it is, on a connection of its own.
    pub(crate) async fn exchange<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        self.exchange_at(0, request).await
    }

    /// The same at one of the sites.
    pub(crate) async fn exchange_at<B>(&self, site: usize, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (mut sender, conn) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.dial_at(site))).await.unwrap();
        // The answer may come before all of the request is sent.
        tokio::spawn(async move { conn.await.ok() });
        let mut request = request.map(|body| Box::pin(body.map_err(|error| error.to_string())));
        if let Some(length) = request.body().size_hint().exact().filter(|_| request.method() == Method::PUT) {
            // Of an empty body hyper tells no length.
            request.headers_mut().entry("content-length").or_insert(length.into());
        }
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// A connection to the first site.
    pub(crate) fn dial(&self) -> tokio::io::DuplexStream {
        self.dial_at(0)
    }

    fn dial_at(&self, site: usize) -> tokio::io::DuplexStream {
        let (client, server) = tokio::io::duplex(256 << 10);
        tokio::spawn(anabranch::s3::serve_connection(self.faces[site].clone(), server, &self.graceful));
        client
    }
}
