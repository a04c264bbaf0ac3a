//! The mesh that the release goes through.

use crate::programs::{self, Program};
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;

/// The host name of the service that is released.
pub(crate) const HOST: &str = "cart.shop";

/// A server, and the mesh that it commands.
pub(crate) struct Running {
    pub(crate) server: Program,
    pub(crate) command_line: String,
    /// Where the API is.
    pub(crate) api: String,
    /// Where users send their requests.
    pub(crate) traffic: String,
}

/// Two proxies in the memory of the server. `folder` is for its data and log.
pub(crate) async fn simulated(program: &Path, folder: &Path) -> Result<Running> {
    let data = folder.join("data");
    let flags = ["serve", "--mesh", "simulated", "--no-auth", "--data"];
    let more = ["--listen", "127.0.0.1:0", "--simulated-listen", "127.0.0.1:0", "--simulated-lag", "250"];
    let arguments: Vec<OsString> =
        flags.iter().map(Into::into).chain([data.into_os_string()]).chain(more.iter().map(Into::into)).collect();
    let mut command = programs::command(program);
    command.args(&arguments);
    let mut server = Program::start(command, &folder.join("server.log"))?;
    let api = server.announced("listening on ").await?;
    let traffic = server.announced("simulated traffic on ").await?;
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    Ok(Running { server, command_line: format!("release-server {}", words.join(" ")), api, traffic })
}
