//! Real processes behind links that are cut: writes and deletes on both sides, to the same keys and to others, then the
//! links heal. `cargo test` cuts for a few seconds; ANABRANCH_PARTITION_S says how long else.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is outside the seams: it drives real processes"
)]

mod processes;

use bytes::Bytes;
use processes::{Cluster, eventually, link::Link};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

const SITES: usize = 3;
/// The site that is cut off.
const AWAY: usize = 2;
const BUCKET: &str = "photos";
/// Writes and deletes that each of the two sides makes in a second.
const RATE: u32 = 20;

/// A cluster whose sites call each other through links.
async fn linked(data: &std::path::Path) -> (Cluster, BTreeMap<(usize, usize), Link>) {
    let cluster = Cluster::create(data, SITES);
    let mut links = BTreeMap::new();
    for from in 0..SITES {
        let mut text = fs::read_to_string(&cluster.sites[from].config).unwrap();
        for to in (0..SITES).filter(|to| *to != from) {
            let link = Link::open(cluster.sites[to].peer).await.unwrap();
            let (id, peer) = (to + 1, cluster.sites[to].peer);
            text = text.replace(
                &format!("id = {id}, peer = \"{peer}\""),
                &format!("id = {id}, peer = \"{}\"", link.address),
            );
            links.insert((from, to), link);
        }
        fs::write(&cluster.sites[from].config, text).unwrap();
    }
    (cluster, links)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_sides_of_a_cut_acknowledge_is_at_all_sites_after_it() {
    let seconds: u64 = std::env::var("ANABRANCH_PARTITION_S").map_or(5, |seconds| seconds.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    let (cluster, links) = linked(&data.path().join("cluster")).await;
    let _processes = cluster.start_all();
    let mut clients: Vec<_> = (0..SITES).map(|site| cluster.client(site)).collect();
    clients[0].create(BUCKET, true).await;
    for n in 0..20 {
        clients[0].put(BUCKET, &format!("before/{n}"), Bytes::from("old")).await.unwrap();
    }
    cluster.await_sync();

    let of_away = |at: &&(usize, usize)| at.0 == AWAY || at.1 == AWAY;
    let cut = |is_cut| links.keys().filter(of_away).for_each(|at| links[at].cut(is_cut));
    cut(true);
    let began = Instant::now();
    // Version id -> key and bytes, of all that is acknowledged; and what was deleted by its version id.
    let (mut kept, mut ended) = (BTreeMap::new(), BTreeSet::new());
    let mut n = 0u32;
    while began.elapsed() < Duration::from_secs(seconds) {
        for site in [0, AWAY] {
            let key = match n % 4 {
                0 => format!("both/{}", n / 4 % 10),
                1 => format!("before/{}", n / 4 % 20),
                _ => format!("{site}/{n}"),
            };
            let body = Bytes::from(format!("{key} {n} of {site} ").repeat(1 + n as usize % 500));
            let answer = clients[site].put(BUCKET, &key, body.clone()).await.unwrap();
            assert_eq!(answer.status, 200, "a cut does not keep a site from writing");
            let version = answer.version.unwrap();
            if n % 10 == 3 {
                let gone = clients[site].delete(BUCKET, &key, Some(&version)).await.unwrap();
                assert_eq!(gone.status, 204);
                ended.insert((key, version));
            } else {
                kept.insert(version, (key.clone(), body));
                if n % 10 == 7 {
                    assert_eq!(clients[site].delete(BUCKET, &key, None).await.unwrap().status, 204);
                }
            }
        }
        n += 1;
        tokio::time::sleep(Duration::from_secs(1) / RATE).await;
    }
    let status = cluster.sites[AWAY].status().unwrap();
    assert!(status.contains("\"in_sync\":false"), "a site that is cut off says so: {status}");

    let healed = Instant::now();
    cut(false);
    cluster.await_sync();
    let converged = healed.elapsed();
    let mut shown = Vec::new();
    for (site, client) in clients.iter_mut().enumerate() {
        for (version, (key, body)) in &kept {
            let answer = client.get(BUCKET, key, Some(version)).await.unwrap();
            assert_eq!(answer.status, 200, "site {site} has {key} {version}");
            assert_eq!(answer.body, *body, "site {site}: {key} {version}");
        }
        for (key, version) in &ended {
            let status = client.get(BUCKET, key, Some(version)).await.unwrap().status;
            assert_eq!(status, 404, "site {site}: {key} {version} was deleted");
        }
        let page = client.list(BUCKET, &[("list-type", "2")]).await.unwrap();
        shown.push(page.all("Key").into_iter().zip(page.all("ETag")).collect::<Vec<_>>());
    }
    assert!(shown.iter().all(|other| *other == shown[0]), "all sites show the same");

    // Only heartbeats cross the links then.
    let crossed = || links.values().map(Link::bytes).sum::<u64>();
    let idle = eventually("the links are idle", || {
        let before = crossed();
        std::thread::sleep(Duration::from_secs(1));
        Some(crossed() - before).filter(|bytes| *bytes < 64 << 10)
    });
    println!(
        "cut for {seconds} s; {} versions acknowledged and kept, {} deleted; converged {:.0} ms after the links healed; \
         0 lost, 0 resurrected; {idle} bytes a second between the sites then",
        kept.len(),
        ended.len(),
        converged.as_secs_f64() * 1e3,
    );
}
