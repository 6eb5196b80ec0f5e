//! `serve`: one site, until it is told to stop.

use super::{Outcome, block_on};
use crate::{config::Config, daemon::Daemon, telemetry::logs};
use miette::{IntoDiagnostic, miette};
use std::{path::Path, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn run(path: &Path) -> Outcome {
    let config = Config::read(path)?;
    logs::start(&config.log).map_err(|error| miette!("[log] cannot be used: {error}"))?;
    block_on(async {
        let daemon = Daemon::start(config).await.map_err(|error| miette!("{error}"))?;
        let config = &daemon.site().config;
        tracing::info!(
            site = %config.site.name.get_ref(),
            s3 = %config.s3.listen,
            peers = %config.peer.listen,
            admin = %config.admin.listen,
            "up"
        );
        // Without systemd nobody listens, and that is as well.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        tokio::spawn(watchdog());
        let stop = stopped().into_diagnostic()?;
        daemon.run(stop).await.map_err(|error| miette!("{error}"))?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Tells systemd that the process turns, as often as it wants to know.
async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        tokio::time::sleep(limit / 3).await;
    }
}

/// Waits for SIGTERM or an interrupt. A second one ends the process at once.
pub(super) fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { biased; _ = term.recv() => (), _ = interrupt.recv() => () }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        tokio::spawn(async move {
            tokio::select! { biased; _ = term.recv() => (), _ = interrupt.recv() => () }
            std::process::exit(1);
        });
    })
}
