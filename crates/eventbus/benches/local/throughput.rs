//! Throughput: from the first publish until the last handler has run.

use std::sync::Arc;

use eventbus::AnyEvent;
use eventbus::transport::Order;

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::contenders::{Broadcast, Ours, Twin};
use crate::events::{self, TYPES};
use crate::load::{Contender, Groups, Load, Throughput, Wants, throughput};
use crate::table::{Goal, Line, cost, rate};

/// A row: who wants what, how it is published, and what we want to reach.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    groups: fn() -> Vec<Wants>,
    pool: fn() -> Arc<[AnyEvent]>,
    batch: usize,
    /// Thousands of events for us, for the broadcast channel and for the twin: about half a second's worth each.
    thousands: [usize; 3],
    /// Over the broadcast channel and over the twin.
    goals: [Goal; 2],
}

/// Over the twin, in every row.
const TWIN: Goal = Goal::AtLeast(0.9);

const ROWS: &[Row] = &[
    Row {
        name: "selective: 64 × 1 of 32 types",
        groups: selective,
        pool: events::mixed,
        batch: 1,
        thousands: [1_000, 200, 500],
        goals: [Goal::Moonshot(5.0, 7.0), TWIN],
    },
    Row {
        name: "selective-batch: by 256",
        groups: selective,
        pool: events::mixed,
        batch: 256,
        thousands: [1_000, 200, 500],
        goals: [Goal::None, TWIN],
    },
    Row {
        name: "all: 64 want everything",
        groups: everything,
        pool: events::renewed,
        batch: 1,
        thousands: [150, 150, 60],
        goals: [Goal::AtLeast(0.7), TWIN],
    },
    Row {
        name: "all-batch: by 256",
        groups: everything,
        pool: events::renewed,
        batch: 256,
        thousands: [300, 150, 100],
        goals: [Goal::Moonshot(2.0, 6.0), TWIN],
    },
    Row {
        name: "all-batch-mixed: by 256, 32 types",
        groups: everything,
        pool: events::mixed,
        batch: 256,
        thousands: [300, 150, 100],
        goals: [Goal::Moonshot(2.0, 6.0), TWIN],
    },
    Row {
        name: "one: 1 group",
        groups: single,
        pool: events::renewed,
        batch: 1,
        thousands: [2_000, 1_500, 1_500],
        goals: [Goal::AtLeast(1.2), TWIN],
    },
    Row {
        name: "one-batch: by 256",
        groups: single,
        pool: events::renewed,
        batch: 256,
        thousands: [3_000, 1_500, 3_000],
        goals: [Goal::AtLeast(1.2), TWIN],
    },
];

fn selective() -> Vec<Wants> {
    (0..64).map(|number| Wants::Type(events::event_type(number % TYPES))).collect()
}

fn everything() -> Vec<Wants> {
    vec![Wants::All; 64]
}

fn single() -> Vec<Wants> {
    vec![Wants::All]
}

impl Row {
    pub(crate) fn groups(&self, order: Order) -> Groups {
        Groups { wants: (self.groups)().into(), order }
    }

    pub(crate) fn load(&self, pool: &Arc<[AnyEvent]>, events: usize) -> Load {
        Load { pool: Arc::clone(pool), rounds: events.div_ceil(pool.len()), batch: self.batch }
    }

    pub(crate) fn pool(&self) -> Arc<[AnyEvent]> {
        (self.pool)()
    }

    async fn compare(&self, arguments: &Arguments) {
        let (pool, groups) = (self.pool(), self.groups(Order::None));
        let loads = self.thousands.map(|thousands| self.load(&pool, arguments.scaled(thousands * 1_000)));
        let [ours, broadcast, twin] = loads;
        let sides =
            [side::<Ours>(&groups, ours), side::<Broadcast>(&groups, broadcast), side::<Twin>(&groups, twin)];
        let runs = interleave(arguments.reps, &sides).await;
        for (at, name) in [(1, "broadcast"), (2, "twin")] {
            line(self.name, &runs[0], (name, &runs[at]), self.goals[at - 1]);
        }
    }
}

fn side<C: Contender>(groups: &Groups, load: Load) -> Side<Throughput> {
    let groups = groups.clone();
    Side::new(move || throughput::<C>(groups.clone(), load.clone()))
}

fn line(row: &str, ours: &[Throughput], (name, theirs): (&str, &[Throughput]), goal: Goal) {
    let rates = |runs: &[Throughput]| runs.iter().map(|run| run.rate).collect::<Vec<_>>();
    let costs = |runs: &[Throughput]| runs.iter().map(|run| run.cpu).collect::<Vec<_>>();
    let text = |runs: &[Throughput]| format!("{} {}", rate(median(&rates(runs))), cost(median(&costs(runs))));
    let ratio = Ratio::of(&rates(ours), &rates(theirs));
    let cpu = Some(Ratio::of(&costs(theirs), &costs(ours)).median);
    Line { row, ours: text(ours), theirs: format!("{name} {}", text(theirs)), ratio, cpu, goal }.print();
}

/// Order per key beside no order, by the row that says the rest.
const ORDERED: [(&str, &str); 2] =
    [("ordered-one: 1 group, 1 000 keys", "one"), ("ordered-selective: 64 groups", "selective")];

async fn ordered(arguments: &Arguments) {
    for (name, of) in ORDERED.into_iter().filter(|(name, _)| arguments.wants(name)) {
        let row = find(of);
        let load = row.load(&row.pool(), arguments.scaled(1_000_000));
        let on = side::<Ours>(&row.groups(Order::PerKey), load.clone());
        let off = side::<Ours>(&row.groups(Order::None), load);
        let runs = interleave(arguments.reps, &[on, off]).await;
        line(name, &runs[0], ("order off", &runs[1]), Goal::AtLeast(0.5));
    }
}

/// The row whose name begins so.
pub(crate) fn find(name: &str) -> &'static Row {
    let mut rows = ROWS.iter();
    rows.find(|row| row.name.split(':').next() == Some(name)).expect("a row has this name")
}

pub(crate) async fn rows(arguments: &Arguments) {
    for row in ROWS.iter().filter(|row| arguments.wants(row.name)) {
        row.compare(arguments).await;
    }
    ordered(arguments).await;
}
