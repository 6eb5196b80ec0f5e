//! Damage that no checksum catches: a record that is gone from one site without a trace. Comparing finds it, and it is
//! added again; nothing is taken for deleted.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

mod sites;

use anabranch::{
    causality::SiteId,
    engine::{Engine, GetRequest, PutRequest},
    env::tokio::TokioEnv,
    object::{BucketId, RecordKey},
};
use redb::{Database, TableDefinition};
use sites::{addresses, eventually, start};
use std::{collections::BTreeMap, path::Path, time::Duration};

const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");

fn bucket() -> BucketId {
    BucketId::new("photos", "ann").unwrap()
}

async fn put(engine: &Engine<TokioEnv>, key: &str) {
    let mut body = engine.write_body();
    body.write(key.as_bytes()).await.unwrap();
    let body = body.finish().await.unwrap();
    let (key, headers) = (key.to_owned(), BTreeMap::new());
    engine
        .put(PutRequest { bucket: bucket(), key, body, headers, context: None, condition: None })
        .await
        .unwrap();
}

async fn is_there(engine: &Engine<TokioEnv>, key: &str) -> bool {
    engine.get(GetRequest { bucket: bucket(), key: key.into(), version: None, context: None }).await.is_ok()
}

/// Takes a record out of a site's database behind its back.
fn lose(data: &Path, key: &str) {
    let database = Database::open(data.join("meta.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let of = RecordKey::object(bucket(), key).unwrap().encode();
    assert!(write.open_table(RECORDS).unwrap().remove(&of[..]).unwrap().is_some());
    write.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_gone_without_a_trace_is_found_and_added_again() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let (a, b) = (start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await);
    let (ea, eb) = (a.node.engine().clone(), b.node.engine().clone());
    eventually("the sites meet", async || (ea.is_joined() && eb.is_joined()).then_some(())).await;
    ea.create_bucket(&bucket(), &[]).await.unwrap();
    for n in 0..50 {
        put(&ea, &format!("k{n}")).await;
    }
    eventually("all is there", async || is_there(&eb, "k49").await.then_some(())).await;
    let clean = a.node.replication().audit(SiteId(1)).await.unwrap();
    assert_eq!((clean.records, clean.is_whole, clean.differing.len()), (51, true, 0));

    a.env.stop();
    drop((a, ea));
    tokio::time::sleep(Duration::from_millis(300)).await;
    lose(&data.path().join("s0"), "k7");
    let a = start(0, &addresses, data.path()).await;
    let ea = a.node.engine().clone();
    assert!(!is_there(&ea, "k7").await, "nothing tells the site that anything is missing");
    // Right after the start operations may still be on their way.
    let found = eventually("the difference is found", async || {
        let audit = a.node.replication().audit(SiteId(1)).await.ok()?;
        (!audit.differing.is_empty()).then_some(audit)
    })
    .await;
    assert_eq!((found.differing, found.mended), (vec!["photos~ann/k7".to_owned()], 1));
    assert!(is_there(&ea, "k7").await);
    let again = a.node.replication().audit(SiteId(1)).await.unwrap();
    assert_eq!((again.is_whole, again.differing.len()), (true, 0));
    assert!(is_there(&eb, "k7").await, "nothing is deleted for a difference");
}
