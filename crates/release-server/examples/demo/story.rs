//! What happens, told while it happens.

use crate::ask::{Answered, Api};
use crate::mesh::{self, HOST, Running};
use crate::record::{Record, Recorder, VERSIONS};
use crate::traffic::{RATE, Traffic};
use crate::{Options, chart, programs, svg};
use anyhow::{Context as _, Result, anyhow, ensure};
use http::StatusCode;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to look at what was reached.
const LOOK: Duration = Duration::from_secs(2);

/// How many requests tell a share.
const ENOUGH: usize = 500;

/// How long the mesh may take to confirm a policy.
const CONFIRM: Duration = Duration::from_secs(30);

pub(crate) async fn tell(options: &Options) -> Result<()> {
    let program = programs::server()?;
    let folder = tempfile::Builder::new().prefix("release-demo-").tempdir()?;

    let mesh = if options.simulated {
        title("A server, and a mesh: simulated, two proxies in the server's own memory");
        mesh::simulated(&program, folder.path()).await?
    } else {
        title("A server, and a mesh: two real Envoys in front of three versions of a service");
        mesh::envoy(&program, folder.path()).await?
    };
    println!("   $ {}", mesh.command_line);
    println!("   the API is at {}, users send their requests to {}", mesh.api, mesh.traffic.join(" and "));
    let told = releases(program, &mesh).await;
    let record = told.map_err(|error| anyhow!("{error:#}\nThe server's log ends with\n{}", mesh.server.log()))?;
    mesh.server.stop().await?;

    title("What the users saw");
    conclude(options, &record)
}

async fn releases(program: PathBuf, mesh: &Running) -> Result<Record> {
    let api = Api::new(program, mesh.api.clone());
    for (name, value) in api.variables() {
        println!("   $ export {name}={value}");
    }
    let mut story = Story { api, recorder: Arc::default(), users: None, traffic: mesh.traffic.clone() };
    story.first_release().await?;
    story.second_release().await?;
    story.users.take().context("nobody sent requests")?.stop().await;
    Ok(story.recorder.record())
}

struct Story {
    api: Api,
    recorder: Arc<Recorder>,
    users: Option<Traffic>,
    traffic: Vec<String>,
}

impl Story {
    async fn first_release(&mut self) -> Result<()> {
        title("A release of cart: v2 beside v1, with 20 % of the requests");
        let id = self.create("cart-v2", 0, 1).await?;
        self.users = Some(Traffic::start(self.traffic.clone(), HOST, Arc::clone(&self.recorder)));
        println!("   (from here on, users send {RATE} requests each second)");
        self.weight("cart-v2", &id, 0, 1).await?;

        title("A request that is not right is refused, and changes nothing");
        expect(&self.api.delete(&id, "finish").await?, StatusCode::BAD_REQUEST)?;

        title("What would happen if it were ended now?");
        self.run(&["plan", "end", "cart-v2"]).await?;

        title("End it: v2 takes over, then v1 is retired");
        self.take_over(&id, "end", 0).await?;
        self.run(&["show", "cart-v2"]).await?;

        title("The same again: that task is closed");
        expect(&self.api.delete(&id, "end").await?, StatusCode::NOT_FOUND)
    }

    async fn second_release(&self) -> Result<()> {
        title("The next release of cart: v3 beside v2, with 20 % of the requests");
        let id = self.create("cart-v3", 1, 2).await?;
        self.weight("cart-v3", &id, 1, 2).await?;

        title("What would happen if it were canceled now?");
        self.run(&["plan", "cancel", "cart-v3"]).await?;

        title("Cancel it: v2 takes all back, then v3 is retired");
        self.take_over(&id, "cancel", 2).await?;
        self.run(&["list"]).await?;
        sleep(LOOK).await;
        Ok(())
    }

    async fn create(&self, name: &str, original: usize, grayscale: usize) -> Result<String> {
        let (original, grayscale) = (label(original), label(grayscale));
        let create = ["create", name, "--service", "cart", "--original", original, "--grayscale", grayscale];
        let id = self.run(&[&create[..], &["--output", "id"]].concat()).await?.trim().to_owned();
        self.until(&id, |status| status.get("phase").is_some_and(|phase| phase == "running") && confirmed(status))
            .await?;
        Ok(id)
    }

    /// Gives the grayscale version 20 %, and looks whether it gets that.
    async fn weight(&self, name: &str, id: &str, original: usize, grayscale: usize) -> Result<()> {
        sleep(LOOK / 4).await;
        self.run(&["policy", name, "--weight", "20"]).await?;
        self.until(id, confirmed).await?;
        let from = self.recorder.event(format!("{} has 20 %, confirmed", label(grayscale)));
        let (old, new) = loop {
            sleep(LOOK).await;
            let counts = self.recorder.record().counts(from, self.recorder.now());
            let (old, new) = (count(&counts, original), count(&counts, grayscale));
            // A machine that is busy with something else gets on more slowly.
            if old + new >= ENOUGH {
                break (old, new);
            }
        };
        println!("   since then, {} answered {old} requests, {} {new}", label(original), label(grayscale));
        // More than chance would ever explain.
        ensure!((old + new) / 10 < new && new < (old + new) / 3, "that is not 20 %");
        Ok(())
    }

    async fn take_over(&self, id: &str, action: &str, loser: usize) -> Result<()> {
        self.recorder.event(format!("DELETE ?action={action}"));
        let answer = self.api.delete(id, action).await?;
        self.recorder.retired(loser, format!("200: {} is retired", label(loser)));
        expect(&answer, StatusCode::OK)?;
        sleep(LOOK / 2).await;
        self.recorder.record().check_gone()
    }

    /// Runs a command and shows it with what it prints.
    async fn run(&self, arguments: &[&str]) -> Result<String> {
        println!("   $ release-server {}", arguments.join(" "));
        let text = self.api.command(arguments).await?;
        for line in text.lines() {
            println!("   {line}");
        }
        Ok(text)
    }

    async fn until(&self, id: &str, reached: impl Fn(&Value) -> bool) -> Result<()> {
        let look = async {
            loop {
                let release = self.api.release(id).await?;
                if release.get("status").is_some_and(&reached) {
                    return Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(CONFIRM, look).await.with_context(|| format!("release {id} does not get on"))?
    }
}

fn conclude(options: &Options, record: &Record) -> Result<()> {
    print!("{}", chart::draw(record, chart::Style::of_stdout()));
    let path = options.out.join("shares.svg");
    std::fs::create_dir_all(&options.out)?;
    std::fs::write(&path, svg::draw(record))?;
    record.check_no_failure()?;
    // Of the whole time: by now, all answers are there.
    record.check_gone()?;
    println!("   {} requests: none failed, and none reached a version that was retired.", record.requests.len());
    println!("   The same as a picture: {}", path.display());
    println!(
        "\nTry next: the curl lines of README.md against a server of your own, and `cargo xtask test`.\n\
         Everything that was started here is stopped, and its data is gone."
    );
    Ok(())
}

fn expect(answer: &Answered, status: StatusCode) -> Result<()> {
    let Answered { request, body, took, .. } = answer;
    println!("   {request}");
    println!("   {} after {:.2} s {body}", answer.status, took.as_secs_f64());
    ensure!(answer.status == status, "that should have been {status}");
    Ok(())
}

fn confirmed(status: &Value) -> bool {
    status.get("wanted") == status.get("confirmed")
}

fn title(text: &str) {
    println!("\n── {text}");
}

fn label(version: usize) -> &'static str {
    VERSIONS.get(version).copied().unwrap_or("?")
}

fn count(counts: &[usize; 3], version: usize) -> usize {
    counts.get(version).copied().unwrap_or(0)
}
