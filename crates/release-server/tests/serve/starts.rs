//! A server that has not started yet.

use crate::process::{Process, serve};
use std::fs::File;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A disk or a network may let it wait for a file as long as it wants.
#[test]
fn a_signal_ends_a_server_that_waits_for_a_file() {
    for signal in ["TERM", "INT"] {
        let directory = TempDir::new().unwrap();
        let services = directory.path().join("services.toml");
        assert!(Command::new("mkfifo").arg(&services).status().unwrap().success());
        let mut command = serve(["--listen=127.0.0.1:0", "--no-auth", "--store=memory", "--mesh=envoy"]);
        command.arg("--xds-listen=127.0.0.1:0").arg("--services").arg(&services);
        let process = Process::starting(command);
        // A pipe is opened once it is opened at its other end, too; and read until it is closed here.
        let (sender, opened) = channel();
        thread::spawn(move || sender.send(File::options().write(true).open(services)));
        let _open = opened.recv_timeout(Duration::from_mins(1)).unwrap().unwrap();
        process.signal(signal);
        let (status, log) = process.ended();
        assert!(status.success(), "{status}: {log}");
        assert!(log.contains(&format!("stops before it has started; nothing is lost signal=\"SIG{signal}\"")), "{log}");
    }
}
