//! TLS between sites: both sides show a certificate of the cluster's authority, and with it their names.
//!
//! A site's certificate carries the name `SITE.CLUSTER.anabranch`, so that one of another cluster is refused before a
//! byte of the protocol is read, even if one authority signed both. Errors say what an operator can do.
#![expect(clippy::disallowed_types, reason = "this is the real world's side of the seam")]

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// A connection to a peer.
pub trait PeerStream: AsyncRead + AsyncWrite + Unpin + Send {
    /// The name that the other side has proved.
    fn proven_name(&self) -> Option<String> {
        None
    }
}

impl PeerStream for TcpStream {}

impl PeerStream for TlsStream<TcpStream> {
    fn proven_name(&self) -> Option<String> {
        let certificate = self.get_ref().1.peer_certificates()?.first()?;
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        certificate.valid_dns_names().next().map(str::to_owned)
    }
}

/// The name that a site's certificate carries.
pub fn name_of(site: &str, cluster: &str) -> String {
    format!("{site}.{cluster}.anabranch")
}

/// Where a site's certificates are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// The site's certificate, and any between it and the authority.
    pub cert: PathBuf,
    /// The site's private key.
    pub key: PathBuf,
}

/// Why a site cannot speak TLS.
#[derive(Debug, Error)]
pub enum Error {
    /// A file is missing or holds something else.
    #[error("reading {path} failed: {cause}; `anabranch init` makes such files")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: rustls::pki_types::pem::Error,
    },
    /// The certificates do not fit together.
    #[error("the certificates cannot be used: {0}; `anabranch init` makes fitting ones")]
    Unfit(String),
}

/// What a site needs to call and to be called.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    /// The name expected at each peer's address.
    names: Arc<BTreeMap<String, ServerName<'static>>>,
}

impl Tls {
    /// Reads the certificates. `peers` maps addresses to the names expected there.
    pub fn load(files: &Files, peers: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let unfit = |error: &dyn std::fmt::Display| Error::Unfit(error.to_string());
        let certificates = |path: &PathBuf| {
            let failed = |cause| Error::File { path: path.clone(), cause };
            let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
            found.map_err(failed)
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.ca)? {
            roots.add(authority).map_err(|error| unfit(&error))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|cause| Error::File { path: files.key.clone(), cause })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_root_certificates(roots.clone())
                    .with_client_auth_cert(chain.clone(), key.clone_key())
            })
            .map_err(|error| unfit(&error))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| unfit(&error))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(chain, key))
            .map_err(|error| unfit(&error))?;
        let names = peers.into_iter().map(|(address, name)| {
            let name = ServerName::try_from(name).map_err(|error| unfit(&error))?;
            Ok((address, name))
        });
        let names = names.collect::<Result<_, Error>>()?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            names: Arc::new(names),
        })
    }

    pub(super) async fn connect(&self, address: &str, conn: TcpStream) -> io::Result<Box<dyn PeerStream>> {
        let Some(name) = self.names.get(address).cloned() else {
            let message = format!("nobody is configured to be at {address}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let conn = self.connector.connect(name, conn).await.map_err(explained)?;
        Ok(Box::new(TlsStream::from(conn)))
    }

    pub(super) async fn accept(&self, conn: TcpStream) -> io::Result<Box<dyn PeerStream>> {
        let conn = self.acceptor.accept(conn).await.map_err(explained)?;
        Ok(Box::new(TlsStream::from(conn)))
    }
}

/// What failed handshakes say of themselves, and what an operator can do.
const REMEDIES: [(&[&str], &str); 4] = [
    (&["expired", "Expired"], "renew that site's certificate with `anabranch init --renew`"),
    (&["NotValidYet", "not valid yet"], "set the clocks of both sites"),
    (
        &[
            "UnknownIssuer",
            "UnknownCA",
            "BadSignature",
            "DecryptError",
            "NoCertificatesPresented",
            "no certificates",
        ],
        "both sites need certificates of one authority: copy those of one `anabranch init`",
    ),
    (
        &["NotValidForName", "not valid for"],
        "the certificate is of another site or cluster: check the addresses in [sites]",
    ),
];

fn explained(error: io::Error) -> io::Error {
    let text = error.to_string();
    let is_of = |parts: &&[&str]| parts.iter().any(|part| text.contains(part));
    match REMEDIES.iter().find(|(parts, _)| is_of(parts)) {
        Some((_, remedy)) => io::Error::new(error.kind(), format!("{text}: {remedy}")),
        None => error,
    }
}
