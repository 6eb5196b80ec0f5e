//! The floors of `impl/src`: a file names its own folder and what its floor may, and nothing above it.
#![expect(clippy::disallowed_methods, reason = "reads the sources themselves, outside every seam")]

#[path = "../../ci/imports.rs"]
mod imports;

use imports::{Floor, broken, read, sources};
use std::{fs, path::Path};

/// What is looked out for besides our own modules. `.commit` is `Store::commit`: one hand writes the store.
const WATCHED: [&str; 5] = ["anabranch_sim", "redb", "s3s", "hyper", ".commit"];

/// Lowest first. Absent on purpose: `engine` names neither `peer` nor `replication`, the replicated state and its
/// policies do not name `env`, and nothing names the testbed.
const FLOORS: &[Floor] = &[
    Floor { modules: &["causality"], may: &[], because: "identities and clocks stand on nothing of ours" },
    Floor {
        modules: &["env"],
        may: &[],
        because: "the seams to the world know nothing of what runs over them",
    },
    Floor { modules: &["object"], may: &["causality"], because: "what is stored and shipped is plain data" },
    Floor { modules: &["crdt"], may: &["causality", "object"], because: "the replicated state is pure" },
    Floor {
        modules: &["conflict"],
        may: &["causality", "object", "crdt"],
        because: "a policy is a pure function of the record",
    },
    Floor {
        modules: &["store"],
        may: &["causality", "env", "object", "crdt", "redb", ".commit"],
        because: "the store keeps what it is told and decides nothing",
    },
    Floor {
        modules: &["engine"],
        may: &["causality", "env", "object", "crdt", "conflict", "store", ".commit"],
        because: "the log is the only bridge to other sites",
    },
    Floor {
        modules: &["s3"],
        may: &["causality", "env", "object", "engine", "s3s", "hyper"],
        because: "the face turns requests into the engine's and knows neither disk nor peers",
    },
    Floor {
        modules: &["peer"],
        may: &["causality", "env", "object"],
        because: "the protocol is what is said; when and from what is replication's matter",
    },
    Floor {
        modules: &["replication"],
        may: &["causality", "env", "object", "crdt", "store", "engine", "peer"],
        because: "replication moves what the engine has logged; only the engine commits",
    },
    Floor {
        modules: &["node"],
        may: &["env", "store", "engine", "replication"],
        because: "the composition root wires and decides nothing",
    },
    Floor {
        modules: &["config"],
        may: &["causality", "env"],
        because: "what an operator writes is plain data",
    },
    Floor {
        modules: &["telemetry"],
        may: &["s3", "config"],
        because: "what a site tells is data handed to it",
    },
    Floor {
        modules: &["admin"],
        may: &["causality", "env", "object", "engine", "s3", "replication", "node", "config", "telemetry"],
        because: "operators look at the site; they change nothing behind the engine's back",
    },
    Floor {
        modules: &["daemon"],
        may: &[
            "env",
            "store",
            "engine",
            "s3",
            "hyper",
            "replication",
            "node",
            "config",
            "telemetry",
            "admin",
        ],
        because: "a process joins the node to its faces",
    },
    Floor {
        modules: &["cli"],
        may: &["causality", "env", "s3", "hyper", "config", "telemetry", "admin", "daemon"],
        because: "a command drives the daemon or asks it; it reaches neither engine nor store",
    },
    Floor { modules: &["main"], may: &["cli"], because: "the binary is the command line" },
    Floor { modules: &["lib"], may: &[], because: "the root declares the floors and nothing else" },
];

#[test]
fn every_file_stands_on_its_floor() {
    let broken = broken(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &WATCHED), FLOORS);
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn the_package_does_not_depend_on_its_testbed() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("a manifest");
    assert!(
        !manifest.contains("anabranch-sim"),
        "impl/Cargo.toml names anabranch-sim: `impl` never knows that `sim` exists"
    );
}

/// What the checker says of one file.
fn judged(file: &str, text: &str) -> String {
    broken(&[read(file, &format!("//! Planted.\n{text}"), &WATCHED)], FLOORS).join("\n")
}

#[test]
fn a_planted_import_is_caught_with_its_place_and_rule() {
    for (file, text, named) in [
        (
            "engine/put.rs",
            "use crate::peer::Message;",
            "src/engine/put.rs:2: `crate::peer::Message`: `engine::put`",
        ),
        (
            "engine/put.rs",
            "use crate::{\n    causality::Dot,\n    replication::{self, Config},\n};",
            "put.rs:4: `crate::replication`",
        ),
        (
            "engine/mod.rs",
            "mod put;\nfn f() { super::replication::start() }",
            "mod.rs:3: `crate::replication::start`",
        ),
        ("crdt/apply.rs", "fn f(env: &impl super::super::env::Env) {}", "apply.rs:2: `crate::env::Env`"),
        (
            "peer/frame.rs",
            "fn f<T>() -> Vec<crate::store::Tx<'static>> { Vec::new() }",
            "frame.rs:2: `crate::store::Tx`",
        ),
        (
            "store/tx.rs",
            "mod inner {\n use super::super::super::engine::Error;\n}",
            "tx.rs:3: `crate::engine::Error`",
        ),
        ("engine/get.rs", "use redb::Database;", "get.rs:2: `redb::Database`"),
        ("node.rs", "use anabranch_sim as sim;", "node.rs:2: `anabranch_sim`"),
        (
            "replication/server.rs",
            "fn f() {\n    shared.store\n        .commit(|tx| Ok(()));\n}",
            "server.rs:4: `.commit`",
        ),
        ("console/handler.rs", "", "stands on no floor"),
    ] {
        let said = judged(file, text);
        assert!(said.contains(named), "{file}: {text:?} is judged {said:?}, expected {named:?}");
    }
    assert!(judged("node.rs", &"\n".repeat(500)).contains("501 lines"));
    assert!(broken(&[read("node.rs", "use std::io;", &WATCHED)], FLOORS)[0].contains("opens with `//!`"));
}

#[test]
fn what_is_allowed_or_no_import_is_left_alone() {
    for text in [
        "use super::{Error, writer::Draft};\nuse crate::{causality::*, store::{self, keys as k}};",
        "// use crate::peer::Message;\n/* crate::peer /* nested */ crate::peer */\n/// [`crate::peer`]",
        "const A: &str = \"crate::peer\"; const B: &str = r#\"use \"crate::peer\"#; const C: char = '\"'; fn f<'a>(_: &'a str) {}",
        "#[cfg(test)]\nmod tests {\n    use crate::peer::Message;\n}\n#[cfg(all(test, unix))]\nuse crate::{peer, replication};",
        "pub(crate) fn f(store: &Store) { store.commit(|_| ()); own::peer::x(); value.peer() }",
    ] {
        assert_eq!(judged("engine/put.rs", text), "", "{text:?}");
    }
}
