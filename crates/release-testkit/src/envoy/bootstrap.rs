//! What an Envoy is started with.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What an Envoy is started with: one listener for HTTP/1.1 and HTTP/2, whose routes, like the clusters, come from elsewhere.
///
/// Clients on 127.0.0.1 count as internal, so that headers like `x-envoy-retry-on` work, and a request can be held for some
/// milliseconds before it is routed with the header `x-envoy-fault-delay-request`.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The id of the node.
    pub node: String,
    /// The name of its route configuration.
    pub routes: String,
    /// Where routes and clusters come from.
    pub source: Source,
    /// How many worker threads serve requests.
    pub workers: u32,
    /// Whether the header `x-test-stall` of a request, the path of a named pipe, stalls the worker that has it until somebody
    /// writes a line to the pipe.
    pub stalls: bool,
    /// A layer of its runtime configuration, such as `{"re2": {"max_program_size": {"error_level": 50}}}`; null for none.
    pub runtime: Value,
}

/// Where routes and clusters come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A control plane that speaks ADS, state of the world.
    Ads {
        /// Where it listens.
        control_plane: SocketAddr,
        /// Whether it also wants to know how many requests are in flight (LRS).
        load_reports: bool,
    },
    /// Files with a `DiscoveryResponse` each, as protocol buffers: `clusters.pb` and `routes.pb` in that folder.
    Files(PathBuf),
}

/// An Envoy asks a control plane that is gone again after this long, at the most.
const RECONNECT: Duration = Duration::from_millis(500);

const STALL: &str = r#"
function envoy_on_request(request)
  local pipe = request:headers():get("x-test-stall")
  if pipe then assert(io.open(pipe)):read() end
end
"#;

impl Bootstrap {
    /// A node with two workers that asks a control plane.
    pub fn new(node: &str, routes: &str, source: Source) -> Self {
        Self {
            node: node.to_owned(),
            routes: routes.to_owned(),
            source,
            workers: 2,
            stalls: false,
            runtime: Value::Null,
        }
    }

    /// In the form of Envoy's configuration file.
    pub(super) fn to_json(&self) -> Value {
        let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let by_ads = || json!({"resource_api_version": "V3", "ads": {}});
        let runtime = if self.runtime.is_null() { json!({}) } else { self.runtime.clone() };
        // What is null counts as absent.
        let (clusters, routes, ads, load_reports, static_clusters) = match &self.source {
            Source::Ads { control_plane, load_reports } => {
                let service = control_plane_service();
                let reports = load_reports.then(|| service.clone());
                (by_ads(), by_ads(), Some(service), reports, json!([control_plane_cluster(*control_plane)]))
            }
            Source::Files(folder) => {
                let file =
                    |name| json!({"resource_api_version": "V3", "path_config_source": {"path": folder.join(name)}});
                (file("clusters.pb"), file("routes.pb"), None, None, json!([]))
            }
        };
        json!({
            "node": {"id": self.node, "cluster": "test"},
            "admin": {"address": any_port},
            "layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]},
            "dynamic_resources": {"ads_config": ads, "cds_config": clusters},
            "cluster_manager": {"load_stats_config": load_reports},
            "static_resources": {
                "listeners": [{"name": "http", "address": any_port, "filter_chains": [{"filters": [self.http(&routes)]}]}],
                "clusters": static_clusters,
            },
        })
    }

    fn http(&self, routes: &Value) -> Value {
        let extension = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
        let stall = json!({"name": "stall", "typed_config": {
            "@type": extension("http.lua.v3.Lua"),
            "default_source_code": {"inline_string": STALL},
        }});
        let fault = json!({"name": "fault", "typed_config": {
            "@type": extension("http.fault.v3.HTTPFault"),
            "delay": {"header_delay": {}, "percentage": {"numerator": 100}},
        }});
        let last = json!({"name": "router", "typed_config": {"@type": extension("http.router.v3.Router")}});
        let filters: Vec<_> = self.stalls.then_some(stall).into_iter().chain([fault, last]).collect();
        json!({
            "name": "http",
            "typed_config": {
                "@type": extension("network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": "http",
                "codec_type": "AUTO",
                "use_remote_address": true,
                "internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
                "rds": {"route_config_name": self.routes, "config_source": routes},
                "http_filters": filters,
            },
        })
    }
}

fn control_plane_service() -> Value {
    let back_off = json!({"base_interval": "0.1s", "max_interval": format!("{}s", RECONNECT.as_secs_f64())});
    json!({
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane", "retry_policy": {"retry_back_off": back_off}}}],
    })
}

fn control_plane_cluster(address: SocketAddr) -> Value {
    let socket = json!({"address": address.ip().to_string(), "port_value": address.port()});
    json!({
        "name": "control-plane",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
        "load_assignment": {"cluster_name": "control-plane", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": {"socket_address": socket}}}]},
        ]},
    })
}
