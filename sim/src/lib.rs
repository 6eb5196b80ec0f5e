//! The deterministic testbed of Anabranch: scenarios on the real engine, judged by independent oracles.
#![deny(unsafe_code)]

pub mod baseline;
pub mod bench;
pub mod history;
pub mod meta;
pub mod nemesis;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod seed;
pub mod sweep;
pub mod trace;
pub mod validate;
pub mod workload;
pub mod world;
