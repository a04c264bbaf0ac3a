//! The least that can push a route: a control plane that knows nothing but two clusters and one route configuration. What it
//! needs from the push to the last acknowledgement is the time that nobody can beat.

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use release_xds::service::{Kind, Resource};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, watch};

use tonic::codegen::async_trait;
use tonic::codegen::tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    route: watch::Sender<(u64, Resource)>,
    acknowledged: mpsc::UnboundedReceiver<u64>,
    /// Of its own, so that its connections end with it.
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Service {
    clusters: Vec<Resource>,
    route: watch::Receiver<(u64, Resource)>,
    acknowledged: mpsc::UnboundedSender<u64>,
}

impl Bare {
    pub(crate) fn start(clusters: Vec<Resource>, route: Resource) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (route, pushed) = watch::channel((1, route));
        let (sender, acknowledged) = mpsc::unbounded_channel();
        let service = AggregatedDiscoveryServiceServer::new(Service { clusters, route: pushed, acknowledged: sender });
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async {
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            Server::builder().tcp_nodelay(true).add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, route, acknowledged, runtime: Some(runtime) }
    }

    /// Waits until as many nodes run the newest route, and says how long ago `since` was then.
    pub(crate) async fn acknowledged_by(&mut self, nodes: usize, since: Instant) -> Duration {
        let newest = self.route.borrow().0;
        let mut left = nodes;
        while left > 0 {
            let version = tokio::time::timeout(Duration::from_secs(30), self.acknowledged.recv()).await;
            left -= usize::from(version.unwrap() == Some(newest));
        }
        since.elapsed()
    }

    /// Pushes a route to as many nodes, and returns how long it took until the last one had acknowledged it.
    pub(crate) async fn push(&mut self, route: Resource, nodes: usize) -> Duration {
        let start = Instant::now();
        let number = self.route.borrow().0 + 1;
        self.route.send_replace((number, route));
        self.acknowledged_by(nodes, start).await
    }
}

/// How long it takes at the most to end.
const LIMIT: Duration = Duration::from_secs(5);

impl Drop for Bare {
    fn drop(&mut self) {
        // From a thread of its own, because it waits: afterwards another one can listen there.
        let runtime = self.runtime.take();
        let end = std::thread::spawn(|| runtime.into_iter().for_each(|runtime| runtime.shutdown_timeout(LIMIT)));
        let _ = end.join();
    }
}

type Responses<T> = ReceiverStream<Result<T, Status>>;

#[async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        requests: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Responses<DiscoveryResponse>>, Status> {
        let (responses, stream) = mpsc::channel(4);
        tokio::spawn(self.clone().serve(requests.into_inner(), responses));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Responses<DeltaDiscoveryResponse>>, Status> {
        Err(Status::unimplemented("state of the world only"))
    }
}

impl Service {
    async fn serve(
        mut self,
        mut requests: Streaming<DiscoveryRequest>,
        responses: mpsc::Sender<Result<DiscoveryResponse, Status>>,
    ) {
        let mut wants_route = false;
        loop {
            let response = tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => self.answer(&request, &mut wants_route),
                    _ => return,
                },
                Ok(()) = self.route.changed() => wants_route.then(|| self.newest_route()),
            };
            if let Some(response) = response
                && responses.send(Ok(response)).await.is_err()
            {
                return;
            }
        }
    }

    fn answer(&mut self, request: &DiscoveryRequest, wants_route: &mut bool) -> Option<DiscoveryResponse> {
        let first = request.response_nonce.is_empty();
        match Kind::of(&request.type_url) {
            Some(Kind::Cluster) if first => Some(response(Kind::Cluster, 1, &self.clusters)),
            Some(Kind::Route) if first => {
                *wants_route = true;
                Some(self.newest_route())
            }
            Some(Kind::Route) => {
                assert!(request.error_detail.is_none(), "{request:?}");
                let _ = self.acknowledged.send(request.response_nonce.parse().unwrap());
                None
            }
            _ => None,
        }
    }

    fn newest_route(&mut self) -> DiscoveryResponse {
        let (number, route) = &*self.route.borrow_and_update();
        response(Kind::Route, *number, std::slice::from_ref(route))
    }
}

fn response(kind: Kind, number: u64, resources: &[Resource]) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: number.to_string(),
        nonce: number.to_string(),
        resources: resources.iter().map(|resource| resource.body.clone()).collect(),
        type_url: kind.type_url().to_owned(),
        ..DiscoveryResponse::default()
    }
}
