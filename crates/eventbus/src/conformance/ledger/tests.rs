use super::*;
use crate::conformance::sample::Payment;
use crate::event::{EventBuilder, IntoEvent as _};

fn event(id: &str, key: &str) -> AnyEvent {
    let payment = Payment { account: key.to_owned(), number: 1, amount: "1.00".to_owned() };
    EventBuilder::<Payment>::new(payment).id(id).into_event().unwrap()
}

fn ledger() -> Ledger {
    let ledger = Ledger::new(7);
    ledger.group("g", &[Filter::all()]);
    ledger
}

fn publish(ledger: &Ledger, event: &AnyEvent) {
    ledger.publishing(event);
    ledger.published(event, &Ok(()));
}

fn handle(ledger: &Ledger, event: &AnyEvent, attempt: u32, end: End) {
    ledger.begin(("g", "m"), event, attempt).end(end);
}

fn broken(ledger: &Ledger, bounds: Bounds) -> Vec<Invariant> {
    ledger.verify(&bounds).iter().map(|breach| breach.invariant).collect()
}

#[test]
fn a_clean_book_breaks_nothing() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    handle(&ledger, &a, 1, End::Failed);
    handle(&ledger, &a, 2, End::Returned);
    handle(&ledger, &a, 2, End::Cut);
    handle(&ledger, &a, 3, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict().ordered(OnDeadLetter::HoldKey)), []);
}

#[test]
fn a_confirmed_event_that_nobody_handled_is_missing() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::NoneMissing]);
    handle(&ledger, &a, 1, End::Failed);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::NoneMissing]);
    assert_eq!(broken(&ledger, Bounds::strict().unfinished()), []);
}

#[test]
fn loss_must_be_told_exactly() {
    let (ledger, a, b) = (ledger(), event("a", "k"), event("b", "k"));
    publish(&ledger, &a);
    publish(&ledger, &b);
    handle(&ledger, &b, 1, End::Acked);
    ledger.lost("g", &b, 1);
    assert_eq!(broken(&ledger, Bounds::strict()), []);
    ledger.lost("g", &b, 1);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::NoneMissing]);
}

#[test]
fn events_that_were_not_published_not_stored_or_not_wanted_are_foreign() {
    let (ledger, never, refused) = (ledger(), event("never", "k"), event("refused", "k"));
    handle(&ledger, &never, 1, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::NoneForeign]);
    ledger.publishing(&refused);
    handle(&ledger, &refused, 1, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()).len(), 1, "an unknown outcome may turn out either way");
    ledger.published::<()>(&refused, &Err(crate::Error::new(ErrorKind::Full, "no room")));
    assert_eq!(broken(&ledger, Bounds::strict()).len(), 2);
    ledger.group("late", &[Filter::all()]);
    ledger.begin(("late", "m"), &refused, 1).end(End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()).len(), 3);
}

#[test]
fn a_second_success_is_a_duplicate_unless_it_is_allowed_or_was_published_twice() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    handle(&ledger, &a, 1, End::Acked);
    handle(&ledger, &a, 2, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::Duplicates]);
    assert_eq!(broken(&ledger, Bounds::strict().duplicates(1)), []);
    publish(&ledger, &a);
    assert_eq!(broken(&ledger, Bounds::strict()), []);
}

#[test]
fn holes_and_repetitions_of_attempts_are_found() {
    let (ledger, a, b) = (ledger(), event("a", "k"), event("b", "l"));
    publish(&ledger, &a);
    handle(&ledger, &a, 1, End::Failed);
    handle(&ledger, &a, 3, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::Attempts]);
    assert_eq!(broken(&ledger, Bounds::strict().unseen_attempts(1)), []);
    publish(&ledger, &b);
    handle(&ledger, &b, 1, End::Failed);
    handle(&ledger, &b, 1, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict().unseen_attempts(1)), [Invariant::Attempts]);
}

#[test]
fn a_copy_of_what_was_handled_counts_its_own_attempts_and_is_a_duplicate() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    handle(&ledger, &a, 1, End::Failed);
    handle(&ledger, &a, 2, End::Acked);
    handle(&ledger, &a, 2, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::Duplicates]);
    assert_eq!(broken(&ledger, Bounds::strict().duplicates(1)), []);
}

#[test]
fn overtaking_and_overlapping_within_a_key_are_found() {
    let overtaken = ledger();
    let (a, b, other) = (event("a", "k"), event("b", "k"), event("c", "l"));
    [&a, &b, &other].into_iter().for_each(|event| publish(&overtaken, event));
    handle(&overtaken, &other, 1, End::Acked);
    handle(&overtaken, &a, 1, End::Failed);
    handle(&overtaken, &b, 1, End::Acked);
    handle(&overtaken, &a, 2, End::Acked);
    assert_eq!(broken(&overtaken, Bounds::strict().ordered(OnDeadLetter::Skip)), [Invariant::OrderPerKey]);
    assert_eq!(broken(&overtaken, Bounds::strict()), []);

    let overlapping = ledger();
    [&a, &b].into_iter().for_each(|event| publish(&overlapping, event));
    let first = overlapping.begin(("g", "m"), &a, 1);
    let second = overlapping.begin(("g", "n"), &b, 1);
    first.end(End::Acked);
    second.end(End::Acked);
    assert_eq!(broken(&overlapping, Bounds::strict().ordered(OnDeadLetter::Skip)), [Invariant::OrderPerKey]);
}

#[test]
fn a_dead_letter_holds_its_key_unless_the_policy_is_to_skip() {
    let (ledger, a, b) = (ledger(), event("a", "k"), event("b", "k"));
    [&a, &b].into_iter().for_each(|event| publish(&ledger, event));
    handle(&ledger, &a, 1, End::Dead);
    handle(&ledger, &b, 1, End::Acked);
    assert_eq!(broken(&ledger, Bounds::strict().ordered(OnDeadLetter::Skip)), []);
    assert_eq!(broken(&ledger, Bounds::strict().ordered(OnDeadLetter::HoldKey)), [Invariant::OrderPerKey]);
}

#[test]
fn nothing_may_follow_a_final_settlement_but_a_redrive() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    handle(&ledger, &a, 1, End::Dead);
    ledger.settled("g", &a);
    ledger.redriven("g", &a);
    handle(&ledger, &a, 1, End::Acked);
    ledger.settled("g", &a);
    assert_eq!(broken(&ledger, Bounds::strict()), []);
    handle(&ledger, &a, 2, End::Failed);
    assert_eq!(broken(&ledger, Bounds::strict()), [Invariant::NothingAfterEnd]);
}

#[test]
fn a_handling_that_is_dropped_or_crashes_is_cut_once() {
    let (ledger, a, b) = (ledger(), event("a", "k"), event("b", "l"));
    [&a, &b].into_iter().for_each(|event| publish(&ledger, event));
    drop(ledger.begin(("g", "m"), &a, 1));
    let late = ledger.begin(("g", "m"), &b, 1);
    ledger.crash("g", "m");
    late.end(End::Acked);
    assert_eq!((ledger.ended("g", End::Cut), ledger.ended("g", End::Acked)), (2, 0));
}

#[test]
#[should_panic(expected = "seed 7")]
fn the_report_names_the_seed() {
    let (ledger, a) = (ledger(), event("a", "k"));
    publish(&ledger, &a);
    ledger.check(&Bounds::strict());
}
