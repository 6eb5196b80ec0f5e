//! Whole sites on the real runtime, for tests: sockets on loopback, files in a temporary folder.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests are outside the seams: they drive the real runtime"
)]

use anabranch::{
    causality::SiteId,
    engine,
    env::tokio::TokioEnv,
    node::{Config, Node},
    replication,
    store::{Identity, reserve::Reserve},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
    time::Duration,
};

/// One running site.
pub(crate) struct Site {
    pub(crate) env: TokioEnv,
    pub(crate) node: Node<TokioEnv>,
}

/// Free addresses for so many sites.
pub(crate) fn addresses(count: u16) -> BTreeMap<SiteId, String> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    (0..count).zip(&listeners).map(|(n, l)| (SiteId(n), l.local_addr().unwrap().to_string())).collect()
}

/// Starts a site.
pub(crate) async fn start(site: u16, addresses: &BTreeMap<SiteId, String>, data: &Path) -> Site {
    let (site, members) = (SiteId(site), addresses.keys().copied().collect::<BTreeSet<_>>());
    let identity = Identity { cluster: "test".into(), site };
    let mut engine = engine::Config::new(identity, members, [7; 32]);
    engine.reserve = Reserve { margin: 1 << 20 };
    engine.segment_max = 300_000;
    let mut peers = addresses.clone();
    let listen = peers.remove(&site).unwrap();
    let env = TokioEnv::new(data.join(site.to_string())).unwrap();
    let config = Config { engine, replication: replication::Config::new(listen, peers) };
    let node = Node::start(env.clone(), config).await.unwrap();
    Site { env, node }
}

/// Waits for what replication brings about; fails after ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(value) = check().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never happened: {what}");
}
