//! Days and dates of the proleptic Gregorian calendar in UTC, as far as S3's rules need them.
//!
//! Policies compare dates that clients wrote, and a lock of some years ends on a date, not after a number of days.
//!
//! Invariants: times are milliseconds since 1970-01-01T00:00:00Z; leap seconds do not exist, as in POSIX.
//! Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"; W3C note "Date and Time Formats" (of ISO 8601).

/// A day in milliseconds.
pub(super) const DAY_MS: u64 = 86_400_000;

/// Days from 1970-01-01 to a date; negative before.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    assert!((1..=12).contains(&month), "a month is of 1 to 12, got {month}");
    // Years begin in March here, so that the leap day is a year's last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date (year, month, day) that is so many days after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// The same time of the same date, `years` later. The 29th of February becomes the 1st of March.
pub(super) fn years_later(from_ms: u64, years: u32) -> u64 {
    let days = i64::try_from(from_ms / DAY_MS).expect("a u64 of milliseconds holds fewer than 2^63 days");
    let (year, month, day) = date_of(days);
    let days = days_of(year + i64::from(years), month, day);
    let days = u64::try_from(days).expect("a later date is not before 1970");
    days.saturating_mul(DAY_MS).saturating_add(from_ms % DAY_MS)
}

/// Reads `2026-11-23`, `2026-11-23T10:15Z`, `2026-11-23T10:15:00.5+02:00` and the like. A time of day names its offset.
pub(super) fn parse_ms(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = parse_day(date)?;
    let within = time.map_or(Some(0), parse_time)?;
    Some(day * DAY_MS.cast_signed() + within)
}

/// Reads `20261123T101500Z`, as signatures have it.
pub(super) fn parse_amz_ms(text: &str) -> Option<u64> {
    if !text.is_ascii() || text.len() != "20261123T101500Z".len() {
        return None;
    }
    let (day, time) = (&text[..8], &text[8..]);
    let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    let time = format!("{}:{}:{}", &time[..3], &time[3..5], &time[5..]);
    parse_ms(&(day + &time)).and_then(|ms| u64::try_from(ms).ok())
}

/// Days since 1970 of `2026-11-23`.
fn parse_day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_of(year, month, day);
    // A 31st of February comes out as another date.
    (date_of(days) == (year, month, day)).then_some(days)
}

/// Milliseconds since midnight UTC of `10:15Z`, `10:15:30.25-03:30` and the like; may lie outside the day.
fn parse_time(text: &str) -> Option<i64> {
    let at = text.find(['Z', '+', '-'])?;
    let (clock, zone) = text.split_at(at);
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => parse_seconds(seconds)?,
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute - parse_offset(zone)?) * 60 + second) * 1000 + fraction)
}

/// Seconds and milliseconds of `30` or `30.25`; what is finer is cut off.
fn parse_seconds(text: &str) -> Option<(i64, i64)> {
    let Some((second, fraction)) = text.split_once('.') else { return Some((digits(text, 2)?, 0)) };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milliseconds: String = fraction.chars().chain("00".chars()).take(3).collect();
    Some((digits(second, 2)?, digits(&milliseconds, 3)?))
}

/// Minutes east of UTC.
fn parse_offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().expect("a few digits fit an i64"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_of_the_usual_forms_are_read() {
        assert_eq!(parse_ms("1970-01-01"), Some(0));
        assert_eq!(parse_ms("1970-01-01T00:00Z"), Some(0));
        assert_eq!(parse_ms("2026-11-23T10:15:00Z"), Some(1_795_428_900_000));
        assert_eq!(parse_ms("2026-11-23T10:15:00.5Z"), Some(1_795_428_900_500));
        assert_eq!(parse_ms("2026-11-23T10:15:00.1239Z"), Some(1_795_428_900_123));
        assert_eq!(parse_ms("2026-11-23T12:15:00+02:00"), Some(1_795_428_900_000));
        assert_eq!(parse_ms("2026-11-23T15:45:00+05:30"), Some(1_795_428_900_000));
        assert_eq!(parse_ms("2026-11-22T10:16:00-23:59"), Some(1_795_428_900_000));
        assert_eq!(parse_ms("1969-12-31T23:59:59Z"), Some(-1000));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let wrong = ["", "20200101", "2026-02-29", "2026-13-01", "2026-1-1", "2026-11-23T10:15:00", "soon"];
        let wrong_times = [
            "T24:00Z",
            "T10:60Z",
            "T10:15:60Z",
            "T10:15:00.Z",
            "T10:15+2",
            "TZ",
            "T10:15Z ",
            "T1x:15Z",
            "T10:15:00.5xZ",
            "T10:15+24:00",
            "T10:15+10:60",
        ];
        for text in wrong {
            assert_eq!(parse_ms(text), None, "{text}");
        }
        for time in wrong_times {
            assert_eq!(parse_ms(&format!("2026-11-23{time}")), None, "{time}");
        }
    }

    #[test]
    fn a_year_later_is_the_same_date() {
        let at = |text| u64::try_from(parse_ms(text).unwrap()).unwrap();
        assert_eq!(years_later(at("2026-11-23T10:15Z"), 1), at("2027-11-23T10:15Z"));
        assert_eq!(years_later(at("2024-02-29"), 1), at("2025-03-01"));
        assert_eq!(years_later(at("2024-02-29"), 4), at("2028-02-29"));
    }

    proptest! {
        #[test]
        fn every_day_has_one_date(days in -1_000_000_i64..1_000_000) {
            let (year, month, day) = date_of(days);
            prop_assert_eq!(days_of(year, month, day), days);
            let (next_year, next_month, next_day) = date_of(days + 1);
            prop_assert!((next_year, next_month, next_day) > (year, month, day));
        }
    }
}
