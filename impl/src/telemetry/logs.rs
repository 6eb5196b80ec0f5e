//! The log: for people on a terminal, one JSON object a line elsewhere. Neither secrets nor object keys reach it.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging to standard error, once a process.
pub fn start(log: &Log) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(&log.level)?;
    let is_terminal = std::io::stderr().is_terminal();
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Auto if !is_terminal => builder.json().flatten_event(true).try_init(),
        LogFormat::Human | LogFormat::Auto => builder.with_ansi(is_terminal).try_init(),
    }
}
