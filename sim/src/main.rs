//! scratch
use anabranch_sim::*;
fn main() {
    let name = std::env::args().nth(1).unwrap();
    let a: u64 = std::env::args().nth(2).map_or(0, |s| s.parse().unwrap());
    let n: u64 = std::env::args().nth(3).map_or(1, |s| s.parse().unwrap());
    let s = scenario::Scenario::load(std::path::Path::new("scenarios"), &name).unwrap();
    let mut marks = std::collections::BTreeMap::new();
    let t = std::time::Instant::now();
    let mut bad = 0;
    for seed in (a..a+n).flat_map(|s| vec![s; if std::env::var_os("H").is_some() { 3 } else { 1 }]) {
        let f = match runner::run(&s, seed) { Ok(f) => f, Err(p) => { println!("{seed} PANIC {p}"); bad += 1; continue } };
        if std::env::var_os("H").is_some() { println!("H {seed} {:x?}", f.outcome.trace); }
        for (k, v) in &f.outcome.marks { *marks.entry(*k).or_insert(0) += v; }
        let j = f.judgement;
        if n == 1 || j.verdict() != oracle::Verdict::Pass {
            bad += 1;
            println!("{seed} {:?} acked {} lost {} destroyed {} conflicts {} faults {} answered {:?} {:?}", j.verdict(), j.accounts.acknowledged(), j.accounts.lost(), j.accounts.destroyed(), j.conflicts, j.faults, j.acknowledged, j.inconclusive);
            for v in &j.violations { println!("  {} {:?}", v.oracle, v.promise); for e in &v.evidence { println!("     {}", &e[..e.len().min(1200)]); } }
            if n == 1 { for l in f.outcome.plan.faults.iter() { println!("{:?} {l}", l.at); } println!("{:?} {:?}", f.outcome.trace, f.outcome.simulated); }
        }
    }
    println!("{name}: {n} seeds {bad} bad {:?} {marks:?}", t.elapsed());
}
