//! A hybrid logical clock: close to the wall clock, never behind anything that it has followed.
//!
//! It arbitrates between *concurrent* versions only; a write that names another in `supersedes` replaces it whatever
//! the timestamps say. So a wrong clock costs order among strangers, never a write.
//!
//! Invariants: ticks rise strictly within an opening and across restarts (the ceiling is persisted before use); a
//! remote timestamp more than [`HybridClock::MAX_AHEAD_MS`] ahead of the wall clock is reported and not followed.
//! Source: Kulkarni et al., "Logical Physical Clocks", OPODIS 2014; the bound is the `uhlc` crate's default.

use std::fmt;

/// 48 bits of milliseconds since the Unix epoch, 16 bits of counter; ordered as one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The greatest timestamp. There, dots alone decide the order.
    pub const MAX: Self = Self(u64::MAX);

    /// A timestamp at the start of this millisecond.
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min((1 << 48) - 1) << 16)
    }

    /// Milliseconds since the Unix epoch.
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }

    /// The next greater timestamp, saturating at [`Timestamp::MAX`].
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.0 & 0xffff)
    }
}

/// What became of a remote timestamp that was shown to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockReading {
    /// Within the bound: the clock is now at least there.
    Followed,
    /// Too far ahead of this site's wall clock, by so many milliseconds: not followed. The write is applied all the same.
    Suspect {
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
    },
}

/// One site's clock. Pure: the caller brings the wall clock's reading and persists the ceiling.
#[derive(Clone, Debug)]
pub struct HybridClock {
    last: Timestamp,
    ceiling: Timestamp,
}

/// How far the persisted ceiling runs ahead, in milliseconds: one write of the ceiling a second at most.
pub const CEILING_STEP: u64 = 1000;

impl HybridClock {
    /// How far ahead of this site's wall clock a remote timestamp may be and still be followed, in milliseconds.
    pub const MAX_AHEAD_MS: u64 = 500;

    /// A clock that continues above the ceiling that its store last persisted.
    pub fn resume(ceiling: Timestamp) -> Self {
        Self { last: ceiling, ceiling }
    }

    /// A timestamp greater than every earlier one of this clock and than `floor` (the key's greatest).
    ///
    /// The floor binds this tick only: a far-future version of one key does not drag the site's clock along.
    pub fn tick(&mut self, wall_ms: u64, floor: Timestamp) -> Timestamp {
        self.last = Timestamp::from_ms(wall_ms).max(self.last.next());
        self.last.max(floor.next())
    }

    /// Learns from a remote timestamp.
    pub fn observe(&mut self, remote: Timestamp, wall_ms: u64) -> ClockReading {
        let ahead_ms = remote.ms().saturating_sub(wall_ms);
        if ahead_ms > Self::MAX_AHEAD_MS {
            return ClockReading::Suspect { ahead_ms };
        }
        self.last = self.last.max(remote);
        ClockReading::Followed
    }

    /// The ceiling to persist in the same commit as the ticks made so far, if the persisted one is used up.
    pub fn ceiling_due(&mut self) -> Option<Timestamp> {
        if self.last < self.ceiling {
            return None;
        }
        self.ceiling = Timestamp::from_ms(self.last.ms() + CEILING_STEP);
        Some(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Event {
        Tick(i64),
        Observe(i64),
        Restart,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            (-90_000..90_000i64).prop_map(Event::Tick),
            (-90_000..90_000i64).prop_map(Event::Observe),
            Just(Event::Restart),
        ];
        proptest::collection::vec(event, 1..60)
    }

    proptest! {
        /// Whatever the wall clock does (steps of ± 90 s), across restarts: ticks rise and stay within the bound.
        #[test]
        fn ticks_rise_under_clock_steps_and_restarts(events in events()) {
            const BASE: i64 = 1_700_000_000_000;
            let mut clock = HybridClock::resume(Timestamp::default());
            let (mut persisted, mut previous, mut wall_max) = (Timestamp::default(), Timestamp::default(), 0);
            for event in events {
                match event {
                    Event::Tick(step) => {
                        let wall = (BASE + step) as u64;
                        wall_max = wall.max(wall_max);
                        let tick = clock.tick(wall, Timestamp::default());
                        if let Some(ceiling) = clock.ceiling_due() {
                            persisted = ceiling;
                        }
                        prop_assert!(tick > previous, "{tick} after {previous}");
                        prop_assert!(tick <= persisted, "acknowledged above the persisted ceiling");
                        previous = tick;
                    }
                    Event::Observe(step) => {
                        let wall = wall_max.max(BASE as u64);
                        let remote = Timestamp::from_ms((wall as i64 + step) as u64);
                        let reading = clock.observe(remote, wall);
                        prop_assert_eq!(reading == ClockReading::Followed, step <= HybridClock::MAX_AHEAD_MS as i64);
                        wall_max = wall.max(wall_max);
                    }
                    Event::Restart => clock = HybridClock::resume(persisted),
                }
            }
        }
    }

    #[test]
    fn a_far_future_key_does_not_drag_the_clock_along() {
        let mut clock = HybridClock::resume(Timestamp::default());
        let doom = Timestamp::from_ms(9_000_000);
        assert!(clock.tick(1000, doom) > doom);
        assert!(clock.tick(1001, Timestamp::default()).ms() <= 1001);
        assert_eq!(clock.tick(1002, Timestamp::MAX), Timestamp::MAX);
    }
}
