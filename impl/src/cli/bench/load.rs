//! PUTs and GETs by many clients, each with a connection of its own and one request at a time.

use crate::cli::s3_client::S3Client;
use bytes::Bytes;
use hdrhistogram::Histogram;
use miette::{IntoDiagnostic, miette};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Objects that GETs choose among, for each client.
const KEYS: u64 = 64;

/// An endpoint.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) region: String,
}

impl Target {
    pub(super) fn client(&self) -> S3Client {
        S3Client::new(self.address, &self.access_key, &self.secret_key, &self.region)
    }
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Put,
    Get,
}

impl Op {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }
}

/// What came of it.
pub(super) struct Measured {
    /// In microseconds.
    pub(super) latencies: Histogram<u64>,
    pub(super) took: Duration,
    pub(super) errors: u64,
}

/// Has `clients` do it for so long. GETs read what PUTs with the same prefix have left.
pub(super) async fn run(
    target: &Target,
    bucket: &str,
    prefix: &str,
    op: Op,
    size: usize,
    clients: usize,
    lasts: Duration,
) -> miette::Result<Measured> {
    // The bytes differ from one place to the next: nothing is saved by compressing or deduplicating.
    let body: Bytes = (0..size as u64).map(|n| (n.wrapping_mul(0x9E37_79B9) >> 13) as u8).collect();
    let mut running = JoinSet::new();
    let began = Instant::now();
    for client in 0..clients {
        let (mut s3, bucket, body) = (target.client(), bucket.to_owned(), body.clone());
        let prefix = format!("{prefix}/{client}");
        running.spawn(async move {
            let (mut latencies, mut errors) = (Histogram::<u64>::new(3).into_diagnostic()?, 0);
            // A slow site has taken fewer objects than would be read in turn.
            let mut written = u64::from(op == Op::Put);
            while op == Op::Get && written < KEYS {
                let found = s3.get(&bucket, &format!("{prefix}/{written}"), None).await?;
                if !found.status.is_success() {
                    break;
                }
                written += 1;
            }
            let written = written.max(1);
            let began = Instant::now();
            for n in 0.. {
                if began.elapsed() > lasts {
                    break;
                }
                let asked = Instant::now();
                let is_done = match op {
                    Op::Put => s3.put(&bucket, &format!("{prefix}/{}", n % KEYS), body.clone()).await.is_ok(),
                    Op::Get => {
                        let answer = s3.get(&bucket, &format!("{prefix}/{}", n % written), None).await?;
                        answer.status.is_success() && answer.body.len() == size
                    }
                };
                errors += u64::from(!is_done);
                latencies.record(asked.elapsed().as_micros() as u64).into_diagnostic()?;
            }
            Ok::<_, miette::Report>((latencies, errors))
        });
    }
    let (mut latencies, mut errors) = (Histogram::<u64>::new(3).into_diagnostic()?, 0);
    while let Some(done) = running.join_next().await {
        let (of_one, failed) = done.into_diagnostic()??;
        latencies.add(&of_one).map_err(|error| miette!("{error}"))?;
        errors += failed;
    }
    Ok(Measured { latencies, took: began.elapsed(), errors })
}
