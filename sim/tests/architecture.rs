//! The floors of `sim/src`: a file names what its floor may, and nothing above it.

#[path = "../../ci/imports.rs"]
mod imports;

use imports::{Floor, broken, read, sources};
use std::path::Path;

/// What is looked out for besides our own modules: the engine under test.
const WATCHED: [&str; 1] = ["anabranch"];

/// Lowest first. Absent on purpose: what judges names neither the engine nor the machinery that ran it, and what nothing
/// else has stands at the top, so a new module is listed here as soon as something below the commands uses it.
const FLOORS: &[Floor] = &[
    Floor {
        modules: &["seed", "trace", "history"],
        may: &[],
        because: "the notes of a run stand on nothing of ours",
    },
    Floor {
        modules: &["world::clock", "world::disk", "world::link", "world::watch"],
        may: &[],
        because: "each part of a machine stands alone",
    },
    Floor {
        modules: &["world::ground"],
        may: &["seed", "trace", "world::clock", "world::disk", "world::link", "world::watch"],
        because: "the ground is synchronous and knows neither plan nor engine",
    },
    Floor {
        modules: &["scenario", "nemesis", "workload", "plan"],
        may: &["seed", "history", "world::disk", "world::link", "world::watch", "world::ground"],
        because: "what is to happen is drawn before anything runs, and a fault acts on the ground alone",
    },
    Floor {
        modules: &["outcome", "world", "world::control", "workload::client"],
        may: &[
            "seed",
            "trace",
            "history",
            "world::clock",
            "world::disk",
            "world::link",
            "world::watch",
            "world::ground",
            "nemesis",
            "workload",
            "plan",
            "anabranch",
        ],
        because: "the world carries a plan out and judges nothing",
    },
    Floor {
        modules: &["oracle"],
        may: &["history", "world::watch", "scenario", "nemesis", "workload", "plan", "outcome"],
        because: "an oracle judges plain data: an engine that is wrong about itself must not be believed",
    },
    Floor {
        modules: &["baseline"],
        may: &[
            "seed",
            "history",
            "world::clock",
            "world::link",
            "world::watch",
            "world::ground",
            "scenario",
            "nemesis",
            "workload",
            "plan",
            "outcome",
            "world::control",
            "oracle",
        ],
        because: "another rule goes through the same plan and faults, without the engine and its simulator",
    },
    Floor {
        modules: &["report"],
        may: &["history", "scenario", "nemesis", "workload", "plan", "outcome", "oracle"],
        because: "a report only reads a run and its judgement",
    },
    Floor {
        modules: &["runner"],
        may: &["scenario", "plan", "world", "outcome", "oracle", "baseline"],
        because: "the commands stand on the runner, not under it",
    },
    Floor { modules: &[""], may: &["*"], because: "" },
];

#[test]
fn every_file_stands_on_its_floor() {
    let broken = broken(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &WATCHED), FLOORS);
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// What the checker says of one file.
fn judged(file: &str, text: &str) -> String {
    broken(&[read(file, &format!("//! Planted.\n{text}"), &WATCHED)], FLOORS).join("\n")
}

#[test]
fn a_planted_import_is_caught_with_its_place_and_rule() {
    for (file, text, named) in [
        (
            "oracle/order.rs",
            "use anabranch::conflict;",
            "src/oracle/order.rs:2: `anabranch::conflict`: `oracle::order`",
        ),
        (
            "oracle/mod.rs",
            "use crate::{history::History, world::{env::SimEnv, watch::Part}};",
            "`crate::world::env::SimEnv`",
        ),
        ("oracle/mod.rs", "fn f() { crate::world::fabric::now(); }", "`crate::world::fabric::now`"),
        ("report/page.rs", "use crate::world::ground::Ground;", "`crate::world::ground::Ground`"),
        ("nemesis/act.rs", "use crate::world::{disk::Disk, site::Run};", "`crate::world::site::Run`"),
        (
            "workload/mod.rs",
            "pub mod client;\npub use client::Client;",
            "mod.rs:3: `crate::workload::client::Client`",
        ),
        ("world/disk.rs", "use super::ground::State;", "`crate::world::ground::State`"),
        ("world/site.rs", "use crate::oracle;", "`crate::oracle`"),
        ("runner.rs", "use crate::cli;", "`crate::cli`"),
        ("plan.rs", "use crate::seed;\nuse crate::shrink::Shrunk;", "plan.rs:3: `crate::shrink::Shrunk`"),
    ] {
        let said = judged(file, text);
        assert!(said.contains(named), "{file}: {text:?} is judged {said:?}, expected {named:?}");
    }
}

#[test]
fn what_is_allowed_is_left_alone() {
    for (file, text) in [
        (
            "oracle/session.rs",
            "use super::{Case, accounting::has_seen};\nuse crate::{history::Shown, world::watch::Part};",
        ),
        ("oracle/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::world::ground::Ground;\n}"),
        ("world/env.rs", "use super::{fabric, ground::Ground};\nuse anabranch::env::Env;"),
        ("cli/sweep.rs", "use super::Args;\nuse crate::{runner, report, shrink};"),
    ] {
        assert_eq!(judged(file, text), "", "{file}: {text:?}");
    }
}
