//! `status` and `lag`: one sentence that scripts can trust by its exit code, and a line for each peer.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on};
use crate::admin::status::{Peer, SiteStatus, for_people};
use comfy_table::{Table, presets::NOTHING};
use miette::{IntoDiagnostic, bail};
use std::{fmt::Write, process::ExitCode, time::Duration};

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Look again every second, until interrupted
    #[arg(long)]
    watch: bool,
}

#[derive(clap::Args)]
pub(super) struct LagArguments {
    /// The peer; all of them if none is named
    peer: Option<String>,
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    block_on(async {
        loop {
            let status: SiteStatus = client.get("/api/v1/status").await?;
            if arguments.json {
                println!("{}", serde_json::to_string(&status).into_diagnostic()?);
            } else {
                if arguments.watch {
                    print!("\x1b[2J\x1b[H");
                }
                print!("{}", table(&status));
            }
            if !arguments.watch {
                return Ok(if status.in_sync { ExitCode::SUCCESS } else { ExitCode::from(3) });
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
    })
}

/// A site's status for people.
pub(super) fn table(status: &SiteStatus) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["peer", "link", "oldest", "queue", "behind", "differing", "round trip", "clock"]);
    for peer in &status.peers {
        table.add_row([
            peer.name.clone(),
            link(peer),
            peer.oldest_unsent_s.map_or_else(|| "unknown".into(), for_people),
            queue(peer),
            peer.behind_ops.map_or_else(|| "unknown".into(), |ops| ops.to_string()),
            peer.divergent_keys.map_or_else(|| "-".into(), |keys| keys.to_string()),
            peer.round_trip_ms.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms")),
            peer.clock_offset_ms.map_or_else(|| "-".into(), |ms| format!("{ms:+} ms")),
        ]);
    }
    let mut text = format!("{status}\n{table}\n");
    let mut next = Vec::new();
    for (count, what, command) in [
        (status.conflicts_open, "keys in conflict", "anabranch conflicts list"),
        (status.bodies_wanted, "versions whose bytes are not here yet", ""),
        (status.damaged, "damaged records under repair", ""),
        (status.bodies_lost, "versions whose bytes were lost with their only disk", ""),
        (status.clock_suspects, "operations from a clock far ahead", ""),
        (status.forks, "forked logs", ""),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count} {what}");
            next.extend(Some(command).filter(|command| !command.is_empty()));
        }
    }
    if !next.is_empty() {
        let _ = writeln!(text, "next: {}", next.join(" · "));
    }
    text
}

fn link(peer: &Peer) -> String {
    let since = peer.link_since_s.map(for_people).unwrap_or_default();
    match (&peer.link_error, peer.link_up) {
        (_, true) => format!("up {since}"),
        (Some(error), false) => format!("DOWN {since} ({error})"),
        (None, false) => "not tried yet".into(),
    }
}

fn queue(peer: &Peer) -> String {
    match (peer.backlog_ops, peer.backlog_bytes) {
        (Some(0), _) => "0".into(),
        (Some(ops), bytes) => format!("{ops} / {}", bytesize::ByteSize::b(bytes.unwrap_or_default())),
        (None, _) => "unknown".into(),
    }
}

pub(super) fn lag(arguments: &LagArguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    let status: SiteStatus = block_on(client.get("/api/v1/status"))?;
    let named = |peer: &&Peer| arguments.peer.as_ref().is_none_or(|name| *name == peer.name);
    let peers: Vec<&Peer> = status.peers.iter().filter(named).collect();
    if peers.is_empty() {
        let names: Vec<_> = status.peers.iter().map(|peer| peer.name.as_str()).collect();
        bail!("{} has no such peer; it has {}", status.site, names.join(", "));
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&peers).into_diagnostic()?);
    } else {
        for peer in &peers {
            if peer.in_sync {
                println!("{}: in sync", peer.name);
            } else {
                println!("{}: {peer}", peer.name);
            }
        }
    }
    Ok(if peers.iter().all(|peer| peer.in_sync) { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
