//! Goes through everything that can happen to a release task and a mesh of two proxies, and prints what it saw.
//!
//! `cargo run --release -p release-testkit --example explore -- [--deep]`

use std::process::ExitCode;
use std::time::Instant;

use release_testkit::explore::explore;
use release_testkit::mesh::{Limits, Mesh, World, sample_task};

fn main() -> ExitCode {
    let deep = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--deep" => true,
        _ => {
            eprintln!("usage: explore [--deep]");
            return ExitCode::FAILURE;
        }
    };
    let limits = if deep { Limits::deep() } else { Limits::narrow() };
    let start = Instant::now();
    match explore(World::new(sample_task(), Mesh::new(2), limits)) {
        Ok(figures) => {
            print!("{figures}");
            println!("\n{:>11.1} seconds", start.elapsed().as_secs_f32());
            if figures.missing().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
