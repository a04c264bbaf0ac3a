//! Programs that are started, and ended by their own process.

use anyhow::{Context as _, Result, bail};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a program may take to start.
const START: Duration = Duration::from_secs(30);

/// How many lines of a log are shown.
const LINES: usize = 20;

/// A program that runs until this is dropped.
pub(crate) struct Program {
    /// Killed when it is dropped.
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Program {
    /// Starts a program; what it logs goes to a file.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log })
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }

    /// What follows `start` in the next line that the program prints.
    pub(crate) async fn announced(&mut self, start: &str) -> Result<String> {
        let line = timeout(START, self.lines.next_line())
            .await
            .with_context(|| format!("no answer; its log:\n{}", self.log()))??;
        match line.as_deref().and_then(|line| line.strip_prefix(start)) {
            Some(rest) => Ok(rest.to_owned()),
            None => bail!("the server printed {line:?}, not {start:?}; its log:\n{}", self.log()),
        }
    }

    /// Asks the program to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
        let status = timeout(START, self.child.wait()).await.context("the server does not stop")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

/// The server program, which lies beside the folder of this one.
pub(crate) fn server() -> Result<PathBuf> {
    let here = env::current_exe()?;
    let program = here.ancestors().nth(2).context("this program is in no folder")?.join("release-server");
    if !program.is_file() {
        bail!("{} is not there: use `cargo xtask demo`, which builds it", program.display());
    }
    Ok(program)
}

/// A command of that program which sees nothing of the caller's own settings for it.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = if cfg!(target_os = "linux") {
        // Whatever becomes of this process, it leaves no other behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RELEASE_")) {
        command.env_remove(name);
    }
    command
}
