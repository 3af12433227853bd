//! Settlement: ack is final, and what is not settled comes back.

use std::num::NonZeroU32;

use tokio::time::{Instant, timeout};

use crate::conformance::member::ids;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::transport::{Reason, Settled, Settlement, Token};

pub(crate) async fn ack_is_final(stage: &Stage) {
    let transport = stage.transport().await;
    let spec = stage.spec("g");
    let mut member = stage.join(&*transport, &spec, "first").await;
    stage.store(&*transport, &stage.payments(3, 3)).await;
    let messages = member.take(9).await;
    member.ack(&messages).await;
    stage.silence().await;
    member.crash();
    stage.join(&*transport, &spec, "second").await.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_lost_members_messages_go_to_a_peer(stage: &Stage) {
    let (one, two) = (stage.transport().await, stage.transport().await);
    let spec = stage.spec("g");
    let mut lost = stage.join(&*one, &spec, "lost").await;
    let mut peer = stage.join(&*two, &spec, "peer").await;
    stage.store(&*one, &stage.payments(5, 1)).await;
    let taken = lost.take(5).await;
    lost.apply(&taken[2], Settlement::Ack).await;
    lost.crash();
    let again = peer.take(4).await;
    assert!(again.iter().all(|message| message.attempt == 2), "the lost attempt counts");
    assert!(!ids(&again).contains(&taken[2].event.id().to_string()), "what was acknowledged stays so");
    peer.ack(&again).await;
    peer.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_lost_members_messages_wait_for_the_next(stage: &Stage) {
    let transport = stage.transport().await;
    let spec = stage.spec("g");
    for attempt in 1..=3 {
        let mut member = stage.join(&*transport, &spec, "member").await;
        if attempt == 1 {
            stage.store(&*transport, &stage.payments(2, 1)).await;
        }
        let messages = member.take(2).await;
        assert!(messages.iter().all(|message| message.attempt == attempt && message.history.is_none()));
        if attempt == 3 {
            member.ack(&messages).await;
        }
        member.crash();
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_message_is_settled_once_and_by_its_member(stage: &Stage) {
    let transport = stage.transport().await;
    let spec = stage.spec("g");
    let mut owner = stage.join(&*transport, &spec, "owner").await;
    let mut other = stage.join(&*transport, &spec, "other").await;
    stage.store(&*transport, &stage.payments(1, 2)).await;
    let messages = owner.take(2).await;
    assert_eq!(other.settle(&messages[0], Settlement::Ack).await, Settled::Lost, "it is not the other's");
    owner.apply(&messages[0], Settlement::Ack).await;
    assert_eq!(owner.settle(&messages[0], Settlement::Ack).await, Settled::Lost, "it is settled already");
    let invented = [
        (Token(u64::MAX), Settlement::Return),
        (Token(0), Settlement::Ack),
        (messages[1].token, Settlement::Ack),
    ];
    let settled = owner.membership.settler.settle(&invented).await;
    assert_eq!(settled, [Settled::Lost, Settled::Lost, Settled::Applied], "one result per message, in order");
    owner.hears_nothing().await;
}

pub(crate) async fn a_returned_message_comes_again_at_its_place_uncounted(stage: &Stage) {
    let transport = stage.transport().await;
    let mut member = stage.join(&*transport, &stage.spec("g"), "m").await;
    let events = stage.payments(6, 1);
    stage.store(&*transport, &events).await;
    let messages = member.take(3).await;
    for message in messages.iter().rev() {
        member.apply(message, Settlement::Return).await;
    }
    let again = member.take(6).await;
    let order: Vec<String> = events.iter().map(|event| event.id().to_string()).collect();
    assert_eq!(ids(&again), order, "returned messages have their old place");
    assert!(again.iter().all(|message| message.attempt == 1), "a return is no attempt");
    member.ack(&again).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_retry_comes_after_its_delay_with_its_history(stage: &Stage) {
    let transport = stage.transport().await;
    let mut member = stage.join(&*transport, &stage.spec("g"), "m").await;
    stage.store(&*transport, &stage.payments(1, 1)).await;
    for attempt in 1..=4 {
        let message = member.take(1).await.remove(0);
        assert_eq!(message.attempt, attempt);
        let texts: Vec<String> = message
            .history
            .iter()
            .flat_map(|history| {
                history.first.iter().chain(&history.latest).map(|failure| failure.message.clone())
            })
            .collect();
        let expected: Vec<String> = (1..attempt).map(|number| format!("failure {number}")).collect();
        assert_eq!(texts, expected, "the failures so far, oldest first");
        if attempt == 4 {
            member.ack(&[message]).await;
            break;
        }
        let (delay, since) = (stage.units(attempt), Instant::now());
        let failure = message.failure(Reason::Transient, &format!("failure {attempt}"));
        member.apply(&message, Settlement::RetryAfter { delay, failure }).await;
        let next = timeout(delay / 2, std::future::pending::<()>()).await;
        assert!(next.is_err() && since.elapsed() < delay);
    }
    let event = &stage.ledger.acked("g")[0];
    let starts = stage.ledger.starts("g", event);
    for (pair, attempt) in starts.windows(2).zip(1..) {
        let (waited, delay) = (pair[1].0 - pair[0].0, stage.units(attempt));
        assert!(
            waited >= delay && waited <= delay + stage.pace.slack,
            "waited {waited:?} instead of {delay:?}"
        );
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_reader_gives_no_more_than_its_credit(stage: &Stage) {
    let transport = stage.transport().await;
    let spec = stage.spec("g");
    let (mut small, mut large) =
        (stage.join(&*transport, &spec, "small").await, stage.join(&*transport, &spec, "large").await);
    stage.store(&*transport, &stage.payments(20, 5)).await;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        few.extend(small.take(1).await);
        many.extend(large.take(9).await);
    }
    // Whoever asks for no more gets no more: the rest is there for others.
    assert_eq!((few.len(), many.len()), (10, 90));
    small.ack(&few).await;
    large.ack(&many).await;
    large.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_stopped_reader_ends_and_what_it_took_can_be_settled(stage: &Stage) {
    let transport = stage.transport().await;
    let spec = stage.spec("g");
    let mut member = stage.join(&*transport, &spec, "first").await;
    stage.store(&*transport, &stage.payments(1, 4)).await;
    let messages = member.take(2).await;
    member.membership.settler.stop().await;
    let mut came = 0;
    loop {
        let batch = timeout(stage.pace.patience, member.membership.reader.receive(NonZeroU32::MIN)).await;
        match batch.expect("a stopped reader ends").expect("without an error").len() {
            0 => break,
            more => came += more,
        }
    }
    member.ack(&messages).await;
    member.crash();
    let mut next = stage.join(&*transport, &spec, "second").await;
    let rest = next.take(2).await;
    next.ack(&rest).await;
    assert!(came <= 2, "what was not taken before goes to the next member, at most with an attempt more");
    stage.ledger.check(&Bounds::strict().unseen_attempts(came));
}

pub(crate) async fn a_waiting_reader_is_stopped_too(stage: &Stage) {
    let transport = stage.transport().await;
    let member = stage.join(&*transport, &stage.spec("g"), "m").await;
    let (mut reader, settler) = (member.membership.reader, member.membership.settler);
    let waiting = tokio::spawn(async move { reader.receive(NonZeroU32::MIN).await.map(|batch| batch.len()) });
    tokio::time::sleep(stage.units(1)).await;
    settler.stop().await;
    let ended = timeout(stage.pace.patience, waiting).await.expect("it ends").expect("without a panic");
    assert_eq!(ended.expect("without an error"), 0);
}

pub(crate) async fn a_long_handler_is_handed_its_message_once(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let lease = one.capabilities().lease.map_or(stage.units(20), |lease| lease * 3);
    for (bus, member) in [(&one, "first"), (&two, "second")] {
        let handler = stage.handler(("slow", member), move |_, _| Act::Slow(lease));
        bus.subscribe("slow").on(handler).no_timeout().start().await.expect("it starts");
    }
    stage.publish(&one, &stage.payments(3, 1)).await;
    stage.settled(&one, "slow").await;
    assert_eq!(stage.ledger.started("slow"), 3);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn what_waits_in_a_member_does_not_age_into_duplicates(stage: &Stage) {
    let (one, two) = (stage.bus().await, stage.bus().await);
    let each = one.capabilities().lease.map_or(stage.units(3), |lease| lease / 2);
    for (bus, member) in [(&one, "first"), (&two, "second")] {
        let handler = stage.handler(("slow", member), move |_, _| Act::Slow(each));
        let subscription = bus.subscribe("slow").on(handler).concurrency(1).prefetch(16).no_timeout();
        subscription.start().await.expect("it starts");
    }
    stage.publish(&one, &stage.payments(12, 1)).await;
    stage.settled(&one, "slow").await;
    assert_eq!(stage.ledger.ended("slow", End::Acked), 12);
    stage.ledger.check(&Bounds::strict());
}
