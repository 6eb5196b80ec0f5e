use super::*;
use crate::{
    history::{Ending, Shown},
    nemesis::{Fault, PlannedFault},
    oracle::{Accounts, Case, End, LostKind, accounting::account},
    plan::PlannedOp,
    scenario::Scenario,
    workload::Action,
    world::link::LinkShape,
};
use std::{fmt::Write, time::Duration};

const PUT: Action = Action::Put { size: 64 };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// `(at in ms, site, key, action)`, numbered from 1 in the order given; one-way delay 100 ms.
fn plan(sites: u16, ops: &[(u64, u16, &str, Action)], faults: Vec<(u64, u64, Fault)>) -> Arc<Plan> {
    let scenario = format!("question = \"?\"\nsites = {sites}\nworkload = []\n[phases]\nchaos_s = 60\n");
    let mut plan = Plan::draw(&Scenario::parse("test", &scenario).expect("a valid scenario"), 1);
    for shape in plan.links.values_mut() {
        *shape = LinkShape {
            latency: ms(100),
            jitter: Duration::ZERO,
            bandwidth: 1 << 40,
            ..LinkShape::default()
        };
    }
    plan.ops = (1..)
        .zip(ops)
        .map(|(id, (at, site, key, action))| {
            let (bucket, key, action) = ("main".to_owned(), (*key).to_owned(), action.clone());
            PlannedOp { id, at: ms(*at), site: *site, client: 0, bucket, key, action }
        })
        .collect();
    let planned = |(at, until, fault)| PlannedFault { at: ms(at), until: ms(until), fault };
    plan.faults = faults.into_iter().map(planned).collect();
    Arc::new(plan)
}

fn judged(plan: &Arc<Plan>, rule: Rule) -> (Outcome, Accounts) {
    let outcome = run(plan, rule);
    assert!(outcome.converged_at.is_some(), "{rule:?} {:?}", outcome.stuck);
    let accounts = account(&Case::new(&outcome));
    let puts = outcome.history.operations.values().filter(|o| {
        o.ending == Ending::Acked && plan.ops.iter().any(|op| op.id == o.id && op.action.is_put())
    });
    assert_eq!(accounts.acknowledged(), puts.count(), "the accounts add up");
    (outcome, accounts)
}

fn slow_clock(site: u16) -> Vec<(u64, u64, Fault)> {
    vec![(0, 60_000, Fault::ClockStep { site, by_ms: -90_000 })]
}

#[test]
fn nothing_is_lost_of_keys_that_one_site_writes() {
    let ops: Vec<_> =
        (0..40).map(|n| (300 + n * 50, (n % 2) as u16, if n % 2 == 0 { "a" } else { "b" }, PUT)).collect();
    for rule in Rule::ALL {
        let (outcome, accounts) = judged(&plan(2, &ops, Vec::new()), rule);
        assert_eq!((accounts.acknowledged(), accounts.lost()), (40, 0), "{rule:?}");
        assert_eq!(accounts.count(|end| end == End::Current), 2);
        assert_eq!(outcome.deliveries.len(), 3 * 40, "all of every write reached the other site");
    }
}

#[test]
fn of_two_concurrent_writes_every_rule_loses_one() {
    let ops = [(1000, 0, "k", PUT), (1050, 1, "k", PUT)];
    for rule in Rule::ALL {
        let (outcome, accounts) = judged(&plan(2, &ops, Vec::new()), rule);
        assert_eq!((accounts.acknowledged(), accounts.lost()), (2, 1), "{rule:?}");
        assert_eq!(accounts.ends[&1], End::Lost(LostKind::Concurrent), "{rule:?}");
        let fates = fate::Fates { acknowledged: 2, lost: 1, inverted: 0, at_birth: 0 };
        assert_eq!(fate::count(&outcome), fates, "{rule:?}");
    }
}

#[test]
fn a_site_with_a_slow_clock_loses_what_it_writes_by_wall_clock_and_not_where_stamps_follow_what_was_seen() {
    let ops = [(1000, 0, "k", PUT), (2000, 1, "k", PUT), (3000, 1, "k", PUT)];
    for rule in Rule::ALL {
        let (outcome, accounts) = judged(&plan(2, &ops, slow_clock(1)), rule);
        let fates = fate::count(&outcome);
        if matches!(rule, Rule::WallLww | Rule::CephRgw) {
            assert_eq!(accounts.ends[&2], End::Lost(LostKind::AtBirth), "{rule:?}");
            assert!(
                matches!(accounts.ends[&3], End::Lost(LostKind::AtBirth | LostKind::OrderInverted)),
                "{rule:?}"
            );
            assert_eq!((fates.lost, fates.inverted, fates.at_birth), (2, 2, 2), "{rule:?}");
        } else {
            assert_eq!((accounts.lost(), fates.lost), (0, 0), "{rule:?}");
            assert_eq!(accounts.ends[&3], End::Current, "{rule:?}");
        }
    }
}

#[test]
fn writes_on_both_sides_of_a_partition_meet_when_it_heals_and_one_side_loses_all() {
    let ops = [(1000, 0, "k", PUT), (1500, 0, "k", PUT), (2000, 1, "k", PUT), (2500, 1, "k", PUT)];
    let cut = Fault::Partition { side: [0].into() };
    for rule in Rule::ALL {
        let (outcome, accounts) = judged(&plan(2, &ops, vec![(500, 5000, cut.clone())]), rule);
        assert!(outcome.deliveries.iter().all(|d| d.at >= ms(5100)), "{rule:?}");
        assert_eq!(accounts.lost(), 2, "{rule:?}: by effect, the whole side");
        assert_eq!(fate::count(&outcome).lost, 1, "{rule:?}: at the frontier, its last write");
        assert_eq!(outcome.effective.len(), 1);
    }
}

#[test]
fn deletes_are_tombstones_in_the_same_order() {
    let ops = [(1000, 0, "k", PUT), (2000, 1, "k", Action::Delete), (3000, 0, "k", Action::Get)];
    for rule in Rule::ALL {
        let (outcome, accounts) = judged(&plan(2, &ops, Vec::new()), rule);
        assert_eq!(accounts.ends[&1], End::Deleted, "{rule:?}");
        assert_eq!(outcome.history.operations[&3].answer, Some(Shown::Nothing), "{rule:?}");
        let read = &outcome.dumps[&0].keys[&("main".to_owned(), "k".to_owned())];
        assert_eq!((read.current.clone(), read.versions.len()), (Some(Shown::Nothing), 0), "{rule:?}");
        // Born dead, like any write of a slow clock: the delete was acknowledged and the object is still there.
        let (outcome, _) = judged(&plan(2, &ops, slow_clock(1)), rule);
        let is_born_dead = matches!(rule, Rule::WallLww | Rule::CephRgw);
        let shows = if is_born_dead { Shown::Write(1) } else { Shown::Nothing };
        assert_eq!(outcome.history.operations[&3].answer, Some(shows), "{rule:?}");
        assert_eq!(outcome.history.operations[&2].ending, Ending::Acked);
    }
}

#[test]
fn a_crash_delays_a_full_disk_refuses_and_a_lost_disk_is_filled_up_by_the_others() {
    let ops = [
        (1000, 0, "a", PUT),
        (1200, 0, "b", PUT),
        (2000, 1, "c", PUT),
        (2500, 0, "d", PUT),
        (9000, 1, "e", PUT),
        (9000, 2, "f", PUT),
    ];
    let crash = Fault::Crash { site: 0, after_disk_ops: None, all_lost: false };
    for rule in Rule::ALL {
        let faults = vec![(2400, 4000, crash.clone()), (8500, 9500, Fault::DiskFull { site: 1, room: 10 })];
        let (outcome, accounts) = judged(&plan(3, &ops, faults), rule);
        assert_eq!(outcome.history.operations[&4].invoked, ms(4300), "{rule:?}");
        assert!(
            matches!(&outcome.history.operations[&5].ending, Ending::Refused(why) if why.contains("full"))
        );
        assert_eq!(accounts.count(|end| end == End::Current), 5, "{rule:?}");
        assert!(outcome.deliveries.iter().any(|d| d.write == 6 && d.to == 1 && d.at == ms(9500)), "retried");
        // All but what no other site had when the disk went.
        let faults = vec![(1250, 1600, Fault::Rebuild { site: 0 })];
        let (outcome, accounts) = judged(&plan(3, &ops, faults), rule);
        assert_eq!(accounts.lost(), 0, "{rule:?}");
        assert_eq!(outcome.dumps[&0].keys.len(), 6, "{rule:?}");
        assert!(!outcome.outages[0].disk_survived);
    }
}

#[test]
fn what_only_a_replaced_disk_held_is_destroyed_and_a_backup_is_brought_up_to_date() {
    let ops = [(1000, 0, "a", PUT), (3000, 0, "b", PUT), (3500, 1, "c", PUT)];
    let cut = (2500, 8000, Fault::Partition { side: [0].into() });
    for rule in Rule::ALL {
        let faults = vec![cut.clone(), (5000, 5500, Fault::Restore { site: 0, backup_at: ms(2000) })];
        let (outcome, accounts) = judged(&plan(2, &ops, faults), rule);
        assert_eq!(accounts.ends[&1], End::Current, "{rule:?}");
        assert_eq!(accounts.ends[&2], End::Destroyed, "{rule:?}");
        assert_eq!(outcome.dumps[&0].keys.len(), 2, "{rule:?}");
    }
}

#[test]
fn a_failed_sync_or_power_lost_in_a_write_leaves_it_unknown() {
    let ops = [(1000, 0, "a", PUT), (1100, 0, "b", PUT)];
    let armed = Fault::Crash { site: 0, after_disk_ops: Some(9), all_lost: true };
    for fault in [Fault::SyncFail { site: 0 }, armed] {
        let (outcome, accounts) = judged(&plan(2, &ops, vec![(900, 1050, fault)]), Rule::WallLww);
        assert_eq!(outcome.history.operations[&1].ending, Ending::Unknown);
        assert_eq!(outcome.outages.len(), 1);
        assert_eq!(accounts.ends, [(2, End::Current)].into());
    }
}

/// Every kind of fault at once, on drawn traffic: the models come to an end, converge, and do the same again.
#[test]
fn a_stormy_plan_ends_converges_and_repeats() {
    let kinds = [
        "partition",
        "one-way",
        "flapping",
        "latency",
        "loss",
        "bandwidth",
        "reset",
        "corrupt",
        "crash",
        "pause",
        "clock-step",
        "clock-drift",
        "clock-freeze",
        "clock-strobe",
        "disk-full",
        "sync-fail",
        "slow-disk",
        "body-lost",
        "bit-rot",
        "body-rot",
        "rebuild",
        "restore",
    ];
    let mut text = String::from("question = \"?\"\n");
    for kind in ["steady", "contended", "churn", "read-modify-write", "admin"] {
        writeln!(text, "[[workload]]\nkind = {kind:?}\nrate_per_s = 8\nkeys = 6")
            .expect("a string takes all");
    }
    for kind in kinds {
        let value = if matches!(kind, "loss" | "corrupt") { "0.05" } else { "300" };
        writeln!(text, "[[fault]]\nkind = {kind:?}\nat_s = [0, 8]\nfor_s = [0.5, 3]\nvalue = {value}")
            .expect("a string takes all");
    }
    let scenario = Scenario::parse("storm", &text).expect("a valid scenario");
    for seed in 0..20 {
        let plan = Arc::new(Plan::draw(&scenario, seed));
        for rule in Rule::ALL {
            let (outcome, accounts) = judged(&plan, rule);
            assert!(accounts.acknowledged() > 300, "{rule:?} {seed}");
            assert!(outcome.effective.len() > 10, "{rule:?} {seed}: {:?}", outcome.effective);
            let again = run(&plan, rule);
            assert_eq!((&again.history, &again.dumps), (&outcome.history, &outcome.dumps), "{rule:?} {seed}");
            assert_eq!(again.deliveries, outcome.deliveries, "{rule:?} {seed}");
        }
    }
}
