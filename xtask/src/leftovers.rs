//! Whether a program leaves anything behind: a temporary file, or a process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

/// Runs a program, given as `env` takes it, and shows what it prints. It must end and leave nothing behind. With `interrupt` it
/// gets SIGINT when it prints a line with that in it, and must fail then. `silence` is how long the next line may take.
pub(crate) fn none(
    sh: &Shell,
    program: impl IntoIterator<Item = impl AsRef<OsStr>>,
    interrupt: Option<&str>,
    silence: Duration,
) -> Result<()> {
    let folder = sh.create_temp_dir()?;
    // Descriptor 3 is its standard output once more, and all that it starts inherits it: that ends when the last of them does.
    let mut child = Command::from(cmd!(sh, "sh -c").arg("exec env \"$@\" 3>&1").arg("sh").args(program))
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let (id, stdout) = (child.id(), child.stdout.take().context("no standard output")?);
    let (sender, lines) = channel();
    thread::spawn(move || BufReader::new(stdout).lines().try_for_each(|line| sender.send(line)));
    let mut interrupted = false;
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => {
                let line = line?;
                println!("{line}");
                if !interrupted && interrupt.is_some_and(|start| line.contains(start)) {
                    // The shell has its own `kill`; the program is not on every machine.
                    cmd!(sh, "sh -c").arg(format!("kill -INT {id}")).quiet().run()?;
                    interrupted = true;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                bail!(
                    "nothing was printed for {silence:?}, and it, or a process that it has left behind, does not end"
                );
            }
        }
    }
    let status = child.wait()?;
    match interrupt {
        None => ensure!(status.success(), "it ended with {status}"),
        Some(line) => {
            ensure!(interrupted, "it was to be interrupted at {line:?}, and ended before that with {status}");
            ensure!(status.code() == Some(1), "it was interrupted, and ended with {status}");
        }
    }
    let files = sh.read_dir(folder.path())?;
    ensure!(files.is_empty(), "it has left files behind: {files:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn script(text: &str, interrupt: Option<&str>, silence: Duration) -> String {
        let sh = crate::workspace::shell().unwrap();
        // A shell can't catch what was ignored when it began, as SIGINT is in the background of another.
        none(&sh, ["--default-signal=INT", "sh", "-c", text], interrupt, silence)
            .map_or_else(|error| error.to_string(), |()| "nothing".into())
    }

    #[test]
    fn what_is_left_behind_is_told() {
        assert_eq!(script("touch $TMPDIR/a; rm $TMPDIR/a", None, LONG), "nothing");
        assert!(script("touch $TMPDIR/a", None, LONG).contains("/a\""));
        assert!(script("exit 3", None, LONG).contains("exit status: 3"));
        // Its standard streams tell nothing of it, and the shell that has started it ends long before the silence is over.
        let left = "sleep 60 <&- >&- 2>&- &";
        assert!(script(left, None, Duration::from_secs(1)).contains("does not end"));
    }

    #[test]
    fn who_is_interrupted_fails_and_cleans_up() {
        let wait = "touch $TMPDIR/a; echo now; while :; do :; done";
        assert_eq!(script(&format!("trap 'rm $TMPDIR/a; exit 1' INT; {wait}"), Some("now"), LONG), "nothing");
        assert!(script(&format!("trap 'exit 1' INT; {wait}"), Some("now"), LONG).contains("left files"));
        assert!(script(&format!("trap 'exit 0' INT; {wait}"), Some("now"), LONG).contains("exit status: 0"));
        assert!(script("exit 1", Some("now"), LONG).contains("ended before that"));
    }
}
