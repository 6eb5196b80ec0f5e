//! The identity of one write, and its place in its origin's log.

use super::{Epoch, SiteId, Timestamp};
use std::{fmt, str::FromStr};

/// `(site, epoch, seq)`: names one operation for ever. `seq` counts from 1 without gaps within an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// The site that took the write.
    pub site: SiteId,
    /// The opening of that site's store.
    pub epoch: Epoch,
    /// The place in the log of `(site, epoch)`, from 1.
    pub seq: u64,
}

impl Dot {
    /// The log that this dot belongs to.
    pub fn origin(self) -> (SiteId, Epoch) {
        (self.site, self.epoch)
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}{:016x}{:012x}", self.site.0, self.epoch.0, self.seq)
    }
}

impl FromStr for Dot {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |range: std::ops::Range<usize>| {
            text.get(range)
                .and_then(|hex| u64::from_str_radix(hex, 16).ok())
                .ok_or("not a dot: 32 hex digits expected")
        };
        if text.len() != 32 {
            return Err("not a dot: 32 hex digits expected");
        }
        Ok(Self { site: SiteId(part(0..4)? as u16), epoch: Epoch(part(4..20)?), seq: part(20..32)? })
    }
}

/// `(hlc, dot)`: the one order of versions, the same at every site; the dot decides between equal timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// When, by the origin's hybrid clock.
    pub hlc: Timestamp,
    /// Which write.
    pub dot: Dot,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_reads_back_from_its_text() {
        let dot = Dot { site: SiteId(7), epoch: Epoch::new(3, 0xdead_beef), seq: 91 };
        assert_eq!(dot.to_string().parse(), Ok(dot));
        assert!("7-3-91".parse::<Dot>().is_err());
    }
}
