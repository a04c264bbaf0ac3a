//! Which headers of a request Envoy's router sees as they were sent.

use release_core::HeaderName;

/// Removed because they are about one connection, or set, removed or checked by Envoy depending on where the request comes
/// from; so is everything that begins with `x-envoy-`. Source: each name tried on Envoy 1.40.
const CHANGED: [&str; 12] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

/// The name under which Envoy matches a header, or `None` if Envoy changes, removes or sets it before it looks for a route, so
/// that a rule about it would not see what was sent.
pub(super) fn matched_as(name: &HeaderName) -> Option<&str> {
    match name.as_str() {
        "host" => Some(":authority"),
        name if CHANGED.contains(&name) || name.starts_with("x-envoy-") => None,
        name => Some(name),
    }
}
