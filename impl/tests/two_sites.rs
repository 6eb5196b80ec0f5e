//! Two whole sites on the real runtime: real sockets on loopback, real files. What happens over time and under faults is
//! the testbed's matter; this shows that the same engine runs outside it.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

use anabranch::{
    causality::SiteId,
    engine::{self, DeleteRequest, Error, GetRequest, PutRequest},
    env::tokio::TokioEnv,
    node::{Config, Node},
    object::BucketId,
    replication,
    store::{Identity, reserve::Reserve},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
    time::Duration,
};

struct Site {
    env: TokioEnv,
    node: Node<TokioEnv>,
}

fn addresses(count: u16) -> BTreeMap<SiteId, String> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    (0..count).zip(&listeners).map(|(n, l)| (SiteId(n), l.local_addr().unwrap().to_string())).collect()
}

async fn start(site: u16, addresses: &BTreeMap<SiteId, String>, data: &Path) -> Site {
    let (site, members) = (SiteId(site), addresses.keys().copied().collect::<BTreeSet<_>>());
    let identity = Identity { cluster: "test".into(), site };
    let mut engine = engine::Config::new(identity, members, [7; 32]);
    engine.reserve = Reserve { margin: 1 << 20 };
    let mut peers = addresses.clone();
    let listen = peers.remove(&site).unwrap();
    let env = TokioEnv::new(data.join(site.to_string())).unwrap();
    let config = Config { engine, replication: replication::Config::new(listen, peers) };
    let node = Node::start(env.clone(), config).await.unwrap();
    Site { env, node }
}

fn bucket() -> BucketId {
    BucketId::new("photos", "ann").unwrap()
}

fn put(key: &str, body: impl Into<Bytes>) -> PutRequest {
    PutRequest {
        bucket: bucket(),
        key: key.into(),
        body: body.into(),
        headers: BTreeMap::new(),
        context: None,
        condition: None,
    }
}

fn get(key: &str) -> GetRequest {
    GetRequest { bucket: bucket(), key: key.into(), version: None, context: None }
}

/// Waits for what replication brings about; fails after ten seconds.
async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(value) = check().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never happened: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sites_replicate_both_ways_and_recover_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let (a, b) = (start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await);
    let (ea, eb) = (a.node.engine().clone(), b.node.engine().clone());
    eventually("the sites meet", async || (ea.is_joined() && eb.is_joined()).then_some(())).await;

    ea.create_bucket(&bucket()).await.unwrap();
    let large = Bytes::from(vec![42; 700_000]);
    ea.put(put("small", "one")).await.unwrap();
    ea.put(put("large", large.clone())).await.unwrap();
    eventually("the bucket arrives", async || eb.resolve_bucket("photos", "ann").await.ok()).await;
    let seen = eventually("the object arrives", async || eb.get(get("large")).await.ok()).await;
    assert_eq!(seen.body, large);
    assert_eq!(
        seen.content,
        ea.get(get("large")).await.unwrap().content,
        "ETag, hash and headers are the origin's"
    );

    // With context a write replaces what was seen; the other site follows.
    let read = eventually("the small one too", async || eb.get(get("small")).await.ok()).await;
    eb.put(PutRequest { context: Some(read.context), ..put("small", "two") }).await.unwrap();
    eventually("the new one is back", async || {
        ea.get(get("small")).await.ok().filter(|object| object.body == "two" && object.siblings == 0)
    })
    .await;

    // A restart loses nothing that was acknowledged and starts a new epoch.
    let epoch = ea.origin();
    a.env.stop();
    drop((a, ea));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let a = start(0, &addresses, data.path()).await;
    let ea = a.node.engine().clone();
    assert_ne!(ea.origin(), epoch);
    assert_eq!(ea.get(get("small")).await.unwrap().body, "two");
    ea.delete(DeleteRequest { bucket: bucket(), key: "small".into(), version: None, context: None })
        .await
        .unwrap();
    eventually("the delete arrives", async || {
        matches!(eb.get(get("small")).await, Err(Error::NoSuchKey(_))).then_some(())
    })
    .await;
    assert_eq!(ea.list(&bucket(), "", None, 10, false).await.unwrap().versions.len(), 1);
    let status = eventually("the backlog is gone", async || {
        ea.status()
            .await
            .ok()
            .filter(|status| status.behind == 0 && status.backlog.values().all(|b| *b == Some(0)))
    })
    .await;
    assert_eq!((status.bodies_wanted, status.damaged), (0, 0));
}
