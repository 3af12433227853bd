//! Groups: members share, groups do not; a group exists from its first subscription on.

use crate::conformance::member::ids;
use crate::conformance::sample::Refund;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{Event, Filter};
use crate::transport::{Group, Mode, Order, Settlement};
use crate::{ErrorKind, Select};

pub(crate) async fn every_group_gets_every_event(stage: &Stage) {
    let bus = stage.bus().await;
    for group in ["ledger", "mail", "fraud"] {
        let handler = stage.handler((group, "m"), |_, _| Act::Ack);
        bus.subscribe(group).on(handler).start().await.expect("it starts");
    }
    stage.publish(&bus, &stage.payments(10, 20)).await;
    for group in ["ledger", "mail", "fraud"] {
        stage.until("the group has all", || stage.ledger.ended(group, End::Acked) >= 200).await;
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn members_share_without_overlap(stage: &Stage) {
    let (one, two) = (stage.transport().await, stage.transport().await);
    let spec = stage.spec("shared");
    let mut first = stage.join(&*one, &spec, "first").await;
    let mut second = stage.join(&*two, &spec, "second").await;
    stage.store(&*one, &stage.payments(4, 10)).await;
    let (mut here, there) = (first.take(15).await, second.take(15).await);
    here.extend(first.take(10).await);
    let mut all = ids(&here);
    all.extend(ids(&there));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40, "the parts are disjoint and complete");
    first.ack(&here).await;
    second.ack(&there).await;
    first.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn running_members_all_get_work(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let slow = stage.units(1);
    let work = move |_: &_, _| Act::Slow(slow);
    for (bus, member) in [(&one, "first"), (&two, "second")] {
        let handler = stage.handler(("shared", member), work);
        bus.subscribe("shared").on(handler).concurrency(2).prefetch(2).start().await.expect("it starts");
    }
    let since = tokio::time::Instant::now();
    stage.publish(&one, &stage.payments(8, 1)).await;
    stage.until("all were handled", || stage.ledger.ended("shared", End::Acked) == 8).await;
    assert!(since.elapsed() < stage.units(4), "two members with two handlers each take half as long as one");
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn broadcast_gives_every_instance_everything(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let early = stage.payments(3, 4);
    for (bus, group) in [(&one, "early-1"), (&two, "early-2")] {
        let handler = stage.handler((group, "m"), |_, _| Act::Ack);
        bus.subscribe("cache").on(handler).broadcast().start().await.expect("it starts");
    }
    stage.publish(&one, &early).await;
    // An instance that joins late gets what comes from then on, and nothing of before.
    let handler = stage.handler(("late", "m"), |_, _| Act::Ack);
    two.subscribe("cache").on(handler).broadcast().start().await.expect("it starts");
    stage.publish(&one, &stage.payments(3, 4)).await;
    for (group, count) in [("early-1", 24), ("early-2", 24), ("late", 12)] {
        stage.until("the instance has all", || stage.ledger.ended(group, End::Acked) >= count).await;
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_broadcast_is_one_group_to_its_operator(stage: &Stage) {
    let bus = stage.bus().await;
    let longest = "b".repeat(100);
    for instance in ["one", "two"] {
        let handler = stage.handler((instance, "m"), |_, _| Act::GiveUp);
        bus.subscribe(longest.as_str()).on(handler).broadcast().start().await.expect("it starts");
    }
    stage.publish(&bus, &[stage.payment("k")]).await;
    stage.backlog(&bus, &longest, |backlog| backlog.dead == 2 && backlog.members == 2).await;
    let dead = bus.dead_letters(&longest).expect("the name is legal");
    assert_eq!(dead.list(Select::all(), 10).await.expect("it lists").len(), 2);
    assert_eq!(dead.purge(Select::all()).await.expect("it purges"), 2);
    stage.backlog(&bus, &longest, |backlog| backlog.dead == 0).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_named_like_an_instance_is_a_group_of_its_own(stage: &Stage) {
    let bus = stage.bus().await;
    for name in ["cache.0", "cache.1", "cache.2"] {
        let handler = stage.handler((name, "m"), |_, _| Act::Ack);
        bus.subscribe(name).on(handler).start().await.expect("it starts");
    }
    for instance in ["one", "two"] {
        let handler = stage.handler((instance, "m"), |_, _| Act::Ack);
        bus.subscribe("cache").on(handler).broadcast().start().await.expect("it starts");
    }
    stage.publish(&bus, &stage.payments(1, 5)).await;
    for group in ["cache.0", "cache.1", "cache.2", "one", "two"] {
        stage.until("the group has all", || stage.ledger.ended(group, End::Acked) >= 5).await;
    }
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_keeps_what_comes_while_no_member_runs(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("mail", "first"), |_, _| Act::Ack);
    let first = bus.subscribe("mail").on(handler).start().await.expect("it starts");
    stage.publish(&bus, &stage.payments(2, 3)).await;
    stage.settled(&bus, "mail").await;
    first.stop(stage.units(1)).await;
    stage.publish(&bus, &stage.payments(2, 5)).await;
    stage.backlog(&bus, "mail", |backlog| backlog.queued == 10 && backlog.members == 0).await;
    let handler = stage.handler(("mail", "second"), |_, _| Act::Ack);
    bus.subscribe("mail").on(handler).start().await.expect("it starts");
    stage.settled(&bus, "mail").await;
    stage.ledger.check(&Bounds::strict());
    assert_eq!(stage.ledger.ended("mail", End::Acked), 16);
}

pub(crate) async fn an_ephemeral_group_goes_with_its_last_member(stage: &Stage) {
    let bus = stage.bus().await;
    let start = async |member: &'static str| {
        let handler = stage.handler(("tail", member), |_, _| Act::Ack);
        bus.subscribe("tail").on(handler).ephemeral().start().await.expect("it starts")
    };
    let (first, second) = (start("first").await, start("second").await);
    first.stop(stage.units(1)).await;
    stage.publish(&bus, &stage.payments(2, 2)).await;
    stage.until("the second member goes on", || stage.ledger.ended("tail", End::Acked) == 4).await;
    second.stop(stage.units(1)).await;
    stage.until_async("the group is gone", || async { matches!(bus.backlog("tail").await, Ok(None)) }).await;
    bus.publish(&stage.payment("unwanted")).await.expect("it is stored for nobody");
    start("third").await;
    stage.publish(&bus, &stage.payments(2, 1)).await;
    stage.until("the new group works", || stage.ledger.ended("tail", End::Acked) == 6).await;
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_forgotten_group_is_gone_with_everything(stage: &Stage) {
    let bus = stage.bus().await;
    let start = async |member: &'static str| {
        bus.subscribe("old")
            .on(stage.handler(("old", member), |_, _| Act::Ack))
            .start()
            .await
            .expect("it starts")
    };
    let first = start("first").await;
    let error = bus.forget("old").await.expect_err("a group with members stays");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    first.stop(stage.units(1)).await;
    bus.publish(&stage.payment("to be forgotten")).await.expect("it is stored");
    assert!(bus.forget("old").await.expect("it is forgotten"));
    assert!(!bus.forget("old").await.expect("there is nothing to forget"));
    assert_eq!(bus.backlog("old").await.expect("it is told"), None);
    start("second").await;
    stage.publish(&bus, &stage.payments(1, 2)).await;
    stage.settled(&bus, "old").await;
    stage.silence().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_group_does_not_change_what_it_wants_while_it_runs(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("fixed", "m"), |_, _| Act::Ack);
    let _running = bus.subscribe("fixed").on(handler).start().await.expect("it starts");
    let other = bus.subscribe("fixed").on(|_: Event<Refund>| async { Ok(()) }).start().await;
    assert_eq!(other.expect_err("the group runs with other types").kind(), ErrorKind::Conflict);
    stage.publish(&bus, &stage.payments(1, 3)).await;
    stage.settled(&bus, "fixed").await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn groups_with_the_same_filters_do_not_share(stage: &Stage) {
    let transport = stage.transport().await;
    let (mut spec, mut members) = (stage.spec("g0"), Vec::new());
    spec.filters = vec![Filter::new("conformance.#".parse().expect("a pattern"))];
    for (index, order) in [Order::None, Order::None].into_iter().enumerate() {
        spec.group = Group::new(format!("g{index}")).expect("the name is legal");
        (spec.order, spec.mode) = (order, Mode::Shared);
        members.push(stage.join(&*transport, &spec, "m").await);
    }
    stage.store(&*transport, &stage.payments(1, 1)).await;
    for mut member in members {
        let message = member.take(1).await.remove(0);
        member.apply(&message, Settlement::Ack).await;
        member.hears_nothing().await;
    }
    stage.ledger.check(&Bounds::strict());
}
