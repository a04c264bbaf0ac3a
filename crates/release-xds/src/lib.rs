//! A [`Mesh`](release_engine::Mesh) of Envoys: serves them their routes over xDS (ADS) and knows which of them runs which.
//!
//! - [`EnvoyMesh`]: started from a [`Config`], driven by an engine
//! - [`services`]: the file that says which services there are
//! - [`control`]: what decides, without I/O and without a clock
//! - [`service`]: what a service wants served
//! - [`envoy`]: the same in Envoy's words
//! - [`hook`]: what stops the workloads of a version that was retired
//!
//! # What an Envoy is started with
//!
//! ```yaml
//! node: {id: envoy-1, cluster: shop}   # the id is its alone: two Envoys of one id block every takeover
//! dynamic_resources:
//!   ads_config: &control-plane
//!     api_type: GRPC                   # state of the world; DELTA_GRPC is not served
//!     transport_api_version: V3
//!     grpc_services: [{envoy_grpc: {cluster_name: control-plane}}]
//!   cds_config: {resource_api_version: V3, ads: {}}
//! cluster_manager:
//!   load_stats_config: *control-plane  # optional: shows what is in progress while a version drains
//! static_resources:
//!   listeners:
//!   - name: http
//!     address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
//!     filter_chains:
//!     - filters:
//!       - name: http
//!         typed_config:
//!           "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
//!           stat_prefix: http
//!           rds:
//!             route_config_name: mesh-1/shop  # the services of mesh-1, of mesh-1/shop, or mesh-1/shop/cart alone
//!             config_source: {resource_api_version: V3, ads: {}}
//!           http_filters:
//!           - name: router
//!             typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
//!   clusters:
//!   - name: control-plane
//!     type: STRICT_DNS
//!     connect_timeout: 1s
//!     typed_extension_protocol_options:
//!       envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
//!         "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
//!         explicit_http_config: {http2_protocol_options: {}}
//!     load_assignment:
//!       cluster_name: control-plane
//!       endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: release-server, port_value: 18000}}}}]}]
//! ```
//!
//! A route configuration whose name no service is under never arrives: requests get a 404. Only routes from here are
//! tracked: an Envoy that reaches a version by a static route, or a client that goes to its address, is not waited for.
//!
//! # Long streams
//!
//! Every request is ended after the service's `max-stream-seconds`, and a takeover waits that long before it retires the
//! version that lost. For long streams (gRPC, WebSocket) set it to the longest that one may take, and have clients open
//! them anew.
//!
//! A takeover then lasts longer than a DELETE waits: 30 seconds, unless `release-server serve --wait` says otherwise. It is
//! answered with 500 (`ASM.01040001`; of the older codes, `ASM.01500001`) and a message that says that the decision is
//! recorded. **It did not fail**: the takeover goes on by itself, also if nobody asks again. Whoever must know when it is over
//! repeats the same DELETE, which waits again, or polls the release (`release-server show`, a GET) until its phase is
//! `closed`. To have one DELETE wait for all of it, make `serve --wait` longer than `max-stream-seconds` by some seconds, and
//! the limits of clients and proxies in between with it (`release-server end --timeout`).

pub mod control;
pub mod envoy;
pub mod hook;
mod mesh;
mod server;
pub mod service;
pub mod services;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use mesh::{Config, EnvoyMesh, NodeReport, NotServing, StartError};
