//! Help and completions.

use crate::programs::{binary, done};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

const COMMANDS: [&str; 10] =
    ["create", "list", "show", "policy", "plan", "cancel", "end", "reopen", "nodes", "completions"];

#[test]
fn the_help_of_each_command() {
    let mut text = done(binary().arg("--help")).ok();
    for command in COMMANDS {
        let help = done(binary().args([command, "-h"])).ok();
        write!(text, "\n━━━ {command}\n{help}").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn completions_know_every_command_and_are_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = done(binary().args(["completions", shell])).ok();
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let script = done(binary().args(["completions", "bash"])).ok();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, script.as_bytes()).unwrap();
    let status = Command::new("bash").arg("-n").arg(file.path()).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());
}
