//! Two whole sites on the real runtime: real sockets on loopback, real files. What happens over time and under faults is
//! the testbed's matter; this shows that the same engine runs outside it.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

mod sites;

use anabranch::{
    engine::{DeleteRequest, Engine, Error, GetRequest, ListRequest, Object, PutRequest},
    env::tokio::TokioEnv,
    object::BucketId,
};
use bytes::Bytes;
use sites::{addresses, eventually, start};
use std::{collections::BTreeMap, time::Duration};

fn bucket() -> BucketId {
    BucketId::new("photos", "ann").unwrap()
}

async fn put(engine: &Engine<TokioEnv>, key: &str, body: &[u8]) -> PutRequest {
    PutRequest {
        bucket: bucket(),
        key: key.into(),
        body: engine.store_body(body).await.unwrap(),
        headers: BTreeMap::new(),
        context: None,
        condition: None,
    }
}

fn get(key: &str) -> GetRequest {
    GetRequest { bucket: bucket(), key: key.into(), version: None, context: None }
}

/// An object with all its bytes, once they are here.
async fn read(engine: &Engine<TokioEnv>, key: &str) -> Option<(Object<TokioEnv>, Bytes)> {
    let object = engine.get(get(key)).await.ok()?;
    let bytes = object.body.read_all().await.ok()?;
    Some((object, bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sites_replicate_both_ways_and_recover_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let (a, b) = (start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await);
    let (ea, eb) = (a.node.engine().clone(), b.node.engine().clone());
    eventually("the sites meet", async || (ea.is_joined() && eb.is_joined()).then_some(())).await;

    ea.create_bucket(&bucket(), &[]).await.unwrap();
    let large: Bytes = (0..700_000u32).map(|n| (n % 251) as u8).collect();
    ea.put(put(&ea, "small", b"one").await).await.unwrap();
    ea.put(put(&ea, "large", &large).await).await.unwrap();
    eventually("the bucket arrives", async || eb.resolve_bucket("photos", "ann").await.ok()).await;
    let (seen, bytes) = eventually("the object arrives", async || read(&eb, "large").await).await;
    assert_eq!(bytes, large);
    assert_eq!(
        seen.content,
        ea.get(get("large")).await.unwrap().content,
        "ETag, hashes and headers are the origin's"
    );
    assert_eq!(seen.content.manifest.body.segments().len(), 3);
    // Any range of it, across segments and blocks.
    let middle = seen.body.read(299_990, 20).await.unwrap();
    assert_eq!(middle, large[299_990..300_000], "a read ends with its segment");
    assert_eq!(seen.body.read(300_000, 20).await.unwrap(), large[300_000..300_020]);
    assert_eq!(seen.body.read(large.len() as u64, 1).await.unwrap(), Bytes::new());

    // With context a write replaces what was seen; the other site follows.
    let (seen, _) = eventually("the small one too", async || read(&eb, "small").await).await;
    eb.put(PutRequest { context: Some(seen.context), ..put(&eb, "small", b"two").await }).await.unwrap();
    eventually("the new one is back", async || {
        read(&ea, "small").await.filter(|(object, bytes)| bytes == "two" && object.siblings == 0)
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
    assert_eq!(read(&ea, "small").await.unwrap().1, "two");
    ea.delete(DeleteRequest {
        bucket: bucket(),
        key: "small".into(),
        version: None,
        context: None,
        condition: None,
        bypass: false,
    })
    .await
    .unwrap();
    eventually("the delete arrives", async || {
        matches!(eb.get(get("small")).await, Err(Error::NoSuchKey(_))).then_some(())
    })
    .await;
    let request = ListRequest { all: false, ..ListRequest::all_of(bucket(), 10) };
    assert_eq!(ea.list(request).await.unwrap().items.len(), 1);
    let status = eventually("the sites are in sync", async || {
        let (own, standings) = a.node.replication().standings().await.ok()?;
        standings.values().all(|standing| standing.apart.is_none()).then_some(own)
    })
    .await;
    assert_eq!((status.bodies_wanted, status.damaged), (0, 0));
}

/// Readers share a view of the store until the next commit: whoever was acknowledged must not be shown one from before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_reads_what_it_wrote_however_many_read_beside_it() {
    const CLIENTS: usize = 4;
    const WRITES: usize = 200;
    let data = tempfile::tempdir().unwrap();
    let site = start(0, &addresses(1), data.path()).await;
    let engine = site.node.engine().clone();
    engine.create_bucket(&bucket(), &[]).await.unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let engine = engine.clone();
        clients.spawn(async move {
            let key = format!("of-{client}");
            for n in 0..WRITES {
                let text = format!("{client}/{n}");
                engine.put(put(&engine, &key, text.as_bytes()).await).await.unwrap();
                assert_eq!(read(&engine, &key).await.unwrap().1, text);
            }
        });
    }
    for _ in 0..CLIENTS {
        let engine = engine.clone();
        clients.spawn(async move {
            for n in 0..WRITES * 10 {
                let _ = read(&engine, &format!("of-{}", n % CLIENTS)).await; // perhaps not written yet
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
}
