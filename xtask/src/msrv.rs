//! The `msrv` stage: the workspace builds with the oldest Rust version it declares.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::workspace;

pub(crate) fn check(sh: &Shell) -> Result<()> {
    let declared = declared(sh)?;
    let running = cmd!(sh, "rustc --version").quiet().read()?;
    if same_minor(&declared, &running) {
        println!("Rust {declared} is declared, and the other stages run with {running}: they prove it.");
        return Ok(());
    }
    let toolchain = toolchain(sh, &declared)?;
    cmd!(sh, "rustup run {toolchain} cargo check --workspace --all-features --target-dir target/msrv")
        // Set by the cargo that started this program, for its own toolchain.
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .run()?;
    Ok(())
}

/// The one version that all packages declare.
fn declared(sh: &Shell) -> Result<String> {
    let mut versions = Vec::new();
    for package in workspace::packages(sh)? {
        versions.push(package.rust_version.with_context(|| format!("{} declares no rust-version", package.name))?);
    }
    versions.dedup();
    ensure!(versions.len() == 1, "the packages declare different Rust versions: {}", versions.join(", "));
    versions.pop().context("the workspace has no package")
}

/// The name of an installed toolchain of that version; installs one when there is none.
fn toolchain(sh: &Shell, version: &str) -> Result<String> {
    let installed = cmd!(sh, "rustup toolchain list").quiet().read()?;
    if let Some(name) = installed.split_whitespace().find(|name| same_minor(version, name)) {
        return Ok(name.to_owned());
    }
    println!("Installing Rust {version}, the declared minimum.");
    cmd!(sh, "rustup toolchain install {version} --profile minimal").run().with_context(|| {
        format!(
            "Rust {version} is declared as the minimum, but it is neither installed nor to be had: run this where it \
             is, or declare the version that the tests run with"
        )
    })?;
    Ok(version.to_owned())
}

/// Whether the first version in each text has the same major and minor number, and is a released one.
fn same_minor(a: &str, b: &str) -> bool {
    if [a, b].iter().any(|text| text.contains("nightly") || text.contains("beta")) {
        return false;
    }
    match (major_minor(a), major_minor(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// `1.95` of `1.95`, `1.95.0`, `1.95.0-x86_64-unknown-linux-gnu` or `rustc 1.95.0 (abc 2026-01-01)`.
fn major_minor(text: &str) -> Option<(u32, u32)> {
    let version = text.split([' ', '-']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_major_and_minor_number() {
        assert!(same_minor("1.95", "rustc 1.95.0 (59807616e 2026-04-14)"));
        assert!(same_minor("1.95", "1.95.2-x86_64-unknown-linux-gnu"));
        assert!(!same_minor("1.95", "1.9.5"));
        assert!(!same_minor("1.95", "rustc 1.96.0 (abc 2026-05-01)"));
        assert!(!same_minor("1.95", "rustc 1.95.0-nightly (abc 2026-02-01)"));
        assert!(!same_minor("1.95", "stable-x86_64-unknown-linux-gnu"));
        assert!(!same_minor("stable", "stable"));
    }
}
