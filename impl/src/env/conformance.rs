//! What every runtime's disk, clock and network must do: one suite, run on the real side (`tests/env.rs`) and on both
//! simulated sides (`sim/tests/env.rs`). It panics with the claim that does not hold.

use super::{DiskFile, Env, Open, Work, timeout};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Files keep what was written, and say what is wrong otherwise.
pub fn disk<E: Env>(env: &E) {
    assert_eq!(kind(env.open("none", Open::Existing)), io::ErrorKind::NotFound);
    let file = env.open("folder/file", Open::New).expect("a new file opens, its folder is made");
    assert_eq!(kind(env.open("folder/file", Open::New)), io::ErrorKind::AlreadyExists);
    assert!(file.is_empty().unwrap());
    file.write_at(0, b"hello").unwrap();
    file.write_at(8, b"world").unwrap();
    assert_eq!(file.len().unwrap(), 13, "a write beyond the end grows the file");
    let mut read = [1; 13];
    file.read_at(0, &mut read).unwrap();
    assert_eq!(&read, b"hello\0\0\0world", "the gap reads as zeros");
    assert_eq!(file.read_at(9, &mut [0; 5]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    file.set_len(5).unwrap();
    file.set_len(7).unwrap();
    let mut read = [1; 7];
    file.read_at(0, &mut read).unwrap();
    assert_eq!(&read, b"hello\0\0", "what was cut off does not come back");
    file.sync().unwrap();
    env.sync_folder("folder").unwrap();
    file.drop_cache().unwrap();
    let again = env.open("folder/file", Open::Existing).unwrap();
    assert_eq!(again.len().unwrap(), 7, "synced data outlives the cache");
    env.open("folder/deeper/b", Open::OrCreate).unwrap();
    env.open("folder/a", Open::OrCreate).unwrap();
    assert_eq!(env.list("folder").unwrap(), ["folder/a", "folder/deeper/b", "folder/file"]);
    assert_eq!(env.list("nowhere").unwrap(), Vec::<String>::new());
    env.remove("folder/a").unwrap();
    assert_eq!(env.remove("folder/a").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(env.available_bytes().unwrap() > 0);
}

/// Sleeping lasts as long as it says, the monotonic clock never goes back, a time-out drops what it waited for.
pub async fn clock<E: Env>(env: &E) {
    let start = env.monotonic();
    env.sleep(Duration::from_millis(30)).await;
    let slept = env.monotonic().checked_sub(start).expect("the monotonic clock does not go back");
    assert!(slept >= Duration::from_millis(29), "slept only {slept:?}");
    assert!(env.wall_ms() > 1_500_000_000_000, "the wall clock counts from the Unix epoch");
    assert!(timeout(env, Duration::from_millis(20), std::future::pending::<()>()).await.is_none());
    assert_eq!(timeout(env, Duration::from_secs(5), async { 7 }).await, Some(7));
    assert_eq!(env.blocking(Work::Write, || 5).await, 5);
    assert_ne!(env.random_u64(), env.random_u64());
}

/// Bytes arrive whole and in order in both directions; the end of a stream is seen; nobody listening is an error.
///
/// `address` is one that this runtime can both listen at and connect to; `nobody` one where nobody listens.
pub async fn network<E: Env>(env: &E, address: &str, nobody: &str) {
    const SIZE: usize = 300_000;
    let refused = timeout(env, Duration::from_secs(5), env.connect(nobody)).await;
    assert!(!matches!(refused, Some(Ok(_))), "a connection to nobody");

    let mut listener = env.listen(address).await.expect("an address of this site can be listened at");
    let server = env.clone();
    env.spawn(
        "conformance-echo",
        Box::pin(async move {
            let mut conn = server.accept(&mut listener).await.expect("a connection comes");
            let mut bytes = vec![0; SIZE];
            conn.read_exact(&mut bytes).await.expect("all bytes arrive");
            conn.write_all(&bytes).await.expect("the other side reads");
            conn.flush().await.expect("the other side reads");
        }),
    );
    let mut conn = env.connect(address).await.expect("somebody listens");
    let sent: Vec<u8> = (0..SIZE).map(|i| (i / 7) as u8).collect();
    conn.write_all(&sent).await.unwrap();
    conn.flush().await.unwrap();
    let mut received = vec![0; SIZE];
    timeout(env, Duration::from_secs(30), conn.read_exact(&mut received)).await.expect("no stall").unwrap();
    assert!(received == sent, "bytes changed on the way");
    let end = timeout(env, Duration::from_secs(30), conn.read(&mut [0; 1])).await.expect("no stall");
    assert!(matches!(end, Ok(0) | Err(_)), "the stream's end is seen");
}

fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.kind(),
    }
}
