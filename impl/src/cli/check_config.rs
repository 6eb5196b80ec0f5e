//! `check-config`: whether a site would start with this file, without starting it.

use super::Outcome;
use crate::config::{Config, KeyFile, read_secret};
use miette::miette;
use std::{path::Path, process::ExitCode};

/// Reads a configuration and all that it names; tells how many access keys there are.
pub(super) fn read(path: &Path) -> miette::Result<(Config, usize)> {
    let config = Config::read(path)?;
    config.tls().map_err(|error| miette!("{error}"))?;
    for secret in [&config.peer.cluster_key_file, &config.admin.token_file] {
        read_secret(secret).map_err(|error| miette!("{error}"))?;
    }
    let keys = KeyFile::read(&config.s3.keys_file).map_err(|error| miette!("{error}"))?;
    Ok((config, keys.key.len()))
}

pub(super) fn run(path: &Path) -> Outcome {
    let (config, keys) = read(path)?;
    println!(
        "{}: site {} of cluster {} with {} peers and {keys} access keys can start",
        path.display(),
        config.site.name.get_ref(),
        config.cluster.get_ref(),
        config.peers().len(),
    );
    if keys == 0 {
        println!("{} holds no keys: no S3 client will get in", config.s3.keys_file.display());
    }
    Ok(ExitCode::SUCCESS)
}
