//! The lines of the README that ask a server work as they are printed.

use crate::programs::{Server, binary};
use std::process::{Command, Stdio};

const README: &str = include_str!("../../../../README.md");

/// What the README calls its server.
const SERVER: &str = "http://127.0.0.1:8080";

/// Ends the output of a line.
const END: &str = "--- that was all";

/// The block of shell that asks a server.
fn block() -> &'static str {
    let mut blocks =
        README.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block);
    blocks.find(|block| block.contains("curl")).unwrap()
}

/// The words of the line above it that starts the server, without the program's name.
fn serve() -> impl Iterator<Item = &'static str> {
    let line = README.lines().find(|line| line.starts_with("release-server serve ")).unwrap();
    line.split(' ').skip(1)
}

/// The commands, each with the answer that is printed below it, if one is.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut commands = vec![(String::new(), String::new())];
    for line in block.lines() {
        match line.strip_prefix("#> ") {
            Some(answer) => {
                commands.last_mut().unwrap().1 = answer.into();
                commands.push((String::new(), String::new()));
            }
            None => commands.last_mut().unwrap().0.extend([line, "\n"]),
        }
    }
    commands
}

#[test]
fn the_curl_lines_give_the_answers_that_are_printed() {
    let mut command = binary();
    command.args(serve());
    let server = Server::run_by(command);
    let commands = commands(&block().replace(SERVER, &server.url));
    assert!(commands.len() > 5, "{commands:?}");
    // One shell, as for whoever copies the block; each answer ends with a line of its own.
    let script: String =
        commands.iter().flat_map(|(command, _)| [command.as_str(), "\necho; echo '", END, "'\n"]).collect();
    let output = Command::new("bash").args(["-eu", "-c", &script]).stdin(Stdio::null()).output().unwrap();
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "is curl there?\n{said}{log}");
    let answers: Vec<_> = said.split(&format!("{END}\n")).map(str::trim).collect();
    assert_eq!(answers.len(), commands.len() + 1, "{said}");
    for ((command, expected), answer) in commands.iter().zip(answers) {
        assert!(fits(expected, answer), "{command}\nprinted {answer}\nand the README says {expected}");
    }
}

/// Whether the answer is as expected; `…` stands for anything.
fn fits(expected: &str, answer: &str) -> bool {
    let (first, others) = expected.split_once('…').map_or((expected, None), |(first, others)| (first, Some(others)));
    let Some(rest) = answer.strip_prefix(first) else { return false };
    match others {
        None => rest.is_empty(),
        Some(others) => (0..=rest.len()).filter_map(|from| rest.get(from..)).any(|rest| fits(others, rest)),
    }
}

#[test]
fn what_is_left_out_stands_for_anything_and_the_rest_for_itself() {
    for (expected, answer, does) in [
        ("200", "200", true),
        ("200", "2000", false),
        ("", "", true),
        ("", "x", false),
        ("a…c", "abc", true),
        ("a…c", "ac", true),
        ("a…c", "abcd", false),
        ("…b…", "abc", true),
        ("…b…", "ac", false),
    ] {
        assert_eq!(fits(expected, answer), does, "{expected} {answer}");
    }
}
