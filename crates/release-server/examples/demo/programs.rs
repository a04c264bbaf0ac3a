//! Programs that are started, and ended by their own process.

use anyhow::{Context as _, Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a program may take to start.
const START: Duration = Duration::from_secs(30);

/// A program that runs until this is dropped.
pub(crate) struct Program {
    name: String,
    /// Killed when it is dropped.
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a program; what it logs goes to a file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let name =
            Path::new(command.as_std().get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = std::fs::File::create(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let stdout = child.stdout.take().context("no standard output")?;
        Ok(Self { name, child, lines: BufReader::new(stdout).lines() })
    }

    /// What follows `start` in the next line that the program prints.
    pub(crate) async fn announced(&mut self, start: &str) -> Result<String> {
        let line =
            timeout(START, self.lines.next_line()).await.with_context(|| format!("{} is silent", self.name))??;
        match line.as_deref().and_then(|line| line.strip_prefix(start)) {
            Some(rest) => Ok(rest.to_owned()),
            None => bail!("{} printed {line:?}, not {start:?}", self.name),
        }
    }

    /// Asks the program to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        let status =
            timeout(START, self.child.wait()).await.with_context(|| format!("{} does not stop", self.name))??;
        if !status.success() {
            bail!("{} ended with {status}", self.name);
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
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RELEASE_")) {
        command.env_remove(name);
    }
    command
}
