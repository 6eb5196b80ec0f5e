//! What an operator writes: one TOML file a site, and the secrets that it names.
//!
//! Unknown fields are refused with the line and what is allowed there: a misspelt limit that silently is the default would
//! be noticed on the day it matters. Secrets stand in files of their own and are never printed. Paths are relative to the
//! configuration file. `[sites]` is the same at every site; so only `[site]` and the addresses differ.

mod keys;
mod vault;

pub use keys::{KeyFile, read_secret};
pub use vault::Vault;

use crate::{causality::SiteId, env::tls};
use bytesize::ByteSize;
use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;
use toml::Spanned;

/// A site's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster's name; a peer of another cluster is refused.
    pub cluster: Spanned<String>,
    /// This site.
    pub site: Site,
    /// Every site of the cluster by name, this one included: the same table at every site.
    pub sites: BTreeMap<String, Member>,
    /// The face for S3 clients.
    pub s3: S3,
    /// The face for the other sites.
    pub peer: Peer,
    /// The face for operators.
    #[serde(default)]
    pub admin: Admin,
    /// The disk.
    #[serde(default)]
    pub store: Store,
    /// What is logged and how.
    #[serde(default)]
    pub log: Log,
}

/// `[site]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Which of `[sites]` this is.
    pub name: Spanned<String>,
    /// Where everything is kept; created if missing.
    pub data_dir: PathBuf,
}

/// One of `[sites]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its number, 1 to 65535: for ever, and never another site's.
    pub id: Spanned<u16>,
    /// `host:port` where the others call it.
    pub peer: String,
}

/// `[s3]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// What clients are told of where buckets are.
    #[serde(default = "region")]
    pub region: String,
    /// The first access keys.
    pub keys_file: PathBuf,
    /// Whether presigned URLs and POST forms may be signed with version 2, as boto3 does for such an endpoint by default.
    #[serde(default = "yes")]
    pub allow_sigv2: bool,
    /// Whether requests may be signed with version 2 in their headers (`Authorization: AWS key:signature`). Only clients of
    /// old need it: such a signature covers neither the body nor every parameter.
    #[serde(default)]
    pub sigv2_headers: bool,
    /// Connections at the same time; further ones wait unanswered.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Requests at the same time; further ones are answered 503 SlowDown.
    #[serde(default = "requests_max")]
    pub requests_max: usize,
    /// How long a client may take for the head of a request, and be idle between two.
    #[serde(default = "idle", with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// How often the buckets' lifecycle rules are carried out.
    #[serde(default = "hour", with = "humantime_serde")]
    pub lifecycle_every: Duration,
    /// How long a day of a lifecycle rule is. For tests: with another one than 24 h nothing is promised.
    #[serde(default = "day", with = "humantime_serde")]
    pub lifecycle_day: Duration,
}

/// `[peer]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// The authority of the cluster's certificates.
    pub ca: PathBuf,
    /// This site's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The cluster's key, which signs context tokens: the same at every site.
    pub cluster_key_file: PathBuf,
}

/// `[admin]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// The token that requests carry.
    pub token_file: PathBuf,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9400)), token_file: "admin.token".into() }
    }
}

/// `[store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The database's cache.
    pub cache: ByteSize,
    /// Bodies up to this size travel and are stored with their metadata.
    pub inline_max: ByteSize,
    /// Free space below which writes are refused.
    pub reserve: ByteSize,
    /// How long after one pass the next begins that reads all records and bodies, to find what rotted.
    #[serde(with = "humantime_serde")]
    pub scrub_every: Duration,
    /// How many operations of an origin the log keeps below what every site has.
    pub log_keep: u64,
    /// Another site's version that was visible here for less than this counts as unseen by a client without context.
    #[serde(with = "humantime_serde")]
    pub blind_window: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            cache: ByteSize::mib(64),
            inline_max: ByteSize::kib(4),
            reserve: ByteSize::mib(64),
            scrub_every: Duration::from_hours(7 * 24),
            log_keep: 100_000,
            blind_window: Duration::from_secs(2),
        }
    }
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines: `error`, `warn`, `info`, `debug`, or directives such as `info,anabranch::s3=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into() }
    }
}

fn region() -> String {
    "us-east-1".into()
}
fn yes() -> bool {
    true
}
fn connections_max() -> usize {
    4096
}
fn requests_max() -> usize {
    1024
}
fn idle() -> Duration {
    Duration::from_mins(1)
}
fn hour() -> Duration {
    Duration::from_hours(1)
}
fn day() -> Duration {
    Duration::from_hours(24)
}

/// A configuration that cannot be used: where, and what to do.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading {path} failed: {cause}")]
    #[diagnostic(help("`anabranch init` writes one for each site"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// Something in it is not right.
    #[error("{message}")]
    Wrong {
        /// What, and what would be right.
        message: String,
        /// The file.
        #[source_code]
        source_code: NamedSource<String>,
        /// Where in it.
        #[label("here")]
        at: SourceSpan,
        /// What to do.
        #[help]
        help: Option<String>,
    },
}

/// A label of a DNS name: what site and cluster names become part of.
fn is_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.chars().all(|c| plain(c) || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain)
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Self::parse(&text, path)
    }

    /// Reads a file's text. Relative paths in it become relative to the file's folder.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let wrong = |message: String, at: Range<usize>, help: Option<&str>| ConfigError::Wrong {
            message,
            source_code: NamedSource::new(path.display().to_string(), text.to_owned()),
            at: at.into(),
            help: help.map(str::to_owned),
        };
        let mut config: Self = toml::from_str(text)
            .map_err(|error| wrong(error.message().to_owned(), error.span().unwrap_or(0..0), None))?;
        config.check().map_err(|(message, at, help)| wrong(message, at, Some(help)))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for path in config.paths() {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), (String, Range<usize>, &'static str)> {
        let label = "use 1 to 63 of a-z, 0-9 and '-', alphanumeric at both ends";
        if !is_label(self.cluster.get_ref()) {
            return Err((
                format!("the cluster cannot be named {:?}", self.cluster.get_ref()),
                self.cluster.span(),
                label,
            ));
        }
        if !self.sites.contains_key(self.site.name.get_ref()) {
            let names: Vec<_> = self.sites.keys().map(String::as_str).collect();
            let message = format!(
                "site {:?} is not in [sites], which has {}",
                self.site.name.get_ref(),
                names.join(", ")
            );
            return Err((message, self.site.name.span(), "add it there, with an id that no site ever had"));
        }
        let mut ids = BTreeSet::new();
        for (name, member) in &self.sites {
            if !is_label(name) {
                return Err((format!("a site cannot be named {name:?}"), member.id.span(), label));
            }
            if *member.id.get_ref() == 0 || !ids.insert(*member.id.get_ref()) {
                let message = format!("site {name} has the id {}", member.id.get_ref());
                return Err((
                    message,
                    member.id.span(),
                    "give each site a number of its own, from 1 on, for ever",
                ));
            }
        }
        Ok(())
    }

    fn paths(&mut self) -> [&mut PathBuf; 7] {
        let peer = &mut self.peer;
        [
            &mut self.site.data_dir,
            &mut self.s3.keys_file,
            &mut peer.ca,
            &mut peer.cert,
            &mut peer.key,
            &mut peer.cluster_key_file,
            &mut self.admin.token_file,
        ]
    }

    /// This site's number.
    pub fn site_id(&self) -> SiteId {
        SiteId(*self.sites[self.site.name.get_ref()].id.get_ref())
    }

    /// All sites' names by number.
    pub fn names(&self) -> BTreeMap<SiteId, String> {
        self.sites.iter().map(|(name, member)| (SiteId(*member.id.get_ref()), name.clone())).collect()
    }

    /// Where the other sites are called.
    pub fn peers(&self) -> BTreeMap<SiteId, String> {
        let own = self.site_id();
        let all = self.sites.values().map(|member| (SiteId(*member.id.get_ref()), member.peer.clone()));
        all.filter(|(site, _)| *site != own).collect()
    }

    /// The names that sites prove by their certificates.
    pub fn proven_names(&self) -> BTreeMap<SiteId, String> {
        let cluster = self.cluster.get_ref();
        self.names().into_iter().map(|(site, name)| (site, tls::name_of(&name, cluster))).collect()
    }

    /// Where this site's certificates are.
    pub fn certificates(&self) -> tls::Files {
        let Peer { ca, cert, key, .. } = self.peer.clone();
        tls::Files { ca, cert, key }
    }

    /// The connections' TLS.
    pub fn tls(&self) -> Result<tls::Tls, tls::Error> {
        let (peers, mut names) = (self.peers(), self.proven_names());
        let expected = peers.into_iter().filter_map(|(site, address)| Some((address, names.remove(&site)?)));
        tls::Tls::load(&self.certificates(), expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
cluster = "photos"
[site]
name = "eu"
data_dir = "data"
[sites]
eu = { id = 1, peer = "eu.example.net:7400" }
us = { id = 2, peer = "us.example.net:7400" }
[s3]
listen = "0.0.0.0:9000"
keys_file = "keys.toml"
[peer]
listen = "0.0.0.0:7400"
ca = "ca.pem"
cert = "site.pem"
key = "site.key"
cluster_key_file = "cluster.key"
"#;

    fn refusal(text: &str) -> String {
        let error = Config::parse(text, Path::new("/etc/anabranch/anabranch.toml")).unwrap_err();
        format!("{:?}", miette::Report::new(error))
    }

    #[test]
    fn paths_are_relative_to_the_file_and_sizes_and_times_are_readable() {
        let text = format!("{GOOD}[store]\ncache = \"1GiB\"\nblind_window = \"500ms\"\n");
        let config = Config::parse(&text, Path::new("/etc/anabranch/anabranch.toml")).unwrap();
        assert_eq!(config.peer.ca, Path::new("/etc/anabranch/ca.pem"));
        assert_eq!(config.store.cache, ByteSize::gib(1));
        assert_eq!(config.store.blind_window, Duration::from_millis(500));
        assert_eq!(config.site_id(), SiteId(1));
        assert_eq!(config.peers(), BTreeMap::from([(SiteId(2), "us.example.net:7400".into())]));
        assert_eq!(config.proven_names()[&SiteId(2)], "us.photos.anabranch");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_a_remedy() {
        for (from, to, expected) in [
            (
                "listen = \"0.0.0.0:9000\"",
                "listen = \"0.0.0.0:9000\"\nregoin = \"x\"",
                "unknown field `regoin`",
            ),
            ("name = \"eu\"", "name = \"uk\"", "site \"uk\" is not in [sites], which has eu, us"),
            ("id = 2", "id = 1", "site us has the id 1"),
            ("id = 2", "id = 0", "from 1 on"),
            ("cluster = \"photos\"", "cluster = \"My Photos\"", "cannot be named"),
            ("0.0.0.0:7400", "0.0.0.0", "invalid socket address"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let refusal = refusal(&text);
            assert!(refusal.contains(expected), "{refusal}");
            assert!(refusal.contains("anabranch.toml:"), "{refusal}");
        }
    }
}
