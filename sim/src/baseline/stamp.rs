//! A write's place in a rule's order, and the clocks that give it.

use super::Rule;
use std::fmt;

/// What a rule compares: the greater stamp stays. No two writes of a run have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// Milliseconds, more or less.
    time: u64,
    then: u64,
    last: u64,
}

impl fmt::Display for Stamp {
    /// All digits, so that texts sort as stamps do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{:016x}.{:016x}", self.time, self.then, self.last)
    }
}

/// Gives one site's writes their stamps. It outlives the site's disk: even a store that was wiped makes no id twice.
#[derive(Clone, Debug)]
pub(super) struct Stamper {
    rule: Rule,
    site: u16,
    /// The hybrid clock's last stamp: milliseconds and counter.
    hybrid: (u64, u64),
    made: u64,
}

impl Stamper {
    pub(super) fn new(rule: Rule, site: u16) -> Self {
        Self { rule, site, hybrid: (0, 0), made: 0 }
    }

    /// The stamp of a write that is made now to a key whose version here is `stored`. `unique` stands for a random id.
    pub(super) fn make(&mut self, wall_ms: u64, stored: Option<Stamp>, unique: u64) -> Stamp {
        let zone = u64::from(self.site);
        self.made += 1;
        match self.rule {
            Rule::WallLww => Stamp { time: wall_ms, then: unique, last: zone },
            Rule::CephRgw => Stamp { time: wall_ms, then: zone, last: self.made },
            Rule::Garage => {
                let after = stored.map_or(0, |stored| stored.time + 1);
                Stamp { time: wall_ms.max(after), then: unique, last: zone }
            }
            Rule::HlcLww => {
                let (ms, counter) = self.hybrid;
                self.hybrid = if wall_ms > ms { (wall_ms, 0) } else { (ms, counter + 1) };
                Stamp { time: self.hybrid.0, then: self.hybrid.1, last: zone }
            }
        }
    }

    /// Takes note of a stamp made elsewhere: a hybrid clock follows it, however far ahead it is.
    pub(super) fn learn(&mut self, stamp: Stamp) {
        if self.rule == Rule::HlcLww {
            self.hybrid = self.hybrid.max((stamp.time, stamp.then));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead() -> Stamp {
        Stamp { time: 90_000, then: 5, last: 1 }
    }

    #[test]
    fn wall_clock_rules_can_make_a_stamp_below_the_stored_one() {
        for rule in [Rule::WallLww, Rule::CephRgw] {
            let mut stamper = Stamper::new(rule, 0);
            stamper.learn(ahead());
            assert!(stamper.make(1000, Some(ahead()), 7) < ahead(), "{rule:?}");
        }
    }

    #[test]
    fn garage_exceeds_what_the_key_has_and_a_hybrid_clock_all_that_it_was_shown() {
        let mut garage = Stamper::new(Rule::Garage, 0);
        assert!(garage.make(1000, Some(ahead()), 7) > ahead());
        assert_eq!(garage.make(1000, None, 7).time, 1000, "only for that key");
        let mut hybrid = Stamper::new(Rule::HlcLww, 0);
        hybrid.learn(ahead());
        assert!(hybrid.make(1000, None, 7) > ahead(), "for every key");
    }

    #[test]
    fn a_site_never_makes_a_stamp_twice_and_texts_sort_as_stamps_do() {
        for rule in Rule::ALL {
            let mut stamper = Stamper::new(rule, 3);
            let mut stamps: Vec<Stamp> =
                (0..50).map(|n| stamper.make(1000 - n / 10, None, n * 77 % 101)).collect();
            stamps.sort();
            assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{rule:?}");
            assert!(stamps.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string()), "{rule:?}");
        }
    }
}
