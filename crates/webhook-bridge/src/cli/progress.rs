//! How far long work is: a bar on standard error, where that is a terminal; nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that goes away when the work is done: what came of it is said by the command.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// For so much work.
    pub(super) fn of(what: &'static str, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let shape = "{msg} [{bar:32}] {pos} of {len}, {eta} left";
        Self(styled(bar, shape).with_message(what))
    }

    /// For work whose end is not known.
    pub(super) fn endless(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self(styled(bar, "{msg} {pos}, {per_sec}").with_message(what))
    }

    /// Prints something where the bar is not.
    pub(super) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn styled(bar: ProgressBar, shape: &str) -> ProgressBar {
    match ProgressStyle::with_template(shape) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
