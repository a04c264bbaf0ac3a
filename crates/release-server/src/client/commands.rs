//! Each command: what it asks, and what it says about the answer.

use super::Command;
use super::arguments::{Create, List, OneRelease, OutputFormat, Plan, Policy, PolicyChoice};
use super::connection::{Answer, Server};
use super::document::{IdDocument, PhaseName, PlanDocument, ReleaseDocument};
use super::failure::{Exit, Failure};
use super::release::find;
use super::{nodes, show, takeover};
use clap::CommandFactory as _;
use release_core::{Action, Percent, ReleaseKey, Routing};
use release_http::Operation;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::io::Read as _;

/// Does what the command says. `Ok` is what it has to print.
pub(super) async fn run(command: &Command) -> Result<String, Failure> {
    match command {
        Command::Create(arguments) => create(arguments).await,
        Command::List(arguments) => list(arguments).await,
        Command::Show(arguments) => show(arguments).await,
        Command::Policy(arguments) => policy(arguments).await,
        Command::Plan(arguments) => plan(arguments).await,
        Command::Cancel(arguments) => takeover::run(arguments, Action::Cancel).await,
        Command::End(arguments) => takeover::run(arguments, Action::End).await,
        Command::Reopen(arguments) => reopen(arguments).await,
        Command::Nodes(arguments) => nodes::run(arguments).await,
        Command::Completions(arguments) => Ok(completions(arguments.shell)),
    }
}

async fn create(arguments: &Create) -> Result<String, Failure> {
    let server = Server::new(&arguments.connection)?;
    let Create { scope, name, service, original, grayscale, .. } = arguments;
    let mut spec = json!({ "serviceName": service, "originalVersion": original, "version": grayscale });
    let optional = [
        ("clusterID", &arguments.cluster_id),
        ("deploymentName", &arguments.deployment),
        ("imageVersion", &arguments.image_version),
    ];
    if let Value::Object(spec) = &mut spec {
        spec.extend(
            optional.into_iter().filter_map(|(name, value)| Some((name.into(), value.as_ref()?.clone().into()))),
        );
    }
    let body = json!({ "metadata": { "name": name }, "spec": spec }).to_string();
    let answer = server.ask_mesh(Operation::Create, &scope.mesh_id, Some(&scope.namespace), body).await?;
    printed(arguments.output.format, &succeeded(answer)?, show::created)
}

async fn list(arguments: &List) -> Result<String, Failure> {
    let server = Server::new(&arguments.connection)?;
    let answer = succeeded(server.ask_mesh(Operation::List, &arguments.mesh_id, None, "").await?)?;
    let mut list: Map<String, Value> = read(&answer)?;
    let mut chosen = Vec::new();
    for item in list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default() {
        let release: ReleaseDocument = understood(ReleaseDocument::deserialize(&item))?;
        let here = arguments.namespace.as_ref().is_none_or(|namespace| *namespace == release.metadata.namespace);
        if here && !(arguments.unclosed && release.status.phase == PhaseName::Closed) {
            chosen.push((item, release));
        }
    }
    Ok(match arguments.output.format {
        OutputFormat::Table => show::list(chosen.iter().map(|(_, release)| release)),
        OutputFormat::Id => chosen.iter().flat_map(|(_, release)| [release.metadata.uid.as_str(), "\n"]).collect(),
        OutputFormat::Json => {
            let items = chosen.into_iter().map(|(item, _)| item).collect();
            list.insert("items".into(), Value::Array(items));
            pretty(&Value::Object(list))
        }
    })
}

async fn show(arguments: &OneRelease) -> Result<String, Failure> {
    let server = Server::new(&arguments.connection)?;
    let key = find(&server, arguments).await?;
    let answer = server.ask(Operation::Get, &key, "", "").await?;
    printed(arguments.output.format, &on_release(&key, answer)?, show::release)
}

async fn policy(arguments: &Policy) -> Result<String, Failure> {
    let Policy { choice, release } = arguments;
    let server = Server::new(&release.connection)?;
    let document = policy_document(choice)?;
    let key = find(&server, release).await?;
    let answer = server.ask(Operation::SetPolicy, &key, "", document).await?;
    printed(release.output.format, &on_release(&key, answer)?, show::policy_set)
}

fn policy_document(choice: &PolicyChoice) -> Result<Vec<u8>, Failure> {
    let routing = match choice {
        PolicyChoice { weight: Some(percent), .. } => Percent::new(*percent).map(Routing::weighted),
        PolicyChoice { exclusive: Some(version), .. } => Ok(Routing::exclusive(*version)),
        PolicyChoice { file, .. } => {
            let mut text = Vec::new();
            let read = match file {
                Some(path) if path.as_os_str() != "-" => std::fs::read(path).map(|bytes| text = bytes),
                _ => std::io::stdin().lock().read_to_end(&mut text).map(drop),
            };
            // Its content is the server's to judge: it names the field that is wrong.
            return read.map(|()| text).map_err(|error| usage(format!("--file can't be read: {error}")));
        }
    };
    let routing = routing.map_err(|error| usage(error.to_string()))?;
    serde_json::to_vec(&routing).map_err(|error| usage(error.to_string()))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

async fn plan(arguments: &Plan) -> Result<String, Failure> {
    let Plan { action, release } = arguments;
    let server = Server::new(&release.connection)?;
    let key = find(&server, release).await?;
    let answer = on_release(&key, server.ask(Operation::Preview, &key, &takeover::query(*action), "").await?)?;
    match release.output.format {
        OutputFormat::Json => Ok(pretty(&read::<Value>(&answer)?)),
        OutputFormat::Id => Ok(format!("{}\n", key.id)),
        OutputFormat::Table => {
            let plan: PlanDocument = read(&answer)?;
            let now = on_release(&key, server.ask(Operation::Get, &key, "", "").await?)?;
            Ok(show::plan(&plan, &read(&now)?))
        }
    }
}

async fn reopen(arguments: &OneRelease) -> Result<String, Failure> {
    let server = Server::new(&arguments.connection)?;
    let key = find(&server, arguments).await?;
    let answer = server.ask(Operation::Reopen, &key, "", "").await?;
    printed(arguments.output.format, &on_release(&key, answer)?, show::reopened)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::Cli::command(), "release-server", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Prints a release. Of its document no more is read than is printed: the server may be a newer one.
pub(super) fn printed(
    format: OutputFormat,
    answer: &Answer,
    table: impl FnOnce(&ReleaseDocument) -> String,
) -> Result<String, Failure> {
    Ok(match format {
        OutputFormat::Table => table(&read(answer)?),
        OutputFormat::Json => pretty(&read::<Value>(answer)?),
        OutputFormat::Id => format!("{}\n", read::<IdDocument>(answer)?.metadata.uid),
    })
}

/// An answer about a release that should be there.
pub(super) fn on_release(key: &ReleaseKey, answer: Answer) -> Result<Answer, Failure> {
    succeeded(answer).map_err(|failure| match failure.exit {
        Exit::NotFound => {
            failure.next(format!("`release-server list --mesh-id {}` shows the releases there are", key.mesh))
        }
        _ => failure,
    })
}

/// A release server gives each answer an id. Without one, a 200 is somebody else's, and nothing was done.
pub(super) fn succeeded(answer: Answer) -> Result<Answer, Failure> {
    let ours = answer.request_id.is_some();
    if answer.status.is_success() && ours { Ok(answer) } else { Err(Failure::answered(&answer)) }
}

/// The document of a successful answer.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    understood(serde_json::from_slice(&answer.body))
}

fn understood<T>(document: Result<T, serde_json::Error>) -> Result<T, Failure> {
    document.map_err(|error| {
        Failure::new(Exit::Failed, format!("the answer is not one that this client understands: {error}"))
            .next("check --server (RELEASE_SERVER), and that the server is not of a newer version than this client")
    })
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
