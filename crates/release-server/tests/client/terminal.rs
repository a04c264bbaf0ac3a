//! How far a takeover is, for those who look at a terminal.

use crate::programs::{STUCK, Server, create};
use release_core::StepKind;
use release_server::serve::{self, Options};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::io::Read as _;
use std::process::{Command, Stdio};

/// A client in a terminal of its own, which `script` (of Debian's bsdutils, which is always there) gives it.
fn in_a_terminal(url: &str, line: &str) -> Command {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_release-server"));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    command.envs([("RELEASE_SERVER", url), ("RELEASE_MESH_ID", "mesh-1"), ("RELEASE_NAMESPACE", "shop")]);
    command.env("TERM", "xterm");
    command
}

#[test]
fn a_terminal_shows_the_stages_and_a_pipe_does_not() {
    let moving = "▶ Preparing  · Routing  · Draining  · Retiring";
    let stuck = |wait| {
        let server = Server::start(&["--no-auth", STUCK, wait]);
        let id = server.create();
        (server, id)
    };
    let shown = |wait| {
        let (server, id) = stuck(wait);
        let output = in_a_terminal(&server.url, &format!("cancel {id}")).output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        // At least once while it waits, and once more in the message at the end.
        if seen.matches(moving).count() > 1 && output.status.code() == Some(5) { Ok(()) } else { Err(seen) }
    };
    // On a busy machine a second may be too short for a look.
    shown("--wait=1").or_else(|_| shown("--wait=30")).unwrap();

    let (server, id) = stuck("--wait=1");
    let piped = server.run(["cancel", &id]);
    assert_eq!(piped.err.matches(moving).count(), 1, "{piped:?}");
    assert!(!piped.err.contains('\u{1b}'), "{piped:?}");
}

/// A mesh that takes the first `steps` kinds of steps, in the order of the stages, and hangs in the others.
fn goes_up_to(mesh: &SimulatedMesh, steps: usize) {
    mesh.behave(move |_, step| {
        let place = match step.kind() {
            StepKind::EnsureReady(_) => 0,
            StepKind::Apply => 1,
            StepKind::Drain(_) => 2,
            StepKind::Retire(_) => 3,
        };
        if place < steps { Behaviour::Works } else { Behaviour::Hangs }
    });
}

/// Each stage goes on only when it was seen.
#[tokio::test(flavor = "multi_thread")]
async fn each_stage_is_shown_as_the_one_under_way() {
    let mesh = SimulatedMesh::new(2);
    goes_up_to(&mesh, 0);
    let server = serve::Server::start_on(MemoryStore::new(), mesh.clone(), Options::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let id = create(&url);
    let mut child = in_a_terminal(&url, &format!("cancel {id}")).stdout(Stdio::piped()).spawn().unwrap();
    let (mut terminal, mut bytes) = (child.stdout.take().unwrap(), Vec::new());
    let mut more = || {
        let mut buffer = [0; 1024];
        let read = terminal.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        (read > 0, String::from_utf8_lossy(&bytes).into_owned())
    };
    for (done, stages) in [
        "▶ Preparing  · Routing  · Draining  · Retiring",
        "✔ Preparing  ▶ Routing  · Draining  · Retiring",
        "✔ Preparing  ✔ Routing  ▶ Draining  · Retiring",
        "✔ Preparing  ✔ Routing  ✔ Draining  ▶ Retiring",
    ]
    .into_iter()
    .enumerate()
    {
        loop {
            let (goes_on, seen) = more();
            if seen.contains(stages) {
                break;
            }
            // It ends when the server has let it wait for too long.
            assert!(goes_on, "{stages} is not in\n{seen}");
        }
        goes_up_to(&mesh, done + 1);
    }
    let said = loop {
        if let (false, said) = more() {
            break said;
        }
    };
    assert!(said.contains("Canceled: v1 has all traffic of cart, v2 is retired"), "{said}");
    assert!(child.wait().unwrap().success(), "{said}");
}
