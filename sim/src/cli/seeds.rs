//! Seeds as people type them: decimal or hexadecimal, one or a range.

use std::{ops::Range, str::FromStr};

/// Reads one seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.map_err(|_| format!("{text:?} is no seed: write a number below 2^64, as 25 or 0x19"))
}

/// Reads a trace hash: always hexadecimal, as it is printed.
pub(super) fn hash(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16)
        .map_err(|_| format!("{text:?} is no trace hash: it has up to 16 hexadecimal digits"))
}

/// At least one seed: `A..B` without `B`, or the first `N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = match text.split_once("..") {
            Some((from, until)) => seed(from)?..seed(until)?,
            None => 0..seed(text)?,
        };
        if range.is_empty() {
            return Err(format!("{text:?} holds no seed: write 0..100, which ends with 99"));
        }
        Ok(Self(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(seed("25"), Ok(25));
        assert_eq!(seed("0x19"), Ok(25));
        assert_eq!(seed("0XFFFF_ffff_ffff_ffff"), Ok(u64::MAX));
        for wrong in ["", "0x", "-1", "19f", "0x1_0000_0000_0000_0000", "random"] {
            assert!(seed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(hash("0x1f"), hash("000000000000001f"));
    }

    #[test]
    fn ranges_leave_out_their_end_and_are_never_empty() {
        assert_eq!("0..1000".parse(), Ok(Seeds(0..1000)));
        assert_eq!("0x10..20".parse(), Ok(Seeds(16..20)));
        assert_eq!("8".parse(), Ok(Seeds(0..8)));
        for wrong in ["", "0", "5..5", "9..3", "..4", "4..", "0..=9", "a..b"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
