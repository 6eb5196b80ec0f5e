//! Object lock as clients ask for it: headers, bodies, and what a bucket gives to new versions by itself.
//!
//! What a lock means, and how two sites' locks join, is in [`object::lock`](crate::object::lock); here it is read, and
//! refused where it is not what S3 takes. A bucket has object lock once its document `object-lock` is there: `enabled`,
//! or the default retention of new versions.
//!
//! Invariants: object lock is never switched off; a bucket whose document does not read has object lock, and takes no
//! new versions, for nobody knows how long they are to be kept.
//! Source: Amazon S3 User Guide, "How S3 Object Lock works"; codes as Ceph's s3-tests expect them.

use super::{
    date::{self, DAY_MS},
    metadata::Headers,
    refusal::Refusal,
};
use crate::{
    engine::{Bucket, LEGAL_HOLD, RETENTION},
    object::{
        Versioning,
        lock::{Mode, Retention},
    },
};
use hyper::HeaderMap;
use std::fmt;

/// The document of a bucket that this is about.
pub(super) const DOCUMENT: &str = "object-lock";
/// The document of a bucket without a default retention.
pub(super) const ENABLED: &str = "enabled";
/// Longest default retention: a hundred years.
const YEARS_MAX: i32 = 100;
/// The same in days.
const DAYS_MAX: i32 = 36_500;

/// What a bucket gives to new versions that name no retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DefaultRetention {
    pub(super) mode: Mode,
    pub(super) period: Period,
}

/// How long a default retention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Days(u32),
    /// Ends on the same date: years differ in length.
    Years(u32),
}

impl DefaultRetention {
    /// The default of a `PutObjectLockConfiguration` body: a mode, and days or years.
    pub(super) fn of_body(mode: &str, days: Option<i32>, years: Option<i32>) -> Result<Self, Refusal> {
        let Some(mode) = Mode::parse(mode) else {
            return Err(Refusal::malformed(format!("Mode {mode:?} is neither GOVERNANCE nor COMPLIANCE")));
        };
        let period = match (days, years) {
            (Some(days), None) => Period::Days(within(days, DAYS_MAX, "Days")?),
            (None, Some(years)) => Period::Years(within(years, YEARS_MAX, "Years")?),
            _ => return Err(Refusal::malformed("a DefaultRetention has Days or Years, not both")),
        };
        Ok(Self { mode, period })
    }

    /// Reads its text back.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (mode, count, unit) = (Mode::parse(words.next()?)?, words.next()?.parse().ok()?, words.next()?);
        let period = match unit {
            "days" => Period::Days(count),
            "years" => Period::Years(count),
            _ => return None,
        };
        words.next().is_none().then_some(Self { mode, period })
    }

    /// The retention of a version that is written now.
    fn begin(self, now_ms: u64) -> Retention {
        let until_ms = match self.period {
            Period::Days(days) => now_ms.saturating_add(u64::from(days) * DAY_MS),
            Period::Years(years) => date::years_later(now_ms, years),
        };
        Retention { mode: self.mode, until_ms }
    }
}

/// As it is stored.
impl fmt::Display for DefaultRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.period {
            Period::Days(days) => write!(f, "{} {days} days", self.mode),
            Period::Years(years) => write!(f, "{} {years} years", self.mode),
        }
    }
}

fn within(value: i32, most: i32, name: &str) -> Result<u32, Refusal> {
    let refusal = || Refusal::new("InvalidRetentionPeriod", format!("{name} is 1 to {most}, not {value}"));
    u32::try_from(value).ok().filter(|_| (1..=most).contains(&value)).ok_or_else(refusal)
}

/// Whether a bucket has object lock.
pub(super) fn is_on(bucket: &Bucket) -> bool {
    bucket.documents.contains_key(DOCUMENT)
}

/// What is asked of a lock in a bucket that has none.
pub(super) fn check_on(bucket: &Bucket) -> Result<(), Refusal> {
    if is_on(bucket) { Ok(()) } else { Err(Refusal::request("Bucket is missing Object Lock Configuration")) }
}

/// The default retention of a bucket with object lock.
pub(super) fn default_of(bucket: &Bucket) -> Result<Option<DefaultRetention>, Refusal> {
    match bucket.documents.get(DOCUMENT).map(String::as_str) {
        None | Some(ENABLED) => Ok(None),
        Some(text) => DefaultRetention::parse(text).map(Some).ok_or_else(|| {
            Refusal::request("the bucket's Object Lock configuration does not read; put it again")
        }),
    }
}

/// A write into a bucket with object lock must leave what was there: two sites may have switched on object lock and
/// suspended versioning without knowing of each other.
pub(super) fn check_write(bucket: &Bucket) -> Result<(), Refusal> {
    if is_on(bucket) && bucket.versioning != Versioning::Enabled {
        let message = "the bucket has Object Lock and its versioning is not enabled; enable it";
        return Err(Refusal::new("InvalidBucketState", message));
    }
    Ok(())
}

/// The lock that a request's headers ask for.
pub(super) fn of_request(bucket: &Bucket, headers: &HeaderMap, now_ms: u64) -> Result<Headers, Refusal> {
    check_write(bucket)?;
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let mode = text("x-amz-object-lock-mode");
    let until = text("x-amz-object-lock-retain-until-date");
    let hold = text("x-amz-object-lock-legal-hold");
    let mut born = Headers::new();
    if mode.is_none() && until.is_none() && hold.is_none() {
        return Ok(born);
    }
    check_on(bucket)?;
    let until_ms = match until.map(date::parse_ms) {
        None => None,
        Some(Some(ms)) => Some(u64::try_from(ms).unwrap_or(0)),
        Some(None) => return Err(Refusal::argument("x-amz-object-lock-retain-until-date is no date")),
    };
    if let Some(retention) = of_headers(mode, until_ms, now_ms)? {
        born.insert(RETENTION.to_owned(), retention.to_string());
    }
    match hold {
        None => {}
        Some("ON") => drop(born.insert(LEGAL_HOLD.to_owned(), "on".to_owned())),
        Some("OFF") => drop(born.insert(LEGAL_HOLD.to_owned(), "off".to_owned())),
        Some(_) => return Err(Refusal::argument("x-amz-object-lock-legal-hold is ON or OFF")),
    }
    Ok(born)
}

/// Adds the bucket's default retention to a version that names none.
pub(super) fn add_default(born: &mut Headers, bucket: &Bucket, now_ms: u64) -> Result<(), Refusal> {
    if let Some(default) = default_of(bucket)?
        && !born.contains_key(RETENTION)
    {
        born.insert(RETENTION.to_owned(), default.begin(now_ms).to_string());
    }
    Ok(())
}

/// The retention of a `PutObjectRetention` body. Neither mode nor date: the retention is taken away.
pub(super) fn of_body(
    mode: Option<&str>,
    until_ms: Option<u64>,
    now_ms: u64,
) -> Result<Option<Retention>, Refusal> {
    let malformed =
        || Refusal::malformed("a Retention has a Mode, GOVERNANCE or COMPLIANCE, and a RetainUntilDate");
    match (mode, until_ms) {
        (None, None) => Ok(None),
        (Some(mode), Some(until_ms)) => {
            let mode = Mode::parse(mode).ok_or_else(malformed)?;
            in_future(Retention { mode, until_ms }, now_ms).map(Some)
        }
        _ => Err(malformed()),
    }
}

fn of_headers(mode: Option<&str>, until_ms: Option<u64>, now_ms: u64) -> Result<Option<Retention>, Refusal> {
    match (mode, until_ms) {
        (None, None) => Ok(None),
        (Some(mode), Some(until_ms)) => {
            let unknown = || Refusal::argument("x-amz-object-lock-mode is GOVERNANCE or COMPLIANCE");
            let mode = Mode::parse(mode).ok_or_else(unknown)?;
            in_future(Retention { mode, until_ms }, now_ms).map(Some)
        }
        _ => Err(Refusal::argument(
            "send both x-amz-object-lock-mode and x-amz-object-lock-retain-until-date, or neither",
        )),
    }
}

fn in_future(retention: Retention, now_ms: u64) -> Result<Retention, Refusal> {
    if retention.binds(now_ms) {
        Ok(retention)
    } else {
        Err(Refusal::argument("the RetainUntilDate must be in the future"))
    }
}

/// Reads `ObjectLockEnabled` of a bucket, which cannot be switched off.
pub(super) fn check_enabled(value: &str) -> Result<(), Refusal> {
    if value == "Enabled" {
        Ok(())
    } else {
        Err(Refusal::malformed("ObjectLockEnabled is Enabled, and stays it"))
    }
}

/// Reads the status of a legal hold: whether it is on.
pub(super) fn parse_legal_hold(status: &str) -> Result<bool, Refusal> {
    match status {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(Refusal::malformed(format!("legal hold {status:?} is neither ON nor OFF"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    #[expect(clippy::unnecessary_wraps, reason = "what the rules take and give")]
    fn governance(until_ms: u64) -> Option<Retention> {
        Some(Retention { mode: Mode::Governance, until_ms })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the rules take and give")]
    fn compliance(until_ms: u64) -> Option<Retention> {
        Some(Retention { mode: Mode::Compliance, until_ms })
    }

    fn code<T>(result: Result<T, Refusal>) -> Option<&'static str> {
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_default_has_a_mode_and_days_or_years() {
        let of = DefaultRetention::of_body;
        let days = of("GOVERNANCE", Some(2), None).unwrap();
        assert_eq!(Some(days.begin(NOW)), governance(NOW + 2 * DAY_MS));
        let leap_year = of("COMPLIANCE", None, Some(1)).unwrap();
        let from = u64::try_from(date::parse_ms("2023-03-01").unwrap()).unwrap();
        assert_eq!(Some(leap_year.begin(from)), compliance(from + 366 * DAY_MS));
        for malformed in [
            of("governance", Some(1), None),
            of("abc", None, Some(1)),
            of("GOVERNANCE", Some(1), Some(1)),
            of("GOVERNANCE", None, None),
        ] {
            assert_eq!(code(malformed), Some("MalformedXML"));
        }
        for (days, years) in [(Some(0), None), (None, Some(-1)), (Some(36_501), None), (None, Some(101))] {
            assert_eq!(code(of("GOVERNANCE", days, years)), Some("InvalidRetentionPeriod"));
        }
    }

    #[test]
    fn a_stored_default_reads_back_the_same() {
        for period in [Period::Days(3), Period::Years(1)] {
            let default = DefaultRetention { mode: Mode::Compliance, period };
            assert_eq!(DefaultRetention::parse(&default.to_string()), Some(default));
        }
        for text in ["", "enabled", "COMPLIANCE 3", "COMPLIANCE x days", "GOVERNANCE 1 days more"] {
            assert_eq!(DefaultRetention::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_request_names_a_mode_and_a_date_to_come() {
        assert_eq!(of_body(Some("GOVERNANCE"), Some(NOW + 1), NOW).unwrap(), governance(NOW + 1));
        assert_eq!(of_body(None, None, NOW).unwrap(), None);
        assert_eq!(code(of_body(Some("governance"), Some(NOW + 1), NOW)), Some("MalformedXML"));
        assert_eq!(code(of_body(Some("GOVERNANCE"), None, NOW)), Some("MalformedXML"));
        assert_eq!(code(of_body(Some("GOVERNANCE"), Some(NOW), NOW)), Some("InvalidArgument"));
        assert_eq!(of_headers(Some("COMPLIANCE"), Some(NOW + 1), NOW).unwrap(), compliance(NOW + 1));
        assert_eq!(of_headers(None, None, NOW).unwrap(), None);
        for (mode, until) in
            [(Some("x"), Some(NOW + 1)), (None, Some(NOW + 1)), (Some("COMPLIANCE"), Some(0))]
        {
            assert_eq!(code(of_headers(mode, until, NOW)), Some("InvalidArgument"));
        }
    }

    #[test]
    fn states_are_read_in_full_or_refused() {
        assert!(parse_legal_hold("ON").unwrap() && !parse_legal_hold("OFF").unwrap());
        assert_eq!(code(parse_legal_hold("abc")), Some("MalformedXML"));
        assert_eq!(code(check_enabled("Enabled")), None);
        assert_eq!(code(check_enabled("Disabled")), Some("MalformedXML"));
    }
}
