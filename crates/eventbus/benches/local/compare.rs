//! Comparing: everybody in turn, and the median of the paired ratios.

use std::future::Future;

use futures::future::BoxFuture;

/// One side of a comparison; a run gives its numbers.
pub(crate) struct Side<T = f64>(Box<dyn Fn() -> BoxFuture<'static, T> + Send + Sync>);

impl<T> Side<T> {
    pub(crate) fn new<F: Future<Output = T> + Send + 'static>(
        run: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(move || Box::pin(run())))
    }
}

/// Runs the sides in turn, every other time in reverse, so that a slow drift of the machine favours nobody. Gives the
/// numbers of each side, in the order of the repetitions.
pub(crate) async fn interleave<T: Send + 'static>(reps: usize, sides: &[Side<T>]) -> Vec<Vec<T>> {
    let mut runs: Vec<Vec<T>> = sides.iter().map(|_| Vec::new()).collect();
    for rep in 0..reps {
        let mut turn: Vec<usize> = (0..sides.len()).collect();
        if rep % 2 == 1 {
            turn.reverse();
        }
        for side in turn {
            let run = tokio::spawn((sides[side].0)());
            runs[side].push(run.await.expect("a run does not panic"));
        }
    }
    runs
}

/// The paired ratios of two sides: their median, and how far they spread.
#[derive(Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Ratio {
    pub(crate) fn of(ours: &[f64], theirs: &[f64]) -> Self {
        let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        ratios.sort_by(f64::total_cmp);
        let least = ratios.first().copied().unwrap_or(f64::NAN);
        let most = ratios.last().copied().unwrap_or(f64::NAN);
        Self { median: median(&ratios), least, most }
    }
}

pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}
