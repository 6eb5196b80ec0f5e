use super::super::date::{DAY_MS, parse_ms};
use super::*;
use proptest::prelude::*;

fn at(text: &str) -> u64 {
    parse_ms(text).unwrap().try_into().unwrap()
}

/// A rule on keys that begin with `prefix`.
fn rule(prefix: &str) -> Rule {
    Rule { id: "r".into(), prefix: Some(prefix.into()), ..Rule::default() }
}

fn expiring(days: i32) -> Rule {
    let expiration = Expiration { days: Some(days), ..Expiration::default() };
    Rule { expiration: Some(expiration), ..rule("") }
}

fn noncurrent(days: i32, newer: Option<i32>) -> Rule {
    let expiration =
        NoncurrentVersionExpiration { noncurrent_days: Some(days), newer_noncurrent_versions: newer };
    Rule { noncurrent_version_expiration: Some(expiration), ..rule("") }
}

fn filtered(filter: Filter) -> Rule {
    Rule { prefix: None, filter: Some(filter), ..expiring(1) }
}

static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();

/// A current object that was written at 0.
fn object() -> ObjectFacts<'static> {
    ObjectFacts {
        key: "logs/a",
        size: 10,
        tags: &NO_TAGS,
        is_current: true,
        is_delete_marker: false,
        is_only_version: true,
        created_ms: 0,
        noncurrent_since_ms: None,
        newer_noncurrent: 0,
    }
}

/// A version that was followed by another at 0.
fn old_version() -> ObjectFacts<'static> {
    ObjectFacts { is_current: false, is_only_version: false, noncurrent_since_ms: Some(0), ..object() }
}

/// When a rule is due, in days of 10 ms.
fn due_at(rule: Rule, object: &ObjectFacts<'_>) -> Option<u64> {
    let rules = [rule];
    let first = (0..=100).find(|now| due(&rules, object, *now, 10).is_some());
    assert_eq!(first, expiry(&rules, object, 10).map(|expiry| expiry.at_ms).filter(|at_ms| *at_ms <= 100));
    first
}

#[test]
fn days_are_counted_in_full_and_end_at_midnight() {
    let rules = [expiring(3)];
    let expiry_of = |created: &str| {
        let object = ObjectFacts { created_ms: at(created), ..object() };
        expiry(&rules, &object, DAY_MS).unwrap()
    };
    let expected = Expiry { at_ms: at("2014-01-19"), rule_id: "r", action: Action::DeleteMarkerOrDelete };
    assert_eq!(expiry_of("2014-01-15T10:30Z"), expected);
    assert_eq!(expiry_of("2014-01-15T00:00Z").at_ms, at("2014-01-18"));
    let object = ObjectFacts { created_ms: at("2014-01-15T10:30Z"), ..object() };
    assert_eq!(due(&rules, &object, at("2014-01-19") - 1, DAY_MS), None);
    assert_eq!(due(&rules, &object, at("2014-01-19"), DAY_MS), Some(Action::DeleteMarkerOrDelete));
}

#[test]
fn a_date_is_due_from_its_midnight_on() {
    let on = |date_ms| Rule {
        expiration: Some(Expiration { date_ms: Some(date_ms), ..Expiration::default() }),
        ..rule("")
    };
    assert_eq!(due_at(on(40), &object()), Some(40));
    assert_eq!(due_at(on(-86_400_000), &object()), Some(0));
}

#[test]
fn the_earliest_rule_decides_and_disabled_rules_do_not() {
    let rules = [expiring(5), Rule { id: "second".into(), ..expiring(2) }];
    assert_eq!(expiry(&rules, &object(), 10).unwrap().rule_id, "second");
    assert_eq!(due_at(Rule { status: Status::Disabled, ..expiring(1) }, &object()), None);
}

#[test]
fn a_rule_is_about_the_objects_that_fit_its_filter() {
    let tags = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    let tagged = ObjectFacts { tags: &tags, ..object() };
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let fits = |filter: Filter| due_at(filtered(filter), &tagged).is_some();
    let none = Filter::default;
    assert!(fits(none()));
    assert!(fits(Filter { prefix: Some("logs/".into()), ..none() }));
    assert!(!fits(Filter { prefix: Some("log/".into()), ..none() }));
    assert!(fits(Filter { tag: Some(tag("a", "1")), ..none() }));
    assert!(!fits(Filter { tag: Some(tag("a", "2")), ..none() }));
    assert!(fits(Filter { object_size_greater_than: Some(9), ..none() }));
    assert!(!fits(Filter { object_size_greater_than: Some(10), ..none() }));
    assert!(fits(Filter { object_size_less_than: Some(11), ..none() }));
    assert!(!fits(Filter { object_size_less_than: Some(10), ..none() }));
    let and = |second: Tag, prefix: &str| Filter {
        and: Some(And { prefix: Some(prefix.into()), tags: vec![tag("a", "1"), second], ..And::default() }),
        ..none()
    };
    assert!(fits(and(tag("b", "2"), "logs/")));
    assert!(!fits(and(tag("b", "3"), "logs/")) && !fits(and(tag("b", "2"), "x")));
    assert_eq!(due_at(Rule { prefix: Some("x".into()), ..expiring(1) }, &object()), None);
}

#[test]
fn noncurrent_versions_go_by_age_and_the_newest_are_kept() {
    assert_eq!(due_at(noncurrent(2, None), &old_version()), Some(20));
    assert_eq!(due_at(noncurrent(2, Some(2)), &ObjectFacts { newer_noncurrent: 1, ..old_version() }), None);
    let third = ObjectFacts { newer_noncurrent: 2, ..old_version() };
    assert_eq!(due_at(noncurrent(2, Some(2)), &third), Some(20));
    assert_eq!(due(&[noncurrent(2, None)], &third, 20, 10), Some(Action::ExpireVersion));
    let marker = ObjectFacts { is_delete_marker: true, ..old_version() };
    assert_eq!(due_at(noncurrent(2, None), &marker), Some(20));
    assert_eq!(due_at(noncurrent(2, None), &object()), None, "a current version is not noncurrent");
    assert_eq!(due_at(expiring(1), &old_version()), None, "an expiration is about current versions");
}

#[test]
fn a_delete_marker_goes_when_nothing_is_behind_it() {
    let marker = ObjectFacts { is_delete_marker: true, size: 0, ..object() };
    let removing = |remove| {
        let expiration = Expiration { expired_object_delete_marker: Some(remove), ..Expiration::default() };
        Rule { expiration: Some(expiration), ..rule("") }
    };
    assert_eq!(due_at(removing(true), &marker), Some(0));
    assert_eq!(due_at(removing(false), &marker), None);
    assert_eq!(due_at(removing(true), &object()), None, "an object is no marker");
    assert_eq!(due_at(expiring(2), &marker), Some(20), "days are for markers too");
    assert_eq!(due(&[expiring(2)], &marker, 20, 10), Some(Action::RemoveMarker));
    for rule in [removing(true), expiring(2)] {
        assert_eq!(due_at(rule, &ObjectFacts { is_only_version: false, ..marker }), None);
    }
}

#[test]
fn an_upload_is_aborted_days_after_it_began() {
    let rules = [Rule { abort_days_after_initiation: Some(2), ..rule("logs/") }];
    assert!(!aborts(&rules, "logs/a", 5, 29, 10));
    assert!(aborts(&rules, "logs/a", 5, 30, 10));
    assert!(!aborts(&rules, "data/a", 5, 1000, 10));
    assert!(!aborts(&[expiring(1)], "logs/a", 5, 1000, 10));
    let filter = |prefix: &str| Filter { prefix: Some(prefix.into()), ..Filter::default() };
    let narrowed = |prefix| Rule { prefix: None, filter: Some(filter(prefix)), ..rules[0].clone() };
    assert!(aborts(&[narrowed("logs/")], "logs/a", 5, 30, 10));
    assert!(!aborts(&[narrowed("data/")], "logs/a", 5, 30, 10));
    let disabled = Rule { status: Status::Disabled, ..rules[0].clone() };
    assert!(!aborts(&[disabled], "logs/a", 5, 1000, 10));
}

#[test]
fn stored_rules_read_back_the_same() {
    let tag = Tag { key: "k".into(), value: String::new() };
    let rules = vec![filtered(Filter { tag: Some(tag), ..Filter::default() }), noncurrent(1, Some(3))];
    let stored = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Rule>>(&stored).unwrap(), rules);
    let short = serde_json::to_string(&expiring(1)).unwrap();
    assert_eq!(short, r#"{"id":"r","status":"Enabled","prefix":"","expiration":{"days":1}}"#);
}

proptest! {
    #[test]
    fn nothing_is_due_early_or_a_day_late(created_ms in 0_u64..1000, days in 1_i32..10, day_ms in 1_u64..50) {
        let rules = [expiring(days)];
        let at_ms = expiry(&rules, &ObjectFacts { created_ms, ..object() }, day_ms).unwrap().at_ms;
        let full_ms = created_ms + u64::try_from(days).unwrap() * day_ms;
        prop_assert!((full_ms..full_ms + day_ms).contains(&at_ms));
        prop_assert_eq!(at_ms % day_ms, 0);
    }
}
