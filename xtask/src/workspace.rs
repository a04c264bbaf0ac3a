//! What the workspace is: its root, its packages, its minimum Rust version.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

/// A shell whose current folder is the root of the repository.
pub(crate) fn shell() -> Result<Shell> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let sh = Shell::new()?;
    sh.change_dir(root);
    Ok(sh)
}

/// A package of the workspace, as `cargo metadata` tells it.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) rust_version: Option<String>,
    pub(crate) has_library: bool,
    pub(crate) benches: Vec<String>,
}

/// The packages of the workspace, by name.
pub(crate) fn packages(sh: &Shell) -> Result<Vec<Package>> {
    let json = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: Value = serde_json::from_str(&json)?;
    let mut packages: Vec<_> = list(&metadata, "packages").map(package).collect::<Result<_>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn package(package: &Value) -> Result<Package> {
    let is = |target: &Value, kind: &str| list(target, "kind").any(|k| k == kind);
    let mut benches: Vec<_> =
        list(package, "targets").filter(|t| is(t, "bench")).filter_map(|t| text(t, "name")).collect();
    benches.sort();
    Ok(Package {
        name: text(package, "name").context("cargo metadata shows a package without a name")?,
        rust_version: text(package, "rust_version"),
        has_library: list(package, "targets").any(|t| is(t, "lib")),
        benches,
    })
}

/// The package that a command means by a short name: `core` stands for `release-core`.
pub(crate) fn suite<'a>(packages: &'a [Package], name: &str) -> Result<&'a Package> {
    let short = |package: &'a Package| package.name.strip_prefix("release-").unwrap_or(&package.name);
    packages.iter().find(|package| short(package) == name).with_context(|| {
        let names: Vec<_> = packages.iter().map(short).collect();
        format!("there is no `{name}` here; there are: {}", names.join(", "))
    })
}

/// Makes a script of that text. Another program writes it: a file that this process has open for writing can't be run as long
/// as a child that another thread has just begun to start has it open, too.
#[cfg(test)]
pub(crate) fn write_script(sh: &Shell, path: impl AsRef<Path>, text: &str) {
    let write = cmd!(sh, "sh -c").arg("mkdir -p \"${1%/*}\" && cat > \"$1\" && chmod +x \"$1\"").arg("sh");
    let path = sh.current_dir().join(path);
    write.arg(path).stdin(format!("#!/bin/sh\n{text}\n")).quiet().run().unwrap();
}

/// The host's target triple.
pub(crate) fn host(sh: &Shell) -> Result<String> {
    Ok(cmd!(sh, "rustc --print host-tuple").quiet().read()?)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found_and_declares_its_rust_version() {
        let packages = packages(&shell().unwrap()).unwrap();
        let core = packages.iter().find(|p| p.name == "release-core").unwrap();
        assert!(core.has_library);
        assert!(packages.iter().all(|p| p.rust_version.is_some()));
        assert!(packages.iter().any(|p| p.name == "xtask" && !p.has_library));
    }

    #[test]
    fn a_package_is_found_by_its_short_name() {
        let packages = packages(&shell().unwrap()).unwrap();
        assert_eq!(suite(&packages, "core").unwrap().name, "release-core");
        let error = suite(&packages, "cor").err().unwrap().to_string();
        assert!(error.contains("`cor`") && error.contains("core, "), "{error}");
    }
}
