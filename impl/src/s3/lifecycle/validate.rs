//! Whether S3 would take a lifecycle configuration, and its codes for those that it would not.
//!
//! Invariant: of rules that pass, days and counts are positive, sizes are not negative, and a filter has one field.
//! Source: Amazon S3 API Reference, `PutBucketLifecycleConfiguration`; codes as AWS and Ceph's s3-tests have them.

use super::super::date::DAY_MS;
use super::{Expiration, Filter, Narrowed, NoncurrentVersionExpiration, Refusal, Rule, Tag};
use std::collections::BTreeSet;

/// Most rules of a bucket, as S3 has it.
const RULES_MAX: usize = 1000;
/// Most characters of a rule's id, as S3 has it.
const ID_CHARS_MAX: usize = 255;
/// Most noncurrent versions that a rule keeps, as S3 has it.
const NEWER_VERSIONS_MAX: i32 = 100;
/// Most characters of a tag's key and of its value, as S3 has it.
const TAG_CHARS_MAX: (usize, usize) = (128, 256);

/// Gives an id to every rule that came without: `rule-1` and so on, by its place. Sites that see the same configuration
/// come to the same ids.
pub(in super::super) fn assign_ids(rules: &mut [Rule]) {
    let taken: BTreeSet<String> = rules.iter().map(|rule| rule.id.clone()).collect();
    let mut free = (1..).map(|number| format!("rule-{number}")).filter(|id| !taken.contains(id));
    for rule in rules.iter_mut().filter(|rule| rule.id.is_empty()) {
        rule.id = free.next().expect("numbers do not end");
    }
}

/// Whether S3 would take the rules.
pub(in super::super) fn validate(rules: &[Rule]) -> Result<(), Refusal> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        let message = format!("a lifecycle configuration has 1 to {RULES_MAX} rules, not {}", rules.len());
        return Err(Refusal::malformed(message));
    }
    let mut ids = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        rule.validate().map_err(|refusal| Refusal {
            message: format!("lifecycle rule {}: {}", index + 1, refusal.message),
            ..refusal
        })?;
        if !rule.id.is_empty() && !ids.insert(&rule.id) {
            let message = format!("lifecycle rule id {:?} comes twice; give each rule its own", rule.id);
            return Err(Refusal::argument(message));
        }
    }
    Ok(())
}

/// The answer to a rule with a `Transition` or `NoncurrentVersionTransition`.
pub(in super::super) fn refuse_transition(rule_id: &str) -> Refusal {
    let message =
        format!("lifecycle rule {rule_id:?} has a transition; there is one storage class, STANDARD");
    Refusal::new("InvalidStorageClass", message)
}

impl Rule {
    fn validate(&self) -> Result<(), Refusal> {
        if self.id.chars().count() > ID_CHARS_MAX {
            return Err(Refusal::argument(format!("an ID has at most {ID_CHARS_MAX} characters")));
        }
        match (&self.prefix, &self.filter) {
            (None, Some(filter)) => filter.validate()?,
            (Some(_), None) => {}
            _ => return Err(Refusal::malformed("a rule has a Filter or, as of old, a Prefix, not both")),
        }
        if let Some(expiration) = self.expiration {
            expiration.validate()?;
        }
        if let Some(expiration) = self.noncurrent_version_expiration {
            expiration.validate()?;
        }
        if let Some(days) = self.abort_days_after_initiation {
            positive(days, "DaysAfterInitiation")?;
        }
        self.validate_together()
    }

    /// What each is fine, and not all of it together.
    fn validate_together(&self) -> Result<(), Refusal> {
        let (has_tags, has_sizes) = self.filter.as_ref().map_or((false, false), |filter| {
            let narrowed = filter.narrowed();
            (!narrowed.tags.is_empty(), narrowed.has_sizes())
        });
        let aborts = self.abort_days_after_initiation.is_some();
        let removes_markers =
            self.expiration.is_some_and(|expiration| expiration.expired_object_delete_marker.is_some());
        if self.expiration.is_none() && self.noncurrent_version_expiration.is_none() && !aborts {
            return Err(Refusal::request("a rule has at least one action"));
        }
        if aborts && (has_tags || has_sizes) {
            return Err(Refusal::request(
                "AbortIncompleteMultipartUpload does not go with tags or sizes: an upload has neither; make two rules",
            ));
        }
        if removes_markers && has_tags {
            return Err(Refusal::request(
                "ExpiredObjectDeleteMarker does not go with tags: a delete marker has none; make two rules",
            ));
        }
        Ok(())
    }
}

impl Filter {
    fn validate(&self) -> Result<(), Refusal> {
        let fields = [
            self.prefix.is_some(),
            self.tag.is_some(),
            self.object_size_greater_than.is_some(),
            self.object_size_less_than.is_some(),
            self.and.is_some(),
        ];
        if fields.into_iter().filter(|is_there| *is_there).count() > 1 {
            return Err(Refusal::malformed("a Filter has one field; put several into And"));
        }
        if let Some(and) = &self.and {
            let parts = [
                and.prefix.is_some(),
                and.object_size_greater_than.is_some(),
                and.object_size_less_than.is_some(),
            ];
            if parts.into_iter().filter(|is_there| *is_there).count() + and.tags.len() < 2 {
                return Err(Refusal::malformed("And has two or more fields; put a single one into Filter"));
            }
        }
        self.narrowed().validate()
    }
}

impl Narrowed<'_> {
    fn has_sizes(self) -> bool {
        self.greater_than.is_some() || self.less_than.is_some()
    }

    fn validate(self) -> Result<(), Refusal> {
        self.tags.iter().try_for_each(Tag::validate)?;
        let keys: BTreeSet<_> = self.tags.iter().map(|tag| &tag.key).collect();
        if keys.len() < self.tags.len() {
            return Err(Refusal::request("a tag's key comes twice in one filter"));
        }
        let (greater, less) = (self.greater_than, self.less_than);
        if greater.is_some_and(|size| size < 0) || less.is_some_and(|size| size < 1) {
            return Err(Refusal::request(
                "ObjectSizeGreaterThan is at least 0, ObjectSizeLessThan at least 1",
            ));
        }
        match (greater, less) {
            (Some(greater), Some(less)) if greater >= less => {
                Err(Refusal::request("ObjectSizeGreaterThan is less than ObjectSizeLessThan"))
            }
            _ => Ok(()),
        }
    }
}

impl Tag {
    fn validate(&self) -> Result<(), Refusal> {
        let (key_max, value_max) = TAG_CHARS_MAX;
        let (key, value) = (self.key.chars().count(), self.value.chars().count());
        if (1..=key_max).contains(&key) && value <= value_max {
            return Ok(());
        }
        let message =
            format!("a tag has a key of 1 to {key_max} characters and a value of at most {value_max}");
        Err(Refusal::new("InvalidTag", message))
    }
}

impl Expiration {
    fn validate(self) -> Result<(), Refusal> {
        match (self.days, self.date_ms, self.expired_object_delete_marker) {
            (Some(days), None, None) => positive(days, "Days"),
            (None, Some(date_ms), None) if date_ms % DAY_MS.cast_signed() == 0 => Ok(()),
            (None, Some(_), None) => {
                Err(Refusal::argument("a Date is a midnight in UTC, 2026-11-23T00:00:00Z"))
            }
            (None, None, Some(_)) => Ok(()),
            _ => Err(Refusal::malformed("an Expiration has one of Days, Date and ExpiredObjectDeleteMarker")),
        }
    }
}

impl NoncurrentVersionExpiration {
    fn validate(self) -> Result<(), Refusal> {
        let Some(days) = self.noncurrent_days else {
            return Err(Refusal::malformed("a NoncurrentVersionExpiration has NoncurrentDays"));
        };
        positive(days, "NoncurrentDays")?;
        match self.newer_noncurrent_versions {
            Some(count) if !(1..=NEWER_VERSIONS_MAX).contains(&count) => {
                let message = format!("NewerNoncurrentVersions is 1 to {NEWER_VERSIONS_MAX}, not {count}");
                Err(Refusal::argument(message))
            }
            _ => Ok(()),
        }
    }
}

fn positive(days: i32, name: &str) -> Result<(), Refusal> {
    if days > 0 { Ok(()) } else { Err(Refusal::argument(format!("{name} is positive, not {days}"))) }
}

#[cfg(test)]
mod tests {
    use super::super::{And, Status};
    use super::*;

    fn rule() -> Rule {
        let expiration = Expiration { days: Some(1), ..Expiration::default() };
        Rule { prefix: Some(String::new()), expiration: Some(expiration), ..Rule::default() }
    }

    fn filtered(filter: Filter) -> Rule {
        Rule { prefix: None, filter: Some(filter), ..rule() }
    }

    fn expiring(expiration: Expiration) -> Rule {
        Rule { expiration: Some(expiration), ..rule() }
    }

    fn tag(key: &str) -> Tag {
        Tag { key: key.into(), value: "v".into() }
    }

    fn both(prefix: Option<&str>, tags: &[Tag], sizes: (Option<i64>, Option<i64>)) -> Filter {
        let and = And {
            prefix: prefix.map(str::to_owned),
            tags: tags.to_vec(),
            object_size_greater_than: sizes.0,
            object_size_less_than: sizes.1,
        };
        Filter { and: Some(and), ..Filter::default() }
    }

    fn code(rule: Rule) -> Option<&'static str> {
        validate(&[rule]).err().map(|refusal| refusal.code)
    }

    const NONE: (Option<i64>, Option<i64>) = (None, None);

    #[test]
    fn rules_that_s3_takes_are_taken() {
        let marker = Expiration { expired_object_delete_marker: Some(true), ..Expiration::default() };
        let past = Expiration { date_ms: Some(1_506_470_400_000), ..Expiration::default() };
        let keep =
            NoncurrentVersionExpiration { noncurrent_days: Some(2), newer_noncurrent_versions: Some(100) };
        for rule in [
            rule(),
            filtered(Filter::default()),
            filtered(Filter { tag: Some(tag("a")), ..Filter::default() }),
            filtered(both(Some("p"), &[tag("a")], NONE)),
            filtered(both(None, &[], (Some(0), Some(2)))),
            expiring(marker),
            expiring(past),
            Rule { expiration: None, noncurrent_version_expiration: Some(keep), ..rule() },
            Rule { expiration: None, abort_days_after_initiation: Some(2), ..rule() },
            Rule { abort_days_after_initiation: Some(2), ..filtered(Filter::default()) },
            Rule {
                expiration: None,
                noncurrent_version_expiration: Some(keep),
                ..filtered(Filter { tag: Some(tag("a")), ..Filter::default() })
            },
            filtered(Filter {
                tag: Some(Tag { key: "k".repeat(128), value: "v".repeat(256) }),
                ..Filter::default()
            }),
            Rule { id: "i".repeat(255), status: Status::Disabled, ..rule() },
        ] {
            assert_eq!(validate(std::slice::from_ref(&rule)), Ok(()), "{rule:?}");
        }
        assert_eq!(validate(&vec![rule(); 1000]), Ok(()), "rules without an id are told apart later");
    }

    #[test]
    fn values_out_of_range_are_invalid_arguments() {
        let days = |days| Expiration { days: Some(days), ..Expiration::default() };
        let noon = Expiration { date_ms: Some(43_200_000), ..Expiration::default() };
        let noncurrent = |days, newer| Rule {
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                noncurrent_days: Some(days),
                newer_noncurrent_versions: newer,
            }),
            ..rule()
        };
        for rule in [
            expiring(days(0)),
            expiring(days(-1)),
            expiring(noon),
            noncurrent(0, None),
            noncurrent(1, Some(0)),
            noncurrent(1, Some(101)),
            Rule { abort_days_after_initiation: Some(0), ..rule() },
            Rule { id: "i".repeat(256), ..rule() },
        ] {
            assert_eq!(code(rule.clone()), Some("InvalidArgument"), "{rule:?}");
        }
        let twice = Rule { id: "a".into(), ..rule() };
        assert_eq!(validate(&[twice.clone(), twice]).unwrap_err().code, "InvalidArgument");
    }

    #[test]
    fn wrong_shapes_are_malformed() {
        let two = Expiration { days: Some(1), expired_object_delete_marker: Some(true), date_ms: None };
        let no_days =
            NoncurrentVersionExpiration { noncurrent_days: None, newer_noncurrent_versions: Some(1) };
        for rule in [
            expiring(two),
            expiring(Expiration::default()),
            Rule { prefix: None, ..rule() },
            Rule { filter: Some(Filter::default()), ..rule() },
            Rule { noncurrent_version_expiration: Some(no_days), ..rule() },
            filtered(Filter { prefix: Some("p".into()), tag: Some(tag("a")), ..Filter::default() }),
            filtered(both(Some("p"), &[], NONE)),
        ] {
            assert_eq!(code(rule.clone()), Some("MalformedXML"), "{rule:?}");
        }
        assert_eq!(validate(&[]).unwrap_err().code, "MalformedXML");
        assert_eq!(validate(&vec![rule(); 1001]).unwrap_err().code, "MalformedXML");
        assert_eq!(Status::parse("enabled").unwrap_err().code, "MalformedXML");
        assert_eq!(Status::parse("Disabled"), Ok(Status::Disabled));
    }

    #[test]
    fn what_does_not_go_together_is_an_invalid_request() {
        let marker = Expiration { expired_object_delete_marker: Some(true), ..Expiration::default() };
        let tagged = || filtered(Filter { tag: Some(tag("a")), ..Filter::default() });
        let sized = filtered(Filter { object_size_less_than: Some(5), ..Filter::default() });
        for rule in [
            Rule { expiration: None, ..rule() },
            Rule { expiration: Some(marker), ..tagged() },
            Rule { abort_days_after_initiation: Some(1), ..tagged() },
            Rule { abort_days_after_initiation: Some(1), ..sized },
            filtered(both(None, &[tag("a"), tag("a")], NONE)),
            filtered(both(None, &[], (Some(5), Some(5)))),
            filtered(Filter { object_size_greater_than: Some(-1), ..Filter::default() }),
        ] {
            assert_eq!(code(rule.clone()), Some("InvalidRequest"), "{rule:?}");
        }
        assert_eq!(code(filtered(Filter { tag: Some(tag("")), ..Filter::default() })), Some("InvalidTag"));
        assert_eq!(refuse_transition("a").code, "InvalidStorageClass");
    }

    #[test]
    fn a_refusal_says_which_rule() {
        let message = validate(&[rule(), Rule { abort_days_after_initiation: Some(0), ..rule() }]);
        assert_eq!(message.unwrap_err().message, "lifecycle rule 2: DaysAfterInitiation is positive, not 0");
    }

    #[test]
    fn rules_without_an_id_get_one_that_is_free() {
        let named = Rule { id: "rule-1".into(), ..rule() };
        let mut rules = [rule(), named, rule()];
        assign_ids(&mut rules);
        assert_eq!(rules.map(|rule| rule.id), ["rule-2", "rule-1", "rule-3"]);
    }
}
