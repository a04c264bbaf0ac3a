//! A takeover while an Envoy, or the machine under it, stands still.

use crate::plane::Plane;
use crate::rig::{Release, Site, host, label};
use release_core::{Action, Phase, Stage};
use release_testkit::envoy::{Bootstrap, EnvoyProcess, Source};
use release_xds::control::Settings;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Requests that the worker has before it when it stalls, each on a connection of its own; half of them are the loser's.
const WAITING: u64 = 20;

/// How long workers may be late here: this machine may have little time for an Envoy.
const GRACE: Duration = Duration::from_secs(5);

/// The main thread of an Envoy confirms, its worker is late, and both stand still until the version that lost is drained by the
/// clock. When they go on, the worker gives what has waited to the version that lost; that its time is over by then (504) is
/// another matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_an_envoy_that_stands_still_does_not_reach_a_retired_version() {
    let site = Site::start(1).await;
    let settings = Settings { grace: GRACE, ..Settings::default() };
    let plane = Plane::impatient(&site, settings, Duration::from_mins(1)).await;
    let source = Source::Ads { control_plane: plane.mesh.address(), load_reports: false };
    let bootstrap = Bootstrap { workers: 1, stalls: true, ..Bootstrap::new("envoy-1", "mesh-1", source) };
    let envoy = EnvoyProcess::start(&bootstrap).await.unwrap();
    let release = Release::new(0, 0, &label("v1"), &label("v2"));
    release.start(&plane.engine).await;
    let mut clients = Vec::new();
    for _ in 0..=WAITING {
        clients.push(TcpStream::connect(envoy.address()).await.unwrap());
    }
    until(async || envoy.stat("http.http.downstream_cx_active").await.unwrap() > WAITING).await;
    // All requests are there when the worker looks, and the first one stalls it.
    envoy.pause().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (pipe, mut end_of_stall) = named_pipe(folder.path());
    let mut stall = format!("x-test-stall: {}\r\n", pipe.display());
    for client in &mut clients {
        let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n{stall}\r\n", host(0));
        client.write_all(request.as_bytes()).await.unwrap();
        stall.clear();
    }
    envoy.resume().unwrap();
    until(async || envoy.stat("http.http.downstream_rq_active").await.unwrap() > 0).await;
    let closing = async |stage| {
        let wanted = Phase::Closing(Action::End, stage);
        release.until(&plane.engine, |stored| stored.record.task.phase() == wanted).await
    };
    let stands_still = async {
        closing(Stage::Draining).await;
        envoy.pause().unwrap();
        let loser = site.upstream(0, &label("v1"));
        let before = loser.requests();
        closing(Stage::Retiring).await;
        end_of_stall.write_all(b"\n").unwrap();
        envoy.resume().unwrap();
        for client in clients {
            client.readable().await.unwrap();
        }
        // What had waited was the loser's, or this shows nothing.
        until(async || loser.requests() > before + 1).await;
    };
    let (ended, ()) = tokio::join!(release.delete(&plane.engine, Action::End), stands_still);
    ended.unwrap();
    assert_eq!(site.retirement.retired(), ["s0-0 v1"]);
    assert_eq!(site.knocks(), [""; 0]);
}

/// A named pipe in that folder, open so that nobody who opens it waits for another one.
fn named_pipe(folder: &Path) -> (PathBuf, File) {
    let path = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let both_ends = File::options().read(true).write(true).open(&path).unwrap();
    (path, both_ends)
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), wait).await.unwrap();
}
