//! The conditions of a request, as RFC 9110 and S3 have them.

use crate::engine::Condition;
use hyper::{
    HeaderMap,
    header::{self, HeaderName},
};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{ETagCondition, Timestamp},
    s3_error,
};

/// The conditions of a read, by the names of their headers.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

fn names(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(named) => named.value() == etag,
    }
}

impl Conditions {
    /// Tests them against what is there, in the order of RFC 9110 §13.2.2. Dates count in whole seconds, as they travel.
    pub(super) fn check(&self, etag: &str, written_at_s: i64) -> S3Result<()> {
        let seconds = |time: &Timestamp| time::OffsetDateTime::from(time.clone()).unix_timestamp();
        let failed = || Err(s3_error!(PreconditionFailed));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !names(condition, etag) => return failed(),
            (None, Some(since)) if written_at_s > seconds(since) => return failed(),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if names(condition, etag) => Err(S3Error::new(S3ErrorCode::NotModified)),
            (None, Some(since)) if written_at_s <= seconds(since) => {
                Err(S3Error::new(S3ErrorCode::NotModified))
            }
            _ => Ok(()),
        }
    }

    /// The same for the source of a copy, which is never "not modified": it is refused.
    pub(super) fn check_source(&self, etag: &str, written_at_s: i64) -> S3Result<()> {
        self.check(etag, written_at_s).map_err(|_| s3_error!(PreconditionFailed))
    }
}

/// The condition of a write: `If-Match` or `If-None-Match`, each with `*` or one ETag. AWS takes only `*` in
/// `If-None-Match`; other stores, and the clients written for them, take an ETag there too.
pub(super) fn of_write(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Option<Condition>> {
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (None, Some(ETagCondition::Any)) => Ok(Some(Condition::Absent)),
        (None, Some(ETagCondition::ETag(etag))) => Ok(Some(Condition::Differs(etag.value().to_owned()))),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Some(Condition::Matches(etag.value().to_owned()))),
        (Some(ETagCondition::Any), None) => Ok(Some(Condition::Present)),
        (Some(_), Some(_)) => {
            Err(s3_error!(NotImplemented, "a write takes If-Match or If-None-Match, not both"))
        }
    }
}

/// The condition of a copy on what it replaces, for which `s3s` has no place.
pub(super) fn of_copy(headers: &HeaderMap) -> S3Result<Option<Condition>> {
    let named = |name: HeaderName| {
        let value = headers.get(&name).map(|value| ETagCondition::parse_http_header(value.as_bytes()));
        value.transpose().map_err(|_| s3_error!(InvalidArgument, "{} is * or an ETag", name))
    };
    of_write(named(header::IF_MATCH)?.as_ref(), named(header::IF_NONE_MATCH)?.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::dto::ETag;

    fn tag(value: &str) -> ETagCondition {
        ETagCondition::ETag(ETag::Strong(value.into()))
    }

    fn at(seconds: i64) -> Timestamp {
        time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().into()
    }

    fn code(conditions: &Conditions) -> Option<String> {
        conditions.check("e", 100).err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn etags_go_before_dates_and_a_match_before_a_mismatch() {
        let none = Conditions::default;
        assert_eq!(code(&none()), None);
        assert_eq!(
            code(&Conditions { if_match: Some(tag("e")), if_unmodified_since: Some(at(50)), ..none() }),
            None
        );
        let failed = Some("PreconditionFailed".to_owned());
        assert_eq!(code(&Conditions { if_match: Some(tag("x")), ..none() }), failed);
        assert_eq!(code(&Conditions { if_unmodified_since: Some(at(99)), ..none() }), failed);
        assert_eq!(code(&Conditions { if_unmodified_since: Some(at(100)), ..none() }), None);
        let same = Some("NotModified".to_owned());
        assert_eq!(code(&Conditions { if_none_match: Some(tag("e")), ..none() }), same);
        assert_eq!(
            code(&Conditions { if_none_match: Some(tag("x")), if_modified_since: Some(at(200)), ..none() }),
            None
        );
        assert_eq!(code(&Conditions { if_modified_since: Some(at(100)), ..none() }), same);
        assert_eq!(
            code(&Conditions { if_match: Some(tag("x")), if_none_match: Some(tag("e")), ..none() }),
            failed
        );
    }

    #[test]
    fn a_write_takes_one_condition() {
        assert_eq!(of_write(None, Some(&ETagCondition::Any)).unwrap(), Some(Condition::Absent));
        assert_eq!(of_write(Some(&tag("e")), None).unwrap(), Some(Condition::Matches("e".into())));
        assert_eq!(of_write(None, Some(&tag("e"))).unwrap(), Some(Condition::Differs("e".into())));
        assert!(of_write(Some(&tag("e")), Some(&ETagCondition::Any)).is_err());
    }
}
