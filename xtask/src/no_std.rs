//! The `no_std` stage: libraries that promise to do without std are built where there is no std.
//!
//! `#![no_std]` alone proves little, as any dependency may still need std. A bare-metal target would show it, but its
//! libraries must be downloaded. So this makes a sysroot from the host's own that holds `core`, `alloc` and
//! `compiler_builtins` only: whatever asks for std, at any depth, fails to build.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::workspace;

/// Packages that do without std, each with the sets of features for which that holds.
const PROMISES: &[(&str, &[&str])] = &[("release-core", &["", "serde"])];

pub(crate) fn check(sh: &Shell) -> Result<()> {
    let host = workspace::host(sh)?;
    let sysroot = sysroot_without_std(sh, &host)?;
    // With `--target`, the flags reach the libraries but not the build scripts and macros, which may use std.
    let flags = format!("--sysroot={sysroot}");
    for (package, feature_sets) in PROMISES {
        for features in *feature_sets {
            cmd!(sh, "cargo check -p {package} --lib --no-default-features --features={features} --target {host}")
                .env_remove("RUSTFLAGS")
                .env("CARGO_ENCODED_RUSTFLAGS", &flags)
                .run()
                .with_context(|| format!("{package} with features [{features}] does not do without std"))?;
        }
    }
    Ok(())
}

fn sysroot_without_std(sh: &Shell, host: &str) -> Result<String> {
    let real = cmd!(sh, "rustc --print sysroot").quiet().read()?;
    let bare = sh.current_dir().join("target/sysroot-without-std");
    let libraries = format!("lib/rustlib/{host}/lib");
    sh.remove_path(&bare)?;
    sh.create_dir(bare.join(&libraries))?;
    for file in sh.read_dir(format!("{real}/{libraries}"))? {
        let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if ["libcore-", "liballoc-", "libcompiler_builtins-"].iter().any(|kept| name.starts_with(kept)) {
            sh.copy_file(&file, bare.join(&libraries))?;
        }
    }
    let bare = bare.to_str().context("the path of the repository is not UTF-8")?.to_owned();
    ensure_it_tells_apart(sh, &bare)?;
    Ok(bare)
}

/// A check that can't fail proves nothing: the sysroot must build a crate without std and refuse one with it.
fn ensure_it_tells_apart(sh: &Shell, sysroot: &str) -> Result<()> {
    let builds = |source: &str| {
        cmd!(sh, "rustc --sysroot {sysroot} --crate-name probe --crate-type lib --emit metadata --out-dir target -")
            .stdin(source)
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_ok()
    };
    ensure!(
        builds("#![no_std] extern crate alloc; pub use alloc::string::String;"),
        "nothing builds with the sysroot {sysroot}: this toolchain is laid out in a way this check does not know"
    );
    ensure!(!builds("pub use std::string::String;"), "the sysroot {sysroot} was meant to lack std, but has it");
    Ok(())
}
