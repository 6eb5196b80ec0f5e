//! `doctor`: what of this machine and this site an operator should know before it hurts.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on, check_config};
use crate::{admin::status::SiteStatus, config::Config};
use miette::IntoDiagnostic;
use rustix::{
    fs::{StatVfs, statfs, statvfs},
    process::{Resource, getrlimit},
};
use serde::Serialize;
use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Syncs that are timed.
const SYNCS: usize = 64;
/// No disk that keeps what it synced when the power goes is faster without a cache that survives it.
const SYNC_LEAST: Duration = Duration::from_micros(50);
/// Every acknowledgement waits for a sync or two.
const SYNC_MOST: Duration = Duration::from_millis(20);
/// Clocks that are further apart than this arbitrate conflicts in ways that surprise people.
const OFFSET_MAX_MS: i64 = 500;
/// Descriptors besides those of clients' connections.
const FILES: u64 = 1024;
const TCP_WAIT: Duration = Duration::from_secs(3);

/// File systems on which a site's data must not, or had better not, lie: by the magic numbers of `statfs(2)`.
const FILE_SYSTEMS: [(i64, Level, &str, &str); 6] = [
    (0x0102_1994, Level::Bad, "tmpfs", "it is in memory: put data_dir on a disk"),
    (0x8584_58f6, Level::Bad, "ramfs", "it is in memory: put data_dir on a disk"),
    (0x6969, Level::Warn, "NFS", "locks and syncs are the server's: put data_dir on a disk of this machine"),
    (
        0xff53_4d42,
        Level::Warn,
        "CIFS",
        "locks and syncs are the server's: put data_dir on a disk of this machine",
    ),
    (
        0x794c_7630,
        Level::Warn,
        "overlayfs",
        "a container's own layer goes with the container: mount a volume",
    ),
    (
        0x6573_5546,
        Level::Warn,
        "FUSE",
        "its syncs are what its program makes of them: put data_dir on a disk",
    ),
];

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Bad,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    level: Level,
    what: String,
    /// What to do; empty if nothing.
    remedy: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level, what: what.into(), remedy: remedy.into() });
    }

    /// Good, or not good with a remedy.
    fn check(&mut self, is_good: bool, what: impl Into<String>, remedy: impl Into<String>) {
        if is_good {
            self.add(Level::Ok, what, "");
        } else {
            self.add(Level::Warn, what, remedy);
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.config.config;
    let (config, keys) = check_config::read(path)?;
    let mut findings = Findings::default();
    findings.check(
        keys > 0,
        format!("{} can be used, with {keys} access keys", path.display()),
        format!("put a key into {}, or no S3 client gets in", config.s3.keys_file.display()),
    );
    private_files(&config, &mut findings);
    data(&config, &mut findings)?;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = config.s3.connections_max as u64 + FILES;
    findings.check(
        files >= needed,
        format!("{files} open files are allowed, {needed} may be needed"),
        format!("raise the limit (LimitNOFILE={needed} in the unit), or lower [s3] connections_max"),
    );
    block_on(async {
        let status = match AdminClient::of(path) {
            Ok(client) => client.get::<SiteStatus>("/api/v1/status").await.ok(),
            Err(_) => None,
        };
        match status {
            Some(status) => running(&status, &mut findings),
            None => stopped(&config, &mut findings).await,
        }
    });
    if arguments.json {
        println!("{}", serde_json::to_string(&findings.0).into_diagnostic()?);
    } else {
        for Finding { level, what, remedy } in &findings.0 {
            let level = match level {
                Level::Ok => "ok  ",
                Level::Warn => "WARN",
                Level::Bad => "BAD ",
            };
            let remedy = if remedy.is_empty() { String::new() } else { format!(": {remedy}") };
            println!("{level}  {what}{remedy}");
        }
    }
    let is_well = findings.0.iter().all(|finding| finding.level == Level::Ok);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Files that others must not read.
fn private_files(config: &Config, findings: &mut Findings) {
    let secrets =
        [&config.s3.keys_file, &config.peer.key, &config.peer.cluster_key_file, &config.admin.token_file];
    let open: Vec<_> = secrets
        .iter()
        .filter(|path| fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0))
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        findings.add(Level::Ok, "secrets are the owner's alone", "");
    } else {
        let files = open.join(" ");
        findings.add(Level::Warn, format!("others may read {files}"), format!("chmod 600 {files}"));
    }
}

/// Where the data lies, and how long a sync takes there.
fn data(config: &Config, findings: &mut Findings) -> miette::Result<()> {
    let folder = &config.site.data_dir;
    if !folder.exists() {
        let what = format!("{} is not there yet", folder.display());
        findings.add(Level::Warn, what, "`anabranch serve` makes it; then ask again");
        return Ok(());
    }
    let magic = statfs(folder).into_diagnostic()?.f_type;
    let kind = FILE_SYSTEMS.iter().find(|(known, ..)| *known == magic as i64);
    match kind {
        Some((_, level, name, remedy)) => {
            findings.add(*level, format!("{} is on {name}", folder.display()), *remedy);
        }
        None => findings.add(Level::Ok, format!("{} is on a disk", folder.display()), ""),
    }
    let StatVfs { f_bavail, f_frsize, .. } = statvfs(folder).into_diagnostic()?;
    let (free, reserve) = (f_bavail.saturating_mul(f_frsize), config.store.reserve.as_u64());
    findings.check(
        free > 4 * reserve,
        format!("{} are free", bytesize::ByteSize::b(free)),
        format!("writes are refused once {} are left: make room", config.store.reserve),
    );
    match sync_time(folder) {
        Ok(median) if median < SYNC_LEAST => findings.add(
            Level::Warn,
            format!("a sync takes {median:.1?}"),
            "that is a cache with a battery, or a disk that does not keep what it says: find out which",
        ),
        Ok(median) => findings.check(
            median <= SYNC_MOST,
            format!("a sync takes {median:.1?}"),
            "every acknowledgement waits for it: use a faster disk",
        ),
        Err(error) => findings.add(
            Level::Bad,
            format!("nothing can be written in {}: {error}", folder.display()),
            "run doctor as the site's user, or give that user the folder",
        ),
    }
    Ok(())
}

/// The median time of writing 4 KiB and syncing them.
fn sync_time(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(".doctor");
    let timed = || {
        let mut file = fs::File::create(&path)?;
        let mut times = Vec::with_capacity(SYNCS);
        for n in 0..SYNCS {
            file.write_all(&[n as u8; 4096])?;
            let began = Instant::now();
            file.sync_data()?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        Ok(times[SYNCS / 2])
    };
    let median = timed();
    let _ = fs::remove_file(&path); // it may never have come to be
    median
}

/// What the site says of itself and of its peers.
fn running(status: &SiteStatus, findings: &mut Findings) {
    findings.add(Level::Ok, format!("the site runs: {status}"), "");
    for peer in &status.peers {
        if let Some(error) = peer.link_error.as_ref().filter(|_| !peer.link_up) {
            findings.add(Level::Warn, format!("no link to {}: {error}", peer.name), "");
        }
        if let Some(offset) = peer.clock_offset_ms {
            findings.check(
                offset.abs() <= OFFSET_MAX_MS,
                format!("the clock of {} is {offset:+} ms from this one", peer.name),
                "run a time service (chrony) at both sites",
            );
        }
    }
    for (count, what) in [
        (status.damaged, "damaged records are under repair"),
        (status.bodies_lost, "versions lost their bytes with their only disk"),
        (status.forks, "logs are forked: two processes write as one site"),
    ] {
        if count > 0 {
            findings.add(Level::Warn, format!("{count} {what}"), "`anabranch status` tells more");
        }
    }
}

/// Whether the peers' addresses can be reached at all.
async fn stopped(config: &Config, findings: &mut Findings) {
    findings.add(Level::Warn, "the site does not run", "`anabranch serve` starts it");
    for address in config.peers().into_values() {
        let reached = tokio::time::timeout(TCP_WAIT, tokio::net::TcpStream::connect(&address)).await;
        let error = match reached {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        match error {
            None => findings.add(Level::Ok, format!("somebody listens at {address}"), ""),
            Some(error) => findings.add(
                Level::Warn,
                format!("{address} cannot be reached: {error}"),
                "start that site, or check [sites] and the firewall",
            ),
        }
    }
}
