//! WAN links: what delays, loses, corrupts and cuts the bytes between two sites.
//!
//! Each ordered pair of sites is a link of its own. Loss shows as a retransmission's delay, as it does under TCP. A cut
//! link delivers nothing; what was on its way goes on when it is mended, or, as when a middlebox forgot the connection,
//! stalls for ever without an error. The simulators' own sockets below run without delay.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How one direction of a link behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkShape {
    /// One-way delay.
    pub latency: Duration,
    /// Largest random addition to it.
    pub jitter: Duration,
    /// Bytes a second.
    pub bandwidth: u64,
    /// Chance that a chunk is lost and sent again, in parts per million.
    pub loss_ppm: u32,
    /// Chance that a bit of a chunk flips past TCP's checksum, in parts per million.
    pub corrupt_ppm: u32,
}

impl Default for LinkShape {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(40),
            jitter: Duration::from_millis(10),
            bandwidth: 25_000_000,
            loss_ppm: 0,
            corrupt_ppm: 0,
        }
    }
}

/// One direction of a link at work.
pub struct Link {
    /// As the topology says.
    pub base: LinkShape,
    /// As it is now.
    pub shape: LinkShape,
    /// How many faults cut it now.
    pub cuts: u32,
    rng: ChaCha8Rng,
    free_at: Duration,
}

/// What happens to one chunk.
pub struct Transit {
    /// When it arrives, if the link is not cut then.
    pub arrives: Duration,
    /// The bit that flips, as a position in the chunk.
    pub flipped: Option<usize>,
}

impl Link {
    /// A healthy link.
    pub fn new(base: LinkShape, rng: ChaCha8Rng) -> Self {
        Self { shape: base.clone(), base, cuts: 0, rng, free_at: Duration::ZERO }
    }

    /// Whether nothing gets through.
    pub fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    /// Sends a chunk of so many bytes; `after` is when the chunk before it arrives on the same connection.
    pub fn send(&mut self, now: Duration, len: usize, after: Duration) -> Transit {
        let start = self.free_at.max(now);
        self.free_at = start + Duration::from_nanos(len as u64 * 1_000_000_000 / self.shape.bandwidth.max(1));
        let jitter = self.rng.random_range(0..=self.shape.jitter.as_micros() as u64);
        let mut arrives = self.free_at + self.shape.latency + Duration::from_micros(jitter);
        // Each loss costs a retransmission time-out, which doubles; after six the segment gets through.
        let mut timeout = Duration::from_millis(200).max(self.shape.latency * 3);
        for _ in 0..6 {
            if !self.rng.random_ratio(self.shape.loss_ppm.min(1_000_000), 1_000_000) {
                break;
            }
            arrives += timeout;
            timeout *= 2;
        }
        let corrupt = len > 0 && self.rng.random_ratio(self.shape.corrupt_ppm.min(1_000_000), 1_000_000);
        let flipped = corrupt.then(|| self.rng.random_range(0..len * 8));
        Transit { arrives: arrives.max(after), flipped }
    }

    /// The delay of a handshake's packet.
    pub fn delay(&mut self) -> Duration {
        let jitter = self.rng.random_range(0..=self.shape.jitter.as_micros() as u64);
        self.shape.latency + Duration::from_micros(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Concern, stream};

    #[test]
    fn chunks_keep_their_order_and_share_the_bandwidth() {
        let shape = LinkShape { bandwidth: 1_000_000, loss_ppm: 200_000, ..LinkShape::default() };
        let mut link = Link::new(shape, stream(1, Concern::Link, 0));
        let (mut after, mut arrivals) = (Duration::ZERO, Vec::new());
        for _ in 0..100 {
            after = link.send(Duration::ZERO, 10_000, after).arrives;
            arrivals.push(after);
        }
        assert!(arrivals.is_sorted());
        assert!(
            after >= Duration::from_millis(1040),
            "100 x 10 kB at 1 MB/s take a second, and the latency: {after:?}"
        );
        assert!(after < Duration::from_secs(8), "losses cost time-outs, not for ever: {after:?}");
    }
}
