//! Asking a running site: the admin face that its configuration names.

use crate::{
    admin::access::Problem,
    config::{Config, read_secret},
};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use miette::{IntoDiagnostic, WrapErr, miette};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

/// Where a site's operators ask.
pub(super) struct AdminClient {
    address: std::net::SocketAddr,
    token: String,
}

impl AdminClient {
    /// Of the site that a configuration describes.
    pub(super) fn of(path: &Path) -> miette::Result<Self> {
        let config = Config::read(path)?;
        let token = read_secret(&config.admin.token_file).map_err(|error| miette!("{error}"))?;
        Ok(Self { address: config.admin.listen, token })
    }

    /// Asks for what is at a path.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> miette::Result<T> {
        self.send(Method::GET, path, None::<&()>).await
    }

    /// Asks for something to be done.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> miette::Result<T> {
        let body = body.map(serde_json::to_vec).transpose().into_diagnostic()?.unwrap_or_default();
        let answer = self.fetch(method, path, body).await?;
        let answer = if answer.is_empty() { b"null" } else { &answer[..] };
        serde_json::from_slice(answer)
            .into_diagnostic()
            .wrap_err("the site answered what this release does not know")
    }

    async fn fetch(&self, method: Method, path: &str, body: Vec<u8>) -> miette::Result<Vec<u8>> {
        let remedy = || {
            format!("asking the site at {} failed: is it running? `anabranch serve` starts it", self.address)
        };
        let conn =
            tokio::net::TcpStream::connect(self.address).await.into_diagnostic().wrap_err_with(remedy)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(conn)).await.into_diagnostic()?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes::Bytes::from(body)))
            .into_diagnostic()?;
        let answer = sender.send_request(request).await.into_diagnostic().wrap_err_with(remedy)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.into_diagnostic()?.to_bytes();
        if status.is_success() {
            return Ok(body.to_vec());
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(Problem { title, detail: Some(detail), .. }) => Err(miette!(help = detail, "{title}")),
            Ok(Problem { title, .. }) => Err(miette!("{title}")),
            Err(_) => Err(miette!("the site answered {status}")),
        }
    }
}
