//! `cargo xtask fuzz`: runs fuzz targets from their seeds, and says how to reproduce what they find.
//!
//! A target is a file in `fuzz/fuzz_targets/` with its `[[bin]]` in `fuzz/Cargo.toml`; its seeds are in
//! `fuzz/seeds/TARGET/`. What a run adds to them goes to `fuzz/corpus/TARGET/`, which is not in git.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use clap::Args;
use xshell::{Cmd, Shell, cmd};

use crate::{programs, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// How long to run each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// `address` is slower, but finds its way past comparisons with whole strings, where `none` must guess
    #[arg(long, default_value = NO_SANITIZER)]
    sanitizer: String,
    /// The targets to run [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// There is no unsafe code for a sanitizer to watch.
const NO_SANITIZER: &str = "none";

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let known = targets(sh)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target `{unknown}`; the targets are: {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    run_targets(sh, chosen, Duration::from_secs(options.seconds), &options.sanitizer)
}

/// Runs every target for that long.
pub(crate) fn all(sh: &Shell, time: Duration) -> Result<()> {
    run_targets(sh, &targets(sh)?, time, NO_SANITIZER)
}

/// Whether there is a fuzz target at all; without one, cargo takes `fuzz/` for no package.
pub(crate) fn exists(sh: &Shell) -> Result<bool> {
    Ok(!targets(sh)?.is_empty())
}

fn targets(sh: &Shell) -> Result<Vec<String>> {
    let folder = "fuzz/fuzz_targets";
    if !sh.path_exists(folder) {
        return Ok(Vec::new());
    }
    let files = sh.read_dir(folder)?;
    let sources = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<_> = sources.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

fn run_targets(sh: &Shell, targets: &[String], time: Duration, sanitizer: &str) -> Result<()> {
    if targets.is_empty() {
        println!("There is no fuzz target yet: fuzz/fuzz_targets/ is empty.");
        return Ok(());
    }
    programs::ensure(sh, &programs::CXX)?;
    tools::ensure(sh, &tools::FUZZ)?;
    cargo_fuzz(sh, "build", sanitizer, None).run()?;
    for target in targets {
        run_target(sh, target, time, sanitizer)?;
    }
    Ok(())
}

fn run_target(sh: &Shell, target: &str, time: Duration, sanitizer: &str) -> Result<()> {
    let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
    sh.create_dir(&corpus)?;
    // libFuzzer writes to the first folder and only reads the others.
    let folders = if sh.path_exists(&seeds) { vec![corpus, seeds] } else { vec![corpus] };
    let seconds = time.as_secs();
    // An input may take 25 s before it counts as a hang, as a loaded machine must not fail a good run.
    let limits = ["-timeout=25", "-rss_limit_mb=2048", "-max_len=4096"];
    let start = SystemTime::now();
    let result = cargo_fuzz(sh, "run", sanitizer, Some(target))
        .args(folders)
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(limits)
        .args(["-verbosity=0", "-print_final_stats=1"])
        .run();
    let Err(error) = result else { return Ok(()) };
    let Some(artifact) = newest_artifact(sh, target, start) else { bail!("fuzz target {target}: {error}") };
    let artifact = artifact.display();
    bail!(
        "fuzz target {target} found a failure: {artifact}\n\
         Reproduce it with: RUSTC_BOOTSTRAP=1 cargo fuzz run -s {sanitizer} {target} {artifact}\n\
         Make it smaller with: RUSTC_BOOTSTRAP=1 cargo fuzz tmin -s {sanitizer} {target} {artifact}\n\
         Once fixed, keep it as a readable test, and as a seed in fuzz/seeds/{target}/"
    );
}

/// `cargo fuzz` on a stable toolchain. Debug assertions are on by default, and the checks of the laws rely on them.
fn cargo_fuzz<'a>(sh: &'a Shell, subcommand: &str, sanitizer: &str, target: Option<&str>) -> Cmd<'a> {
    // The coverage flags of the compiler are unstable. Without this, the fuzzer runs blind on a stable toolchain.
    cmd!(sh, "cargo fuzz {subcommand} -s {sanitizer} {target...}").env("RUSTC_BOOTSTRAP", "1")
}

fn newest_artifact(sh: &Shell, target: &str, since: SystemTime) -> Option<PathBuf> {
    let written = |file: &PathBuf| file.metadata().and_then(|data| data.modified()).ok();
    let files = sh.read_dir(format!("fuzz/artifacts/{target}")).ok()?;
    let newest = files.into_iter().filter(|file| written(file) >= Some(since)).max_by_key(written)?;
    Some(newest.strip_prefix(sh.current_dir()).map(PathBuf::from).unwrap_or(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_sources_in_the_folder() {
        let sh = crate::workspace::shell().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        sh.change_dir(folder.path());
        assert!(!exists(&sh).unwrap());
        sh.write_file("fuzz/fuzz_targets/stored.rs", "").unwrap();
        sh.write_file("fuzz/fuzz_targets/operations.rs", "").unwrap();
        sh.write_file("fuzz/fuzz_targets/notes.md", "").unwrap();
        assert_eq!(targets(&sh).unwrap(), ["operations", "stored"]);
    }

    #[test]
    fn only_an_artifact_of_this_run_is_reported() {
        let sh = crate::workspace::shell().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        sh.change_dir(folder.path());
        let before = SystemTime::UNIX_EPOCH;
        let later = SystemTime::now() + Duration::from_hours(1);
        assert_eq!(newest_artifact(&sh, "t", before), None);
        sh.write_file("fuzz/artifacts/t/crash-1", "").unwrap();
        let found = newest_artifact(&sh, "t", before).unwrap();
        assert!(found.ends_with("fuzz/artifacts/t/crash-1"), "{found:?}");
        assert_eq!(newest_artifact(&sh, "t", later), None);
    }

    #[test]
    fn an_unknown_target_is_refused() {
        let sh = crate::workspace::shell().unwrap();
        let options = Options { seconds: 1, sanitizer: NO_SANITIZER.into(), targets: vec!["no-such-target".into()] };
        assert!(run(&sh, &options).unwrap_err().to_string().contains("`no-such-target`"));
    }
}
