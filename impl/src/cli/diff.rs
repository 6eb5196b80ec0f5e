//! `diff`: whether this site and a peer hold the same; every record is compared.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on};
use crate::admin::diff::Diff;
use hyper::Method;
use miette::IntoDiagnostic;
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The peer to compare with
    site: String,
    #[command(flatten)]
    config: ConfigArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    let path = format!("/api/v1/diff/{}", arguments.site);
    let diff: Diff = block_on(client.send(Method::POST, &path, None::<&()>))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&diff).into_diagnostic()?);
    } else {
        for key in &diff.differing {
            println!("differs  {key}");
        }
        let found = match (diff.differing.len(), diff.whole) {
            (0, true) => "all equal".to_owned(),
            (0, false) => {
                "no difference found, but not everything could be compared: try again when less is written"
                    .into()
            }
            (count, _) => {
                format!("{count} differed, {} were mended here; the other site mends its own", diff.mended)
            }
        };
        println!("{} records compared with {}: {found}", diff.records, diff.peer);
    }
    Ok(if diff.differing.is_empty() && diff.whole { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
