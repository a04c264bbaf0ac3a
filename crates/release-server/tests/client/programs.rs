//! The real binary as a server and as a client.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(1);

/// A mesh in which no step ever comes to an end.
pub(crate) const STUCK: &str = "--simulated-lag=3600000";

/// A server, ended by its own process id.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

/// What a client printed, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary with nothing in its environment that a test did not put there.
pub(crate) fn binary() -> Command {
    // Whatever becomes of the tests, they leave no process behind.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_release-server")]).env_clear();
    command
}

impl Server {
    /// A server in memory on a free port, over a mesh that works at once.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = binary();
        command.args(["serve", "--mesh=simulated", "--store=memory"]);
        command.env("RELEASE_SIMULATED_LAG", "0").args(arguments);
        Self::run_by(command)
    }

    /// A server that this command starts, on a free port and with no more in its log than errors.
    pub(crate) fn run_by(mut command: Command) -> Self {
        command.args(["--listen=127.0.0.1:0", "--log=error"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // Ends also when the server does.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).trim().to_owned();
        Self { child, url }
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Command {
        client(&self.url)
    }

    /// Runs a client with these words.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        done(self.client().args(arguments))
    }

    /// A release of cart, from v1 to v2; its id.
    pub(crate) fn create(&self) -> String {
        create(&self.url)
    }

    /// Waits until the release is as it says.
    pub(crate) fn until(&self, id: &str, reached: impl Fn(&serde_json::Value) -> bool) {
        let began = Instant::now();
        while !reached(&serde_json::from_str(&self.run(["show", id, "--output", "json"]).ok()).unwrap()) {
            assert!(began.elapsed() < LIMIT);
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of that server.
pub(crate) fn client(url: &str) -> Command {
    let mut command = binary();
    command.envs([("RELEASE_SERVER", url), ("RELEASE_MESH_ID", "mesh-1"), ("RELEASE_NAMESPACE", "shop")]);
    command
}

/// A release of cart on that server, from v1 to v2; its id.
pub(crate) fn create(url: &str) -> String {
    let create = "create cart-v2 --service cart --original v1 --grayscale v2 --output id";
    done(client(url).args(create.split(' '))).ok().trim().to_owned()
}

/// Runs a command that ends by itself.
pub(crate) fn done(command: &mut Command) -> Done {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

impl Done {
    /// What a success printed.
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, &*self.err), (0, ""), "{self:?}");
        self.out
    }
}

/// Text in which everything that differs between two runs has a name instead.
pub(crate) fn stable(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = names.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name));
    for (before, after, name) in
        [("request ", ")", "REQUEST"), ("closed at ", ". (", "TIME"), ("closed at ", ".\"", "TIME")]
    {
        if let Some((start, rest)) = text.split_once(before)
            && let Some((_, end)) = rest.split_once(after)
        {
            text = format!("{start}{before}{name}{after}{end}");
        }
    }
    text
}
