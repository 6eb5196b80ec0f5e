//! Figures, times and faults in words, the same all over a report.

use crate::nemesis::{Fault, PlannedFault};
use std::time::Duration;

/// A whole number with thin spaces between its thousands.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Microseconds in the unit that fits, to three figures.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{} ms", figures(us as f64 / 1e3)),
        _ => format!("{} s", figures(us as f64 / 1e6)),
    }
}

/// Bytes in the decimal unit that fits, to three figures.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", figures(bytes as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", figures(bytes as f64 / 1e6)),
        _ => format!("{} GB", figures(bytes as f64 / 1e9)),
    }
}

/// Simulated time since the start, to the millisecond.
pub(super) fn instant(at: Duration) -> String {
    format!("{:.3} s", at.as_secs_f64())
}

/// A number without needless decimals.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A fault's kind and where, short enough for a chart.
pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Partition { side } => {
            let side: Vec<String> = side.iter().map(|site| format!("s{site}")).collect();
            format!("partition {}", side.join(" "))
        }
        Fault::OneWay { from, to } => format!("one way s{from} → s{to} cut"),
        Fault::Flapping { a, b, .. } => format!("flapping s{a} – s{b}"),
        Fault::Reset { a, b } => format!("reset s{a} – s{b}"),
        _ => {
            let site = fault.site().map_or(String::new(), |site| format!(" s{site}"));
            format!("{}{site}", kind(fault))
        }
    }
}

/// Everything that was drawn for a fault.
pub(super) fn details(planned: &PlannedFault) -> String {
    let whole = format!("{:?}", planned.fault);
    let fields = whole.split_once('{').map_or("", |(_, fields)| fields.trim_end_matches('}'));
    fields.trim().to_owned()
}

/// `ClockStep` as `clock step`.
fn kind(fault: &Fault) -> String {
    let whole = format!("{fault:?}");
    let name = whole.split([' ', '{']).next().unwrap_or_default();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn figures(number: f64) -> String {
    let text = match number {
        ..10.0 => format!("{number:.2}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => return format!("{number:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [0, 999, 1000, 12_340, 123_400, 1_234_000].map(micros),
            ["0 µs", "999 µs", "1 ms", "12.3 ms", "123 ms", "1.23 s"]
        );
        assert_eq!([12, 1500, 20_000_000].map(bytes), ["12 B", "1.5 kB", "20 MB"]);
        assert_eq!([7, 1234, 1_234_567].map(count), ["7", "1\u{2009}234", "1\u{2009}234\u{2009}567"]);
        assert_eq!([0.5, 10.0, 2.25].map(plain), ["0.5", "10", "2.25"]);
    }

    #[test]
    fn faults_read_as_words() {
        let restore = Fault::Restore { site: 2, backup_at: Duration::from_secs(1) };
        assert_eq!(fault(&restore), "restore s2");
        assert_eq!(fault(&Fault::ClockStep { site: 0, by_ms: -5 }), "clock step s0");
        assert_eq!(fault(&Fault::Partition { side: [0, 2].into() }), "partition s0 s2");
        let planned = PlannedFault { at: Duration::ZERO, until: Duration::ZERO, fault: restore };
        assert_eq!(details(&planned), "site: 2, backup_at: 1s");
    }
}
