//! What a site tells of itself while it runs: [`logs`] for people and machines, [`metrics`] for Prometheus.

pub mod logs;
pub mod metrics;

pub use metrics::Metrics;
