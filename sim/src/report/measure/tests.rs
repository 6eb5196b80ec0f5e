use super::*;
use crate::report::sample::{self, ms, origin};

#[test]
fn lag_runs_from_the_answer_to_the_cover_at_each_other_site() {
    let lag = measure(&sample::outcome()).lag;
    let of = |samples: &[u64]| {
        let mut expected = histogram();
        for ms in samples {
            expected.record(ms * 1000).unwrap();
        }
        expected
    };
    // Write 1, before the partition, to site 2 and, after it, to site 1.
    assert_eq!(lag.outside, of(&[100, 4000]));
    // Write 2 to sites 2 and 1, write 3 to site 0.
    assert_eq!(lag.during, of(&[300, 2000, 3000]));
    assert_eq!(lag.overall, of(&[100, 4000, 300, 2000, 3000]));
    assert_eq!((lag.overall.len(), lag.never, lag.writes), (5, 1, 3));
    let per_second: Vec<_> = lag.per_second.iter().map(|(second, h)| (*second, h.len())).collect();
    assert_eq!(per_second, [(1, 2), (2, 3)]);
    let [median, .., max] = quantiles(&lag.overall).unwrap();
    assert!(median.abs_diff(2_000_000) <= 2000 && max.abs_diff(4_000_000) <= 4000, "{median} {max}");
    assert_eq!(quantiles(&histogram()), None);
}

#[test]
fn divergence_counts_keys_that_some_sites_have_and_others_lack() {
    let divergence = measure(&sample::outcome()).divergence;
    // Key a from write 1 until site 1 has write 2; key b from write 3 on, as site 2 never gets it.
    assert_eq!(divergence.steps, [(ms(0), 0), (ms(1000), 1), (ms(2500), 2), (ms(5000), 1)]);
    assert_eq!((divergence.peak, divergence.above_zero), (2, ms(9000)));
}

#[test]
fn backlog_is_what_another_site_has_and_this_one_lacks() {
    let backlog = measure(&sample::outcome()).backlog;
    assert_eq!(backlog[&0], [(ms(0), 0), (ms(2500), 1), (ms(4500), 0)]);
    assert_eq!(backlog[&1], [(ms(0), 0), (ms(1000), 1), (ms(2000), 2), (ms(5000), 0)]);
    let site_2 = [(1000, 1), (1100, 0), (2000, 1), (2300, 0), (2500, 1)].map(|(at, n)| (ms(at), n));
    assert_eq!(backlog[&2][1..], site_2);
}

#[test]
fn a_replaced_disk_covers_nothing_until_it_has_caught_up() {
    let mut outcome = sample::outcome();
    outcome.losses.push(Loss::Disk { site: 2, at: ms(6000), kept_until: ms(2000) });
    outcome.applied.push(crate::outcome::Applied { at: ms(7000), site: 2, origin: origin(0), seq: 2 });
    let measures = measure(&outcome);
    // The backup had write 1 but not write 2.
    let tail = [(ms(2500), 1), (ms(6000), 2), (ms(7000), 1)];
    assert_eq!(measures.backlog[&2][5..], tail);
    assert_eq!(measures.lag.overall.len(), 5, "a lag ends when a write is first covered");
}

#[test]
fn a_write_destroyed_with_its_only_disk_is_nobodys_backlog() {
    let mut outcome = sample::outcome();
    outcome.applied.retain(|applied| applied.origin != origin(1));
    outcome.losses.push(Loss::Disk { site: 1, at: ms(3000), kept_until: Duration::ZERO });
    let measures = measure(&outcome);
    assert_eq!(measures.backlog[&0], [(ms(0), 0), (ms(2500), 1), (ms(3000), 0)]);
    assert_eq!(measures.lag.never, 2);
    assert_eq!(measures.divergence.steps.last(), Some(&(ms(5000), 0)));
}

#[test]
fn a_cover_before_the_answer_is_no_lag() {
    let mut outcome = sample::outcome();
    outcome.applied.insert(0, crate::outcome::Applied { at: ms(995), site: 1, origin: origin(0), seq: 1 });
    assert_eq!(measure(&outcome).lag.outside.min(), 0);
}

#[test]
fn thinning_keeps_ends_and_peaks() {
    let mut steps: Steps = (0..10_000).map(|n| (ms(n), (n % 10) as usize)).collect();
    steps[5003].1 = 999;
    let thinned = thin(&steps, 100);
    assert!(thinned.len() <= 100 && thinned.len() > 50, "{}", thinned.len());
    assert!(thinned.contains(&(ms(5003), 999)));
    assert_eq!((thinned[0], thinned[thinned.len() - 1]), (steps[0], steps[9999]));
    assert_eq!(thin(&steps[..50], 100), steps[..50]);
    assert_eq!(value_at(&steps, Duration::from_micros(5_003_500)), 999);
    assert_eq!(value_at(&[], ms(1)), 0);
}
