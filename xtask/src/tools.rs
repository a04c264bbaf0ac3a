//! The cargo tools that the commands need: one pinned version each, installed when it is missing.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// A cargo subcommand that is published under the name of its program.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };
pub(crate) const HACK: Tool = Tool { name: "cargo-hack", version: "0.6.46" };
pub(crate) const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };

/// Installs the tool unless exactly its pinned version is there.
pub(crate) fn ensure(sh: &Shell, tool: &Tool) -> Result<()> {
    let Tool { name, version } = tool;
    let installed = installed_version(sh, tool);
    if installed.as_deref() == Some(version) {
        return Ok(());
    }
    let instead = installed.map_or_else(|| "it is missing".into(), |v| format!("version {v} is there"));
    println!("Installing {name} {version}, for {instead}; this takes some minutes once.");
    cmd!(sh, "cargo install --locked {name}@{version}")
        .run()
        .with_context(|| format!("{name} {version} could not be installed"))
}

fn installed_version(sh: &Shell, tool: &Tool) -> Option<String> {
    let subcommand = tool.name.strip_prefix("cargo-")?;
    let output = cmd!(sh, "cargo {subcommand} --version").quiet().ignore_stderr().read().ok()?;
    version_in(&output).map(ToOwned::to_owned)
}

/// The version in what `TOOL --version` prints: `cargo-deny 0.20.2`, perhaps with more words after it.
fn version_in(output: &str) -> Option<&str> {
    output.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_a_tool_prints() {
        assert_eq!(version_in("cargo-deny 0.20.2"), Some("0.20.2"));
        assert_eq!(version_in("cargo-hack 0.6.46 (abc 2026)"), Some("0.6.46"));
        assert_eq!(version_in("error: no such command"), None);
    }

    #[test]
    fn a_tool_that_is_missing_has_no_version() {
        let sh = crate::workspace::shell().unwrap();
        let missing = Tool { name: "cargo-no-such-tool-xyz", version: "1.0.0" };
        assert_eq!(installed_version(&sh, &missing), None);
    }
}
