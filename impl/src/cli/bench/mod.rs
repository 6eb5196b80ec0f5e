//! `bench`: how fast a site is, through S3, with a client on the same machine. Any S3 endpoint can be measured the same way.
//!
//! Latencies are from the request's first byte to the answer's last, in one histogram for all clients. A figure is of this
//! machine with whatever else it did; compare only what was measured in one go.

mod lag;
mod load;
mod process;

use super::{Outcome, block_on, dev, init};
use clap::ValueEnum;
use load::{Measured, Target};
use miette::{IntoDiagnostic, bail, miette};
use process::Server;
use serde::Serialize;
use std::{net::ToSocketAddrs, process::ExitCode, time::Duration};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// PUT and GET of several sizes by several numbers of clients
    Load,
    /// How long a write takes to be visible at a second site
    Lag,
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What to measure; both if none is named
    what: Vec<What>,
    /// An endpoint that runs already, such as http://127.0.0.1:9000; without it sites are started and stopped
    #[arg(long, requires_all = ["access_key", "secret_key"])]
    endpoint: Option<String>,
    /// A second endpoint that replicates with the first, for the lag
    #[arg(long, requires = "endpoint")]
    second: Option<String>,
    /// The access key of those endpoints
    #[arg(long)]
    access_key: Option<String>,
    /// Its secret
    #[arg(long)]
    secret_key: Option<String>,
    /// The region that requests are signed for
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The process whose CPU time and memory are told
    #[arg(long)]
    pid: Option<u32>,
    /// Sizes of objects
    #[arg(long, value_delimiter = ',', default_value = "1KiB,64KiB,8MiB")]
    sizes: Vec<bytesize::ByteSize>,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    clients: Vec<usize>,
    /// How long each measurement lasts
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One line of the result.
#[derive(Serialize)]
struct Line<'a> {
    op: &'a str,
    size: u64,
    clients: usize,
    requests_per_s: f64,
    mib_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    errors: u64,
    cpu_s_per_1000: Option<f64>,
    syncs_per_request: Option<f64>,
    peak_rss_mib: Option<f64>,
}

/// The lag's result.
#[derive(Serialize)]
struct LagLine<'a> {
    lag: &'a str,
    samples: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let is_wanted = |what| arguments.what.is_empty() || arguments.what.contains(&what);
    if arguments.clients.contains(&0) || arguments.sizes.iter().any(|size| size.as_u64() == 0) {
        bail!("--clients and --sizes start at 1");
    }
    block_on(async {
        if is_wanted(What::Load) {
            measure_load(arguments).await?;
        }
        if is_wanted(What::Lag) && (arguments.endpoint.is_none() || arguments.second.is_some()) {
            measure_lag(arguments).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The endpoints of the arguments, if there are any.
fn given(arguments: &Arguments) -> miette::Result<Option<Vec<Target>>> {
    let Arguments { endpoint: Some(endpoint), second, access_key, secret_key, region, .. } = arguments else {
        return Ok(None);
    };
    let (access_key, secret_key) =
        (access_key.clone().unwrap_or_default(), secret_key.clone().unwrap_or_default());
    let target = |endpoint: &String| {
        let host = endpoint.strip_prefix("http://").unwrap_or(endpoint).trim_end_matches('/');
        let address = host.to_socket_addrs().into_diagnostic()?.next();
        let address = address.ok_or_else(|| miette!("{endpoint} has no address"))?;
        let (access_key, secret_key) = (access_key.clone(), secret_key.clone());
        Ok(Target { address, access_key, secret_key, region: region.clone() })
    };
    std::iter::once(endpoint).chain(second).map(target).collect::<miette::Result<_>>().map(Some)
}

/// Sites of their own, in one process each.
fn started(arguments: &Arguments, sites: u16) -> miette::Result<(Option<Server>, Vec<Target>)> {
    if let Some(targets) = given(arguments)? {
        return Ok((None, targets));
    }
    let server = Server::start(sites)?;
    let targets = server.addresses.iter().map(|address| Target {
        address: *address,
        access_key: dev::ACCESS_KEY.into(),
        secret_key: dev::SECRET_KEY.into(),
        region: arguments.region.clone(),
    });
    let targets = targets.collect();
    Ok((Some(server), targets))
}

async fn measure_load(arguments: &Arguments) -> miette::Result<()> {
    let (server, targets) = started(arguments, 1)?;
    let target = &targets[0];
    let pid = server.as_ref().map(Server::pid).or(arguments.pid);
    if !arguments.json {
        println!(
            "{:<4} {:>9} {:>8} {:>11} {:>9} {:>9} {:>9} {:>10} {:>11} {:>9}",
            "op",
            "size",
            "clients",
            "requests/s",
            "MiB/s",
            "p50 ms",
            "p99 ms",
            "CPU s/1000",
            "syncs/PUT",
            "RSS MiB"
        );
    }
    let bucket = format!("bench-{}", init::secret(4));
    target.client().create_bucket(&bucket).await?;
    for size in &arguments.sizes {
        for clients in &arguments.clients {
            let prefix = format!("{}-{clients}", size.as_u64());
            for op in [load::Op::Put, load::Op::Get] {
                let before = process::usage(pid);
                let syncs = server.as_ref().map(Server::syncs);
                let lasts = Duration::from_secs_f64(arguments.seconds);
                let measured =
                    load::run(target, &bucket, &prefix, op, size.as_u64() as usize, *clients, lasts).await?;
                let syncs = server.as_ref().map(Server::syncs).zip(syncs).map(|(now, before)| now - before);
                let used = process::usage(pid).zip(before);
                tell(&line(op, size.as_u64(), *clients, &measured, used, syncs), arguments.json)?;
            }
        }
    }
    Ok(())
}

fn line(
    op: load::Op,
    size: u64,
    clients: usize,
    measured: &Measured,
    used: Option<(process::Usage, process::Usage)>,
    syncs: Option<u64>,
) -> Line<'static> {
    let requests = measured.latencies.len() as f64;
    let per_s = requests / measured.took.as_secs_f64();
    let ms = |value: u64| value as f64 / 1e3;
    Line {
        op: op.name(),
        size,
        clients,
        requests_per_s: per_s,
        mib_per_s: per_s * size as f64 / f64::from(1 << 20),
        p50_ms: ms(measured.latencies.value_at_quantile(0.5)),
        p99_ms: ms(measured.latencies.value_at_quantile(0.99)),
        max_ms: ms(measured.latencies.max()),
        errors: measured.errors,
        cpu_s_per_1000: used.as_ref().map(|(now, before)| (now.cpu_s - before.cpu_s) / requests * 1e3),
        syncs_per_request: syncs.filter(|_| op == load::Op::Put).map(|syncs| syncs as f64 / requests),
        peak_rss_mib: used.map(|(now, _)| now.peak_rss as f64 / f64::from(1 << 20)),
    }
}

fn tell(line: &Line<'_>, json: bool) -> miette::Result<()> {
    if json {
        println!("{}", serde_json::to_string(line).into_diagnostic()?);
        return Ok(());
    }
    let optional =
        |value: Option<f64>, digits| value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"));
    println!(
        "{:<4} {:>9} {:>8} {:>11.0} {:>9.1} {:>9.2} {:>9.2} {:>10} {:>11} {:>9}{}",
        line.op,
        bytesize::ByteSize::b(line.size).to_string(),
        line.clients,
        line.requests_per_s,
        line.mib_per_s,
        line.p50_ms,
        line.p99_ms,
        optional(line.cpu_s_per_1000, 3),
        optional(line.syncs_per_request, 2),
        optional(line.peak_rss_mib, 0),
        if line.errors > 0 { format!("  {} errors", line.errors) } else { String::new() }
    );
    Ok(())
}

async fn measure_lag(arguments: &Arguments) -> miette::Result<()> {
    let (_server, targets) = started(arguments, 2)?;
    let [first, second] = &targets[..] else { bail!("the lag needs two endpoints: give --second") };
    for (name, load) in [("idle", 0), ("16 clients writing 1 KiB", 16)] {
        let latencies = lag::run(first, second, load, Duration::from_secs_f64(arguments.seconds)).await?;
        let ms = |value: u64| value as f64 / 1e3;
        let line = LagLine {
            lag: name,
            samples: latencies.len(),
            p50_ms: ms(latencies.value_at_quantile(0.5)),
            p99_ms: ms(latencies.value_at_quantile(0.99)),
            max_ms: ms(latencies.max()),
        };
        if arguments.json {
            println!("{}", serde_json::to_string(&line).into_diagnostic()?);
        } else {
            let LagLine { lag, samples, p50_ms, p99_ms, max_ms } = line;
            println!(
                "lag, {lag}: p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, max {max_ms:.2} ms ({samples} writes)"
            );
        }
    }
    Ok(())
}
