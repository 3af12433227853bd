//! What every store must do, as cases over `dyn Store`: [`suite!`] makes a test of each for one kind of store.

pub(super) mod again;
pub(super) mod attempts;
pub(super) mod front;
pub(super) mod health;
pub(super) mod log;
pub(super) mod order;
pub(super) mod queue;
pub(super) mod retention;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::{AnyEvent, Timestamp};

use super::Store;
use crate::model::{
    Answer, Attempt, Claimed, DeliveryKey, DeliveryState, EnabledEvents, EndpointId, EndpointKey,
    EndpointUrl, Finished, Ingested, Leased, Mode, NewEndpoint, Next, Outcome, Sealed, Standing, Wanted,
};

/// Where a store of one kind is kept for one case.
#[async_trait]
pub(super) trait Harness: Send + Sync {
    /// Opens it as a bridge does that starts: whoever had it before is gone.
    async fn open(&self, now: Timestamp) -> Arc<dyn Store>;
}

/// A test of each case; `$harness` makes a new harness.
macro_rules! suite {
    ($harness:expr) => {
        suite!(@ $harness, queue:
            an_event_is_stored_once_and_owed_to_whoever_wants_it_in_its_mode
            deliveries_are_numbered_without_gaps_and_claimed_in_order
            only_the_holder_of_the_lease_finishes_and_only_once
            a_retry_is_due_at_its_time_and_what_is_given_up_never_again
            what_a_killed_bridge_had_under_way_is_due_again
            what_is_interrupted_again_and_again_waits_and_is_parked
            a_lease_that_ran_out_is_taken_back_and_no_other
            what_became_too_old_ends_unsent
            webhooks_that_came_in_are_known_by_source_mode_and_id_and_listed_whole
            what_the_bridge_cannot_send_is_parked
            what_should_have_been_sent_is_known_and_nothing_else
        );
        suite!(@ $harness, front:
            what_is_stored_while_there_is_room_is_leased_at_once
            what_is_due_next_follows_in_the_room_of_what_was_delivered
            what_follows_is_what_is_due_then_and_goes_out_once
            where_there_is_no_room_it_is_claimed_in_its_turn
            what_was_handed_to_a_killed_bridge_is_due_again
            who_is_not_well_or_must_wait_is_handed_nothing
            numbers_have_no_gaps_whichever_way_they_go
        );
        suite!(@ $harness, order:
            a_key_waits_for_its_first_and_other_keys_flow
            a_failed_delivery_holds_its_key_and_nothing_else
            whatever_ends_a_delivery_lets_its_key_go
            nothing_waits_without_order_or_without_a_key
            a_kill_changes_no_order
            what_is_parked_holds_its_key_until_it_is_too_old
            whatever_happens_each_key_keeps_its_order
        );
        suite!(@ $harness, health:
            an_endpoint_that_asked_for_it_is_left_alone
            an_endpoint_that_fails_is_left_alone_and_then_tried_with_one_request
            one_that_is_too_slow_gets_fewer_at_once
            one_that_is_disabled_gets_nothing_and_whoever_wants_to_know_is_told
            how_an_endpoint_does_outlives_the_bridge
        );
        suite!(@ $harness, again:
            what_is_recovered_has_its_schedule_and_its_age_before_it
            what_was_given_up_is_recovered_part_by_part
            what_is_sent_again_is_what_was_asked_for_and_as_fast
            only_what_is_parked_is_released_and_its_faults_are_forgiven
            what_somebody_else_changed_is_not_overwritten
        );
        suite!(@ $harness, log:
            what_is_published_together_is_answered_again_by_its_key
            what_is_of_no_use_any_more_is_never_sent_and_its_key_goes_on
            what_is_of_no_use_any_more_is_not_sent_again
            the_logs_of_a_mode_are_read_page_by_page
            an_endpoint_is_given_once_what_it_missed
            what_was_made_for_one_endpoint_is_given_to_no_other
            what_is_replayed_is_of_use_and_keeps_its_order
            whatever_narrows_a_list_the_others_narrow_it_too
            a_list_of_endpoints_begins_at_one_that_was
            an_endpoint_of_one_source_gets_no_other
            what_is_new_is_told_and_what_was_left_out_is_counted
            how_an_endpoint_did_is_told_and_what_it_was_sent
            keys_are_for_their_mode_until_they_run_out_and_one_is_left
        );
        suite!(@ $harness, attempts:
            every_attempt_is_listed_the_newest_deliverys_first
            whichever_way_it_was_sent_its_attempt_is_listed
            what_is_sent_late_for_the_first_time_is_listed_and_forgotten
            what_is_not_sent_keeps_nothing_from_being_forgotten
            what_is_due_again_keeps_nothing_from_being_forgotten
            what_became_of_a_delivery_is_known_longer_than_its_attempts
        );
        suite!(@ $harness, retention:
            what_is_old_is_forgotten_little_by_little
            what_is_young_is_kept
            what_is_left_of_a_deleted_endpoint_is_forgotten_after_a_month
            what_is_tried_again_is_whole_and_never_sent_without_its_body
            what_is_tried_again_is_not_forgotten_and_its_key_keeps_its_order
            bodies_are_forgotten_also_after_all_was_forgotten
            what_is_sent_after_all_was_forgotten_is_the_new_events
            keys_of_publishing_that_ran_out_are_forgotten_little_by_little
        );
    };
    (@ $harness:expr, $group:ident: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            crate::store::conformance::$group::$case(&$harness).await;
        }
    )*};
}
pub(super) use suite;

/// A store, and a clock that a case moves.
pub(super) struct Shop {
    pub(super) store: Arc<dyn Store>,
    pub(super) now: Timestamp,
}

impl Shop {
    /// Opens the store, at a time when all that this case stores is due.
    pub(super) async fn open(harness: &dyn Harness) -> Self {
        let now = Timestamp::now().plus(Duration::from_secs(3600));
        Self { store: harness.open(now).await, now }
    }

    /// A bridge that was killed, and another one.
    pub(super) async fn reopen(self, harness: &dyn Harness) -> Self {
        self.store.close().await;
        drop(self.store);
        Self { store: harness.open(self.now).await, now: self.now }
    }

    pub(super) fn wait(&mut self, while_: Duration) {
        self.now = self.now.plus(while_);
    }

    pub(super) async fn create(&self, mode: Mode, events: &str) -> EndpointId {
        let url = EndpointUrl::parse("https://example.com/").unwrap();
        let events = EnabledEvents::parse(vec![events.to_owned()]).unwrap();
        let new = NewEndpoint::new(mode, url, events, ("standard", Sealed(vec![1])));
        self.store.create_endpoint(new, self.now).await.unwrap().id
    }

    /// An endpoint of the test mode.
    pub(super) async fn endpoint(&self, events: &str) -> EndpointKey {
        let id = self.create(Mode::Test, events).await;
        self.standing(&id).await.key
    }

    pub(super) async fn standing(&self, id: &EndpointId) -> Standing {
        self.store.standing(Mode::Test, id.clone()).await.unwrap().unwrap()
    }

    pub(super) async fn ingest(&self, id: &str) -> Ingested {
        self.store.ingest(event(id, None)).await.unwrap()
    }

    /// An event with a key.
    pub(super) async fn keyed(&self, id: &str, key: &str) {
        self.store.ingest(event(id, Some(key))).await.unwrap();
    }

    pub(super) async fn ask(&self, wanted: Wanted) -> Claimed {
        self.store.claim(vec![wanted], self.now).await.unwrap().remove(0)
    }

    pub(super) async fn claim(&self, endpoint: EndpointKey, most: u32) -> Vec<Leased> {
        self.ask(Wanted { endpoint, most, in_flight: 0 }).await.deliveries
    }

    /// The ids of the events that are claimed.
    pub(super) async fn ids(&self, endpoint: EndpointKey) -> Vec<String> {
        self.claim(endpoint, 99).await.into_iter().map(|one| one.payload.event_id.clone()).collect()
    }

    pub(super) async fn finish(&self, leased: &Leased, outcome: Outcome, next: Next) -> Finished {
        self.follow(leased, (outcome, next)).await.0
    }

    /// What became of an attempt, and what follows it in its room.
    pub(super) async fn follow(
        &self,
        leased: &Leased,
        (outcome, next): (Outcome, Next),
    ) -> (Finished, Option<Leased>) {
        let attempt = Attempt {
            delivery: leased.key,
            lease: leased.lease,
            number: leased.attempt,
            started_at: self.now,
            duration: Duration::ZERO,
            outcome,
            answer: Answer { body: "ok".into(), note: None },
            next,
        };
        self.store.finish(attempt).await.unwrap()
    }

    pub(super) async fn succeed(&self, leased: &Leased) -> Finished {
        self.finish(leased, status(200), Next::Succeeded).await
    }

    /// A failure that is due again at once.
    pub(super) async fn fail(&self, leased: &Leased, outcome: Outcome) -> Finished {
        self.finish(leased, outcome, Next::Retry(self.now)).await
    }

    pub(super) async fn state(&self, delivery: DeliveryKey) -> Option<DeliveryState> {
        self.store.state(delivery).await.unwrap()
    }
}

pub(super) fn status(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, wish: None }
}

pub(super) fn event(id: &str, key: Option<&str>) -> AnyEvent {
    let body = format!(
        r#"{{"id":"{id}","livemode":false,"type":"a.b","source":"shop","data":{{}},"created_at":"2026-01-01T00:00:00Z"}}"#
    );
    let event = AnyEvent::from_json(body).unwrap();
    event.with_envelope(|envelope| envelope.key = key.map(|key| eventbus::Key::new(key.to_owned()).unwrap()))
}
