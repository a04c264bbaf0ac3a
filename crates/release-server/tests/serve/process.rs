//! The real binary, ended by its own process id, whatever happens to the test.

use crate::client::Client;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Process {
    child: Child,
    pub(crate) client: Client,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    lines: Receiver<String>,
}

/// The command `serve` with nothing in its environment that a test did not put there, and a mesh that works at once.
pub(crate) fn serve<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    // Whatever becomes of the tests, they leave no process behind. Who ignores that signal gets an error where a file would
    // become too large, as with a full disk.
    let mut command = Command::new("sh");
    let run = "trap '' XFSZ; exec setpriv --pdeathsig KILL \"$@\"";
    command.args(["-c", run, "sh", env!("CARGO_BIN_EXE_release-server")]);
    command.env_clear().env("RELEASE_SIMULATED_LAG", "0").arg("serve").args(arguments);
    command
}

/// What a server on a free port needs that is not about its store.
pub(crate) const OPEN: [&str; 3] = ["--listen=127.0.0.1:0", "--no-auth", "--mesh=simulated"];

impl Process {
    /// Starts a server in memory with these arguments in addition to [`OPEN`].
    pub(crate) fn in_memory(arguments: &[&str]) -> Self {
        Self::start(serve(OPEN.iter().chain(&["--store=memory"]).chain(arguments)))
    }

    /// Starts a server, and returns as soon as it says that it can answer.
    pub(crate) fn start(command: Command) -> Self {
        let mut process = Self::starting(command);
        process.client = Client::new(process.address("listening on http://"));
        process
    }

    /// Starts a server, and does not wait for it: its client has no address.
    pub(crate) fn starting(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let reader = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut stderr = BufReader::new(stderr);
                let mut line = String::new();
                while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                    log.lock().unwrap().push_str(&line);
                    line.clear();
                }
            }
        });
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, client: Client::new(nowhere), log, reader: Some(reader), lines }
    }

    /// The address in the next line on standard output.
    pub(crate) fn address(&self, before: &str) -> SocketAddr {
        let line = self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no answer; the log:\n{}", self.log()));
        line.strip_prefix(before).unwrap_or_else(|| panic!("{line}")).parse().unwrap()
    }

    /// What was logged up to now.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until something was logged.
    pub(crate) fn until_logged(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < LIMIT, "{text:?} is not in the log:\n{}", self.log());
            sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process has ended, and returns how, with all that was logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets no file of the process become longer than that.
pub(crate) fn limit_files(process: &Process, bytes: &str) {
    let limit = ["--pid", &process.id().to_string(), &format!("--fsize={bytes}:unlimited")].map(str::to_owned);
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
}

/// Runs a command that ends by itself; returns its exit code and what it wrote to standard error.
pub(crate) fn refusal(mut command: Command) -> (i32, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = wait(&mut child);
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (status.code().unwrap(), text)
}

fn wait(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("the process does not end");
        }
        sleep(Duration::from_millis(5));
    }
}
