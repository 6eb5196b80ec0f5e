//! What rotted where nobody looks: a scrub meets it, and it is mended from the other site.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

mod sites;

use anabranch::{
    engine::{Engine, GetRequest, PutRequest, ScrubAfter, Scrubbed},
    env::tokio::TokioEnv,
    object::{BucketId, RecordKey},
};
use redb::{Database, ReadableTable, TableDefinition};
use sites::{addresses, eventually, start};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
const BODIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bodies");
/// More than one record's page, so that a scrub has to go on.
const KEYS: usize = 300;
/// Two segments of the test's sites.
const LARGE: usize = 400_000;

fn bucket() -> BucketId {
    BucketId::new("photos", "ann").unwrap()
}

async fn put(engine: &Engine<TokioEnv>, key: &str, bytes: &[u8]) {
    let mut body = engine.write_body();
    body.write(bytes).await.unwrap();
    let body = body.finish().await.unwrap();
    let (key, headers) = (key.to_owned(), BTreeMap::new());
    let request = PutRequest { bucket: bucket(), key, body, headers, context: None, condition: None };
    engine.put(request).await.unwrap();
}

async fn get(engine: &Engine<TokioEnv>, key: &str) -> Option<Vec<u8>> {
    let of = GetRequest { bucket: bucket(), key: key.into(), version: None, context: None };
    Some(engine.get(of).await.ok()?.body.read_all().await.ok()?.to_vec())
}

/// All pages as one.
async fn scrub(engine: &Engine<TokioEnv>, deep: bool) -> Scrubbed {
    let (mut whole, mut after) = (Scrubbed::default(), Some(ScrubAfter::default()));
    while let Some(from) = after {
        let page = engine.scrub(from, deep).await.unwrap();
        whole.records += page.records;
        whole.segments += page.segments;
        whole.bytes += page.bytes;
        whole.damaged.extend(page.damaged);
        whole.rotten.extend(page.rotten);
        after = page.next;
    }
    whole
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Flips a bit of a record behind its database's back.
fn spoil_record(data: &Path, key: &str) {
    let database = Database::open(data.join("meta.redb")).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(RECORDS).unwrap();
        let of = RecordKey::object(bucket(), key).unwrap().encode();
        let mut value = table.get(&of[..]).unwrap().unwrap().value().to_vec();
        let middle = value.len() / 2;
        value[middle] ^= 1;
        table.insert(&of[..], &value[..]).unwrap();
    }
    write.commit().unwrap();
}

/// Flips a bit of every row of a body and of its segments.
fn spoil_body_rows(data: &Path) {
    let database = Database::open(data.join("meta.redb")).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(BODIES).unwrap();
        let rows = table.iter().unwrap().map(|row| {
            let (key, value) = row.unwrap();
            (key.value().to_vec(), value.value().to_vec())
        });
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 3, "one of the body, and one of each segment");
        for (key, mut value) in rows {
            let middle = value.len() / 2;
            value[middle] ^= 1;
            table.insert(&key[..], &value[..]).unwrap();
        }
    }
    write.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nobody_knows_to_be_missing_is_fetched_again() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let (a, b) = (start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await);
    let (ea, eb) = (a.node.engine().clone(), b.node.engine().clone());
    eventually("the sites meet", async || (ea.is_joined() && eb.is_joined()).then_some(())).await;
    ea.create_bucket(&bucket(), &[]).await.unwrap();
    let large = vec![7; LARGE];
    put(&ea, "large", &large).await;
    eventually("all is at both", async || get(&eb, "large").await.map(drop)).await;
    a.env.stop();
    drop((a, ea));
    tokio::time::sleep(Duration::from_millis(300)).await;
    spoil_body_rows(&data.path().join("s0"));
    let a = start(0, &addresses, data.path()).await;
    let ea = a.node.engine().clone();
    assert_eq!(scrub(&ea, true).await.rotten.len(), 2, "both segments");
    let sound = Scrubbed { records: 2, segments: 2, bytes: LARGE as u64, ..Scrubbed::default() };
    eventually("all is mended", async || (scrub(&ea, true).await == sound).then_some(())).await;
    assert_eq!(get(&ea, "large").await.unwrap(), large);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rot_is_met_and_mended_before_a_client_meets_it() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let (a, b) = (start(0, &addresses, data.path()).await, start(1, &addresses, data.path()).await);
    let (ea, eb) = (a.node.engine().clone(), b.node.engine().clone());
    eventually("the sites meet", async || (ea.is_joined() && eb.is_joined()).then_some(())).await;
    ea.create_bucket(&bucket(), &[]).await.unwrap();
    for n in 0..KEYS {
        put(&ea, &format!("k{n:03}"), b"small").await;
    }
    let large: Vec<u8> = (0..LARGE).map(|n| (n % 253) as u8).collect();
    put(&ea, "large", &large).await;
    eventually("all is at both", async || get(&eb, "large").await.map(drop)).await;
    let records = KEYS as u64 + 2; // and the bucket
    let sound = Scrubbed { records, segments: 2, bytes: LARGE as u64, ..Scrubbed::default() };
    assert_eq!(scrub(&ea, true).await, sound);
    assert_eq!(scrub(&ea, false).await, Scrubbed { records, ..Scrubbed::default() });

    a.env.stop();
    drop((a, ea));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let disk = data.path().join("s0");
    spoil_record(&disk, "k123");
    // One segment rots, and the other is gone.
    let segments = files(&disk.join("bodies"));
    let [rots, goes] = &segments[..] else { panic!("{segments:?}") };
    let mut bytes = fs::read(rots).unwrap();
    bytes[1000] ^= 1;
    fs::write(rots, bytes).unwrap();
    fs::remove_file(goes).unwrap();

    let a = start(0, &addresses, data.path()).await;
    let ea = a.node.engine().clone();
    let found = scrub(&ea, true).await;
    let names = |keys: &[RecordKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&found.damaged), ["photos~ann/k123"]);
    let rotten: Vec<_> = found.rotten.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(names(&rotten), ["photos~ann/large"; 2]);
    eventually("all is mended", async || {
        let again = scrub(&ea, true).await;
        (again == sound).then_some(())
    })
    .await;
    assert_eq!(get(&ea, "large").await.unwrap(), large);
    assert_eq!(get(&ea, "k123").await.unwrap(), b"small");
}
