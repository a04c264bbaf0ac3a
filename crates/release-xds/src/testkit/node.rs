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
    who: Who,
    manner: watch::Sender<Manner>,
    running: watch::Sender<Running>,
    task: JoinHandle<()>,
}

/// Its name, and that of its route configuration.
#[derive(Clone, Debug)]
struct Who {
    id: String,
    route: String,
}

/// The newest response of each type that it has taken.
type Running = BTreeMap<Kind, DiscoveryResponse>;

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
        let (manner, running) = (watch::Sender::new(Manner::Takes), watch::Sender::new(BTreeMap::new()));
        let who = Who { id: id.to_owned(), route: route.to_owned() };
        let task = open(address, &who, &manner, &running).await?;
        Ok(Self { who, manner, running, task })
    }

    /// Goes on with what it has, on a connection of its own to that control plane. The one before ends.
    pub async fn reconnect(&mut self, address: SocketAddr) -> Result<(), tonic::Status> {
        self.task.abort();
        self.task = open(address, &self.who, &self.manner, &self.running).await?;
        Ok(())
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
        self.running.subscribe().wait_for(|running| running.contains_key(&kind)).await.is_ok()
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

/// Opens a stream, and answers what comes on it until it ends.
async fn open(
    address: SocketAddr,
    who: &Who,
    manner: &watch::Sender<Manner>,
    running: &watch::Sender<Running>,
) -> Result<JoinHandle<()>, tonic::Status> {
    let unreachable = |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
    let client = AggregatedDiscoveryServiceClient::connect(format!("http://{address}")).await;
    let mut client = client.map_err(unreachable)?;
    let (requests, outgoing) = mpsc::unbounded_channel();
    let node = Node { id: who.id.clone(), ..Node::default() };
    let _ = requests.send(DiscoveryRequest { node: Some(node), ..request(Kind::Cluster, who, &running.borrow()) });
    let _ = requests.send(request(Kind::Route, who, &running.borrow()));
    let responses = client.stream_aggregated_resources(UnboundedReceiverStream::new(outgoing)).await?;
    let mut responses = responses.into_inner();
    let (who, mut manners, running) = (who.clone(), manner.subscribe(), running.clone());
    Ok(tokio::spawn(async move {
        while let Ok(Some(response)) = responses.message().await {
            let manner = match manners.wait_for(|manner| *manner != Manner::Silent).await {
                Ok(manner) => manner.clone(),
                Err(_) => return,
            };
            let Some(kind) = Kind::of(&response.type_url) else { continue };
            let response_nonce = response.nonce.clone();
            let error_detail = match manner {
                Manner::Refuses(reason) if kind == Kind::Route => {
                    Some(Status { code: 13, message: reason, details: Vec::new() })
                }
                _ => {
                    running.send_modify(|running| drop(running.insert(kind, response)));
                    None
                }
            };
            let answer = DiscoveryRequest { response_nonce, error_detail, ..request(kind, &who, &running.borrow()) };
            if requests.send(answer).is_err() {
                return;
            }
        }
    }))
}

/// Asks for what it wants of that type, and says what it has.
fn request(kind: Kind, who: &Who, running: &Running) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        version_info: running.get(&kind).map(|held| held.version_info.clone()).unwrap_or_default(),
        resource_names: if kind == Kind::Route { vec![who.route.clone()] } else { Vec::new() },
        ..DiscoveryRequest::default()
    }
}
