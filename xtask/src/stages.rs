//! The stages of `cargo xtask test`, quick ones first. The short ones are here, the others in modules of their own.

use std::time::Duration;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::{demo, envoy, fuzz, msrv, no_std, programs, tools, torture, workspace};

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// What it checks, in one line.
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Shell) -> Result<()>,
}

pub(crate) const STAGES: &[Stage] = &[
    Stage { name: "fmt", what: "rustfmt would change nothing, fuzz targets included", run: fmt },
    Stage { name: "clippy", what: "no warning in any target with all features, fuzz targets included", run: clippy },
    Stage { name: "test", what: "all tests and documentation examples, with all features and a real Envoy", run: test },
    Stage { name: "docs", what: "the documentation builds without a warning", run: docs },
    Stage { name: "features", what: "no warning in any combination of the libraries' features", run: features },
    Stage { name: "no_std", what: "what is meant to do without std builds where there is no std", run: no_std::check },
    Stage { name: "deny", what: "licences, bans and sources of all dependencies", run: deny },
    Stage { name: "msrv", what: "the declared minimum Rust version is honest", run: msrv::check },
    Stage {
        name: "demo",
        what: "the demo shows what it promises, on a simulated mesh and on real Envoys, and leaves nothing behind",
        run: demo::all,
    },
    Stage {
        name: "explore",
        what: "no bad state of a task and a mesh of two proxies",
        run: |sh| crate::explore(sh, false),
    },
    Stage { name: "torture", what: "nothing is lost when the server is killed, in any stage", run: torture::some },
    Stage { name: "fuzz", what: "ten seconds of each fuzz target", run: |sh| fuzz::all(sh, Duration::from_secs(10)) },
];

fn fmt(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --all --check").run()?;
    if fuzz::exists(sh)? {
        cmd!(sh, "cargo fmt --manifest-path fuzz/Cargo.toml --check").run()?;
    }
    Ok(())
}

fn clippy(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    if fuzz::exists(sh)? {
        programs::ensure(sh, &programs::CXX)?;
        // With the target folder of the workspace, most dependencies are there already.
        cmd!(sh, "cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings").run()?;
    }
    Ok(())
}

fn test(sh: &Shell) -> Result<()> {
    programs::ensure(sh, &programs::CURL)?;
    envoy::ensure(sh)?;
    // A snapshot that differs is a failure: it is neither accepted nor left behind as a file to review.
    cmd!(sh, "cargo test --workspace --all-features").env("INSTA_UPDATE", "no").run()?;
    Ok(())
}

fn docs(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo doc --workspace --exclude xtask --no-deps --all-features")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(())
}

fn features(sh: &Shell) -> Result<()> {
    tools::ensure(sh, &tools::HACK)?;
    let libraries = workspace::packages(sh)?.into_iter().filter(|p| p.has_library).map(|p| p.name);
    let packages: Vec<_> = libraries.flat_map(|name| ["-p".to_owned(), name]).collect();
    ensure!(!packages.is_empty(), "the workspace has no library");
    // Clippy, not `cargo check`: it can refuse warnings without building the dependencies anew. `default` only stands for
    // other features.
    cmd!(sh, "cargo hack clippy --feature-powerset --exclude-features default {packages...} -- -D warnings").run()?;
    Ok(())
}

fn deny(sh: &Shell) -> Result<()> {
    tools::ensure(sh, &tools::DENY)?;
    // No `advisories`: their database can't be fetched everywhere this runs.
    cmd!(sh, "cargo deny --all-features check bans licenses sources").run()?;
    if fuzz::exists(sh)? {
        cmd!(
            sh,
            "cargo deny --manifest-path fuzz/Cargo.toml --all-features --config deny.toml check bans licenses sources"
        )
        .run()?;
    }
    Ok(())
}
