//! The service over HTTP: what `s3s` is told, and one connection.

use super::{
    Face,
    access::{Auth, Keys},
};
use crate::{engine::Engine, env::Env};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use s3s::{
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use std::{error::Error, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// Answers S3 requests. Cheap to clone.
pub type Service = S3Service;

/// The most bytes of an XML document in a request.
const XML_MAX: usize = 4 << 20;
/// The most bytes of a POST form's file, which is held in memory.
const POST_MAX: u64 = 16 << 20;

/// The S3 service of a site.
pub fn service<E: Env>(engine: Engine<E>, keys: Arc<Keys>, region: String) -> Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_MAX;
    config.post_object_max_file_size = POST_MAX;
    let mut builder = S3ServiceBuilder::new(Face { engine, keys: keys.clone(), region });
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(Auth(keys.clone()));
    builder.set_access(Auth(keys));
    builder.build()
}

/// Serves one connection, HTTP/1.1 or 2, until either side ends it.
pub async fn serve_connection(
    service: Service,
    conn: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = auto::Builder::new(TokioExecutor::new());
    server.serve_connection(TokioIo::new(conn), service).await
}
