//! `init`: everything that the sites of a new cluster need, a folder for each.
//!
//! The authority's private key stays in the folder that was made: keep it off the sites. `--renew` and `--add` use it.

use super::{Outcome, certificates};
use crate::config::Config;
use miette::{IntoDiagnostic, WrapErr, bail, miette};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder to write to; it must not exist yet, unless certificates are renewed
    folder: PathBuf,
    /// The cluster's name
    #[arg(long, default_value = "anabranch")]
    cluster: String,
    /// A site and where the others call it: NAME=HOST:PORT. Give each site once
    #[arg(long = "site", value_name = "NAME=HOST:PORT", required_unless_present = "renew")]
    sites: Vec<String>,
    /// How many days the sites' certificates last
    #[arg(long, default_value_t = 730)]
    days: u64,
    /// Make new certificates for the sites of a folder that `init` made before
    #[arg(long, conflicts_with = "sites")]
    renew: bool,
}

/// One site of a cluster that is made.
pub(super) struct NewSite {
    pub(super) name: String,
    /// Where the others call it.
    pub(super) peer: String,
    pub(super) s3_listen: String,
    pub(super) peer_listen: String,
    pub(super) admin_listen: String,
    pub(super) data_dir: String,
}

/// An access key that a cluster begins with.
#[derive(Clone)]
pub(super) struct FirstKey {
    pub(super) account: &'static str,
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let lasts = Duration::from_hours(24 * arguments.days);
    if arguments.renew {
        return renew(&arguments.folder, lasts);
    }
    let mut sites = Vec::new();
    for text in &arguments.sites {
        let Some((name, peer)) = text.split_once('=').filter(|(_, peer)| peer.contains(':')) else {
            bail!("--site {text:?} is not NAME=HOST:PORT, such as eu-west=eu-west.example.net:7400");
        };
        let port = peer.rsplit_once(':').map_or("7400", |(_, port)| port);
        sites.push(NewSite {
            name: name.to_owned(),
            peer: peer.to_owned(),
            s3_listen: "0.0.0.0:9000".into(),
            peer_listen: format!("0.0.0.0:{port}"),
            admin_listen: "127.0.0.1:9400".into(),
            data_dir: "/var/lib/anabranch".into(),
        });
    }
    let key = FirstKey { account: "admin", access_key: secret(10).to_uppercase(), secret_key: secret(20) };
    let folder = &arguments.folder;
    create(folder, &arguments.cluster, &sites, std::slice::from_ref(&key), lasts)?;
    println!("{}: a cluster of {} sites\n", folder.display(), sites.len());
    println!("  ca.pem, ca.key      the authority; keep ca.key off the sites, `init --renew` needs it");
    for site in &sites {
        println!("  {:<18}  copy to /etc/anabranch/ at {}", format!("{}/", site.name), site.peer);
    }
    println!("\nThe first access key is in keys.toml of each site: {}", key.access_key);
    println!("At each site: anabranch check-config && anabranch serve");
    Ok(ExitCode::SUCCESS)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

/// So many random bytes as hex.
pub(super) fn secret(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .expect("the operating system gives randomness");
    hex(&random)
}

/// Makes a cluster's folder.
pub(super) fn create(
    folder: &Path,
    cluster: &str,
    sites: &[NewSite],
    keys: &[FirstKey],
    lasts: Duration,
) -> miette::Result<()> {
    if folder.exists() && folder.read_dir().into_diagnostic()?.next().is_some() {
        bail!(
            "{} exists and is not empty: name a new folder, or use --renew for new certificates",
            folder.display()
        );
    }
    let members: Vec<_> = (1..)
        .zip(sites)
        .map(|(id, site)| format!("{} = {{ id = {id}, peer = {:?} }}\n", site.name, site.peer))
        .collect();
    let members = members.concat();
    let authority = certificates::authority(cluster).into_diagnostic()?;
    let (cluster_key, access) = (secret(32), keys_file(keys));
    let mut names = BTreeSet::new();
    for site in sites {
        if !names.insert(&site.name) {
            bail!("site {:?} is given twice: give each site a name of its own", site.name);
        }
        let text = configuration(cluster, site, &members);
        // What the configuration's reader refuses is refused before anything is written.
        Config::parse(&text, &folder.join(&site.name).join("anabranch.toml"))?;
    }
    write(&folder.join("ca.pem"), &authority.cert, 0o644)?;
    write(&folder.join("ca.key"), &authority.key, 0o600)?;
    for site in sites {
        let own = folder.join(&site.name);
        write(&own.join("anabranch.toml"), &configuration(cluster, site, &members), 0o644)?;
        write(&own.join("ca.pem"), &authority.cert, 0o644)?;
        let pair = certificates::site(&authority.key, cluster, &site.name, lasts).into_diagnostic()?;
        write(&own.join("site.pem"), &pair.cert, 0o644)?;
        write(&own.join("site.key"), &pair.key, 0o600)?;
        write(&own.join("cluster.key"), &cluster_key, 0o600)?;
        write(&own.join("admin.token"), &secret(24), 0o600)?;
        write(&own.join("keys.toml"), &access, 0o600)?;
    }
    Ok(())
}

fn keys_file(keys: &[FirstKey]) -> String {
    let key = |FirstKey { account, access_key, secret_key }: &FirstKey| {
        format!(
            "\n[[key]]\naccess_key = {access_key:?}\nsecret_key = {secret_key:?}\naccount = {account:?}\n"
        )
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    format!("# The first access keys: the same at every site.\n{}", keys.concat())
}

fn configuration(cluster: &str, site: &NewSite, members: &str) -> String {
    format!(
        r#"# One site of an Anabranch cluster. `anabranch check-config` says whether it can be used.
cluster = {cluster:?}

[site]
name = {name:?}
data_dir = {data_dir:?}

# The same at every site. An id is a site's for ever.
[sites]
{members}
[s3]
listen = {s3:?}
keys_file = "keys.toml"

[peer]
listen = {peer:?}
ca = "ca.pem"
cert = "site.pem"
key = "site.key"
cluster_key_file = "cluster.key"

[admin]
listen = {admin:?}
token_file = "admin.token"
"#,
        name = site.name,
        data_dir = site.data_dir,
        s3 = site.s3_listen,
        peer = site.peer_listen,
        admin = site.admin_listen,
    )
}

/// New certificates for every site's folder.
fn renew(folder: &Path, lasts: Duration) -> Outcome {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path)
            .into_diagnostic()
            .wrap_err_with(|| format!("reading {} failed", path.display()))
    };
    let authority_key = read("ca.key")?;
    let mut renewed = 0;
    for entry in fs::read_dir(folder).into_diagnostic()? {
        let own = entry.into_diagnostic()?.path();
        let path = own.join("anabranch.toml");
        if !path.is_file() {
            continue;
        }
        let config = Config::read(&path)?;
        let (cluster, name) = (config.cluster.get_ref(), config.site.name.get_ref());
        let pair = certificates::site(&authority_key, cluster, name, lasts).into_diagnostic()?;
        write(&own.join("site.pem"), &pair.cert, 0o644)?;
        write(&own.join("site.key"), &pair.key, 0o600)?;
        println!("{name}: copy {0}/site.pem and {0}/site.key to the site and start it again", own.display());
        renewed += 1;
    }
    if renewed == 0 {
        return Err(miette!("{} holds no site's folder: name the folder that `init` made", folder.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, mode: u32) -> miette::Result<()> {
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            fs::OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().into_diagnostic().wrap_err_with(|| format!("writing {} failed", path.display()))
}
