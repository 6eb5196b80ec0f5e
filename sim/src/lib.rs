//! The deterministic testbed of Anabranch: scenarios on the real engine, judged by independent oracles.
#![deny(unsafe_code)]

pub mod history;
pub mod nemesis;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod seed;
pub mod trace;
pub mod workload;
pub mod world;
