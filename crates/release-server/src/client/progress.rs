//! How far a takeover is, on one line of a terminal.

use super::document::ReleaseDocument;
use super::show;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line on standard error; nothing where that is no terminal. It is gone when this is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Whether anybody sees it.
    pub(super) fn is_visible(&self) -> bool {
        !self.0.is_hidden()
    }

    pub(super) fn show(&self, release: &ReleaseDocument) {
        let stages = show::stages(&release.status);
        let failure = release.status.failure.as_ref();
        let failing = failure.map(|failure| format!("  {}: {}", failure.step, failure.reason)).unwrap_or_default();
        self.0.set_message(format!("{stages}{failing}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
