//! What people see, from the first command to the last.

use crate::programs::{STUCK, Server, stable};
use serde_json::Value;
use std::fmt::Write as _;

/// As long as a real one, so that tables look as they do.
const ID: &str = "0190a1b2-0000-7000-8000-000000000001";

/// Runs commands one after the other, as a person would, and writes down what they print.
struct Session {
    server: Server,
    id: String,
    text: String,
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        Self {
            server: Server::start(&[&["--no-auth"], arguments].concat()),
            id: "none yet".into(),
            text: String::new(),
        }
    }

    fn run(&mut self, line: &str) {
        let done = self.server.run(line.replace("ID", &self.id).split(' '));
        if line.starts_with("create") && done.code == 0 {
            let (created, _) = done.out.split_once(',').unwrap();
            created.strip_prefix("Created ").unwrap().clone_into(&mut self.id);
        }
        let names = [(&*self.id, ID), (&*self.server.url, "SERVER")];
        let (out, err) = (stable(&done.out, &names), stable(&done.err, &names));
        writeln!(self.text, "$ release-server {}\n{out}{err}[{}]\n", line.replace("ID", ID), done.code).unwrap();
    }

    fn until(&self, reached: impl Fn(&Value) -> bool) {
        self.server.until(&self.id, reached);
    }
}

fn settled(release: &Value) -> bool {
    release["status"]["phase"] == "running" && release["status"]["wanted"] == release["status"]["confirmed"]
}

#[test]
fn a_release_from_create_to_end() {
    let mut session = Session::start(&[]);
    session.run("list");
    session.run("create cart-v2 --service cart --original v1 --grayscale v2 --image-version 2.0.1");
    session.until(settled);
    session.run("create another --service cart --original v1 --grayscale v3");
    session.run("list");
    session.run("show ID");
    session.run("policy ID --weight 20");
    session.until(settled);
    session.run("list --unclosed");
    session.run("plan end ID");
    session.run("plan cancel ID");
    session.run("end ID");
    session.run("show ID");
    session.run("end ID");
    session.run("cancel ID");
    session.run("list");
    session.run("list --unclosed");
    insta::assert_snapshot!(session.text);
}

#[test]
fn a_cancel_that_does_not_get_on_is_waited_for_again_and_taken_back() {
    let mut session = Session::start(&[STUCK, "--wait=1"]);
    session.run("create cart-v2 --service cart --original v1 --grayscale v2");
    session.run("end ID");
    session.run("cancel ID");
    session.run("show ID");
    session.run("cancel ID");
    session.run("end ID");
    session.run("reopen ID");
    session.run("reopen ID");
    session.run("list");
    insta::assert_snapshot!(session.text);
}
