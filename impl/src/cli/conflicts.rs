//! `conflicts`: what nobody has chosen between, and how to read each version.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on};
use crate::admin::conflicts::{Entry, Page, Version};
use clap::Subcommand;
use miette::IntoDiagnostic;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{fmt::Write, process::ExitCode};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// All keys in conflict
    List,
    /// One of them
    Show {
        /// Where
        bucket: String,
        /// The object key
        key: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    let json = arguments.json;
    block_on(async {
        match &arguments.command {
            Command::List => list(&client, json).await,
            Command::Show { bucket, key } => {
                let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
                let path = format!("/api/v1/conflicts/{}/{}", encode(bucket), encode(key));
                let entry: Entry = client.get(&path).await?;
                if json {
                    println!("{}", serde_json::to_string(&entry).into_diagnostic()?);
                } else {
                    print!("{}", shown(&entry));
                    println!(
                        "read one:   aws s3api get-object --bucket {bucket} --key {key} --version-id ID FILE"
                    );
                    println!("choose one: copy it over the key, or delete the others by their version ids");
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

async fn list(client: &AdminClient, json: bool) -> Outcome {
    let (mut path, mut count) = ("/api/v1/conflicts".to_owned(), 0);
    loop {
        let page: Page = client.get(&path).await?;
        count += page.conflicts.len();
        for entry in &page.conflicts {
            if json {
                println!("{}", serde_json::to_string(entry).into_diagnostic()?);
            } else {
                print!("{}", shown(entry));
            }
        }
        let Some(cursor) = page.cursor else { break };
        path = format!("/api/v1/conflicts?cursor={cursor}");
    }
    if !json {
        println!("{count} keys in conflict");
    }
    Ok(ExitCode::SUCCESS)
}

/// A conflict for people.
pub(super) fn shown(entry: &Entry) -> String {
    let mut text = format!("{}/{}\n", entry.bucket, entry.key);
    for version in &entry.versions {
        let what = match (version.size, &version.etag) {
            (Some(size), Some(etag)) => format!("{size} bytes, etag {etag}"),
            _ => "delete marker".into(),
        };
        let Version { standing, site, version_id, .. } = version;
        let _ = writeln!(text, "  {standing:<8}  {site:<12}  {what}  {version_id}");
    }
    text
}
