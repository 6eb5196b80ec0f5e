//! Whoever reaches a site's peer address without being a peer, and peers out of their minds: garbage, heads of messages that
//! never come, sessions sent a second time. The site neither stops nor changes nor grows.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is outside the seams: it drives the real runtime"
)]

mod sites;

use anabranch::{
    causality::{Epoch, SiteId, VersionVector},
    engine::{Engine, GetRequest, PutRequest},
    env::tokio::TokioEnv,
    object::BucketId,
    peer::{
        Hello, Message, Purpose, frame,
        message::{Ops, Pull, Vector},
    },
};
use sites::{addresses, start};
use std::{collections::BTreeMap, fs, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Times that each kind of nonsense is said.
const TIMES: u32 = 200;
/// What the process may grow by, in all: less than any one kind of nonsense would take if it were kept.
const GROWTH_MAX: u64 = 48 << 20;

fn hello(epoch: Epoch, purpose: Purpose) -> Vec<u8> {
    let hello = Hello {
        protocol: 1,
        protocol_min: 1,
        cluster: "test".into(),
        site: 1,
        epoch: epoch.0,
        wall_ms: 1_790_000_000_000,
        purpose: purpose.code(),
        refused: String::new(),
    };
    frame::encode(Message::Hello(hello)).unwrap()
}

/// The head of a message of this length, with checksums that hold for a message that nobody sends.
fn head(len: u32) -> Vec<u8> {
    let mut head = [len.to_be_bytes(), [7; 4]].concat();
    head.extend(crc32c::crc32c(&head).to_be_bytes());
    head
}

/// Bytes that look like nothing.
fn garbage(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Memory that the process holds, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Says something and listens for a while; tells how much was answered. The connection stays open until then.
async fn say(address: &str, bytes: &[u8]) -> usize {
    let mut conn = TcpStream::connect(address).await.unwrap();
    let _ = conn.write_all(bytes).await; // it may be closed before all is said
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_millis(20), conn.read(&mut answer)).await;
    read.map_or(0, |read| read.unwrap_or(0))
}

async fn check(engine: &Engine<TokioEnv>) -> (u64, VersionVector) {
    let bucket = BucketId::new("photos", "ann").unwrap();
    let of = GetRequest { bucket, key: "k".into(), version: None, context: None };
    assert_eq!(engine.get(of).await.unwrap().body.read_all().await.unwrap(), "v".as_bytes());
    let digest = engine.digest().await.unwrap().unwrap();
    (digest.sums.iter().fold(0, |sum, range| sum.wrapping_add(*range)), (*engine.durable()).clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_changes_nothing_and_costs_nothing() {
    let data = tempfile::tempdir().unwrap();
    let addresses = addresses(2);
    let a = start(0, &addresses, data.path()).await;
    let b = start(1, &addresses, data.path()).await;
    let (engine, address) = (a.node.engine().clone(), addresses[&SiteId(0)].clone());
    sites::eventually("the sites meet", async || engine.is_joined().then_some(())).await;
    let bucket = BucketId::new("photos", "ann").unwrap();
    engine.create_bucket(&bucket, &[]).await.unwrap();
    let mut body = engine.write_body();
    body.write(b"v").await.unwrap();
    let body = body.finish().await.unwrap();
    let (key, headers) = ("k".into(), BTreeMap::new());
    engine.put(PutRequest { bucket, key, body, headers, context: None, condition: None }).await.unwrap();
    let epoch = b.node.engine().origin().1;
    b.env.stop();
    let before = check(&engine).await;

    let known = hello(epoch, Purpose::Ops);
    let pull = Pull {
        vector: Some(Vector::encode(&VersionVector::default(), 0)),
        sites: vec![0],
        folded: 0,
        lacks: None,
    };
    let session = [&known[..], &frame::encode(Message::Pull(pull)).unwrap()].concat();
    // Operations that nobody asked for, and are none.
    let pushed = frame::encode(Message::Ops(Ops { ops: vec![vec![1, 2, 3].into()] })).unwrap();
    let nonsense = |n: u32| {
        [
            garbage(n, 1 + n as usize % 5000),
            head(u32::MAX),
            head((frame::FRAME_MAX + 1) as u32),
            // A handshake that long is none; later a message may be, and is waited for in vain.
            head(frame::FRAME_MAX as u32),
            [&known[..], &head(frame::FRAME_MAX as u32)].concat(),
            [&known[..], &garbage(n, 300)].concat(),
            [&known[..], &pushed[..]].concat(),
            [&hello(epoch, Purpose::Audit)[..], &pushed[..]].concat(),
            [&hello(epoch, Purpose::Bodies)[..], &pushed[..]].concat(),
            [&hello(epoch, Purpose::Clients)[..], &garbage(n, 300)].concat(),
            // The same session again and again.
            [&session[..], &session[..]].concat(),
        ]
    };
    // What the first round needs (threads, buffers, caches) is not growth.
    for bytes in nonsense(0) {
        say(&address, &bytes).await;
    }
    let held = resident();
    for n in 1..=TIMES {
        let mut said = tokio::task::JoinSet::new();
        for bytes in nonsense(n) {
            let address = address.clone();
            said.spawn(async move { say(&address, &bytes).await });
        }
        said.join_all().await;
    }
    let grown = resident().saturating_sub(held);
    assert!(grown < GROWTH_MAX, "grew by {} MiB", grown >> 20);
    assert!(say(&address, &session).await > known.len(), "a session that makes sense is answered");
    assert_eq!(check(&engine).await, before);
}
