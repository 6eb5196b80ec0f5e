//! Tests the tester: the same seed must give the same trace, whatever the host around it happens to be.
//!
//! A simulation that reads anything of its host (a clock, an address, the order of a hash table) may find a bug that
//! nobody can find again. So a seed runs twice in different [`Ambience`]s, and from the command line also in different
//! processes of different builds; the two traces must be one.

use crate::{
    plan::Plan,
    scenario::Scenario,
    world::{self, Ambience, Wrap},
};
use std::{fmt, num::ParseIntError, str::FromStr, sync::Arc};
use thiserror::Error;

/// What a run did, as a hash of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The trace's hash.
    pub hash: u64,
    /// Its number of events.
    pub events: u64,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {}", self.hash, self.events)
    }
}

/// A text is not a fingerprint as printed.
#[derive(Debug, Error)]
pub enum FingerprintError {
    /// It is not two words.
    #[error("a fingerprint is a hash and a number of events, not {0:?}")]
    Shape(String),
    /// One of the words is no number.
    #[error("a fingerprint's words are numbers")]
    Number(#[from] ParseIntError),
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (hash, events) =
            text.trim().split_once(' ').ok_or_else(|| FingerprintError::Shape(text.to_owned()))?;
        Ok(Self { hash: u64::from_str_radix(hash, 16)?, events: events.parse()? })
    }
}

/// Why a seed cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Leak {
    /// Two runs of it did different things.
    #[error(
        "{scenario} seed {seed:#06x} is not the same run twice: {:016x} ({} events), then {:016x} ({} events)",
        first.hash, first.events, second.hash, second.events
    )]
    Differs {
        /// The scenario.
        scenario: String,
        /// The seed.
        seed: u64,
        /// What the first run did.
        first: Fingerprint,
        /// What the second run did.
        second: Fingerprint,
    },
    /// One of its runs came to no end.
    #[error("{scenario} seed {seed:#06x} has no trace: {why}")]
    Broken {
        /// The scenario.
        scenario: String,
        /// The seed.
        seed: u64,
        /// The panic's message, or what the process said.
        why: String,
    },
}

impl Leak {
    /// Its seed.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Differs { seed, .. } | Self::Broken { seed, .. } => *seed,
        }
    }
}

/// Runs a seed in an ambience. An error is a panic's message.
pub fn fingerprint<W: Wrap>(
    scenario: &Scenario,
    seed: u64,
    ambience: Ambience,
) -> Result<Fingerprint, String> {
    let outcome = world::run_in::<W>(Arc::new(Plan::draw(scenario, seed)), ambience)?;
    let (hash, events) = outcome.trace;
    Ok(Fingerprint { hash, events })
}

/// Runs a seed twice, by whatever means, and compares: `run` is told the ambience of each.
pub fn compare(
    scenario: &str,
    seed: u64,
    run: impl Fn(Ambience) -> Result<Fingerprint, String>,
) -> Result<Fingerprint, Leak> {
    let broken = |why| Leak::Broken { scenario: scenario.to_owned(), seed, why };
    let first = run(Ambience(0)).map_err(broken)?;
    let second = run(Ambience(1)).map_err(broken)?;
    if first == second {
        return Ok(first);
    }
    Err(Leak::Differs { scenario: scenario.to_owned(), seed, first, second })
}

/// Runs a seed twice in this process, on threads of their own, with something between engine and world.
pub fn check<W: Wrap>(scenario: &Scenario, seed: u64) -> Result<Fingerprint, Leak> {
    compare(&scenario.name, seed, |ambience| fingerprint::<W>(scenario, seed, ambience))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_as_printed() {
        let print = Fingerprint { hash: 0xab, events: 12 };
        assert_eq!(format!("{print}\n").parse::<Fingerprint>().expect("its own text"), print);
        for wrong in ["", "00ab", "00ab x", "xyz 3"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_difference_names_scenario_seed_and_both_hashes() {
        let same = compare("calm", 7, |_| Ok(Fingerprint { hash: 1, events: 1 }));
        assert_eq!(same, Ok(Fingerprint { hash: 1, events: 1 }));
        let differs = compare("calm", 7, |ambience| Ok(Fingerprint { hash: 0xa0 + ambience.0, events: 3 }));
        let text = differs.expect_err("two hashes").to_string();
        for part in ["calm", "0x0007", "00000000000000a0", "00000000000000a1"] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
        assert!(matches!(compare("calm", 7, |_| Err("died".into())), Err(Leak::Broken { .. })));
    }
}
