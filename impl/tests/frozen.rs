//! Protocol 1 and disk format 1 as they were frozen: what an older site says is understood, what it left is read, and what
//! this one says and writes is the same to the byte.
//!
//! The fixtures are never written again. A new protocol or format gets fixtures of its own beside them:
//! `cargo test -p anabranch --test frozen -- --ignored freeze` writes what is not there yet.
#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives the real runtime")]

#[path = "frozen/disk.rs"]
mod disk;
#[path = "frozen/protocol.rs"]
mod protocol;
mod sites;

use std::{fmt::Write, fs, path::PathBuf};

/// Where a fixture lies.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frozen").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

/// Writes a fixture, once.
fn freeze(name: &str, text: &str) {
    let path = fixture(name);
    assert!(!path.exists(), "{} is frozen", path.display());
    fs::write(path, text).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}
