//! The mesh that the releases go through, and the server that commands it.

use crate::programs::{self, Program};
use crate::workloads::Workloads;
use anyhow::{Context as _, Result};
use release_testkit::envoy::{Bootstrap, EnvoyProcess, Source};
use std::path::Path;

/// The host name of the service that is released.
pub(crate) const HOST: &str = "cart.shop";

/// How many Envoys there are.
const ENVOYS: usize = 2;

/// A server, and the mesh that it commands. All of it ends when this is dropped.
pub(crate) struct Running {
    pub(crate) server: Program,
    pub(crate) command_line: String,
    /// Where the API is.
    pub(crate) api: String,
    /// Where users send their requests.
    pub(crate) traffic: Vec<String>,
    _envoys: Vec<EnvoyProcess>,
    _workloads: Option<Workloads>,
}

/// Two proxies in the memory of the server. `folder` is for its data and its log.
pub(crate) async fn simulated(program: &Path, folder: &Path) -> Result<Running> {
    let mesh = ["--mesh", "simulated", "--simulated-listen", "127.0.0.1:0", "--simulated-lag", "250"];
    let (mut server, command_line) = serve(program, folder, &mesh)?;
    let api = server.announced("listening on ").await?;
    let traffic = vec![server.announced("simulated traffic on ").await?];
    Ok(Running { server, command_line, api, traffic, _envoys: Vec::new(), _workloads: None })
}

/// Two real Envoys in front of three versions of a service.
pub(crate) async fn envoy(program: &Path, folder: &Path) -> Result<Running> {
    let workloads = Workloads::start(&crate::record::VERSIONS).await?;
    let services = folder.join("services.toml");
    std::fs::write(&services, workloads.services_file(HOST))?;
    let services = services.to_str().context("a folder with a strange name")?;
    let nodes = ENVOYS.to_string();
    let mesh = ["--mesh", "envoy", "--xds-listen", "127.0.0.1:0", "--services", services, "--min-nodes", &nodes];
    let (mut server, command_line) = serve(program, folder, &mesh)?;
    let api = server.announced("listening on ").await?;
    let control_plane = server.announced("xds on http://").await?.parse()?;
    let mut envoys = Vec::new();
    for number in 1..=ENVOYS {
        let source = Source::Ads { control_plane, load_reports: true };
        envoys.push(EnvoyProcess::start(&Bootstrap::new(&format!("envoy-{number}"), "mesh-1", source)).await?);
    }
    let traffic = envoys.iter().map(|envoy| format!("http://{}", envoy.address())).collect();
    Ok(Running { server, command_line, api, traffic, _envoys: envoys, _workloads: Some(workloads) })
}

fn serve(program: &Path, folder: &Path, mesh: &[&str]) -> Result<(Program, String)> {
    let data = folder.join("data");
    let data = data.to_str().context("a folder with a strange name")?;
    let arguments = [&["serve", "--no-auth", "--listen", "127.0.0.1:0", "--data", data], mesh].concat();
    let mut command = programs::command(program);
    command.args(&arguments);
    let server = Program::start(command, folder.join("server.log"))?;
    Ok((server, format!("release-server {}", arguments.join(" "))))
}
