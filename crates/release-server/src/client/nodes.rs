//! The Envoys that a server knows.

use super::arguments::{Nodes, NodesCommand, OutputFormat};
use super::commands::{pretty, read, succeeded};
use super::connection::Server;
use super::failure::{Exit, Failure};
use super::question::Question;
use super::show;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct NodeListDocument {
    items: Vec<NodeDocument>,
}

/// A node.
#[derive(Debug, Deserialize)]
pub(super) struct NodeDocument {
    pub(super) id: String,
    pub(super) connected: bool,
    /// Whether two Envoys call themselves that.
    #[serde(default)]
    pub(super) duplicate: bool,
    /// Since when it owes an answer, or is cut off.
    pub(super) since: Option<String>,
    pub(super) routes: Vec<String>,
    pub(super) refusal: Option<String>,
}

pub(super) async fn run(arguments: &Nodes) -> Result<String, Failure> {
    match &arguments.command {
        NodesCommand::List(list) => {
            let server = Server::new(&list.connection)?;
            let answer = succeeded(server.request(Question::Nodes, "/nodes", Bytes::new()).await?)?;
            let nodes = read::<NodeListDocument>(&answer)?.items;
            Ok(match list.output.format {
                OutputFormat::Table => show::nodes(&nodes),
                OutputFormat::Json => pretty(&read::<Value>(&answer)?),
                OutputFormat::Id => nodes.iter().flat_map(|node| [&node.id, "\n"]).collect(),
            })
        }
        NodesCommand::Forget(forget) => {
            let server = Server::new(&forget.connection)?;
            let path = format!("/nodes/{}", utf8_percent_encode(&forget.node, NON_ALPHANUMERIC));
            let answer = server.request(Question::Forget, &path, Bytes::new()).await?;
            succeeded(answer).map_err(|failure| match failure.exit {
                Exit::NotFound => failure.next("`release-server nodes list` shows the nodes there are"),
                _ => failure,
            })?;
            Ok(format!("Forgotten: no takeover waits for {} any longer\n", forget.node))
        }
    }
}
