//! Anabranch: active-active replication for S3-compatible object stores.
//!
//! Two or more sites all take reads and writes; no acknowledged write is ever silently lost, and all sites converge.
//! Start with `ARCHITECTURE.md`: it walks one PUT through these modules, which stand on each other in this order.
#![forbid(unsafe_code)]

#[cfg(feature = "daemon")]
pub mod admin;
pub mod causality;
#[cfg(feature = "daemon")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod config;
pub mod conflict;
pub mod crdt;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod engine;
pub mod env;
pub mod node;
pub mod object;
pub mod peer;
pub mod replication;
#[cfg(feature = "s3")]
pub mod s3;
pub mod store;
#[cfg(feature = "daemon")]
pub mod telemetry;
