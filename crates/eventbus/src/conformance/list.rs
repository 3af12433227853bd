//! The list of cases: the one place that knows them all.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use tokio::time::timeout;

use super::cases;
use super::faults::Fault;
use super::harness::Harness;
use super::matrix::record;
use super::stage::Stage;
use crate::transport::Capabilities;

/// A promise that is checked.
pub struct Case {
    /// The file it is in.
    pub theme: &'static str,
    /// The promise.
    pub name: &'static str,
    needs: &'static [Need],
    run: for<'a> fn(&'a Stage) -> BoxFuture<'a, ()>,
}

/// What a transport and its harness must be able to do for a case to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    KeyOrder,
    Broadcast,
    Ephemeral,
    Replay,
    Delay,
    Retry,
    Dead,
    Overflow,
    Durable,
    Hours,
    Kill,
    Cut,
    HalfOpen,
    Stall,
    Throttle,
    Stop,
    Vanish,
    Process,
}

macro_rules! table {
    ([] $($theme:ident { $($case:ident [$($need:ident)*];)* })*) => {
        &[$($(Case {
            theme: stringify!($theme),
            name: stringify!($case),
            needs: &[$(Need::$need),*],
            run: |stage| Box::pin(cases::$theme::$case(stage)),
        },)*)*]
    };
}

/// Calls a macro with the list of all cases: theme, case, what it needs.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { [$($args)*]
            routing {
                an_event_comes_back_as_it_went [];
                bytes_that_came_in_are_the_bytes_that_go_out [];
                types_and_sources_do_not_mix [];
                patterns_follow_the_truth_table [];
                nobody_wanting_an_event_is_no_error [];
                unknown_types_pass_through [];
                the_exact_handler_goes_before_patterns [];
                an_event_that_several_filters_want_comes_once [];
            }
            groups {
                every_group_gets_every_event [];
                members_share_without_overlap [];
                running_members_all_get_work [];
                broadcast_gives_every_instance_everything [Broadcast];
                a_broadcast_is_one_group_to_its_operator [Broadcast Dead];
                a_group_named_like_an_instance_is_a_group_of_its_own [Broadcast];
                a_group_keeps_what_comes_while_no_member_runs [];
                an_ephemeral_group_goes_with_its_last_member [Ephemeral];
                a_forgotten_group_is_gone_with_everything [];
                a_group_does_not_change_what_it_wants_while_it_runs [];
                groups_with_the_same_filters_do_not_share [];
            }
            replay {
                a_new_group_starts_with_what_is_published_from_now_on [Replay];
                from_the_beginning_a_group_gets_everything_in_order [Replay];
                from_an_event_a_group_gets_it_and_what_follows [Replay];
                from_a_time_a_group_gets_what_was_stored_then_or_later [Replay];
                an_unknown_event_is_not_found_and_makes_no_group [Replay];
                a_group_that_exists_goes_on_where_it_stands [Replay];
                of_the_past_too_a_group_gets_only_what_it_wants [Replay];
                the_past_goes_over_into_the_present_without_a_gap [Replay];
                a_subscription_says_where_its_group_starts [Replay Retry];
                every_instance_of_a_broadcast_starts_there [Replay Broadcast];
            }
            settlement {
                ack_is_final [];
                a_lost_members_messages_go_to_a_peer [];
                a_lost_members_messages_wait_for_the_next [];
                a_message_is_settled_once_and_by_its_member [];
                a_returned_message_comes_again_at_its_place_uncounted [];
                a_retry_comes_after_its_delay_with_its_history [Retry];
                a_reader_gives_no_more_than_its_credit [];
                a_stopped_reader_ends_and_what_it_took_can_be_settled [];
                a_waiting_reader_is_stopped_too [];
                a_long_handler_is_handed_its_message_once [];
                what_waits_in_a_member_does_not_age_into_duplicates [];
            }
            retry {
                attempts_and_delays_follow_the_policy [Retry];
                a_message_is_tried_as_often_as_the_policy_says [Retry Dead];
                a_waiting_retry_holds_up_nobody [Retry];
                an_error_may_name_its_delay [Retry];
                a_permanent_error_is_not_tried_again [Retry Dead];
                a_panic_is_a_failure_and_the_subscription_lives [Retry Dead];
                a_handler_that_takes_too_long_is_dropped_and_tried_again [Retry Dead];
                a_handler_sees_its_attempt_and_the_last_failure [Retry];
                a_retry_may_go_to_any_member [Retry];
            }
            dead_letters {
                a_dead_letter_keeps_the_event_and_its_history [Dead Retry];
                poison_is_dead_lettered_once_and_the_next_event_is_handled [Dead];
                an_event_that_kills_its_member_is_fenced_and_its_siblings_survive [Dead Retry];
                redrive_hands_out_one_some_or_all_again [Dead];
                redrive_keeps_to_its_rate [Dead];
                redrive_keeps_the_order_of_a_key [Dead KeyOrder];
                purged_dead_letters_are_gone [Dead];
                a_key_held_by_a_dead_letter_goes_on_after_a_purge [Dead KeyOrder];
                bytes_that_are_no_event_do_not_end_a_subscription [Dead KeyOrder];
                any_event_is_also_kept_when_no_handler_can_read_it [Dead];
            }
            order {
                a_thousand_keys_keep_their_order_at_once [KeyOrder];
                no_sibling_overtakes_across_retries [KeyOrder Retry];
                other_keys_flow_while_one_is_held [KeyOrder Retry];
                a_dead_letter_holds_its_key_until_it_is_redriven [KeyOrder Retry Dead];
                a_key_may_go_on_without_its_dead_letter [KeyOrder Retry Dead];
                order_survives_members_that_join_and_leave [KeyOrder Retry];
                order_survives_a_member_that_crashes [KeyOrder];
                a_transport_holds_the_key_of_a_waiting_message [KeyOrder Retry Dead];
                a_returned_message_keeps_its_place_in_its_key [KeyOrder];
                without_order_a_key_holds_up_nothing [KeyOrder Retry];
            }
            overflow {
                publishing_waits_for_room_and_loses_nothing [Overflow];
                waiting_for_room_ends_at_the_deadline [Overflow];
                a_full_group_may_fail_publishing_at_once [Overflow];
                dropped_events_are_told_to_the_number [Overflow];
                dropped_events_are_told_while_keys_are_held [Overflow KeyOrder Retry];
                dropping_takes_a_batch_larger_than_the_queue [Overflow];
                a_handler_that_publishes_to_a_full_group_is_told_so [Overflow];
                a_slow_group_does_not_slow_its_peers [Overflow];
                held_keys_and_retries_take_room_too [Overflow KeyOrder Retry];
            }
            publish {
                publishers_at_once_lose_nothing [];
                a_batch_has_one_outcome_per_event [];
                a_batch_with_a_bad_event_is_refused_whole [];
                what_breaks_a_rule_is_invalid_and_nothing_else_suffers [];
                a_missing_answer_is_unknown_and_never_ok [];
                what_the_transport_says_reaches_the_publisher [];
                a_dropped_publish_loses_no_stored_event [];
                after_close_everything_says_closed [];
            }
            idempotency {
                one_event_published_thrice_has_one_effect [Retry];
                a_crash_between_effect_and_ack_repeats_the_message_not_the_effect [];
                a_crash_without_a_guard_repeats_the_effect_once [];
                a_duplicate_in_progress_is_deferred_and_not_dropped [Retry Dead];
                a_failed_attempt_is_not_taken_for_done [Retry];
                a_group_does_not_do_another_groups_work [];
                a_claim_that_a_handler_could_outlive_is_refused [];
            }
            delayed {
                events_come_at_their_time_and_in_its_order [Delay];
                an_event_waits_for_hours [Delay Hours];
                a_cancelled_event_never_comes [Delay];
                an_event_of_the_past_comes_at_once [Delay];
                a_group_gets_what_becomes_due_after_its_first_subscription [Delay];
                a_delay_without_end_is_refused [Delay];
            }
            shutdown {
                a_shutdown_drains_what_would_be_lost_with_the_process [Retry];
                a_shutdown_ends_at_its_deadline_and_tells_what_is_left [Retry Dead KeyOrder];
                a_broadcast_that_is_not_done_is_told_too [Broadcast Retry];
                events_that_wait_for_their_time_are_told_too [Delay];
                a_stop_gives_back_what_has_not_started [];
                a_handler_over_the_deadline_is_dropped_and_its_message_comes_once_more [];
                handlers_may_publish_while_the_bus_drains [];
                two_shutdowns_at_once_cut_nothing_short [];
                a_shutdown_is_idempotent_and_may_have_no_deadline [];
            }
            resources {
                a_thousand_subscriptions_leave_nothing_behind [Ephemeral KeyOrder Broadcast];
                an_ephemeral_group_takes_its_backlog_along [Ephemeral Retry];
                what_was_handled_by_all_groups_leaves_memory [KeyOrder];
                a_backlog_costs_its_events_once_for_all_groups [];
                a_closed_bus_leaves_no_task [];
            }
            health {
                counters_equal_the_ledger [Retry Dead];
                pause_starts_nothing_and_resume_goes_on [];
                a_receive_loop_that_does_not_turn_is_found [];
                an_idle_subscription_shows_that_it_lives [];
                a_reader_that_fails_is_replaced_and_health_tells [];
                a_stop_in_an_outage_does_not_wait_for_its_end [];
                what_is_wrong_with_the_transport_is_told [];
                what_ran_when_its_reader_failed_comes_again [];
                a_bus_whose_transport_closes_says_so [];
                what_a_handler_publishes_carries_the_trace_on [];
            }
            handlers {
                a_layer_sees_every_attempt_and_its_error_is_a_failure [Retry Dead];
                a_stream_is_settled_by_hand [Retry Dead];
                a_dropped_stream_gives_back_what_it_had [];
                a_subscription_has_handlers_or_a_stream [];
            }
            refusal {
                what_the_transport_lacks_is_refused_at_the_start [];
                a_delay_the_transport_cannot_keep_is_refused [Retry];
                a_time_out_the_transport_cannot_wait_for_is_refused [];
                bad_names_patterns_and_numbers_are_refused_at_the_start [];
                capabilities_are_what_they_say [];
            }
            clock {
                an_events_own_time_moves_nothing [Retry];
                a_clock_that_stands_still_for_hours_wakes_nothing_early [Hours Retry];
            }
            soak {
                everything_at_once_keeps_order_and_loses_nothing [KeyOrder Retry Dead];
                everything_at_once_loses_nothing_without_order [Retry Dead];
            }
            outages {
                ten_kills_in_mid_stream_lose_nothing_confirmed [Kill Durable];
                publishing_in_an_outage_ends_at_its_deadline [Kill];
                a_retry_survives_the_servers_death [Kill Durable Retry];
                a_cut_connection_is_made_again [Cut];
                a_half_open_connection_is_noticed [HalfOpen];
                a_stalled_connection_goes_on_where_it_stood [Stall];
                a_slow_network_takes_no_lease_away [Throttle];
                a_server_that_stands_still_goes_on_where_it_stood [Stop];
                what_vanished_from_a_server_is_set_up_again [Vanish];
            }
            processes {
                what_a_killed_process_held_goes_to_a_peer [Process];
                processes_killed_in_mid_stream_lose_nothing [Process];
                order_per_key_survives_a_killed_process [Process KeyOrder];
                a_process_that_stood_still_hurts_only_what_it_held [Process KeyOrder];
            }
        }
    };
}

/// Every case of the suite.
pub const CASES: &[Case] = crate::conformance_cases! { [table] [] };

impl Case {
    /// Theme and name: `theme::name`.
    pub fn title(&self) -> String {
        format!("{}::{}", self.theme, self.name)
    }

    /// The first thing that is missing for this case, where something is.
    pub fn missing(&self, can: &Capabilities, harness: &dyn Harness) -> Option<String> {
        self.needs.iter().find_map(|need| need.missing(can, harness))
    }

    /// The faults it inflicts.
    pub fn faults(&self) -> Vec<Fault> {
        self.needs.iter().filter_map(|need| need.fault()).collect()
    }
}

impl Need {
    fn missing(self, can: &Capabilities, harness: &dyn Harness) -> Option<String> {
        let (is_there, name) = match self {
            Self::KeyOrder => (can.key_order, "order per key".to_owned()),
            Self::Broadcast => (can.broadcast, "broadcast".to_owned()),
            Self::Ephemeral => (can.ephemeral, "ephemeral groups".to_owned()),
            Self::Replay => (can.replay, "start in the past".to_owned()),
            Self::Delay => (can.delayed_publish, "delayed publish".to_owned()),
            Self::Retry => (can.retry_delay.is_some(), "retry delay".to_owned()),
            Self::Dead => (can.dead_letters, "dead letters".to_owned()),
            Self::Overflow => (can.overflow, "overflow by choice".to_owned()),
            Self::Durable => (can.durability.outlives_process(), "durability".to_owned()),
            Self::Hours => (harness.pace().longest >= Duration::from_secs(3 * 3600), "hours".to_owned()),
            Self::Process => (harness.child().is_some(), "a process of its own".to_owned()),
            _ => {
                let fault = self.fault().expect("all other needs are faults");
                let can = harness.faults().is_some_and(|faults| faults.can().contains(&fault));
                (can, format!("faults: {fault}"))
            }
        };
        (!is_there).then_some(name)
    }

    fn fault(self) -> Option<Fault> {
        match self {
            Self::Kill => Some(Fault::Kill),
            Self::Cut => Some(Fault::Cut),
            Self::HalfOpen => Some(Fault::HalfOpen),
            Self::Stall => Some(Fault::Stall),
            Self::Throttle => Some(Fault::Throttle),
            Self::Stop => Some(Fault::Stop),
            Self::Vanish => Some(Fault::Vanish),
            _ => None,
        }
    }
}

/// Runs one case of the list by its title, or says what it was skipped for; `folder` is where the matrix is kept.
///
/// The tests that [`conformance!`](macro@crate::conformance) makes call it.
///
/// # Panics
/// When the promise is broken, when there is no such case, and when the case hangs.
#[expect(
    clippy::print_stdout,
    reason = "a test's output: the seed of a failure, the reason of a skip, the figures"
)]
pub async fn run(harness: Arc<dyn Harness>, title: &str, folder: Option<&str>) {
    let case = CASES.iter().find(|case| case.title() == title).expect("the title is one of the list");
    harness.start(&case.faults()).await;
    let transport = harness.connect().await.expect("the harness connects");
    let capabilities = transport.capabilities();
    if let Some(missing) = case.missing(&capabilities, &*harness) {
        println!("skipped: {missing}");
        record(folder, &capabilities, case, &format!("skipped: {missing}"));
        return;
    }
    let seed = seed();
    println!("{title}: CONFORMANCE_SEED={seed}");
    let stage = Stage::new(Arc::clone(&harness), seed);
    let longest = stage.pace.longest;
    let ended = timeout(longest, (case.run)(&stage)).await;
    println!("{title}: {}", stage.ledger.summary());
    assert!(ended.is_ok(), "{title} has not ended after {longest:?}");
    harness.stop().await;
    record(folder, &capabilities, case, "passed");
}

/// The seed of this run: `CONFORMANCE_SEED`, to repeat one, or the clock's.
fn seed() -> u64 {
    let given = std::env::var("CONFORMANCE_SEED").ok().and_then(|seed| seed.parse().ok());
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
    given.unwrap_or_else(clock)
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("title", &self.title()).field("needs", &self.needs).finish()
    }
}
