//! Figures as people read them.

use std::time::Duration;

/// A seed.
pub(super) fn seed(seed: u64) -> String {
    format!("{seed:#06x}")
}

/// A whole number with commas between its thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things: `1 seed`, `2 seeds`.
pub(super) fn some(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A span of time, in the two units that matter.
pub(super) fn time(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", span.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Microseconds, to two or three figures.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1000 => format!("{us}µs"),
        1000..1_000_000 => format!("{}ms", us / 1000),
        1_000_000..10_000_000 => format!("{:.2}s", us as f64 / 1e6),
        _ => format!("{:.1}s", us as f64 / 1e6),
    }
}

/// Bytes.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A text cut to a number of characters.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The line that a suite or sweep ends with.
pub(super) fn last_line(passed: u64, failed: u64) -> String {
    format!("{passed} passed, {failed} failed\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([1, 0x19c, u64::MAX].map(seed), ["0x0001", "0x019c", "0xffffffffffffffff"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([some(1, "seed"), some(0, "seed")], ["1 seed", "0 seeds"]);
        assert_eq!(
            [9_940, 65_000, 7_440_000].map(|ms| time(Duration::from_millis(ms))),
            ["9.9s", "1m05s", "2h04m"]
        );
        assert_eq!([7, 42_900, 1_230_000, 29_060_000].map(micros), ["7µs", "42ms", "1.23s", "29.1s"]);
        assert_eq!([12, 1500, 2_500_000].map(bytes), ["12 B", "1.5 kB", "2.5 MB"]);
        assert_eq!([short("größer", 3), short("abc", 3)], ["grö…", "abc"]);
        assert_eq!(last_line(12, 0), "12 passed, 0 failed\n");
    }
}
