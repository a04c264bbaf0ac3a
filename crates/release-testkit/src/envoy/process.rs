//! An Envoy as a child process.

use super::Bootstrap;
use super::raw::RawClient;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// An Envoy as a child process. It ends when this is dropped, and also when the thread that started it dies.
#[derive(Debug)]
pub struct EnvoyProcess {
    child: Child,
    admin: SocketAddr,
    listener: SocketAddr,
    /// Its configuration and its log.
    folder: TempDir,
}

/// How long an Envoy may take to start; it waits for its routes, too.
const START: Duration = Duration::from_mins(1);

/// How often one that starts is looked at.
const LOOK: Duration = Duration::from_millis(10);

impl EnvoyProcess {
    /// Starts one and waits until it listens with its routes.
    pub async fn start(bootstrap: &Bootstrap) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("envoy-").tempdir()?;
        let config = folder.path().join("bootstrap.json");
        fs::write(&config, bootstrap.to_json().to_string())?;
        let admin_file = folder.path().join("admin");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program()?)
            .arg("--config-path")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&admin_file)
            .arg("--concurrency")
            .arg(bootstrap.workers.to_string())
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self { child, admin: nowhere, listener: nowhere, folder };
        match timeout(START, envoy.wait(&admin_file)).await {
            Ok(Ok(())) => Ok(envoy),
            Ok(Err(error)) => Err(io::Error::other(format!("Envoy did not start: {error}\n{}", envoy.log()))),
            Err(_) => Err(io::Error::other(format!("Envoy had no routes after {START:?}\n{}", envoy.log()))),
        }
    }

    async fn wait(&mut self, admin_file: &PathBuf) -> io::Result<()> {
        self.admin = loop {
            self.is_running()?;
            if let Ok(Ok(address)) = fs::read_to_string(admin_file).map(|text| text.trim().parse()) {
                break address;
            }
            sleep(LOOK).await;
        };
        while self.admin("/ready").await.ok().as_deref().map(str::trim) != Some("LIVE") {
            self.is_running()?;
            sleep(LOOK).await;
        }
        let listeners = self.admin("/listeners").await?;
        // A line is `http::127.0.0.1:41234`.
        let listener = listeners.lines().find_map(|line| line.strip_prefix("http::")?.parse().ok());
        self.listener = listener.ok_or_else(|| io::Error::other(format!("no listener in {listeners:?}")))?;
        Ok(())
    }

    fn is_running(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(status.to_string())),
        }
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.listener
    }

    /// What its administration interface answers to a GET of `path`.
    pub async fn admin(&self, path: &str) -> io::Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n");
        let response = RawClient::connect(self.admin).await?.send(request.as_bytes()).await?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }

    /// One of its counters or gauges, 0 if there is none.
    pub async fn stat(&self, name: &str) -> io::Result<u64> {
        let text = self.admin(&format!("/stats?filter=^{name}$")).await?;
        Ok(text.lines().find_map(|line| line.split_once(": ")?.1.trim().parse().ok()).unwrap_or(0))
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops it in its tracks (SIGSTOP): it keeps its connections, and neither routes nor acknowledges.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        // The shell has its own `kill`; the program is not on every machine.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{name}: {status}"))) }
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        self.end();
    }
}

fn program() -> io::Result<PathBuf> {
    let installed = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/envoy"));
    let program = std::env::var_os("RELEASE_ENVOY").map_or_else(installed, PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    let missing = format!("there is no Envoy at {}: `cargo xtask envoy` installs it", program.display());
    Err(io::Error::new(io::ErrorKind::NotFound, missing))
}
