//! How far a takeover is, for those who look at a terminal.

use crate::programs::{STUCK, Server};
use std::process::{Command, Stdio};

/// `script` (of Debian's bsdutils, which is always there) runs a command in a terminal of its own.
#[test]
fn a_terminal_shows_the_stages_and_a_pipe_does_not() {
    let server = Server::start(&["--no-auth", STUCK, "--wait=5"]);
    let id = server.create();
    let line = format!("{} cancel {id}", env!("CARGO_BIN_EXE_release-server"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    command.envs([("RELEASE_SERVER", &*server.url), ("RELEASE_MESH_ID", "mesh-1"), ("RELEASE_NAMESPACE", "shop")]);
    let output = command.env("TERM", "xterm").output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    let moving = "▶ Preparing  · Routing  · Draining  · Retiring";
    // At least once while it waits, and once more in the message at the end.
    assert!(seen.matches(moving).count() > 1, "{seen}");
    assert_eq!(output.status.code(), Some(5), "{seen}");

    let piped = server.run(["cancel", &id]);
    assert_eq!(piped.err.matches(moving).count(), 1, "{piped:?}");
    assert!(!piped.err.contains('\u{1b}'), "{piped:?}");
}
