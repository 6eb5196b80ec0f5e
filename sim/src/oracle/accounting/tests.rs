use super::*;
use crate::{
    history::{
        Ending,
        Place::{Current, Noncurrent, Sibling},
    },
    nemesis::{Fault, PlannedFault},
    oracle::story::{PUT, Story, ms},
};

fn ends(story: &Story) -> BTreeMap<WriteId, End> {
    account(&Case::new(&story.told())).ends
}

/// The end of the first write, which the story must have lost or not.
fn first(story: &Story) -> End {
    let outcome = story.told();
    let case = Case::new(&outcome);
    let accounts = account(&case);
    let end = accounts.ends[&1];
    let is_violated = !violations(&case, &accounts).is_empty();
    assert_eq!(is_violated, matches!(end, End::Lost(_)), "{end:?}");
    end
}

#[test]
fn a_write_that_is_nowhere_is_lost_unless_who_replaced_it_had_seen_it() {
    let mut story = Story::new();
    story.put(100, 0, "k", Shown::Nothing);
    let other = story.put(105, 1, "k", Shown::Nothing);
    story.ends("k", &[(Current, other)]);
    assert_eq!(first(&story), End::Lost(LostKind::Concurrent));
    story.looked(other, Shown::Write(1));
    assert_eq!(first(&story), End::Superseded);
}

#[test]
fn a_deleted_write_is_lost_unless_the_deleter_had_seen_it() {
    let mut story = Story::new();
    story.put(100, 0, "k", Shown::Nothing);
    let delete = story.op(105, 1, "k", Action::Delete);
    story.looked(delete, Shown::Nothing);
    assert_eq!(first(&story), End::Lost(LostKind::Concurrent));
    story.looked(delete, Shown::Write(1));
    assert_eq!(first(&story), End::Deleted);
}

#[test]
fn a_version_delete_ends_the_version_that_it_named_and_no_other() {
    let mut story = Story::new();
    let kept = story.put(100, 0, "k", Shown::Nothing);
    let gone = story.put(200, 0, "k", Shown::Write(kept));
    let delete = story.op(300, 1, "k", Action::DeleteVersion);
    story.operation(delete).target = Some(("v2".into(), gone));
    story.ends("k", &[(Noncurrent, kept)]);
    assert_eq!(ends(&story), BTreeMap::from([(kept, End::Noncurrent), (gone, End::Deleted)]));
    story.operation(delete).target = Some(("v1".into(), kept));
    assert!(matches!(ends(&story)[&gone], End::Lost(_)));
}

#[test]
fn whatever_is_listed_has_its_bytes_counted_where_it_stands() {
    let mut story = Story::new();
    let a = story.put(100, 0, "k", Shown::Nothing);
    let b = story.put(101, 1, "k", Shown::Nothing);
    let c = story.put(102, 2, "k", Shown::Nothing);
    story.ends("k", &[(Current, a), (Sibling, b), (Noncurrent, c)]);
    let expected = BTreeMap::from([(a, End::Current), (b, End::Sibling), (c, End::Noncurrent)]);
    assert_eq!(ends(&story), expected);
    // A retained loser counts only if its bytes were read back.
    for dump in story.outcome.dumps.values_mut() {
        let read = dump.keys.get_mut(&("main".to_owned(), "k".to_owned())).expect("k");
        read.versions[2].read = Shown::Unavailable("its body is lost".into());
    }
    assert_eq!(ends(&story)[&c], End::Lost(LostKind::Concurrent));
}

#[test]
fn a_write_under_way_at_the_same_site_may_be_taken_to_come_first_but_not_past_a_context() {
    let mut story = Story::new();
    story.put(100, 0, "k", Shown::Nothing);
    let other = story.put(105, 0, "k", Shown::Nothing);
    story.ends("k", &[(Current, other)]);
    assert_eq!(first(&story), End::Superseded, "one store may order them like this");
    story.operation(other).by_context = true;
    assert_eq!(first(&story), End::Lost(LostKind::Concurrent), "its client said what it had seen");
    story.operation(other).by_context = false;
    story.operation(other).invoked = ms(150);
    assert_eq!(first(&story), End::Lost(LostKind::Concurrent), "the first had been acknowledged by then");
}

#[test]
fn a_write_after_a_refused_look_replaces_what_its_site_had_by_then_and_nothing_that_came_later() {
    let mut story = Story::new();
    story.put(100, 0, "k", Shown::Nothing);
    let other = story.put(300, 1, "k", Shown::Unavailable("the body is at site 0".into()));
    story.ends("k", &[(Current, other)]);
    assert!(matches!(first(&story), End::Lost(_)), "it never came there");
    story.delivered(1, 1, 301);
    assert!(matches!(first(&story), End::Lost(_)), "it came after the look");
    story.outcome.deliveries.clear();
    story.delivered(1, 1, 250);
    assert_eq!(first(&story), End::Superseded);
}

#[test]
fn of_a_lost_write_it_is_told_why() {
    let mut story = Story::new();
    let lost = story.put(1000, 0, "k", Shown::Nothing);
    let winner = story.put(1005, 1, "k", Shown::Nothing);
    story.ends("k", &[(Current, winner)]);
    story.operation(lost).by_context = true;
    assert_eq!(first(&story), End::Lost(LostKind::LostUpdate));
    // The winner had been acknowledged before it began, and it was seen at its own site.
    story.operation(winner).invoked = ms(500);
    story.operation(winner).completed = Some(ms(510));
    let read = story.get(1500, 0, "k", Shown::Write(lost));
    assert_eq!(first(&story), End::Lost(LostKind::OrderInverted));
    // Nobody ever saw it: the next look there showed the winner.
    story.operation(read).answer = Some(Shown::Write(winner));
    story.put(1600, 0, "k", Shown::Write(winner));
    assert_eq!(first(&story), End::Lost(LostKind::AtBirth));
}

#[test]
fn a_write_went_with_its_disk_only_if_no_other_site_had_its_last_byte() {
    let mut story = Story::new();
    story.op(100, 0, "k", PUT);
    assert!(matches!(first(&story), End::Lost(_)), "no disk was lost");
    story.disk_lost(0, 5000, 0);
    assert_eq!(first(&story), End::Destroyed);
    story.delivered(1, 1, 200);
    assert!(matches!(first(&story), End::Lost(_)), "site 1 had it");
    story.disk_lost(1, 6000, 0);
    assert_eq!(first(&story), End::Destroyed, "both disks went");
    let outcome = story.told();
    let accounts = account(&Case::new(&outcome));
    assert_eq!((accounts.destroyed(), accounts.destroyed_bytes), (1, 64));
    assert_eq!(accounts.destroyed_age, ms(5890), "until the last copy went");
}

#[test]
fn a_backup_from_after_the_write_should_have_held_it() {
    let mut story = Story::new();
    story.op(100, 0, "k", PUT);
    story.disk_lost(0, 9000, 4000);
    assert!(matches!(first(&story), End::Lost(_)));
}

#[test]
fn a_copy_counts_only_where_it_could_be_kept() {
    let mut story = Story::new();
    story.op(100, 0, "k", PUT);
    story.disk_lost(0, 5000, 0);
    story.delivered(1, 1, 200);
    assert!(matches!(first(&story), End::Lost(_)));
    let full = Fault::DiskFull { site: 1, room: 0 };
    story.plan.faults.push(PlannedFault { at: ms(150), until: ms(400), fault: full });
    assert_eq!(first(&story), End::Destroyed);
}

#[test]
fn a_part_of_a_state_whose_sender_went_is_no_copy() {
    let mut story = Story::new();
    story.op(5100, 0, "k", PUT);
    story.delivered(1, 1, 5200);
    story.disk_lost(0, 6000, 0);
    assert!(matches!(first(&story), End::Lost(_)), "it came in the log");
    for delivery in &mut story.outcome.deliveries {
        delivery.in_state = true;
    }
    assert_eq!(first(&story), End::Destroyed);
    story.outcome.outages[0].at = ms(9000);
    assert!(matches!(first(&story), End::Lost(_)), "the sender was there for long enough");
}

#[test]
fn what_a_destroyed_write_had_replaced_must_stand_again_unless_the_key_was_written_after_it() {
    let mut story = Story::new();
    let older = story.put(100, 1, "k", Shown::Nothing);
    let gone = story.put(200, 0, "k", Shown::Write(older));
    story.disk_lost(0, 5000, 0);
    assert!(matches!(ends(&story)[&older], End::Lost(_)), "the write that replaced it never spread");
    assert_eq!(ends(&story)[&gone], End::Destroyed);
    let next = story.put(6000, 2, "k", Shown::Nothing);
    story.ends("k", &[(Current, next)]);
    assert_eq!(ends(&story)[&older], End::Superseded);
}

#[test]
fn writes_that_were_refused_or_never_answered_are_in_no_account() {
    let mut story = Story::new();
    let (refused, unknown) = (story.op(100, 0, "k", PUT), story.op(200, 0, "j", PUT));
    story.operation(refused).ending = Ending::Refused("503".into());
    story.operation(unknown).ending = Ending::Unknown;
    assert_eq!(ends(&story), BTreeMap::new());
}
