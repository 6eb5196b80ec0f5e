//! How long after its acknowledgement a write is visible at another site, through S3 on both sides.

use super::load::{self, Op, Target};
use crate::cli::init;
use bytes::Bytes;
use hdrhistogram::Histogram;
use miette::{IntoDiagnostic, bail};
use std::time::{Duration, Instant};

/// How long a write may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes at `first` one after the other, asks `second` for each until it has it, while `load` clients write too. In
/// microseconds.
pub(super) async fn run(
    first: &Target,
    second: &Target,
    load: usize,
    lasts: Duration,
) -> miette::Result<Histogram<u64>> {
    let bucket = format!("lag-{}", init::secret(4));
    let (mut here, mut there) = (first.client(), second.client());
    here.create_bucket(&bucket).await?;
    let written = here.put(&bucket, "first", Bytes::from_static(b"x")).await?;
    drop(written);
    let began = Instant::now();
    while !there.get(&bucket, "first", None).await?.status.is_success() {
        if began.elapsed() > PATIENCE {
            bail!("the bucket never arrived at the second endpoint: do they replicate?");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (target, loaded) = (first.clone(), bucket.clone());
    let writers = tokio::spawn(async move {
        if load == 0 {
            return Ok(());
        }
        load::run(&target, &loaded, "load", Op::Put, 1024, load, lasts).await.map(|_| ())
    });
    let mut latencies = Histogram::<u64>::new(3).into_diagnostic()?;
    let began = Instant::now();
    for n in 0u64.. {
        if began.elapsed() > lasts {
            break;
        }
        let key = format!("lag/{n}");
        here.put(&bucket, &key, Bytes::from_static(&[7; 1024])).await?;
        let acked = Instant::now();
        while !there.get(&bucket, &key, None).await?.status.is_success() {
            if acked.elapsed() > PATIENCE {
                bail!("write {n} never arrived at the second endpoint");
            }
        }
        latencies.record(acked.elapsed().as_micros() as u64).into_diagnostic()?;
    }
    writers.await.into_diagnostic()??;
    Ok(latencies)
}
