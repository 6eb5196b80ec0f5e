//! Choices drawn from a seed, so that a run that failed can be made again as far as threads allow.

/// SplitMix64: small, and good enough to choose sectors.
pub(crate) struct Draws(u64);

impl Draws {
    /// The draws of one concern under a seed.
    pub(crate) fn of(seed: u64, concern: u64) -> Self {
        let mut draws = Self(seed ^ concern.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        draws.next();
        draws
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}
