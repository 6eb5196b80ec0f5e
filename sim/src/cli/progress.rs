//! How far a command is, on stderr: a bar for people, a line now and then for logs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

/// How often a log gets a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A count that goes up to a known end.
pub(super) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    is_terminal: bool,
    all: u64,
    done: u64,
    failed: u64,
    start: Instant,
    told: Instant,
}

impl Progress {
    /// Of `all` things that are called `what`.
    pub(super) fn new(what: &'static str, all: u64) -> Self {
        let is_terminal = stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style =
            ProgressStyle::with_template(" {wide_bar} {human_pos}/{human_len}  {per_sec}  {msg}eta {eta}");
        let bar = ProgressBar::with_draw_target(Some(all), target);
        bar.set_style(style.expect("the template is valid").progress_chars("#>-"));
        let now = Instant::now();
        Self { bar, what, is_terminal, all, done: 0, failed: 0, start: now, told: now }
    }

    /// One more is done; `failure` is a line on why it failed.
    pub(super) fn step(&mut self, failure: Option<&str>) {
        self.done += 1;
        if let Some(failure) = failure {
            self.failed += 1;
            self.bar.set_message(format!("{} failed  ", self.failed));
            self.bar.suspend(|| eprintln!("{failure}"));
        }
        self.bar.set_position(self.done);
        if !self.is_terminal && self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            let rate = self.done as f64 / self.start.elapsed().as_secs_f64();
            eprintln!("{}/{} {}, {rate:.1} a second, {} failed", self.done, self.all, self.what, self.failed);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
