//! A control plane that is killed (SIGKILL) in each stage of a takeover, and started again on what it left behind.

use crate::plane::{config, hold_retiring, retired};
use crate::rig::{Release, Site, Traffic, VERSIONS, envoys, failed, label};
use release_core::{Action, Phase, Stage};
use release_engine::{Engine, Event, Settings};
use release_store::RedbStore;
use release_xds::{EnvoyMesh, control};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const STAGES: [Stage; 4] = [Stage::Preparing, Stage::Routing, Stage::Draining, Stage::Retiring];

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
    for (round, stage) in STAGES.into_iter().enumerate() {
        let survivor = VERSIONS.map(label).into_iter().find(|label| *label != owner).unwrap();
        plane.tell(&format!("start {round} {owner} {survivor}")).await;
        plane.until("started").await;
        // What keeps a takeover in a stage.
        match stage {
            Stage::Preparing => site.upstream(0, &survivor).set_healthy(false),
            Stage::Routing => envoys[1].pause().unwrap(),
            Stage::Draining => {}
            Stage::Retiring => hold_retiring(folder.path(), true),
        }
        plane.tell(&format!("end {round} {owner} {survivor}")).await;
        plane.until(&Phase::Closing(Action::End, stage).to_string()).await;
        let retirements = retired(folder.path()).lines().count();
        assert_eq!(retirements, round, "{stage}: not retired yet");
        plane.kill().await;
        let mut again = Killable::start(folder.path(), address).await;
        match stage {
            Stage::Preparing => site.upstream(0, &survivor).set_healthy(true),
            Stage::Routing => envoys[1].resume().unwrap(),
            Stage::Draining => {}
            Stage::Retiring => hold_retiring(folder.path(), false),
        }
        again.tell(&format!("end {round} {owner} {survivor}")).await;
        again.until("ended").await;
        let loser = site.upstream(0, &owner);
        let requests = loser.requests();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(loser.requests(), requests, "{stage}: nothing reaches {owner} any more");
        owner = survivor;
        plane = again;
    }
    for traffic in [traffic, slow] {
        assert_eq!(failed(&traffic.stop().await), [""; 0]);
    }
}

/// A control plane in a process of its own, which is this test program again.
struct Killable {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
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
        let mut plane = Self { child, input, output };
        plane.until("listening").await;
        plane
    }

    async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits until it says that.
    async fn until(&mut self, line: &str) {
        let wait = async {
            loop {
                let said = self.output.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before {line:?}"));
                if said == line {
                    return;
                }
                assert!(!said.starts_with("failed"), "{said}");
            }
        };
        timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("it never said {line:?}"));
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// One that a control plane can listen on again and again.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
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
        if let Event::Moved { to, .. } = event {
            println!("{to}");
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
            println!("started");
        } else {
            let engine = engine.clone();
            tokio::spawn(async move {
                match release.delete(&engine, Action::End).await {
                    Ok(_) => println!("ended"),
                    Err(error) => println!("failed: {error:?}"),
                }
            });
        }
    }
}
