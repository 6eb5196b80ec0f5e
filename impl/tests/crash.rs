//! Real processes are killed at any instant, under load, and started again: the ring around what no simulation covers —
//! operating-system threads, real files, TLS. `cargo test` kills a few times; ANABRANCH_CRASH_CYCLES says how often else.
//!
//! Every acknowledged write must be readable at its own site as soon as that answers again, before it needs a peer, and at
//! all sites in the end; what was deleted stays deleted; no body file is left to nobody.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is outside the seams: it drives real processes"
)]

mod processes;

use bytes::Bytes;
use processes::{Cluster, client::Client, eventually};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const SITES: usize = 3;
/// Every version is kept: each acknowledged write can be asked for by its id.
const KEPT: &str = "kept";
/// Keys are written once, and some deleted: what is deleted is gone.
const PLAIN: &str = "plain";
/// Bodies above this are files.
const INLINE_MAX: usize = 4 << 10;
/// The least size of a part that is not the last.
const PART: usize = 5 << 20;

/// One write that a client began.
struct Write {
    site: usize,
    bucket: &'static str,
    key: String,
    /// How it was made, so that its bytes can be made again.
    seed: u64,
    len: usize,
    parts: usize,
    /// The version that the answer named.
    version: Option<String>,
    is_acked: bool,
    /// Whether a client asked for its end, answered or not.
    is_ended: bool,
    /// Whether its end was acknowledged.
    is_gone: bool,
}

#[derive(Default)]
struct History {
    writes: Mutex<Vec<Write>>,
    unknown: AtomicU64,
    refused: AtomicU64,
    deletes: AtomicU64,
}

/// Bytes that differ for each seed.
fn body(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(len).collect::<Vec<_>>().into()
}

/// Writes and deletes at one site until told to stop.
async fn load(mut client: Client, site: usize, history: Arc<History>, stop: Arc<AtomicBool>) {
    for n in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let seed = n * SITES as u64 + site as u64;
        let (bucket, key) = if n.is_multiple_of(2) {
            (KEPT, format!("k{:02}", n / 2 % 40))
        } else {
            (PLAIN, format!("{site}/{n}"))
        };
        let parts = if n % 50 == 7 { 2 } else { 0 };
        let len = match n % 5 {
            _ if parts > 0 => PART + 1000,
            0 => INLINE_MAX + 1 + (seed % 60_000) as usize,
            _ => 1 + (seed % 3000) as usize,
        };
        let bytes = body(seed, len);
        let answer = if parts > 0 {
            client.put_in_parts(bucket, &key, &[bytes.slice(..PART), bytes.slice(PART..)]).await
        } else {
            client.put(bucket, &key, bytes).await
        };
        let mut write = Write {
            site,
            bucket,
            key,
            seed,
            len,
            parts,
            version: None,
            is_acked: false,
            is_ended: false,
            is_gone: false,
        };
        match answer {
            Ok(answer) if answer.status.is_success() => {
                write.is_acked = true;
                write.version = answer.version;
            }
            Ok(_) => {
                history.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(_) => {
                history.unknown.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        history.writes.lock().unwrap().push(write);
        if n % 6 == 5 {
            end_one(&mut client, site, &history).await;
        }
    }
}

/// Deletes something that this site has acknowledged: a plain key, or a version.
async fn end_one(client: &mut Client, site: usize, history: &History) {
    let chosen = {
        let mut writes = history.writes.lock().unwrap();
        let open = |w: &&mut Write| w.site == site && w.is_acked && !w.is_ended;
        let Some(write) = writes.iter_mut().rev().filter(open).nth(3) else { return };
        write.is_ended = true;
        (write.bucket, write.key.clone(), write.version.clone(), write.seed)
    };
    let (bucket, key, version, seed) = chosen;
    let answer = client.delete(bucket, &key, version.as_deref()).await;
    if answer.is_ok_and(|answer| answer.status.is_success()) {
        history.deletes.fetch_add(1, Ordering::Relaxed);
        let mut writes = history.writes.lock().unwrap();
        writes.iter_mut().filter(|w| w.seed == seed).for_each(|w| w.is_gone = true);
    }
}

/// The acknowledged writes that a site does not give back as they were, and ended ones that it does; at most `last` of
/// them are asked for, the newest.
async fn wrong_at(
    client: &mut Client,
    history: &History,
    of_site: Option<usize>,
    last: usize,
) -> Vec<String> {
    let asked: Vec<_> = {
        let writes = history.writes.lock().unwrap();
        let open = |w: &&Write| w.is_acked && of_site.is_none_or(|site| w.site == site);
        let line =
            |w: &Write| (w.bucket, w.key.clone(), w.version.clone(), w.seed, w.len, w.is_ended, w.is_gone);
        writes.iter().rev().filter(open).take(last).map(line).collect()
    };
    let mut wrong = Vec::new();
    for (bucket, key, version, seed, len, is_ended, is_gone) in asked {
        let answer = client.get(bucket, &key, version.as_deref()).await;
        let is_there = match &answer {
            Ok(answer) if answer.status == 200 => answer.body == body(seed, len),
            Ok(answer) if answer.status == 404 => false,
            Ok(answer) => {
                wrong.push(format!("{bucket}/{key} was answered {}", answer.status));
                continue;
            }
            Err(error) => {
                wrong.push(format!("{bucket}/{key} was not answered: {error}"));
                continue;
            }
        };
        // Its end may have been asked for since the history was looked at.
        let is_ended =
            is_ended || history.writes.lock().unwrap().iter().any(|w| w.seed == seed && w.is_ended);
        if !is_there && !is_ended {
            wrong.push(format!("{bucket}/{key} {version:?} was acknowledged and is not there"));
        }
        if is_there && is_gone {
            wrong.push(format!("{bucket}/{key} {version:?} was deleted and is back"));
        }
    }
    wrong
}

/// How many files the bodies that a site lists should lie in.
async fn listed_files(client: &mut Client) -> usize {
    let mut files = 0;
    for bucket in [KEPT, PLAIN] {
        let (mut key, mut version) = (String::new(), String::new());
        loop {
            let query =
                [("versions", ""), ("key-marker", key.as_str()), ("version-id-marker", version.as_str())];
            let page = client.list(bucket, &query).await.unwrap();
            for size in page.all("Size") {
                let size: usize = size.parse().unwrap();
                files += if size > PART { 2 } else { usize::from(size > INLINE_MAX) };
            }
            if page.all("IsTruncated") != ["true"] {
                break;
            }
            key = page.all("NextKeyMarker").pop().unwrap();
            version = page.all("NextVersionIdMarker").pop().unwrap();
        }
    }
    files
}

/// Ends all uploads that a kill left half done.
async fn abort_uploads(client: &mut Client) {
    for bucket in [KEPT, PLAIN] {
        let (of, credentials) = (client.bucket(bucket), client.credentials.clone());
        let page = client.list(bucket, &[("uploads", "")]).await.unwrap();
        for (key, id) in page.all("Key").into_iter().zip(page.all("UploadId")) {
            let abort = of.abort_multipart_upload(Some(&credentials), &key, &id);
            client.send(hyper::Method::DELETE, &abort, Bytes::new()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_at_any_instant() {
    let cycles: usize = std::env::var("ANABRANCH_CRASH_CYCLES").map_or(6, |cycles| cycles.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::create(&data.path().join("cluster"), SITES);
    let mut processes = cluster.start_all();
    let mut client = cluster.client(0);
    client.create(KEPT, true).await;
    client.create(PLAIN, false).await;
    cluster.await_sync();

    let began = Instant::now();
    let (history, stop) = (Arc::new(History::default()), Arc::<AtomicBool>::default());
    let writers: Vec<_> = (0..SITES)
        .map(|site| tokio::spawn(load(cluster.client(site), site, history.clone(), stop.clone())))
        .collect();
    let mut back = Vec::new();
    for cycle in 0..cycles {
        let site = cycle % SITES;
        tokio::time::sleep(Duration::from_millis(100 + (cycle as u64 * 7919) % 700)).await;
        processes[site].kill();
        let killed = Instant::now();
        processes[site] = cluster.start(site);
        back.push(killed.elapsed());
        let wrong = wrong_at(&mut cluster.client(site), &history, Some(site), 60).await;
        assert!(wrong.is_empty(), "cycle {cycle}, site {site}: {wrong:#?}");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let settled = cluster.await_sync();
    let mut counts = BTreeMap::new();
    for site in 0..SITES {
        let mut client = cluster.client(site);
        abort_uploads(&mut client).await;
        let wrong = wrong_at(&mut client, &history, None, usize::MAX).await;
        assert!(wrong.is_empty(), "in the end, site {site}: {wrong:#?}");
        let listed = listed_files(&mut client).await;
        counts.insert(site, listed);
        eventually("no body file is left to nobody", || {
            (cluster.body_files(site).len() == listed).then_some(())
        });
    }
    assert_eq!(counts.values().collect::<BTreeSet<_>>().len(), 1, "the sites list the same: {counts:?}");
    back.sort();
    let writes = history.writes.lock().unwrap();
    println!(
        "{cycles} kills in {:.0} s; {} acknowledged ({} in parts), {} unknown, {} refused, {} deletes; back after {} ms \
         (median), {} ms (most); in sync {} ms after the last; {} body files at each site; 0 lost, 0 resurrected",
        began.elapsed().as_secs_f64(),
        writes.iter().filter(|w| w.is_acked).count(),
        writes.iter().filter(|w| w.is_acked && w.parts > 0).count(),
        history.unknown.load(Ordering::Relaxed),
        history.refused.load(Ordering::Relaxed),
        history.deletes.load(Ordering::Relaxed),
        back[back.len() / 2].as_millis(),
        back.last().unwrap().as_millis(),
        settled.as_millis(),
        counts[&0],
    );
}
