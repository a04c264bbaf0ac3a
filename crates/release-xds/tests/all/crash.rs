//! A control plane that is killed (SIGKILL) in each stage of a takeover, and started again on what it left behind.

use crate::plane::config;
use crate::rig::{Release, Site, Traffic, VERSIONS, envoys, failed, label};
use release_core::{Action, Phase, Stage};
use release_engine::{Engine, Event, Settings};
use release_store::RedbStore;
use release_xds::{EnvoyMesh, control};
use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const STAGES: [Stage; 4] = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];

/// How long after it got to a stage it is killed.
const LATER: [Duration; 2] = [Duration::ZERO, Duration::from_millis(100)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_plane_that_is_killed_in_any_stage_takes_up_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(1).await;
    let address = free_address();
    config(&site, folder.path(), address, control::Settings::default());
    let mut plane = Killable::start(folder.path(), address).await;
    let envoys = envoys(address, 2).await;
    let traffic = Traffic::start(&envoys, 1, 30, &[]);
    let slow = Traffic::start(&envoys, 1, 3, &[("x-test-delay-ms", "500")]);
    let mut owner = label(VERSIONS[0]);
    let moments =
        (0..).zip(LATER).flat_map(|(at, later)| (at..).zip(STAGES).map(move |(at, stage)| (at, later, stage)));
    for (round, (at, later, stage)) in moments.enumerate() {
        // Each stage with both.
        let action = if at % 2 == 0 { Action::End } else { Action::Cancel };
        let other = VERSIONS.map(label).into_iter().find(|label| *label != owner).unwrap();
        let (survivor, loser) = if action == Action::End { (&other, &owner) } else { (&owner, &other) };
        site.upstream(0, &other).revive();
        plane.tell(&format!("start {round} {owner} {other}")).await;
        plane.until(&format!("started {round}")).await;
        let (calls, retired) = (site.retirement.calls(), site.retirement.retired());
        // What keeps a takeover in a stage.
        match stage {
            Stage::Preparing => site.upstream(0, survivor).set_healthy(false),
            Stage::Routing => envoys[1].pause().unwrap(),
            Stage::Draining => {}
            Stage::Retiring => site.retirement.hold(true),
        }
        plane.tell(&format!("{action} {round} {owner} {other}")).await;
        plane.until(&moved(round, Phase::Closing(action, stage))).await;
        if stage == Stage::Retiring {
            site.retirement.called(calls + 1).await;
        }
        tokio::time::sleep(later).await;
        if stage != Stage::Draining {
            assert_eq!(site.retirement.retired(), retired, "{action}, {stage}: not retired yet");
        }
        plane.kill().await;
        plane = Killable::start(folder.path(), address).await;
        match stage {
            Stage::Preparing => site.upstream(0, survivor).set_healthy(true),
            Stage::Routing => envoys[1].resume().unwrap(),
            Stage::Draining => {}
            Stage::Retiring => site.retirement.hold(false),
        }
        // Nobody asks again: the decision is recorded.
        plane.until(&moved(round, Phase::Closed(action))).await;
        assert!(site.retirement.retired().contains(&format!("s0-{round} {loser}")), "{action}, {stage}");
        owner = survivor.clone();
    }
    for traffic in [traffic, slow] {
        assert_eq!(failed(&traffic.stop().await), [""; 0]);
    }
    assert_eq!(site.knocks(), [""; 0], "nothing reaches a version that was retired");
}

/// What a control plane says when a release got there.
fn moved(round: usize, to: Phase) -> String {
    format!("s0-{round}: {to}")
}

/// A control plane in a process of its own, which is this test program again.
struct Killable {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    said: HashSet<String>,
}

const FOLDER: &str = "RELEASE_TEST_FOLDER";
const ADDRESS: &str = "RELEASE_TEST_ADDRESS";

impl Killable {
    async fn start(folder: &Path, address: SocketAddr) -> Self {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "crash::the_control_plane"])
            .env(FOLDER, folder)
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
        let mut plane = Self { child, input, output, said: HashSet::new() };
        plane.until("listening").await;
        plane
    }

    async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits until it says that, unless it has said so already.
    async fn until(&mut self, line: &str) {
        let wait = async {
            while !self.said.contains(line) {
                let said = self.output.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before {line:?}"));
                assert!(!said.starts_with("failed"), "{said}");
                self.said.insert(said);
            }
        };
        timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("it never said {line:?}"));
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// One that a control plane can listen on again and again: no connection and no other server is given such a port.
fn free_address() -> SocketAddr {
    let some = std::iter::repeat_with(|| SocketAddr::from(([127, 0, 0, 1], fastrand::u16(20_000..30_000))));
    some.take(1_000).find(|address| TcpListener::bind(address).is_ok()).unwrap()
}

/// The other end of [`Killable`]: reads what it is to do, line by line, and says what happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is a program, started by another test"]
async fn the_control_plane() {
    let (Ok(folder), Ok(address)) = (std::env::var(FOLDER).map(PathBuf::from), std::env::var(ADDRESS)) else { return };
    let mesh = EnvoyMesh::start(release_xds::Config {
        listen: address.parse().unwrap(),
        services: folder.join("services.toml"),
        state: Some(folder.join("mesh.json")),
        settings: control::Settings { min_nodes: 2, ..control::Settings::default() },
    });
    let mesh = mesh.await.unwrap();
    let observer = Arc::new(|event: Event<'_>| {
        if let Event::Moved { key, to, .. } = event {
            println!("{}: {to}", key.id);
        }
    });
    let store = RedbStore::open(folder.join("releases.redb")).unwrap();
    let engine = Engine::start(store, mesh, Settings { observer, ..Settings::default() }).await.unwrap();
    println!("\nlistening");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let words: Vec<_> = line.split(' ').collect();
        let [what, round, original, grayscale] = words[..] else { panic!("{line:?}") };
        let release = Release::new(0, round.parse().unwrap(), &label(original), &label(grayscale));
        if what == "start" {
            release.start(&engine).await;
            println!("started {round}");
        } else {
            let action = if what == Action::End.to_string() { Action::End } else { Action::Cancel };
            let engine = engine.clone();
            tokio::spawn(async move {
                if let Err(error) = release.delete(&engine, action).await {
                    println!("failed: {error:?}");
                }
            });
        }
    }
}
