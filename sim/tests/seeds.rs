//! A small sweep of every scenario in this build's world, within `cargo test`: the plain build is the turmoil world.

use anabranch_sim::{oracle::Verdict, runner, scenario::Scenario};
use std::{path::Path, sync::Mutex, thread};

const SEEDS: std::ops::Range<u64> = 0..2;

#[test]
fn every_scenario_holds_its_promises_for_its_first_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let names = Scenario::names(&folder).expect("the scenarios are there");
    let runs: Vec<(String, u64)> =
        names.into_iter().flat_map(|name| SEEDS.map(move |seed| (name.clone(), seed))).collect();
    assert!(runs.len() >= 20, "only {} runs", runs.len());
    let (queue, broken, proved) = (Mutex::new(runs.into_iter()), Mutex::new(Vec::new()), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((name, seed)) = queue.lock().unwrap().next() else { return };
                    let scenario = Scenario::load(&folder, &name).expect("a scenario of ours is valid");
                    match runner::run(&scenario, seed) {
                        Ok(run) => match run.judgement.verdict() {
                            Verdict::Pass => *proved.lock().unwrap() += 1,
                            Verdict::Inconclusive => {}
                            Verdict::Unsafe | Verdict::NotLive => {
                                broken
                                    .lock()
                                    .unwrap()
                                    .push(format!("{name} {seed}: {:#?}", run.judgement.violations));
                            }
                        },
                        Err(panic) => broken.lock().unwrap().push(format!("{name} {seed}: {panic}")),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(proved.into_inner().unwrap() >= 20, "too few runs proved anything");
}
