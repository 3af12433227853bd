//! The models, each under two thousand interleavings unless the environment says otherwise.

use eventbus_tests::explore;
use eventbus_tests::local::{groups, keys, logs, registries, waiting};

#[test]
fn readers_of_a_log_see_every_entry_once_and_sleep_through_none() {
    explore(logs::readers_see_every_entry_once_in_order);
}

#[test]
fn a_publisher_that_waits_for_room_is_woken() {
    explore(waiting::who_waits_for_room_is_woken);
}

#[test]
fn a_message_is_with_one_member_at_a_time_and_never_lost() {
    explore(groups::a_message_is_with_one_member_and_never_lost);
}

#[test]
fn a_key_keeps_its_order_across_retries_and_members() {
    explore(groups::a_key_keeps_its_order_across_retries_and_members);
}

#[test]
fn what_a_member_left_with_comes_back_counted() {
    explore(groups::what_a_member_left_with_comes_back_counted);
}

#[test]
fn what_is_published_after_a_join_reaches_the_group() {
    explore(registries::what_is_published_after_a_join_returned_reaches_the_group);
}

#[test]
fn a_removed_group_neither_blocks_a_publisher_nor_stays() {
    explore(registries::a_removed_group_neither_blocks_a_publisher_nor_stays);
}

#[test]
fn publishers_over_several_channels_give_one_order() {
    explore(registries::two_publishers_over_two_channels_give_one_order);
}

#[test]
fn idle_is_not_seen_between_a_publish_and_the_last_ack() {
    explore(registries::idle_is_not_seen_between_a_publish_and_the_last_ack);
}

#[test]
fn a_key_runs_one_at_a_time_and_in_order_across_retries() {
    explore(keys::a_key_runs_one_at_a_time_and_in_order_across_retries);
}
