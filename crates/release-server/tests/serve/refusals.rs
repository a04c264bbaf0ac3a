//! What the server does not start with, and what it says then.

use crate::process::{OPEN, Process, refusal, serve};
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

#[test]
fn the_server_refuses_to_start_and_says_why() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("tokens"), "# a comment\na-token-of-some-length *\n").unwrap();
    fs::write(path("bad-tokens"), "a-token-of-some-length *\n\na-token-of-some-length mesh-1\n").unwrap();
    fs::write(path("short-keys"), "access secret *\n").unwrap();
    fs::write(path("no-keys"), "# nobody\n").unwrap();
    fs::create_dir(path("damaged")).unwrap();
    fs::write(path("damaged/releases.redb"), "this was never a store").unwrap();
    fs::write(path("file"), "").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_address = taken.local_addr().unwrap().to_string();
    let running = Process::start(serve(OPEN.iter().copied().chain(["--data", &path("in-use")])));

    let memory = ["--mesh=simulated", "--store=memory", "--listen=127.0.0.1:0"];
    let cases: Vec<(&str, Vec<String>)> = vec![
        ("no mesh", words(&["--no-auth", "--store=memory"])),
        ("no authentication", words(&memory)),
        (
            "no authentication on every address",
            [&words(&memory[..2])[..], &words(&["--no-auth", "--listen=0.0.0.0:0"])].concat(),
        ),
        ("the same, IPv6", [&words(&memory[..2])[..], &words(&["--no-auth", "--listen=[::]:0"])].concat()),
        ("both", [&words(&memory)[..], &words(&["--no-auth", "--token-file", &path("tokens")])].concat()),
        ("no such file", [&words(&memory)[..], &words(&["--token-file", &path("nowhere")])].concat()),
        ("a token twice", [&words(&memory)[..], &words(&["--token-file", &path("bad-tokens")])].concat()),
        ("a short secret", [&words(&memory)[..], &words(&["--aksk-file", &path("short-keys")])].concat()),
        ("nobody", [&words(&memory)[..], &words(&["--aksk-file", &path("no-keys")])].concat()),
        ("no directory", words(&OPEN)),
        ("a file for a directory", [&words(&OPEN)[..], &words(&["--data", &path("file")])].concat()),
        ("a damaged store", [&words(&OPEN)[..], &words(&["--data", &path("damaged")])].concat()),
        ("a store in use", [&words(&OPEN)[..], &words(&["--data", &path("in-use")])].concat()),
        (
            "an address in use",
            [&words(&OPEN[1..])[..], &words(&["--store=memory", "--listen", &taken_address])].concat(),
        ),
        ("no address", [&words(&OPEN[1..])[..], &words(&["--store=memory", "--listen=localhost"])].concat()),
        ("Envoys without a place", words(&["--no-auth", "--mesh=envoy", "--store=memory", "--listen=127.0.0.1:0"])),
        (
            "Envoys without services",
            words(&[
                "--no-auth",
                "--mesh=envoy",
                "--store=memory",
                "--listen=127.0.0.1:0",
                "--xds-listen=127.0.0.1:0",
                "--services",
                &path("nowhere"),
            ]),
        ),
        ("too short a header", [&words(&memory)[..], &words(&["--no-auth", "--max-header-bytes=8191"])].concat()),
        ("no connections", [&words(&memory)[..], &words(&["--no-auth", "--max-connections=0"])].concat()),
        ("no such level", [&words(&memory)[..], &words(&["--no-auth", "--log=inof"])].concat()),
        ("no level of a target", [&words(&memory)[..], &words(&["--no-auth", "--log=info,hyper=2much"])].concat()),
        ("too short a grace", [&words(&memory)[..], &words(&["--no-auth", "--grace=249"])].concat()),
        ("too long a wait", [&words(&memory)[..], &words(&["--no-auth", "--wait=100000"])].concat()),
    ];
    let mut transcript = Vec::new();
    for (name, arguments) in cases {
        let (code, text) = refusal(serve(&arguments));
        // The log is another test's; what clap adds after the error is clap's.
        let error: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("error")).take(2).collect();
        assert!(!text.contains("a-token-of-some-length"), "{text}");
        transcript.push(format!("{name} ({code}): {}", error.join(" ").trim_end()));
    }
    let transcript = transcript.join("\n").replace(directory.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(transcript.replace(&taken_address, "ADDRESS"));
    drop(running);
    assert_eq!(fs::read_to_string(path("damaged/releases.redb")).unwrap(), "this was never a store");
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
