//! `dev`: a whole cluster on this machine, in one process: the real sites, TLS between them and all.

mod demo;
mod link;

use super::{
    Outcome, block_on,
    init::{self, FirstKey, NewSite},
    serve,
};
use crate::{
    config::{Config, Log, LogFormat},
    daemon::Daemon,
    telemetry::logs,
};
use link::Link;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Names of the sites, in order.
const NAMES: [&str; 5] = ["eu-west", "us-east", "ap-south", "sa-east", "af-north"];
/// The access key of a cluster made here.
pub(super) const ACCESS_KEY: &str = "ANABRANCHDEV";
/// Its secret.
pub(super) const SECRET_KEY: &str = "anabranch-dev-secret";
/// The access key of another account, to try what an account may not do with another's buckets.
const ALT_ACCESS_KEY: &str = "ANABRANCHALT";
/// Its secret.
const ALT_SECRET_KEY: &str = "anabranch-alt-secret";
/// How far above its S3 port a site listens for its peers.
pub(super) const PEER: u16 = 100;
/// How far above its S3 port a site listens for operators.
pub(super) const ADMIN: u16 = 400;
/// How long its certificates last.
const LASTS: Duration = Duration::from_hours(24 * 30);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How many sites, 1 to 5
    #[arg(long, default_value_t = 3)]
    sites: u16,
    /// The first site's S3 port; the others follow. Peers and operators are 100 and 400 above
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Where everything is kept; without it in a temporary folder that goes at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write at all sites, cut one off, heal it, tell what happened, and end
    #[arg(long)]
    demo: bool,
}

/// A running cluster.
struct Cluster {
    sites: Vec<Daemon>,
    key: FirstKey,
    /// The links from one site to another, by their numbers.
    links: BTreeMap<(usize, usize), Link>,
}

impl Cluster {
    fn s3(&self, site: usize) -> SocketAddr {
        self.sites[site].site().config.s3.listen
    }

    fn name(&self, site: usize) -> &str {
        self.sites[site].site().config.site.name.get_ref()
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if !(1..=NAMES.len() as u16).contains(&arguments.sites) {
        bail!("--sites {} is out of range: use 1 to {}", arguments.sites, NAMES.len());
    }
    if arguments.demo && arguments.sites < 3 {
        bail!("the demo cuts one of at least three sites off: use --sites 3");
    }
    let log = Log { format: LogFormat::Human, level: "error".into() };
    logs::start(&log).map_err(|error| miette!("{error}"))?;
    let temporary;
    let folder = if let Some(folder) = &arguments.dir {
        folder.as_path()
    } else {
        temporary = Temporary::create()?;
        &temporary.0
    };
    block_on(async {
        let cluster = start(arguments, folder).await?;
        let env = shell_lines(&cluster);
        let path = folder.join("dev.env");
        // Scripts read it as soon as it is there, so it comes whole.
        let unfinished = folder.join("dev.env.new");
        fs::write(&unfinished, &env)
            .and_then(|()| fs::rename(&unfinished, &path))
            .into_diagnostic()
            .wrap_err_with(|| format!("writing {} failed", path.display()))?;
        if arguments.demo {
            return demo::run(cluster).await;
        }
        print!("{}", banner(&cluster, folder));
        let stop = serve::stopped().into_diagnostic()?;
        until(cluster, stop).await
    })
}

/// Serves until `stop`.
async fn until(cluster: Cluster, stop: impl Future<Output = ()>) -> Outcome {
    let (stopping, _) = tokio::sync::broadcast::channel::<()>(1);
    let mut running = tokio::task::JoinSet::new();
    for site in cluster.sites {
        let mut told = stopping.subscribe();
        running.spawn(site.run(async move { _ = told.recv().await }));
    }
    let mut first = None;
    tokio::select! { biased; () = stop => (), ended = running.join_next() => first = ended }
    let _ = stopping.send(());
    let mut ends: Vec<_> = first.into_iter().collect();
    ends.extend(running.join_all().await.into_iter().map(Ok));
    for end in ends {
        end.into_diagnostic()?.map_err(|error| miette!("{error}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes what is not there yet, and starts all sites.
async fn start(arguments: &Arguments, folder: &Path) -> miette::Result<Cluster> {
    let (sites, key) = (
        usize::from(arguments.sites),
        FirstKey { account: "admin", access_key: ACCESS_KEY.into(), secret_key: SECRET_KEY.into() },
    );
    let at = |above: u16, site: usize| {
        let port = arguments.port.checked_add(above + site as u16);
        port.map(|port| format!("127.0.0.1:{port}"))
            .ok_or_else(|| miette!("--port {} is too high", arguments.port))
    };
    if !folder.join("cluster").exists() {
        let mut new = Vec::new();
        for (site, name) in NAMES.iter().enumerate().take(sites) {
            new.push(NewSite {
                name: (*name).to_owned(),
                peer: at(PEER, site)?,
                s3_listen: at(0, site)?,
                peer_listen: at(PEER, site)?,
                admin_listen: at(ADMIN, site)?,
                data_dir: "data".into(),
            });
        }
        let alt =
            FirstKey { account: "alt", access_key: ALT_ACCESS_KEY.into(), secret_key: ALT_SECRET_KEY.into() };
        init::create(&folder.join("cluster"), "dev", &new, &[key.clone(), alt], LASTS)?;
    }
    let mut configs = Vec::new();
    for name in &NAMES[..sites] {
        let mut config = Config::read(&folder.join("cluster").join(name).join("anabranch.toml"))?;
        config.store.reserve = bytesize::ByteSize::mib(16);
        configs.push(config);
    }
    let mut links = BTreeMap::new();
    if arguments.demo {
        for from in 0..sites {
            for to in (0..sites).filter(|to| *to != from) {
                let link = Link::open(configs[to].peer.listen).await.into_diagnostic()?;
                configs[from].sites.get_mut(NAMES[to]).expect("every site knows all").peer =
                    link.address.to_string();
                links.insert((from, to), link);
            }
        }
    }
    let mut running = Vec::new();
    for config in configs {
        running.push(Daemon::start(config).await.map_err(|error| {
            miette!(help = "--port moves all of them; --dir names another folder", "{error}")
        })?);
    }
    Ok(Cluster { sites: running, key, links })
}

/// What a shell can read: for scripts that start a cluster to test against.
fn shell_lines(cluster: &Cluster) -> String {
    let FirstKey { access_key, secret_key, .. } = &cluster.key;
    let endpoint = |(letter, site)| format!("ENDPOINT_{letter}=http://{}", cluster.s3(site));
    let mut lines = vec![
        format!("AWS_ACCESS_KEY_ID={access_key}"),
        format!("AWS_SECRET_ACCESS_KEY={secret_key}"),
        format!("ALT_ACCESS_KEY_ID={ALT_ACCESS_KEY}"),
        format!("ALT_SECRET_ACCESS_KEY={ALT_SECRET_KEY}"),
    ];
    lines.extend(('A'..).zip(0..cluster.sites.len()).map(endpoint));
    lines.join("\n") + "\n"
}

fn banner(cluster: &Cluster, folder: &Path) -> String {
    let FirstKey { access_key, secret_key, .. } = &cluster.key;
    let site = |site: usize| {
        let (name, s3) = (cluster.name(site), cluster.s3(site));
        let admin = cluster.sites[site].site().config.admin.listen;
        format!("  {name:<9}  S3 http://{s3}   metrics http://{admin}/metrics")
    };
    let count = cluster.sites.len();
    let sites: Vec<_> = (0..count).map(site).collect();
    let (one, other) = (cluster.s3(0), cluster.s3(count - 1));
    let config = folder.join("cluster").join(cluster.name(0)).join("anabranch.toml");
    format!(
        "{count} sites of one cluster, each taking reads and writes:

{sites}

keys      {access_key} / {secret_key}
data      {data}

try       export AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret_key} AWS_REGION=us-east-1
          aws --endpoint-url http://{one} s3 mb s3://demo
          aws --endpoint-url http://{one} s3 cp /etc/hostname s3://demo/hello
          aws --endpoint-url http://{other} s3 cp s3://demo/hello -
status    anabranch status --config {config}

stop with Ctrl-C
",
        sites = sites.join("\n"),
        data = folder.display(),
        config = config.display(),
    )
}

/// A folder that goes when it is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> miette::Result<Self> {
        let folder = std::env::temp_dir().join(format!("anabranch-dev-{}", init::secret(6)));
        fs::create_dir_all(&folder).into_diagnostic().wrap_err("making a temporary folder failed")?;
        Ok(Self(folder))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // what is left is in the temporary folder
    }
}
