//! Object lock: versions that nobody may delete before a date, or while somebody holds them.
//!
//! A retention is a promise with a date. GOVERNANCE may be broken by those with the right to bypass it, COMPLIANCE by
//! nobody. A legal hold has no date and no bypass. Two sites may lock the same version without knowing of each other: the
//! joined retention keeps both promises, so it may be stricter than either.
//!
//! Invariants: [`join`] is commutative, associative and idempotent, and its result binds at least as long and as strictly
//! as both of its operands; a COMPLIANCE retention that runs is neither shortened nor weakened.
//! Source: Amazon S3 User Guide, "How S3 Object Lock works".

use std::fmt;
use thiserror::Error;

/// How strictly a retention binds; the stricter is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Whoever has the right may bypass it.
    Governance,
    /// Nobody may.
    Compliance,
}

/// Until when a version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// How strictly.
    pub mode: Mode,
    /// The first moment at which it no longer binds, in milliseconds since the Unix epoch.
    pub until_ms: u64,
}

/// What keeps a version from being deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Until a date.
    pub retention: Option<Retention>,
    /// Until somebody takes it off; none if it was never set.
    pub legal_hold: Option<bool>,
}

/// Why a version is neither deleted nor its lock changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Locked {
    /// A hold is on.
    #[error("the version is under legal hold; take the hold off first")]
    LegalHold,
    /// A retention runs.
    #[error("the version is under {0} retention")]
    Retention(Mode),
    /// A running GOVERNANCE retention, without bypass.
    #[error(
        "a GOVERNANCE retention can be prolonged; to change it otherwise send x-amz-bypass-governance-retention"
    )]
    Governance,
    /// A running COMPLIANCE retention.
    #[error("a COMPLIANCE retention can be prolonged and nothing else")]
    Compliance,
}

impl Mode {
    /// Reads S3's name; case matters.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|mode| mode.name() == name)
    }

    /// S3's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Retention {
    /// Whether it still holds.
    pub fn binds(self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// The least retention that keeps both promises: the stricter mode until the later date. A GOVERNANCE of many years
    /// and a COMPLIANCE of one become a COMPLIANCE of many: one mode and one date cannot say less without breaking one.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { mode: self.mode.max(other.mode), until_ms: self.until_ms.max(other.until_ms) }
    }

    /// Reads its text back: a mode and milliseconds.
    pub fn parse(text: &str) -> Option<Self> {
        let (mode, until_ms) = text.split_once(' ')?;
        Some(Self { mode: Mode::parse(mode)?, until_ms: until_ms.parse().ok()? })
    }
}

/// As it is stored.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mode, self.until_ms)
    }
}

/// [`Retention::join`] where a site may have set none.
pub fn join(one: Option<Retention>, other: Option<Retention>) -> Option<Retention> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.join(other)),
        (one, other) => one.or(other),
    }
}

impl Lock {
    /// Whether the version may be deleted for good. `bypass` is for callers that asked for it and have the right to it.
    pub fn may_delete(self, bypass: bool, now_ms: u64) -> Result<(), Locked> {
        if self.legal_hold == Some(true) {
            return Err(Locked::LegalHold);
        }
        match self.retention.filter(|retention| retention.binds(now_ms)).map(|retention| retention.mode) {
            None => Ok(()),
            Some(Mode::Governance) if bypass => Ok(()),
            Some(mode) => Err(Locked::Retention(mode)),
        }
    }

    /// Whether its retention may become another, or be taken away.
    pub fn may_retain(self, new: Option<Retention>, bypass: bool, now_ms: u64) -> Result<(), Locked> {
        let Some(old) = self.retention.filter(|old| old.binds(now_ms)) else { return Ok(()) };
        let prolongs = new.is_some_and(|new| new.mode == old.mode && new.until_ms >= old.until_ms);
        match old.mode {
            _ if prolongs => Ok(()),
            Mode::Compliance => Err(Locked::Compliance),
            Mode::Governance if bypass => Ok(()),
            Mode::Governance => Err(Locked::Governance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_000_000;

    fn lock(retention: Option<Retention>) -> Lock {
        Lock { retention, legal_hold: None }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the rules take and give")]
    fn governance(until_ms: u64) -> Option<Retention> {
        Some(Retention { mode: Mode::Governance, until_ms })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the rules take and give")]
    fn compliance(until_ms: u64) -> Option<Retention> {
        Some(Retention { mode: Mode::Compliance, until_ms })
    }

    #[test]
    fn governance_is_changed_with_bypass_and_prolonged_without() {
        let (old, refused) = (lock(governance(NOW + 10)), Err(Locked::Governance));
        for (new, without) in [
            (governance(NOW + 10), Ok(())),
            (governance(NOW + 20), Ok(())),
            (governance(NOW + 5), refused),
            (compliance(NOW + 10), refused),
            (None, refused),
        ] {
            assert_eq!(old.may_retain(new, false, NOW), without, "{new:?}");
            assert_eq!(old.may_retain(new, true, NOW), Ok(()), "{new:?}");
        }
    }

    #[test]
    fn compliance_is_prolonged_only_until_it_ends() {
        let old = lock(compliance(NOW + 10));
        for bypass in [false, true] {
            assert_eq!(old.may_retain(compliance(NOW + 10), bypass, NOW), Ok(()));
            for new in [compliance(NOW + 9), governance(NOW + 10), governance(NOW + 20), None] {
                assert_eq!(old.may_retain(new, bypass, NOW), Err(Locked::Compliance), "{new:?}");
                assert_eq!(old.may_retain(new, bypass, NOW + 10), Ok(()), "{new:?}");
            }
        }
        assert_eq!(lock(None).may_retain(governance(NOW + 1), false, NOW), Ok(()));
    }

    #[test]
    fn a_locked_version_is_not_deleted() {
        let delete = |retention, legal_hold, bypass| Lock { retention, legal_hold }.may_delete(bypass, NOW);
        assert_eq!(delete(None, None, false), Ok(()));
        assert_eq!(delete(governance(NOW + 1), None, false), Err(Locked::Retention(Mode::Governance)));
        assert_eq!(delete(governance(NOW + 1), Some(false), true), Ok(()));
        assert_eq!(delete(compliance(NOW + 1), None, true), Err(Locked::Retention(Mode::Compliance)));
        assert_eq!(delete(compliance(NOW), None, false), Ok(()));
        assert_eq!(delete(None, Some(true), true), Err(Locked::LegalHold));
    }

    #[test]
    fn a_stored_retention_reads_back_the_same() {
        let retention = Retention { mode: Mode::Compliance, until_ms: 5 };
        assert_eq!(retention.to_string(), "COMPLIANCE 5");
        assert_eq!(Retention::parse("COMPLIANCE 5"), Some(retention));
        for text in ["", "COMPLIANCE", "compliance 5", "GOVERNANCE x"] {
            assert_eq!(Retention::parse(text), None);
        }
    }

    prop_compose! {
        /// None, or a retention that ends near the others.
        fn any_retention()(
            is_set in any::<bool>(),
            is_strict in any::<bool>(),
            until_ms in NOW - 3..NOW + 3,
        ) -> Option<Retention> {
            let retention = if is_strict { compliance(until_ms) } else { governance(until_ms) };
            retention.filter(|_| is_set)
        }
    }

    proptest! {
        #[test]
        fn joining_is_commutative_associative_and_idempotent(
            a in any_retention(), b in any_retention(), c in any_retention(),
        ) {
            prop_assert_eq!(join(a, b), join(b, a));
            prop_assert_eq!(join(join(a, b), c), join(a, join(b, c)));
            prop_assert_eq!(join(a, a), a);
            prop_assert_eq!(join(a, None), a);
        }

        #[test]
        fn what_a_join_lets_go_both_sides_let_go(
            a in any_retention(), b in any_retention(), bypass in any::<bool>(),
        ) {
            if lock(join(a, b)).may_delete(bypass, NOW).is_ok() {
                prop_assert!(lock(a).may_delete(bypass, NOW).is_ok());
                prop_assert!(lock(b).may_delete(bypass, NOW).is_ok());
            }
        }

        #[test]
        fn a_change_without_bypass_keeps_the_old_promise(old in any_retention(), new in any_retention()) {
            if lock(old).may_retain(new, false, NOW).is_ok() && lock(new).may_delete(false, NOW).is_ok() {
                prop_assert!(lock(old).may_delete(false, NOW).is_ok());
            }
        }
    }
}
