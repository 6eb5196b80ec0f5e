//! `verify`: everything that a site holds is read, and with `--deep` every byte of the bodies.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on};
use crate::admin::verify::{Ask, Verified};
use hyper::Method;
use miette::IntoDiagnostic;
use std::{
    io::IsTerminal,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often a terminal is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Read the bodies too, byte by byte
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    let (deep, tells) = (arguments.deep, std::io::stderr().is_terminal());
    let whole = block_on(async {
        let (mut whole, mut after, mut told) = (Verified::default(), None, Instant::now());
        loop {
            let page: Verified =
                client.send(Method::POST, "/api/v1/verify", Some(&Ask { deep, after })).await?;
            whole.records += page.records;
            whole.segments += page.segments;
            whole.bytes += page.bytes;
            whole.damaged.extend(page.damaged);
            whole.rotten.extend(page.rotten);
            after = page.next;
            if after.is_none() {
                return Ok::<_, miette::Report>(whole);
            }
            if tells && told.elapsed() > TOLD_EVERY {
                eprintln!("{} so far", read(&whole, deep));
                told = Instant::now();
            }
        }
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string(&whole).into_diagnostic()?);
    } else {
        for name in &whole.damaged {
            println!("damaged  {name}");
        }
        for name in &whole.rotten {
            println!("rotten   {name}");
        }
        let found = match whole.damaged.len() + whole.rotten.len() {
            0 => "all as it was written".to_owned(),
            count => format!(
                "{count} were not as written; they are mended from the other sites: see `anabranch status`"
            ),
        };
        println!("{}: {found}", read(&whole, deep));
    }
    let is_sound = whole.damaged.is_empty() && whole.rotten.is_empty();
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn read(whole: &Verified, deep: bool) -> String {
    let bytes = bytesize::ByteSize::b(whole.bytes);
    let bodies =
        if deep { format!(" and {} segments of bodies ({bytes})", whole.segments) } else { String::new() };
    format!("{} records{bodies} read", whole.records)
}
