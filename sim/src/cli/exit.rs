//! What the process's exit code says.

use anabranch_sim::oracle::{Promise, Verdict};

/// The command line or a scenario file is wrong; clap uses the same code.
pub(super) const USAGE: u8 = 2;

/// How a command went, the worse the greater: a run that cannot be trusted outweighs what it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// All promises held.
    Passed,
    /// A run proved nothing.
    Inconclusive,
    /// A liveness promise was broken.
    NotLive,
    /// A safety promise was broken.
    Unsafe,
    /// Engine or harness panicked.
    Panicked,
    /// The same seed was another run.
    Nondeterministic,
    /// What was asked for does not exist.
    Usage,
}

impl Exit {
    /// The process's exit code.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Unsafe => 1,
            Self::Usage => USAGE,
            Self::NotLive => 3,
            Self::Inconclusive => 5,
            Self::Nondeterministic => 6,
            Self::Panicked => 70,
        }
    }

    /// Of a run's verdict.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Passed,
            Verdict::Unsafe => Self::Unsafe,
            Verdict::NotLive => Self::NotLive,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }

    /// Of the worst promise that a failed seed broke; none if the harness itself did.
    pub(super) fn of_failure(promise: Option<Promise>) -> Self {
        match promise {
            Some(Promise::Safety) => Self::Unsafe,
            Some(Promise::Liveness) => Self::NotLive,
            None => Self::Panicked,
        }
    }

    /// The worst of several.
    pub(super) fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        exits.into_iter().max().unwrap_or(Self::Passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let falling = [
            Exit::Nondeterministic,
            Exit::Panicked,
            Exit::Unsafe,
            Exit::NotLive,
            Exit::Inconclusive,
            Exit::Passed,
        ];
        assert_eq!(falling.map(Exit::code), [6, 70, 1, 3, 5, 0]);
        for (n, worst) in falling.iter().enumerate() {
            assert_eq!(Exit::worst(falling[n..].iter().rev().copied()), *worst);
        }
        assert_eq!(Exit::worst([]), Exit::Passed);
    }

    #[test]
    fn a_failure_without_a_promise_is_a_panic() {
        assert_eq!(Exit::of_failure(None), Exit::Panicked);
        assert_eq!(Exit::of_failure(Some(Promise::Safety)), Exit::of(Verdict::Unsafe));
    }
}
