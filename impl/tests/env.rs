//! The real runtime passes the conformance suite of the seams.
use anabranch::env::{conformance, tokio::TokioEnv};

#[tokio::test]
async fn the_tokio_runtime_conforms() {
    let data = tempfile::tempdir().unwrap();
    let env = TokioEnv::new(data.path()).unwrap();
    conformance::disk(&env);
    conformance::clock(&env).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    conformance::network(&env, &port.to_string(), "127.0.0.1:1").await;
}
