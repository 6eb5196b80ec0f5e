//! `keys`: access keys of the whole cluster.

use super::{ConfigArgument, Outcome, admin_client::AdminClient, block_on};
use crate::admin::keys::{Key, MadeKey, NewKey};
use clap::Subcommand;
use comfy_table::{Table, presets::NOTHING};
use hyper::Method;
use miette::IntoDiagnostic;
use std::process::ExitCode;

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
    /// Make one; its secret is told this once
    Create {
        /// Whose requests it signs
        account: String,
    },
    /// All of them
    List,
    /// End one for good, at every site
    Revoke {
        /// Its public half
        access_key: String,
    },
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let client = AdminClient::of(&arguments.config.config)?;
    block_on(async {
        match &arguments.command {
            Command::Create { account } => {
                let made: MadeKey = client
                    .send(Method::POST, "/api/v1/keys", Some(&NewKey { account: account.clone() }))
                    .await?;
                if arguments.json {
                    println!("{}", serde_json::to_string(&made).into_diagnostic()?);
                } else {
                    println!(
                        "access key  {}\nsecret key  {}\naccount     {account}",
                        made.access_key, made.secret_key
                    );
                }
            }
            Command::List => {
                let keys: Vec<Key> = client.get("/api/v1/keys").await?;
                if arguments.json {
                    println!("{}", serde_json::to_string(&keys).into_diagnostic()?);
                } else {
                    let mut table = Table::new();
                    table.load_style(NOTHING);
                    table.set_header(["access key", "account", "from"]);
                    for key in keys {
                        let from = if key.made_ms.is_some() { "the cluster" } else { "this site's file" };
                        table.add_row([key.access_key, key.account, from.to_owned()]);
                    }
                    println!("{table}");
                }
            }
            Command::Revoke { access_key } => {
                client.send::<()>(Method::DELETE, &format!("/api/v1/keys/{access_key}"), None::<&()>).await?;
                println!("{access_key} is void here, and at every other site as soon as it learns of it");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
