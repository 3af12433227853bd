//! Models of the registry: groups that come and go while others publish.

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use super::queue::{Like, Member, PLENTY, Queues, event, name_of, number};
use super::sync::{Arc, AtomicBool, Ordering};
use crate::event::{of_type, step};
use crate::transport::Settlement;

/// Two sets of filters that match every event of the models, so two channels.
const ALL: &str = "#";
const STEPS: &str = "model.step";

/// The numbers of what a member can receive; there is something.
fn numbers(member: &Member) -> Vec<u32> {
    member.receive(PLENTY).expect("open").map(|received| number(event(&received))).collect()
}

/// While one thread publishes, others join a group with filters of its own and one that shares a channel; a third lets a
/// group come and go, and would remove one of the others. Whatever is published after a join returned reaches the group,
/// in order and once, and in the end the route names the channels that there are.
pub fn what_is_published_after_a_join_returned_reaches_the_group() {
    let queues = Queues::new();
    queues.create("old", Like::of(ALL));
    let joining: [Arc<AtomicBool>; 2] = Default::default();
    let names = ["own", "sharing"].into_iter().zip([STEPS, ALL]);
    let joins: Vec<_> =
        names.zip(joining.clone()).map(|(group, joined)| join(&queues, group, joined)).collect();
    let passing = {
        let queues = Arc::clone(&queues);
        thread::spawn(move || {
            queues.create("passing", Like::of(STEPS));
            assert!(queues.registry.remove(&name_of("own")).is_none(), "a group with a member stays");
            queues.remove("passing");
        })
    };
    let mut owed: [Vec<u32>; 2] = Default::default();
    for number in 0..3 {
        for (owed, joined) in owed.iter_mut().zip(&joining) {
            owed.extend(joined.load(Ordering::SeqCst).then_some(number));
        }
        queues.publish(&step("a", number));
    }
    let members: Vec<Member> = joins.into_iter().map(|join| join.join().expect("a member")).collect();
    passing.join().expect("a group that is gone");
    assert_eq!(queues.registry.route(&step("a", 3)).channels.len(), 2, "the route is as new as the groups");
    queues.publish(&step("a", 3));
    assert_eq!(numbers(&queues.join("old", Like::of(ALL))), [0, 1, 2, 3]);
    for (member, mut owed) in members.iter().zip(owed) {
        owed.push(3);
        let got = numbers(member);
        assert!(got.ends_with(&owed), "{got:?} were received and {owed:?} are owed");
        assert!(got.is_sorted_by(|one, next| one + 1 == *next), "{got:?}");
    }
}

fn join(
    queues: &Arc<Queues>,
    (name, pattern): (&'static str, &'static str),
    joined: Arc<AtomicBool>,
) -> JoinHandle<Member> {
    let queues = Arc::clone(queues);
    thread::spawn(move || {
        let member = queues.join(name, Like::of(pattern));
        joined.store(true, Ordering::SeqCst);
        member
    })
}

/// A publisher waits for room in a group that is removed: it goes on, what it publishes reaches the group that stays,
/// and nothing keeps the removed one.
pub fn a_removed_group_neither_blocks_a_publisher_nor_stays() {
    let queues = Queues::new();
    let doomed = Arc::downgrade(&queues.create("doomed", Like::of(ALL).capacity(1)));
    queues.create("staying", Like::of(STEPS));
    let publisher = {
        let queues = Arc::clone(&queues);
        thread::spawn(move || (0..3).for_each(|number| queues.publish(&step("a", number))))
    };
    queues.remove("doomed");
    publisher.join().expect("a publisher that ends");
    assert!(doomed.upgrade().is_none(), "somebody keeps the removed group");
    assert_eq!(queues.registry.route(&step("a", 3)).channels.len(), 1);
    assert_eq!(numbers(&queues.join("staying", Like::of(STEPS))), [0, 1, 2]);
}

/// Two publishers over two channels that both want everything: one order for all, and no deadlock.
pub fn two_publishers_over_two_channels_give_one_order() {
    let queues = Queues::new();
    queues.create("one", Like::of(ALL));
    queues.create("two", Like::of(STEPS));
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let queues = Arc::clone(&queues);
            thread::spawn(move || {
                (0..2).for_each(|number| queues.publish(&step("a", publisher * 10 + number)));
            })
        })
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().expect("a publisher that ends"));
    let (one, two) = (queues.join("one", Like::of(ALL)), queues.join("two", Like::of(STEPS)));
    let (one, two) = (numbers(&one), numbers(&two));
    assert_eq!(one, two);
    assert_eq!(one.len(), 4);
}

/// A handler of one group publishes to another and acknowledges, while somebody waits for the bus to be idle: it is not
/// before the other has acknowledged too.
pub fn idle_is_not_seen_between_a_publish_and_the_last_ack() {
    let queues = Queues::new();
    let member = |name: &str| queues.join(name, Like::of(&format!("model.{name}")));
    let (step_member, end_member) = (member("step"), member("end"));
    let done = Arc::new(AtomicBool::new(false));
    queues.publish(&step("a", 0));
    let publisher = Arc::clone(&queues);
    thread::spawn(move || handle(&step_member, || publisher.publish(&of_type("model.end", "a", 1))));
    let ended = Arc::clone(&done);
    thread::spawn(move || handle(&end_member, || ended.store(true, Ordering::SeqCst)));
    block_on(queues.quiet.until(|| queues.registry.is_idle(|| true).then_some(())));
    assert!(done.load(Ordering::SeqCst), "idle while an event was on its way");
}

fn handle(member: &Member, handler: impl FnOnce()) {
    let batch: Vec<_> = member.receive(1).expect("open").collect();
    handler();
    member.settle(&[(batch[0].token, Settlement::Ack)]);
}
