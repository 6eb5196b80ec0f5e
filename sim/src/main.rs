//! scratch
use anabranch_sim::*;
fn main() {
    let name = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).map_or(1, |s| s.parse().unwrap());
    let s = scenario::Scenario::load(std::path::Path::new("scenarios"), &name).unwrap();
    for seed in 0..n {
        let plan = std::sync::Arc::new(plan::Plan::draw(&s, seed));
        let t = std::time::Instant::now();
        let o = world::run(plan.clone()).unwrap();
        println!("{seed} {:x?} sim {:?} wall {:?} conv {:?} ops {} acked {} stuck {:?} marks {:?}", o.trace, o.simulated, t.elapsed(), o.converged_at, o.history.operations.len(), o.history.operations.values().filter(|o| o.ending == history::Ending::Acked).count(), o.stuck, o.marks);
    }
}
