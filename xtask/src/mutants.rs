//! `cargo xtask mutants`: changes a crate in small ways, one at a time; a change that no test notices is a missing test.
//!
//! `.cargo/mutants.toml` holds the settings and what is left out, each with its reason.

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::{tools, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// The crate to change: `core` stands for `release-core`
    suite: String,
    /// How many changes to test at once; each builds on its own
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// More arguments for cargo-mutants, such as `--file` or `--re`
    #[arg(last = true)]
    more: Vec<String>,
}

/// Packages whose mutants other packages' tests must notice too, with all those packages; the rest test themselves.
const TESTED_BY: &[(&str, &str)] = &[("release-core", "release-core,release-testkit")];

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let packages = workspace::packages(sh)?;
    let package = &workspace::suite(&packages, &options.suite)?.name;
    let tests = TESTED_BY.iter().find(|(name, _)| name == package).map_or(package.as_str(), |(_, tests)| tests);
    tools::ensure(sh, &tools::MUTANTS)?;
    let output = format!("target/mutants/{}", options.suite);
    sh.create_dir(&output)?;
    let (jobs, more) = (options.jobs.to_string(), &options.more);
    let result =
        cmd!(sh, "cargo mutants --package {package} --test-package {tests} --jobs {jobs} --output {output} {more...}")
            .env("INSTA_UPDATE", "no")
            // Hundreds of small builds: the debug information is never read.
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_PROFILE_TEST_DEBUG", "false")
            .run();
    let missed = lines(sh, &format!("{output}/mutants.out/missed.txt"));
    let hung = lines(sh, &format!("{output}/mutants.out/timeout.txt"));
    println!("\nMissed: {}, hung: {}", missed.len(), hung.len());
    for mutant in missed.iter().chain(&hung) {
        println!("  {mutant}");
    }
    result.with_context(|| format!("the mutants of {package} were not all caught; logs are in {output}/mutants.out"))
}

fn lines(sh: &Shell, file: &str) -> Vec<String> {
    sh.read_file(file).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}
