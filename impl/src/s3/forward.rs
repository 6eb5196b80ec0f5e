//! Requests about a multipart upload that another site keeps: its id names that site, and they are handed on.
//!
//! The request goes as its client sent it, on a connection between the sites, so that its signature holds there; the other
//! site asks who may do what, as always. What is added is whence the client came, for policies that ask.

use super::{
    context::Source,
    front,
    idle::{Moving, Progress},
};
use crate::{causality::SiteId, engine::UploadId, env::Env};
use hyper::{
    HeaderMap, Request, Version,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use s3s::{HttpResponse, s3_error};
use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

/// Tells the other site where a client is. Nothing but another site is believed it.
const CLIENT: HeaderName = HeaderName::from_static("x-anabranch-client-address");
/// What is said between a client and the site that it speaks to.
const HOP: [HeaderName; 3] =
    [header::CONNECTION, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// Opens a connection to the S3 face of another site.
pub type Reach<E> =
    Arc<dyn Fn(SiteId) -> Pin<Box<dyn Future<Output = io::Result<<E as Env>::Conn>> + Send>> + Send + Sync>;

/// The site that keeps the upload that a request names; none if it names none.
pub(super) fn keeper<B>(request: &Request<B>) -> Option<SiteId> {
    let id = request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("uploadId="))?;
    UploadId::parse(id).map(|id| id.site)
}

/// Takes out what tells where a client is; believed only of a peer.
pub(super) fn take_source(headers: &mut HeaderMap, is_peer: bool) -> Option<Source> {
    let told = headers.remove(CLIENT)?;
    is_peer.then(|| told.to_str().ok()?.parse().ok().map(Source)).flatten()
}

/// Hands a request on, and its answer back. `limit` is how long either side may be silent while a body moves, and the other
/// site may think about the answer.
pub(super) async fn send<E: Env>(
    env: &E,
    reach: &Reach<E>,
    site: SiteId,
    mut request: Request<s3s::Body>,
    limit: Duration,
    sent: &Progress,
) -> HttpResponse {
    let source = request.extensions().get::<Source>().copied();
    let authority = request.uri().authority().map(ToString::to_string);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = target.parse().expect("the part of a URI is one");
    let headers = request.headers_mut();
    HOP.iter().for_each(|name| {
        headers.remove(name);
    });
    if let Some(Ok(host)) = authority.map(|host| HeaderValue::from_str(&host)) {
        headers.entry(header::HOST).or_insert(host);
    }
    if let Some(Source(address)) = source {
        headers.insert(CLIENT, HeaderValue::from_str(&address.to_string()).expect("an address is ASCII"));
    }
    match exchange(env, reach, site, request, limit, sent).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%site, %error, "a request for another site's upload could not be handed on");
            front::refusal(s3_error!(
                ServiceUnavailable,
                "the upload is kept at another site, which is out of reach: try again later, or upload anew here"
            ))
        }
    }
}

async fn exchange<E: Env>(
    env: &E,
    reach: &Reach<E>,
    site: SiteId,
    request: Request<s3s::Body>,
    limit: Duration,
    sent: &Progress,
) -> io::Result<HttpResponse> {
    let conn = reach(site).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(conn)).await.map_err(io::Error::other)?;
    env.spawn(
        "forwarded",
        Box::pin(async move {
            let _ = connection.await; // how it ends, the answer tells
        }),
    );
    let mut answering = Box::pin(sender.send_request(request));
    let answer = loop {
        let pieces = sent.pieces();
        match crate::env::timeout(env, limit, answering.as_mut()).await {
            Some(answer) => break answer.map_err(io::Error::other)?,
            None if sent.pieces() > pieces => {} // the body still moves
            None => return Err(io::ErrorKind::TimedOut.into()),
        }
    };
    let limited = |body: Incoming| {
        s3s::Body::http_body_unsync(Moving::new(env.clone(), limit, body, Progress::default()))
    };
    let mut answer = answer.map(limited);
    HOP.iter().for_each(|name| {
        answer.headers_mut().remove(name);
    });
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_s_id_names_its_site() {
        let of = |uri: &str| keeper(&Request::get(uri).body(()).unwrap());
        assert_eq!(of("/b/k?partNumber=1&uploadId=00030123456789abcdef"), Some(SiteId(3)));
        for other in [
            "/b/k",
            "/b/k?uploads",
            "/b/k?uploadId=",
            "/b/k?uploadId=abc1234def",
            "/b/k?xuploadId=00030123456789abcdef",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn only_a_peer_is_believed_where_a_client_is() {
        let told = || HeaderMap::from_iter([(CLIENT, HeaderValue::from_static("192.0.2.7"))]);
        let (mut of_client, mut of_peer) = (told(), told());
        assert!(take_source(&mut of_client, false).is_none());
        assert_eq!(take_source(&mut of_peer, true).unwrap().0.to_string(), "192.0.2.7");
        assert!(of_client.is_empty() && of_peer.is_empty(), "it goes no further");
    }
}
