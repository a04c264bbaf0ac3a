//! What a step waits for, in words for the one on call.

use super::shown;
use crate::control::{Blocker, Drained, Obstacle, Waiting};
use crate::server::Hub;
use crate::service::ServiceName;

/// The most nodes, or services, that are named.
const NAMED: usize = 5;

/// What the step waits for. The same for as long as it waits for the same.
pub(super) fn waiting(hub: &Hub, waiting: &Waiting) -> String {
    let Waiting { confirmed, blockers, in_progress, lost, unsaved, until } = waiting;
    if *lost {
        let said = "the state file was missing at a start although releases were open: Envoys that are cut off may not be known. \
                    Bring it back, or see to it that every Envoy is connected or gone, set \"lost\":false in its last line and start again";
        return said.to_owned();
    }
    if blockers.is_empty() && *unsaved {
        return "waits for the state file to be written".to_owned();
    }
    if blockers.is_empty() {
        return match until {
            Some(until) if *in_progress > 0 => {
                format!("requests are in progress; they end by {} at the latest", shown(hub.wall(*until)))
            }
            Some(until) => format!("requests can be in progress until {}", shown(hub.wall(*until))),
            None if *in_progress > 0 => "requests are in progress by the load reports".to_owned(),
            None => format!("too few nodes are known: {confirmed} have confirmed the routing"),
        };
    }
    let named: Vec<String> = blockers.iter().take(NAMED).map(|blocker| one(hub, blocker)).collect();
    format!("waits for {}{}", named.join(", "), more(blockers.len()))
}

/// How many there are besides those that are named.
fn more(all: usize) -> String {
    match all.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// That a node refuses its configuration, and what in it may be the cause: all services of one route configuration stand or
/// fall together, so it may be another one than that of the step.
pub(super) fn refused(node: &str, services: &[ServiceName], reason: &str) -> String {
    let named: Vec<String> = services.iter().take(NAMED).map(ToString::to_string).collect();
    if named.is_empty() {
        return format!("node {node} refuses its configuration: {reason}");
    }
    let (named, more) = (named.join(", "), more(services.len()));
    format!("node {node} refuses its configuration, in which the routes of {named}{more} are new to it: {reason}")
}

fn one(hub: &Hub, blocker: &Blocker) -> String {
    let Blocker { node, obstacle } = blocker;
    match obstacle {
        Obstacle::Behind => format!("node {node} (connected, but has not taken the newest routes)"),
        Obstacle::Duplicate => format!("node {node} (two Envoys have this node.id: give each its own)"),
        Obstacle::Silent(since) => format!("node {node} (connected, no answer since {})", shown(hub.wall(*since))),
        Obstacle::CutOff(since) => {
            format!("node {node} (cut off since {}, it may still route)", shown(hub.wall(*since)))
        }
    }
}

/// Why a version is known to be drained.
pub(super) fn drained(hub: &Hub, drained: &Drained) -> String {
    let Drained { nodes, fenced, free, cut_off, reports } = drained;
    let loads = match (reports, cut_off) {
        (false, _) => "there are no load reports".to_owned(),
        (true, 0) => "load reports show nothing in progress".to_owned(),
        (true, count) => format!("{count} requests in progress were cut off by max_stream_duration"),
    };
    let fenced = match fenced {
        0 => String::new(),
        fenced => format!(", {fenced} of them behind the fence"),
    };
    format!(
        "none of {nodes} nodes{fenced} routes to it, the grace and max_stream_duration after the last that did were over at {}; {loads}",
        shown(hub.wall(*free))
    )
}
