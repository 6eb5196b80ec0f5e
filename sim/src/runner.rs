//! `plan -> world -> outcome -> judgement`: one run of one seed.

use crate::{
    oracle::{self, Judgement},
    outcome::Outcome,
    plan::Plan,
    scenario::Scenario,
    world,
};
use std::sync::Arc;

/// A finished and judged run.
pub struct Finished {
    /// What happened.
    pub outcome: Outcome,
    /// What it is worth.
    pub judgement: Judgement,
}

/// Runs one seed. An error is a panic in the world: a broken invariant of engine or harness.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Finished, String> {
    let plan = Arc::new(Plan::draw(scenario, seed));
    let outcome = world::run(plan)?;
    let judgement = oracle::judge(&outcome, &scenario.expect);
    Ok(Finished { outcome, judgement })
}
