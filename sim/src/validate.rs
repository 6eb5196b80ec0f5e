//! The testbed checks itself: where the loss of a last-writer-wins store is known in closed form, what it measures must be
//! that.
//!
//! The setting of all of them: two sites, one key at a time, blind writes as Poisson traffic at rate λ at each site, a
//! constant one-way delay D, and one clock behind the other by δ. With x = λD everything below follows; the same
//! formulas hold for the hybrid clock with δ capped at D, for by then it has heard of the other clock.
//!
//! Two figures are checked, because the two ways to count differ (see [`crate::baseline::fate`]): the *frontier*, where
//! for equal clocks the loss is ½(e^-x − e^-3x), and the *effect*, which the accounting oracle counts, where it is
//! (1 − e^-x)/(2 − e^-x). Agreement shows that plan, links, clocks, models and oracle mean by their words what the
//! theory does. Then the same skews on Anabranch itself: nothing may be lost, whatever the clock.
//!
//! The ends of a run weigh little: where nothing is written any more, what would have been seen was not, which adds at
//! most one lost write a key, one in `WRITES_PER_KEY`.
//! Sources: theory §1.5 (frontier, and the table by skew, which these forms reproduce); derivations at `Forms`.

use crate::{
    baseline::{self, Rule, fate::Fates},
    nemesis::{Fault, PlannedFault},
    oracle::{Case, End, accounting::account},
    plan::{Plan, PlannedOp},
    scenario::Scenario,
    seed::{Concern, stream},
    workload::Action,
    world::{self, link::LinkShape},
};
use rand::Rng;
use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

/// How far a measured share may be from its closed form: several standard errors, and the ends of the runs.
const TOLERANCE: f64 = 0.01;
/// The one-way delay of the models: so long that their service time is nothing beside it.
const DELAY: Duration = Duration::from_secs(10);
/// The one-way delay under the real engine: short enough for its time-outs.
const REAL_DELAY: Duration = Duration::from_millis(100);
/// Mean writes of both sites to one key. The accounts take time by its square.
const WRITES_PER_KEY: f64 = 300.0;
/// Keys of one run, and runs of one measurement: about 60,000 writes, a standard error below 0.002.
const KEYS: u16 = 8;
const RUNS: u64 = 25;
/// Keys of the run on the real engine, and writes to each.
const REAL_KEYS: u16 = 20;
const REAL_WRITES_PER_KEY: f64 = 30.0;
/// Contention of the part without skew, as λD.
const CONTENTION: [f64; 6] = [0.01, 0.1, 0.3, 0.55, 1.0, 2.0];
/// Skews of the other part, as δ/D, at contention 0.1.
const SKEWS: [f64; 4] = [0.0, 1.0, 2.0, 10.0];
const SKEWED_CONTENTION: f64 = 0.1;

/// One measured share beside what it must be.
#[derive(Clone, Debug)]
pub struct Row {
    /// Who was measured.
    pub store: &'static str,
    /// λD.
    pub contention: f64,
    /// δ/D.
    pub skew: f64,
    /// What share of the acknowledged writes.
    pub figure: &'static str,
    /// Acknowledged writes.
    pub writes: u64,
    /// The share.
    pub measured: f64,
    /// The closed form, where there is one.
    pub expected: Option<f64>,
    /// Where the share must lie.
    pub bounds: RangeInclusive<f64>,
}

impl Row {
    /// Whether it does.
    pub fn holds(&self) -> bool {
        self.bounds.contains(&self.measured)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, contention, skew, figure, writes, measured, .. } = self;
        write!(
            f,
            "{store:<22} x {contention:<4} skew {skew:>2} D  {figure:<26} {writes:>6} writes  {measured:.4}"
        )?;
        match self.expected {
            Some(expected) => write!(f, "  expected {expected:.4}")?,
            None => write!(f, "  within {:.4} to {:.4}", self.bounds.start(), self.bounds.end())?,
        }
        f.write_str(if self.holds() { "" } else { "  WRONG" })
    }
}

/// [`rows`] in words, a line each. Whether all of them hold, and the world that ran Anabranch did not panic.
pub fn run(report: &mut dyn FnMut(&str)) -> bool {
    rows(&mut |row| report(&row.to_string())).unwrap_or_else(|panic| {
        report(&format!("the world panicked under Anabranch: {panic}"));
        false
    })
}

/// Measures everything, handing each row to `report` as it is known. Whether all of them hold; an error is a panic in
/// the world that ran Anabranch. Takes 40 seconds of one core.
pub fn rows(report: &mut dyn FnMut(&Row)) -> Result<bool, String> {
    let mut all_hold = true;
    let mut check = |row: Row| {
        all_hold &= row.holds();
        report(&row);
    };
    for contention in CONTENTION {
        measure(Rule::WallLww, contention, 0.0, RUNS).into_iter().for_each(&mut check);
    }
    for skew in SKEWS {
        // Repeats one measurement of the first part: each table is whole.
        measure(Rule::WallLww, SKEWED_CONTENTION, skew, RUNS).into_iter().for_each(&mut check);
        measure(Rule::HlcLww, SKEWED_CONTENTION, skew, RUNS).into_iter().for_each(&mut check);
    }
    for skew in SKEWS {
        anabranch(skew)?.into_iter().for_each(&mut check);
    }
    Ok(all_hold)
}

/// What shares of writes are lost, by the theory.
///
/// Order both sites' writes by stamp. In that order the slow site's writes take d₁ = x(1 + δ/D) to the other, and those
/// of the other d₂ = x(1 − δ/D) to it, in units of 1/λ; if d₂ < 0, writes are there g = −d₂ *before* their stamp is due.
///
/// *Frontier*: let U be the time to the other site's next write and V that to the next of the same site, both Exp(1). A
/// write of the slow site is lost if U < d₁, so that it never shows at the other, and V > U + d₂, so that it is gone
/// before its own site writes again; with d₂ < 0, if U < g it is dead at birth. Of the other site: the same with d₁ and d₂
/// exchanged, and never if d₂ < 0. It is inverted if U < xδ/D: then the winner was written earlier in real time.
///
/// *Effect*: walk back from the survivor, from each write to the one that its client was shown: the last of its own site
/// if that is nearer than the delay d from the other, passing over what the other wrote since; else the last of either.
/// Each step starts afresh, so a step from there passes over 1 − e^-d writes in the mean, which are the lost ones.
#[derive(Clone, Copy, Debug)]
struct Forms {
    lost: f64,
    inverted: f64,
    at_birth: f64,
    effect: f64,
}

impl Forms {
    fn new(x: f64, skew: f64) -> Self {
        let (d1, d2) = (x * (1.0 + skew), x * (1.0 - skew));
        let gone = |own: f64, other: f64| 0.5 * (-own).exp() * (1.0 - (-2.0 * other).exp());
        let (slow, other, inverted, at_birth) = if d2 >= 0.0 {
            (gone(d2, d1), gone(d1, d2), gone(d2, x * skew), 0.0)
        } else {
            let dead = 1.0 - d2.exp();
            let later = |until: f64| dead + 0.5 * (-d2).exp() * ((2.0 * d2).exp() - (-2.0 * until).exp());
            (later(d1), 0.0, later(x * skew), dead)
        };
        // Where the walk back stands: it leaves a site only over a gap as long as the delay from the other.
        let (e1, e2) = ((-d1).exp(), (-d2.max(0.0)).exp());
        let at_slow = e1 / (e1 + e2);
        let passed = at_slow * (1.0 - e2) + (1.0 - at_slow) * (1.0 - e1);
        // Half of the writes are the slow site's.
        Self {
            lost: f64::midpoint(slow, other),
            inverted: inverted / 2.0,
            at_birth: at_birth / 2.0,
            effect: passed / (1.0 + passed),
        }
    }
}

/// The shares that a rule loses, beside their forms.
fn measure(rule: Rule, contention: f64, skew: f64, runs: u64) -> Vec<Row> {
    let (mut fates, mut effect, mut accounted) = (Fates::default(), 0, 0);
    for seed in 0..runs {
        let plan = Arc::new(traffic(seed, DELAY, contention, skew, (KEYS, WRITES_PER_KEY)));
        let outcome = baseline::run(&plan, rule);
        fates = fates.plus(baseline::fate::count(&outcome));
        let accounts = account(&Case::new(&outcome));
        effect += accounts.lost() as u64;
        accounted += accounts.acknowledged() as u64;
    }
    // A hybrid clock has heard of the faster one after a delay.
    let forms = Forms::new(contention, if rule == Rule::HlcLww { skew.min(1.0) } else { skew });
    let row = |figure, count: u64, of: u64, expected: f64| Row {
        store: rule.name(),
        contention,
        skew,
        figure,
        writes: of,
        measured: count as f64 / of as f64,
        expected: Some(expected),
        bounds: expected - TOLERANCE..=expected + TOLERANCE,
    };
    vec![
        row("lost, frontier", fates.lost, fates.acknowledged, forms.lost),
        row("of these order inverted", fates.inverted, fates.acknowledged, forms.inverted),
        row("of these lost at birth", fates.at_birth, fates.acknowledged, forms.at_birth),
        row("lost, by the accounts", effect, accounted, forms.effect),
    ]
}

/// What Anabranch does with such traffic: some writes conflict, and none of them is lost.
fn anabranch(skew: f64) -> Result<Vec<Row>, String> {
    let plan = Arc::new(traffic(0, REAL_DELAY, SKEWED_CONTENTION, skew, (REAL_KEYS, REAL_WRITES_PER_KEY)));
    let outcome = world::run(plan)?;
    assert_eq!(outcome.effective.len(), outcome.plan.faults.len(), "the clock was late");
    let accounts = account(&Case::new(&outcome));
    let row = |figure, count: usize, bounds| Row {
        store: "Anabranch",
        contention: SKEWED_CONTENTION,
        skew,
        figure,
        writes: accounts.acknowledged() as u64,
        measured: count as f64 / accounts.acknowledged() as f64,
        expected: None,
        bounds,
    };
    let kept = accounts.count(|end| matches!(end, End::Sibling | End::Noncurrent));
    Ok(vec![
        row("lost, by the accounts", accounts.lost(), 0.0..=0.0),
        // There were conflicts to settle; a blind writer's victims are kept too, so it is no less than their share.
        row("losers still readable", kept, SKEWED_CONTENTION / 3.0..=1.0),
    ])
}

/// Blind Poisson writes at two sites, site 0 with a clock that is late; a client a key, so that none waits for another.
fn traffic(
    seed: u64,
    delay: Duration,
    contention: f64,
    skew: f64,
    (keys, writes_per_key): (u16, f64),
) -> Plan {
    /// By then the buckets are there.
    const BEGIN: Duration = Duration::from_secs(1);
    let scenario =
        "question = \"does the testbed measure what the theory says?\"\nsites = 2\nworkload = []\n";
    let scenario = Scenario::parse("validate", scenario).expect("a valid scenario");
    let mut plan = Plan::draw(&scenario, seed);
    for link in plan.links.values_mut() {
        *link =
            LinkShape { latency: delay, jitter: Duration::ZERO, bandwidth: 1 << 40, ..LinkShape::default() };
    }
    let rate_per_s = contention / delay.as_secs_f64();
    let lasts = Duration::from_secs_f64(writes_per_key / (2.0 * rate_per_s));
    plan.clients = keys;
    plan.heal_at = BEGIN + lasts;
    plan.deadline = plan.heal_at + Duration::from_mins(1) + delay * 2;
    for (site, key) in (0..2).flat_map(|site| (0..keys).map(move |key| (site, key))) {
        let mut rng = stream(seed, Concern::Client, u64::from(site) << 16 | u64::from(key));
        let mut at = BEGIN;
        loop {
            at += Duration::from_secs_f64(-(1.0 - rng.random::<f64>()).ln() / rate_per_s);
            if at >= plan.heal_at {
                break;
            }
            let (bucket, name, action) =
                (scenario.buckets[0].name.clone(), format!("k{key}"), Action::Put { size: 64 });
            plan.ops.push(PlannedOp { id: 0, at, site, client: key, bucket, key: name, action });
        }
    }
    plan.ops.sort_by_key(|op| (op.at, op.site, op.client));
    for (id, op) in (1..).zip(&mut plan.ops) {
        op.id = id;
    }
    if skew > 0.0 {
        let by_ms = -(delay.mul_f64(skew).as_millis() as i64);
        let fault = Fault::ClockStep { site: 0, by_ms };
        plan.faults.push(PlannedFault { at: Duration::ZERO, until: plan.heal_at, fault });
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, by: f64) -> bool {
        (a - b).abs() < by
    }

    #[test]
    fn the_forms_are_those_of_the_theory() {
        for x in CONTENTION {
            let forms = Forms::new(x, 0.0);
            assert!(close(forms.lost, 0.5 * ((-x).exp() - (-3.0 * x).exp()), 1e-12), "{x}");
            assert!(close(forms.effect, (1.0 - (-x).exp()) / (2.0 - (-x).exp()), 1e-12), "{x}");
        }
        // Theory §1.5: lost, of these inverted, of these lost at birth; measured there by another simulator.
        for (skew, lost, inverted, at_birth) in [
            (0.0, 0.082, 0.0, 0.0),
            (1.0, 0.082, 0.045, 0.0),
            (2.0, 0.122, 0.089, 0.048),
            (10.0, 0.328, 0.313, 0.295),
        ] {
            let forms = Forms::new(0.1, skew);
            assert!(
                close(forms.lost, lost, 0.003) && close(forms.inverted, inverted, 0.003),
                "{skew}: {forms:?}"
            );
            assert!(close(forms.at_birth, at_birth, 0.003), "{skew}: {forms:?}");
        }
    }

    #[test]
    fn a_few_runs_come_near_the_forms_and_a_wrong_form_is_noticed() {
        for row in [measure(Rule::WallLww, 0.3, 0.0, 4), measure(Rule::HlcLww, 0.1, 2.0, 4)].concat() {
            let expected = row.expected.expect("a form");
            assert!(close(row.measured, expected, 0.025), "{row}");
            let wrong = Row { measured: expected + 2.0 * TOLERANCE, ..row };
            assert!(!wrong.holds() && wrong.to_string().ends_with("WRONG"));
        }
    }

    #[test]
    fn anabranch_loses_nothing_by_a_late_clock() {
        for row in anabranch(10.0).expect("no panic") {
            assert!(row.holds(), "{row}");
        }
    }
}
