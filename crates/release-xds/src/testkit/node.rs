//! A node that speaks xDS over a real connection.

use crate::service::Kind;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::rpc::Status;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// A node that takes clusters and one route configuration, over a real connection, and has no traffic. Dropping it cuts it
/// off.
#[derive(Debug)]
pub struct SimulatedNode {
    manner: watch::Sender<Manner>,
    running: watch::Receiver<BTreeMap<Kind, DiscoveryResponse>>,
    task: JoinHandle<()>,
}

/// What a node does with what it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes it.
    Takes,
    /// It refuses routes, for that reason.
    Refuses(String),
    /// It does not answer, until it is to behave in another way.
    Silent,
}

impl SimulatedNode {
    /// Connects to a control plane, as the node of that name that wants that route configuration.
    pub async fn connect(address: SocketAddr, id: &str, route: &str) -> Result<Self, tonic::Status> {
        let unreachable = |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
        let client = AggregatedDiscoveryServiceClient::connect(format!("http://{address}")).await;
        let mut client = client.map_err(unreachable)?;
        let (requests, outgoing) = mpsc::unbounded_channel();
        let first = |kind: Kind, names: Vec<String>, node: Option<Node>| DiscoveryRequest {
            type_url: kind.type_url().to_owned(),
            resource_names: names,
            node,
            ..DiscoveryRequest::default()
        };
        let node = Node { id: id.to_owned(), ..Node::default() };
        let _ = requests.send(first(Kind::Cluster, Vec::new(), Some(node)));
        let _ = requests.send(first(Kind::Route, vec![route.to_owned()], None));
        let responses = client.stream_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await?;
        let manner = watch::Sender::new(Manner::Takes);
        let (running, shown) = watch::channel(BTreeMap::new());
        let (mut manners, route) = (manner.subscribe(), route.to_owned());
        let mut responses = responses.into_inner();
        let task = tokio::spawn(async move {
            while let Ok(Some(response)) = responses.message().await {
                let said = match manners.wait_for(|manner| *manner != Manner::Silent).await {
                    Ok(manner) => manner.clone(),
                    Err(_) => return,
                };
                let Some(kind) = Kind::of(&response.type_url) else { continue };
                let mut answer = DiscoveryRequest {
                    type_url: response.type_url.clone(),
                    version_info: response.version_info.clone(),
                    response_nonce: response.nonce.clone(),
                    ..DiscoveryRequest::default()
                };
                if kind == Kind::Route {
                    answer.resource_names = vec![route.clone()];
                }
                match said {
                    Manner::Refuses(reason) if kind == Kind::Route => {
                        answer.version_info = running
                            .borrow()
                            .get(&kind)
                            .map(|held: &DiscoveryResponse| held.version_info.clone())
                            .unwrap_or_default();
                        answer.error_detail = Some(Status { code: 13, message: reason, details: Vec::new() });
                    }
                    _ => {
                        running.send_modify(|running| {
                            running.insert(kind, response);
                        });
                    }
                }
                if requests.send(answer).is_err() {
                    return;
                }
            }
        });
        Ok(Self { manner, running: shown, task })
    }

    /// Behaves in that way from now on.
    pub fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// The newest response of that type that it has taken.
    pub fn running(&self, kind: Kind) -> Option<DiscoveryResponse> {
        self.running.borrow().get(&kind).cloned()
    }

    /// Waits until it has taken a response of that type.
    pub async fn has(&self, kind: Kind) -> bool {
        self.running.clone().wait_for(|running| running.contains_key(&kind)).await.is_ok()
    }

    /// Whether its stream has ended.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for SimulatedNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}
