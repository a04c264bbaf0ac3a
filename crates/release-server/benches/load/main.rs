//! The server under load, as a process of its own, each figure with its baseline measured in the same run.
//!
//! `cargo xtask bench server` runs all of it; the names of parts (`not-found`, `closes`, `start`) run these only.

mod closes;
mod handed_over;
mod http;
mod not_found;
mod process;
mod start;

use anyhow::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|role| role == process::HELLO) {
        return not_found::hello();
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    // One thread: what the load takes must not depend on how it is spread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if wanted("not-found") {
            not_found::run().await?;
        }
        if wanted("closes") {
            closes::run().await?;
        }
        if wanted("start") {
            start::run().await?;
        }
        Ok(())
    })
}

/// The middle one.
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
