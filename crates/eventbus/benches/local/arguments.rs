//! The command line.

/// What was asked for.
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    /// Parts of the names of rows; all rows when there is none.
    pub(crate) rows: Vec<String>,
    pub(crate) reps: usize,
    /// How much of a full run's events.
    pub(crate) scale: f64,
}

/// What to do.
pub(crate) enum Mode {
    /// Print the table.
    Table,
    /// Repeat our side of a row.
    Profile(String),
    /// Measure one side's memory, alone in this process.
    Memory(String),
}

impl Arguments {
    /// Reads the arguments. Without `--bench`, which `cargo bench` adds, it is a test: everything once, and little of it.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Self {
        let words: Vec<String> = words.collect();
        let is_bench = words.iter().any(|word| word == "--bench");
        let (reps, scale) = if is_bench { (5, 1.0) } else { (1, 0.002) };
        let mut arguments = Self { mode: Mode::Table, rows: Vec::new(), reps, scale };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word.as_str() {
                "--bench" => {}
                "--quick" => (arguments.reps, arguments.scale) = (3, 0.2),
                "--reps" => arguments.reps = value().parse().expect("--reps takes a number"),
                "--scale" => arguments.scale = value().parse().expect("--scale takes a number"),
                "--profile" => arguments.mode = Mode::Profile(value()),
                "--memory" => arguments.mode = Mode::Memory(value()),
                _ => arguments.rows.push(word),
            }
        }
        arguments
    }

    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| row.contains(part.as_str()))
    }

    /// A number of a full run, for this one.
    pub(crate) fn scaled(&self, full: usize) -> usize {
        ((full as f64 * self.scale) as usize).max(1)
    }
}
