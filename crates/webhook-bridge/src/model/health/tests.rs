//! The rules for an endpoint that fails.

use super::*;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const MOST: u32 = 8;

/// An endpoint's health, attempt after attempt.
struct Story {
    health: Health,
    now: Timestamp,
    sequence: u64,
    policy: GonePolicy,
}

fn status(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None, wish: None }
}

impl Story {
    fn new() -> Self {
        Self { health: Health::default(), now: START, sequence: 0, policy: GonePolicy::Confirmed }
    }

    /// So much time passes.
    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self
    }

    /// One attempt of another delivery, which begins and ends now.
    fn one(&mut self, outcome: &Outcome) -> Option<Concern> {
        self.sequence += 1;
        self.again(outcome)
    }

    /// One more attempt of the same delivery.
    fn again(&mut self, outcome: &Outcome) -> Option<Concern> {
        let (sequence, now) = (self.sequence, self.now);
        self.health.observe(&Observed {
            gone: self.policy,
            outcome,
            sequence,
            started_at: now,
            now,
            most: MOST,
        })
    }

    fn many(&mut self, count: u32, outcome: &Outcome) {
        (0..count).for_each(|_| assert_eq!(self.one(outcome), None));
    }

    fn rests(&self) -> Option<u64> {
        self.health.rest(self.now).map(|until| until.since(self.now).as_secs())
    }
}

#[test]
fn an_endpoint_that_does_well_leaves_no_trace() {
    let mut story = Story::new();
    story.many(100, &status(200));
    assert_eq!(story.health, Health::default());
    assert_eq!((story.rests(), story.health.room(MOST)), (None, MOST));
}

#[test]
fn faults_of_the_bridge_are_not_charged_to_it() {
    let mut story = Story::new();
    story.many(100, &Outcome::Failed(Trouble::Internal));
    story.many(100, &Outcome::Failed(Trouble::Interrupted));
    assert_eq!(story.health, Health::default());
}

#[test]
fn the_breaker_opens_when_four_in_five_of_ten_within_a_minute_fail() {
    let mut story = Story::new();
    story.one(&status(500));
    story.many(2, &status(200));
    story.many(6, &status(500));
    assert_eq!(story.rests(), None, "7 of 9");
    story.one(&status(500));
    assert_eq!(story.rests(), Some(30), "8 of 10");

    let mut slowly = Story::new();
    for _ in 0..30 {
        slowly.after(10).one(&status(500));
    }
    assert_eq!(slowly.rests(), None, "seven a minute");
}

#[test]
fn the_breaker_opens_after_twenty_in_a_row_without_an_answer() {
    for trouble in [Trouble::Dns, Trouble::Connect, Trouble::Tls, Trouble::Timeout, Trouble::Reset] {
        let mut story = Story::new();
        for _ in 0..19 {
            story.after(30).one(&Outcome::Failed(trouble));
        }
        assert_eq!(story.rests(), None);
        story.after(30).one(&Outcome::Failed(trouble));
        assert_eq!(story.rests(), Some(30), "{trouble}");
    }
}

#[test]
fn an_open_breaker_lets_one_at_a_time_through_later_and_later() {
    let mut story = Story::new();
    story.many(10, &status(500));
    for wait in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(story.rests(), Some(wait));
        story.after(wait);
        assert_eq!((story.rests(), story.health.room(MOST)), (None, 1));
        story.one(&status(500));
    }
}

#[test]
fn what_began_before_the_breaker_opened_says_nothing_of_after() {
    let mut story = Story::new();
    story.many(10, &status(500));
    let (open, started_at) = (story.health.clone(), START);
    story.after(31);
    for outcome in [status(500), status(200)] {
        let mut health = open.clone();
        let observed = Observed {
            gone: story.policy,
            outcome: &outcome,
            sequence: 99,
            started_at,
            now: story.now,
            most: MOST,
        };
        health.observe(&observed);
        assert_eq!(health.breaker, open.breaker);
    }
}

#[test]
fn after_three_successes_it_is_called_again_a_little_more_each_time() {
    let mut story = Story::new();
    story.many(10, &status(500));
    story.after(30);
    for room in [1, 1, 1, 2, 4, 8] {
        story.one(&status(200));
        assert_eq!(story.health.room(MOST), room);
    }
    assert_eq!(story.health, Health::default());
}

#[test]
fn a_probe_that_fails_opens_it_for_longer() {
    let mut story = Story::new();
    story.many(10, &status(500));
    story.after(30).many(2, &status(200));
    story.one(&status(500));
    assert_eq!(story.rests(), Some(60));
}

#[test]
fn who_is_too_slow_or_says_so_gets_fewer_at_once_and_never_none() {
    for outcome in [status(429), Outcome::Failed(Trouble::Timeout)] {
        let mut story = Story::new();
        for room in [4, 2, 1, 1] {
            story.one(&outcome);
            assert_eq!(story.health.room(MOST), room);
        }
        for room in [2, 4, 8] {
            story.one(&status(200));
            assert_eq!(story.health.room(MOST), room);
        }
    }
}

#[test]
fn who_asks_to_be_left_alone_is_for_as_long_at_most_a_day() {
    let wait = |status, seconds| Outcome::Answered {
        status,
        retry_after: Some(Duration::from_secs(seconds)),
        wish: None,
    };
    for (outcome, rests) in [
        (wait(429, 60), Some(60)),
        (wait(503, 90), Some(90)),
        (wait(503, 1_000_000), Some(86_400)),
        (wait(500, 60), None),
        (wait(429, 0), None),
    ] {
        let mut story = Story::new();
        story.one(&outcome);
        assert_eq!(story.rests(), rests, "{outcome:?}");
    }
}

#[test]
fn three_deliveries_answered_410_over_ten_minutes_disable_it() {
    let gone = Some(Concern::Disabled(DisabledReason::Gone));
    let mut story = Story::new();
    story.many(3, &status(410));
    assert_eq!(story.after(599).one(&status(410)), None, "too soon");
    assert_eq!(story.after(1).one(&status(500)), None, "it does not say so");
    assert_eq!(story.again(&status(410)), gone);

    let mut same = Story::new();
    same.many(1, &status(410));
    assert_eq!(same.after(600).again(&status(410)), None);
    assert_eq!(same.after(600).again(&status(410)), None, "one delivery is not three");

    let mut between = Story::new();
    between.many(2, &status(410));
    between.after(600).many(1, &status(204));
    assert_eq!(between.one(&status(410)), None, "it is there after all");
}

#[test]
fn refusals_of_the_guard_in_a_row_and_for_twenty_minutes_disable_it() {
    let mut story = Story::new();
    let blocked = Outcome::Failed(Trouble::Blocked);
    story.many(100, &blocked);
    story.after(1200);
    story.many(1, &status(500));
    story.many(100, &blocked);
    story.after(1199);
    assert_eq!(story.one(&blocked), None, "DNS may have been wrong for a moment");
    story.after(1);
    assert_eq!(story.one(&blocked), Some(Concern::Disabled(DisabledReason::Blocked)));
}

#[test]
fn five_days_of_failures_disable_it_and_its_owner_is_told_after_one_and_three() {
    let mut story = Story::new();
    let mut told = Vec::new();
    for hour in 0..=120 {
        if let Some(concern) = story.one(&status(503)) {
            told.push((hour, concern));
        }
        story.after(3600);
    }
    let disabled = Concern::Disabled(DisabledReason::Failing);
    assert_eq!(told, [(24, Concern::Failing), (72, Concern::Failing), (120, disabled)]);
}

#[test]
fn one_success_clears_and_few_failures_are_not_enough() {
    let mut cleared = Story::new();
    for hour in 0..200 {
        cleared.after(3600).one(&status(if hour == 100 { 200 } else { 503 }));
    }
    assert_eq!(cleared.health.failing_since(), Some(START.plus(Duration::from_secs(102 * 3600))));

    let mut few = Story::new();
    for _ in 0..9 {
        assert_ne!(few.one(&status(503)), Some(Concern::Disabled(DisabledReason::Failing)));
        few.after(24 * 3600);
    }
    assert_eq!(few.one(&status(503)), Some(Concern::Disabled(DisabledReason::Failing)));
}

#[test]
fn an_endpoint_that_asks_for_it_is_disabled() {
    let mut story = Story::new();
    let asked = Outcome::Answered { status: 200, retry_after: None, wish: Some(Wish::Disable) };
    assert_eq!(story.one(&asked), Some(Concern::Disabled(DisabledReason::Receiver)));
}

#[test]
fn what_the_store_keeps_comes_back_as_it_was() {
    let mut story = Story::new();
    let hold = Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(5)), wish: None };
    for outcome in [hold, status(410), Outcome::Failed(Trouble::Timeout)] {
        story.one(&outcome);
    }
    story.many(10, &status(500));
    let text = serde_json::to_string(&story.health).unwrap();
    assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), story.health);
    assert_eq!(serde_json::from_str::<Health>("{}").unwrap(), Health::default());
}

#[test]
fn by_the_letter_one_410_is_enough() {
    let mut story = Story::new();
    story.policy = GonePolicy::Immediate;
    assert_eq!(story.one(&status(410)), Some(Concern::Disabled(DisabledReason::Gone)));
}
