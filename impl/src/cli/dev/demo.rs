//! The demo: writes at all sites, one is cut off, both sides go on and write the same key, the link heals. Every figure is
//! measured as it happens; every acknowledged write is looked for at every site at the end.

use super::{Cluster, Outcome};
use crate::{
    admin::{self, status},
    causality::Stamp,
    cli::{conflicts, s3_client::S3Client},
    s3,
};
use bytes::Bytes;
use hdrhistogram::Histogram;
use miette::{IntoDiagnostic, miette};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const BUCKET: &str = "demo";
/// Objects that each site takes while all is well.
const STEADY: usize = 200;
/// Objects that each site takes while one is cut off.
const CUT: usize = 50;
/// The longest that sites may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);

/// A write that was acknowledged.
#[derive(Clone)]
struct Acked {
    key: String,
    version: String,
    body: Bytes,
}

pub(super) async fn run(cluster: Cluster) -> Outcome {
    let sites: Vec<Arc<admin::Site>> = cluster.sites.iter().map(|daemon| daemon.site().clone()).collect();
    let demo = Demo {
        addresses: (0..sites.len()).map(|site| cluster.s3(site)).collect(),
        names: (0..sites.len()).map(|site| cluster.name(site).to_owned()).collect(),
        access_key: cluster.key.access_key.clone(),
        secret_key: cluster.key.secret_key.clone(),
        sites,
    };
    let (links, sites) = (cluster.links, cluster.sites);
    let mut running = JoinSet::new();
    for site in sites {
        running.spawn(site.run(std::future::pending()));
    }
    let told = demo.tell(|is_cut| {
        let away = demo.names.len() - 1;
        links
            .iter()
            .filter(|((from, to), _)| *from == away || *to == away)
            .for_each(|(_, link)| link.cut(is_cut));
    });
    tokio::select! {
        biased;
        end = running.join_next() => Err(miette!("a site ended: {:?}", end)),
        told = told => told,
    }
}

struct Demo {
    addresses: Vec<std::net::SocketAddr>,
    names: Vec<String>,
    access_key: String,
    secret_key: String,
    sites: Vec<Arc<admin::Site>>,
}

impl Demo {
    fn client(&self, site: usize) -> S3Client {
        S3Client::new(self.addresses[site], &self.access_key, &self.secret_key, "us-east-1")
    }

    async fn tell(&self, cut: impl Fn(bool)) -> Outcome {
        let away = self.names.len() - 1;
        println!(
            "{} sites, TLS between them, each with its own disk and S3 endpoint: {}",
            self.names.len(),
            self.names.join(", ")
        );
        self.all_equal().await?;
        let mut client = self.client(0);
        client.create_bucket(BUCKET).await?;
        client.enable_versioning(BUCKET).await?;
        self.all_equal().await?;

        println!("\n1. All is well: {STEADY} objects are written at each site at the same time.");
        let (mut acked, puts, lags) = self.write_everywhere("steady", STEADY).await?;
        println!(
            "   {:>5} acknowledged      PUT   p50 {}  p99 {}",
            acked.len(),
            ms(&puts, 50.0),
            ms(&puts, 99.0)
        );
        let seen = lags.len();
        println!(
            "   {seen:>5} seen elsewhere    lag   p50 {}  p99 {}  max {}",
            ms(&lags, 50.0),
            ms(&lags, 99.0),
            ms(&lags, 100.0)
        );

        println!("\n2. {} is cut off. All sites go on, and two of them write report.txt.", self.names[away]);
        cut(true);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (more, _, _) = self.write_apart("apart", CUT).await?;
        acked.extend(more);
        for site in [0, away] {
            let body = Bytes::from(format!("as {} has it\n", self.names[site]));
            let answer = self.client(site).put(BUCKET, "report.txt", body.clone()).await?;
            let version = answer.header("x-amz-version-id").unwrap_or_default().to_owned();
            acked.push(Acked { key: "report.txt".into(), version, body });
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        for site in [0, away] {
            println!("   {}", self.status(site).await?);
        }

        println!("\n3. The link heals.");
        let healed = Instant::now();
        cut(false);
        self.all_equal().await?;
        println!("   all sites agree after {:.0} ms", healed.elapsed().as_secs_f64() * 1e3);
        for other in &self.names[1..] {
            println!("   {}", self.compared(other).await?);
        }
        println!("   {}", self.status(0).await?);

        println!(
            "\n4. Both versions of report.txt are there. A last-writer-wins store would have dropped one and said nothing."
        );
        let entry = self.conflict().await?;
        conflicts::shown(&entry).lines().for_each(|line| println!("   {line}"));
        for version in entry.versions.iter().filter(|version| version.standing != "shown") {
            let answer = self.client(0).get(BUCKET, "report.txt", Some(&version.version_id)).await?;
            println!(
                "   the one not shown, read by its id: {:?}",
                String::from_utf8_lossy(&answer.body).trim_end()
            );
        }

        println!("\n5. Every acknowledged write is looked for at every site.");
        let lost = self.lost(&acked).await?;
        println!("   {} acknowledged, {} sites, {lost} lost", acked.len(), self.names.len());
        Ok(if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Each site takes `count` objects, one after the other; returns them, their latencies, and how long each took to
    /// be visible at each other site, in microseconds.
    async fn write_everywhere(
        &self,
        prefix: &'static str,
        count: usize,
    ) -> miette::Result<(Vec<Acked>, Histogram<u64>, Histogram<u64>)> {
        self.write(prefix, count, true).await
    }

    /// The same while nothing arrives.
    async fn write_apart(
        &self,
        prefix: &'static str,
        count: usize,
    ) -> miette::Result<(Vec<Acked>, Histogram<u64>, Histogram<u64>)> {
        self.write(prefix, count, false).await
    }

    async fn write(
        &self,
        prefix: &'static str,
        count: usize,
        arrives: bool,
    ) -> miette::Result<(Vec<Acked>, Histogram<u64>, Histogram<u64>)> {
        let mut writers = JoinSet::new();
        for (site, name) in self.names.iter().enumerate() {
            let (mut client, name) = (self.client(site), name.clone());
            let others: Vec<_> = self
                .sites
                .iter()
                .enumerate()
                .filter(|(n, _)| *n != site)
                .map(|(_, other)| other.clone())
                .collect();
            writers.spawn(async move {
                let (mut acked, mut puts, mut arrivals) = (Vec::new(), Vec::new(), JoinSet::new());
                for number in 0..count {
                    let key = format!("{prefix}/{name}/{number:04}");
                    let body = Bytes::from(format!("{key}\n").repeat(64));
                    let asked = Instant::now();
                    let answer = client.put(BUCKET, &key, body.clone()).await?;
                    let done = Instant::now();
                    puts.push(done - asked);
                    let version = answer.header("x-amz-version-id").unwrap_or_default().to_owned();
                    let stamp = s3::parse_version_id(&version)
                        .ok_or_else(|| miette!("a PUT without a version id"))?;
                    for other in others.iter().filter(|_| arrives) {
                        arrivals.spawn(seen(other.clone(), stamp, done));
                    }
                    acked.push(Acked { key, version, body });
                }
                Ok::<_, miette::Report>((acked, puts, arrivals.join_all().await))
            });
        }
        let (mut all, mut puts, mut lags) = (Vec::new(), histogram()?, histogram()?);
        while let Some(done) = writers.join_next().await {
            let (acked, took, arrived) = done.into_diagnostic()??;
            all.extend(acked);
            took.into_iter().try_for_each(|took| puts.record(took.as_micros() as u64)).into_diagnostic()?;
            let arrived = arrived.into_iter().flatten();
            arrived.into_iter().try_for_each(|lag| lags.record(lag.as_micros() as u64)).into_diagnostic()?;
        }
        Ok((all, puts, lags))
    }

    /// What comparing every record of the first site with another's finds.
    async fn compared(&self, other: &str) -> miette::Result<String> {
        let failed = |problem: admin::access::Problem| miette!("{}", problem.title);
        let diff = admin::diff::with(&self.sites[0], other).await.map_err(failed)?;
        if !diff.whole {
            return Err(miette!("not every record could be compared with {other}"));
        }
        Ok(format!("{} records compared with {other}: {} differ", diff.records, diff.differing.len()))
    }

    async fn status(&self, site: usize) -> miette::Result<String> {
        let status = status::look(&self.sites[site]).await.map_err(|problem| miette!("{}", problem.title))?;
        Ok(status.to_string())
    }

    /// Waits until every site says that it is in sync with every other.
    async fn all_equal(&self) -> miette::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut equal = true;
            for site in &self.sites {
                let status = status::look(site).await.map_err(|problem| miette!("{}", problem.title))?;
                equal &= status.in_sync;
            }
            if equal {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(miette!("the sites did not agree within {PATIENCE:?}: {}", self.status(0).await?))
    }

    async fn conflict(&self) -> miette::Result<admin::conflicts::Entry> {
        let found = admin::conflicts::of_key(&self.sites[0], BUCKET, "report.txt").await;
        found.map_err(|problem| miette!("{}", problem.title))
    }

    /// Acknowledged writes that are not at every site, byte for byte.
    async fn lost(&self, acked: &[Acked]) -> miette::Result<usize> {
        let mut lost = 0;
        for site in 0..self.names.len() {
            let mut client = self.client(site);
            for Acked { key, version, body } in acked {
                let answer = client.get(BUCKET, key, Some(version)).await?;
                lost += usize::from(!answer.status.is_success() || answer.body != body);
            }
        }
        Ok(lost)
    }
}

fn histogram() -> miette::Result<Histogram<u64>> {
    Histogram::new(3).into_diagnostic()
}

fn ms(histogram: &Histogram<u64>, percentile: f64) -> String {
    format!("{:.1} ms", histogram.value_at_percentile(percentile) as f64 / 1e3)
}

/// How long after its acknowledgement a write is visible at a site; none if it never is.
async fn seen(site: Arc<admin::Site>, stamp: Stamp, acked: Instant) -> Option<Duration> {
    let mut durable = site.node.engine().watch_durable();
    let arrives = async {
        while !durable.latest().covers(stamp.dot) {
            durable.changed().await;
        }
    };
    crate::env::timeout(&site.env, PATIENCE, arrives).await?;
    Some(acked.elapsed())
}
