//! The simulated seams pass the suite that the real ones pass (`impl/tests/env.rs`), in this build's world.

use anabranch::env::conformance;
use anabranch_sim::world::{env::SimEnv, fabric, ground::Ground};
use std::collections::BTreeMap;

#[test]
fn the_simulated_world_conforms() {
    fabric::visit(|| async {
        let ground = Ground::new(1, 2, &BTreeMap::new());
        let env = SimEnv::new(&ground, 0);
        conformance::disk(&env);
        conformance::clock(&env).await;
        conformance::network(&env, "s0", "s1").await;
    });
}
