//! From publishing to stored outcomes: as fast as it goes, and at a steady pace.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::compare::{Side, interleave, median};
use crate::load::{Contender, Load, Pace, Throughput, bound, line, once};
use crate::ours::Ours;
use crate::table::Goal;
use crate::twin::Twin;

/// A row: to how many endpoints each event goes, thousands of deliveries, and how it is published.
struct Row {
    name: &'static str,
    endpoints: usize,
    thousands: usize,
    pace: Pace,
}

const ROWS: &[Row] = &[
    Row { name: "deliver-1: to 1 endpoint", endpoints: 1, thousands: 50, pace: Pace::Burst },
    Row { name: "deliver-10: to 10 endpoints", endpoints: 10, thousands: 100, pace: Pace::Burst },
    Row { name: "deliver-100: to 100 endpoints", endpoints: 100, thousands: 100, pace: Pace::Burst },
    Row { name: "steady-1: 2,000/s to 1", endpoints: 1, thousands: 8, pace: Pace::Steady(2_000) },
    Row { name: "steady-10: 5,000/s to 10", endpoints: 10, thousands: 20, pace: Pace::Steady(500) },
];

/// What a delivery may cost, in microseconds of processor time.
const CPU: f64 = 40.0;

fn side<C: Contender>(load: &Load) -> Side<Throughput> {
    let load = load.clone();
    Side::new(move || once::<C>(load.clone()))
}

fn load(row: &Row, thousands: usize) -> Load {
    Load::new((thousands / row.endpoints).max(1), row.endpoints, row.pace)
}

pub(crate) async fn rows(arguments: &Arguments) {
    for row in ROWS.iter().filter(|row| arguments.wants(row.name)) {
        let load = load(row, arguments.scaled(row.thousands * 1_000));
        let runs = interleave(arguments.reps, &[side::<Ours>(&load), side::<Twin>(&load)]).await;
        let goal = if matches!(row.pace, Pace::Burst) { Goal::AtLeast(0.7) } else { Goal::None };
        line(row.name, &runs[0], ("by hand", &runs[1]), goal);
        let costs: Vec<f64> = runs[0].iter().map(|run| run.cpu / 1e3).collect();
        bound(&format!("{}, cpu", row.name), (median(&costs), CPU), "µs");
    }
}

/// Repeats our side of the row, for a profiler; the twin's for a name with `twin-` before it.
pub(crate) async fn repeat(name: &str) {
    const TIME: Duration = Duration::from_secs(10);
    let (twin, name) = name.strip_prefix("twin-").map_or((false, name), |name| (true, name));
    let row = ROWS.iter().find(|row| row.name.starts_with(name)).expect("a row has this name");
    let (load, start) = (load(row, row.thousands * 1_000), Instant::now());
    while start.elapsed() < TIME {
        // As the rows run it: by the workers.
        let load = load.clone();
        let run = if twin { tokio::spawn(once::<Twin>(load)) } else { tokio::spawn(once::<Ours>(load)) };
        let run = run.await.expect("a run does not panic");
        println!("{}: {:.0} deliveries/s, {:.1} µs", row.name, run.rate, run.cpu / 1e3);
    }
}
