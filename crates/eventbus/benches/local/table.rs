//! The table that is printed, a line as soon as it is known.

use crate::compare::Ratio;

/// What a ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// At least the first; the second is dreamt of.
    Moonshot(f64, f64),
    /// The row is context.
    None,
}

/// One line.
pub(crate) struct Line<'a> {
    pub(crate) row: &'a str,
    pub(crate) ours: String,
    pub(crate) theirs: String,
    pub(crate) ratio: Ratio,
    /// How many times our processor time the contender uses.
    pub(crate) cpu: Option<f64>,
    pub(crate) goal: Goal,
}

pub(crate) fn head() {
    println!(
        "| {:<36} | {:<18} | {:<28} | {:>6} | {:>11} | {:>5} | {:<14} | {:<8} |",
        "row", "ours", "contender", "ratio", "least…most", "cpu", "goal", "met"
    );
    let dashes = [36, 18, 28, 6, 11, 5, 14, 8].map(|width| "-".repeat(width + 2));
    println!("|{}|", dashes.join("|"));
}

impl Line<'_> {
    pub(crate) fn print(&self) {
        let Ratio { median, least, most } = self.ratio;
        println!(
            "| {:<36} | {:<18} | {:<28} | {:>6} | {:>11} | {:>5} | {:<14} | {:<8} |",
            self.row,
            self.ours,
            self.theirs,
            short(median),
            format!("{}…{}", short(least), short(most)),
            self.cpu.map(short).unwrap_or_default(),
            self.goal.text(),
            self.goal.met(median)
        );
    }
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::AtLeast(goal) => format!("≥ {goal}"),
            Self::AtMost(goal) => format!("≤ {goal}"),
            Self::Moonshot(goal, moon) => format!("≥ {goal} (moon {moon})"),
            Self::None => "context".to_owned(),
        }
    }

    fn met(self, ratio: f64) -> &'static str {
        let met = match self {
            Self::AtLeast(goal) => ratio >= goal,
            Self::AtMost(goal) => ratio <= goal,
            Self::Moonshot(_, moon) if ratio >= moon => return "moonshot",
            Self::Moonshot(goal, _) => ratio >= goal,
            Self::None => return "",
        };
        if met { "yes" } else { "NO" }
    }
}

fn short(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.1}") }
}

/// A rate, in thousands per second.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{:.0} k/s", per_second / 1e3)
}

/// Processor time per event, given in nanoseconds.
pub(crate) fn cost(nanoseconds: f64) -> String {
    format!("{:.2} µs", nanoseconds / 1e3)
}
