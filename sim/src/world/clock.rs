//! One site's wall clock, wrong in every way that clocks are: offset, drift, steps back and forth, standing still.
//!
//! The monotonic clock is virtual time itself: what timers run by keeps its rate on every machine that is not broken.

/// Milliseconds since the Unix epoch at virtual time zero: 2026-01-01.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// A wall clock as a piecewise linear function of virtual time.
#[derive(Clone, Debug)]
pub struct SimClock {
    anchor_us: i64,
    wall_us: i64,
    rate_ppm: i64,
    frozen: bool,
}

impl Default for SimClock {
    fn default() -> Self {
        Self { anchor_us: 0, wall_us: EPOCH_MS * 1000, rate_ppm: 0, frozen: false }
    }
}

impl SimClock {
    /// The reading at a virtual time, in milliseconds since the Unix epoch.
    pub fn wall_ms(&self, virtual_us: i64) -> u64 {
        (self.wall_us(virtual_us) / 1000).max(0) as u64
    }

    fn wall_us(&self, virtual_us: i64) -> i64 {
        if self.frozen {
            return self.wall_us;
        }
        let passed = virtual_us - self.anchor_us;
        self.wall_us + passed + passed / 1000 * self.rate_ppm / 1000
    }

    fn anchor(&mut self, virtual_us: i64) {
        self.wall_us = self.wall_us(virtual_us);
        self.anchor_us = virtual_us;
    }

    /// Moves the reading by some milliseconds, forth or back.
    pub fn step(&mut self, virtual_us: i64, by_ms: i64) {
        self.anchor(virtual_us);
        self.wall_us += by_ms * 1000;
    }

    /// Sets how much too fast the clock runs, in parts per million.
    pub fn drift(&mut self, virtual_us: i64, ppm: i64) {
        self.anchor(virtual_us);
        self.rate_ppm = ppm;
    }

    /// Stops the clock, or lets it go on from where it stopped.
    pub fn freeze(&mut self, virtual_us: i64, frozen: bool) {
        self.anchor(virtual_us);
        self.frozen = frozen;
    }

    /// A time service has set it right: correct reading, no drift.
    pub fn heal(&mut self, virtual_us: i64) {
        *self =
            Self { anchor_us: virtual_us, wall_us: EPOCH_MS * 1000 + virtual_us, rate_ppm: 0, frozen: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_drifts_steps_stands_still_and_is_set_right() {
        let mut clock = SimClock::default();
        let read = |clock: &SimClock, s: i64| clock.wall_ms(s * 1_000_000) as i64 - EPOCH_MS;
        assert_eq!(read(&clock, 10), 10_000);
        clock.drift(10_000_000, 100_000);
        assert_eq!(read(&clock, 20), 21_000, "10 % fast");
        clock.step(20_000_000, -90_000);
        assert_eq!(read(&clock, 20), 21_000 - 90_000);
        clock.freeze(20_000_000, true);
        assert_eq!(read(&clock, 500), 21_000 - 90_000);
        clock.freeze(500_000_000, false);
        assert_eq!(read(&clock, 510), 21_000 - 90_000 + 11_000);
        clock.heal(600_000_000);
        assert_eq!(read(&clock, 601), 601_000);
    }
}
