//! From text to descriptions, with the line of whatever is wrong.

use super::{Description, Health, ServicesError};
use crate::hook::Hook;
use crate::service::{Endpoint, ServiceName, VersionConfig};
use release_core::{MeshId, Namespace, Note, Service, VersionLabel};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// Long enough for ordinary requests; Envoy's own limit for a request is the same.
const MAX_STREAM_SECONDS: u64 = 15;

/// A day. A drain takes as long as the longest request may: who needs more leaves the connection to another service.
const LONGEST_STREAM_SECONDS: u64 = 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    service: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    mesh: MeshId,
    namespace: Namespace,
    name: Service,
    domains: Option<Spanned<Vec<Spanned<String>>>>,
    serves: Spanned<VersionLabel>,
    max_stream_seconds: Option<Spanned<u64>>,
    health_path: Option<Spanned<String>>,
    ready_endpoints: Option<NonZeroUsize>,
    retire_command: Option<Spanned<Vec<String>>>,
    retire_webhook: Option<Spanned<String>>,
    versions: BTreeMap<VersionLabel, Spanned<Vec<Spanned<String>>>>,
}

/// What is wrong, and where in the text.
struct Wrong {
    at: usize,
    what: String,
}

pub(super) fn read(text: &str) -> Result<Vec<Description>, ServicesError> {
    described(text).map_err(|wrong| {
        let line = text.get(..wrong.at).unwrap_or(text).matches('\n').count() + 1;
        ServicesError { line, what: wrong.what }
    })
}

fn described(text: &str) -> Result<Vec<Description>, Wrong> {
    let file: File = toml::from_str(text).map_err(|error| {
        // Without the line of the file that the error would print: it may hold what is nobody's business.
        let at = error.span().map_or(text.len(), |span| span.start);
        Wrong { at, what: Note::new(error.message()).as_str().to_owned() }
    })?;
    let mut names = BTreeSet::new();
    let mut domains = BTreeSet::new();
    let mut services = Vec::new();
    for entry in file.service {
        let span = entry.span();
        let service = description(entry.into_inner(), &span)?;
        if !names.insert(service.name.clone()) {
            return Err(wrong(&span, format!("service {} is described twice", service.name)));
        }
        for domain in &service.domains {
            // A route configuration can have all services of a mesh, and Envoy none with the same domain twice.
            if !domains.insert((service.name.mesh.clone(), domain.to_ascii_lowercase())) {
                let what = format!("domain {} is given twice in mesh {}", shown(domain), service.name.mesh);
                return Err(wrong(&span, what));
            }
        }
        services.push(service);
    }
    Ok(services)
}

fn description(entry: Entry, span: &Range<usize>) -> Result<Description, Wrong> {
    let name = ServiceName { mesh: entry.mesh, namespace: entry.namespace, service: entry.name };
    let versions = entry.versions.into_iter().map(|(label, endpoints)| Ok((label, version(endpoints)?)));
    let versions: BTreeMap<VersionLabel, VersionConfig> = versions.collect::<Result<_, Wrong>>()?;
    if !versions.contains_key(entry.serves.get_ref()) {
        let known: Vec<_> = versions.keys().map(VersionLabel::as_str).collect();
        let what = format!("serves \"{}\" is none of the versions: {}", entry.serves.get_ref(), known.join(", "));
        return Err(wrong(&entry.serves.span(), what));
    }
    let domains = match entry.domains {
        Some(domains) => domain_list(domains)?,
        None => vec![format!("{}.{}", name.service, name.namespace)],
    };
    Ok(Description {
        name,
        domains,
        serves: entry.serves.into_inner(),
        max_stream_duration: max_stream_duration(entry.max_stream_seconds.as_ref())?,
        versions,
        health: Health { path: entry.health_path.map(health_path).transpose()?, endpoints: entry.ready_endpoints },
        retire: hook(entry.retire_command, entry.retire_webhook, span)?,
    })
}

fn version(endpoints: Spanned<Vec<Spanned<String>>>) -> Result<VersionConfig, Wrong> {
    let span = endpoints.span();
    let endpoints = endpoints.into_inner();
    if endpoints.is_empty() {
        return Err(wrong(&span, "a version has one endpoint at least: leave it out until it has one".into()));
    }
    let endpoints = endpoints.iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
    if endpoints.iter().collect::<BTreeSet<_>>().len() < endpoints.len() {
        return Err(wrong(&span, "an endpoint is given twice".into()));
    }
    Ok(VersionConfig { endpoints })
}

fn endpoint(text: &Spanned<String>) -> Result<Endpoint, Wrong> {
    let refused = || {
        let what = format!("endpoint {} is not valid: HOST:PORT, an IPv6 address in brackets", shown(text.get_ref()));
        wrong(&text.span(), what)
    };
    let (host, port) = text.get_ref().rsplit_once(':').ok_or_else(refused)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(refused)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
        None if is_host(host) => host,
        _ => return Err(refused()),
    };
    Ok(Endpoint { host: host.to_owned(), port })
}

/// A name, or an IPv4 address.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

fn domain_list(domains: Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Wrong> {
    let span = domains.span();
    let domains = domains.into_inner();
    if domains.is_empty() {
        return Err(wrong(&span, "no domain: leave domains out for NAME.NAMESPACE, or write \"*\" for all".into()));
    }
    domains.into_iter().map(domain).collect()
}

/// As Envoy knows them: a name, perhaps with a port, or one with a star at either end.
fn domain(domain: Spanned<String>) -> Result<String, Wrong> {
    let text = domain.get_ref();
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
    if text.is_empty() || text.len() > 255 || !inner.bytes().all(plain) {
        let what =
            format!("domain {} is not valid: a host, perhaps with a port, or one with * at one end", shown(text));
        return Err(wrong(&domain.span(), what));
    }
    Ok(domain.into_inner())
}

fn max_stream_duration(seconds: Option<&Spanned<u64>>) -> Result<Duration, Wrong> {
    match seconds {
        None => Ok(Duration::from_secs(MAX_STREAM_SECONDS)),
        Some(seconds) if (1..=LONGEST_STREAM_SECONDS).contains(seconds.get_ref()) => {
            Ok(Duration::from_secs(*seconds.get_ref()))
        }
        Some(seconds) => {
            let (given, most) = (seconds.get_ref(), LONGEST_STREAM_SECONDS);
            Err(wrong(&seconds.span(), format!("max-stream-seconds {given} is not valid: 1 to {most}")))
        }
    }
}

fn health_path(path: Spanned<String>) -> Result<String, Wrong> {
    let text = path.get_ref();
    if text.starts_with('/') && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(path.into_inner());
    }
    Err(wrong(&path.span(), format!("health-path {} is not valid: a path that starts with /", shown(text))))
}

fn hook(
    command: Option<Spanned<Vec<String>>>,
    webhook: Option<Spanned<String>>,
    span: &Range<usize>,
) -> Result<Option<Hook>, Wrong> {
    match (command, webhook) {
        (None, None) => Ok(None),
        (Some(command), None) => {
            let span = command.span();
            Hook::command(command.into_inner()).map(Some).map_err(|error| wrong(&span, error.to_string()))
        }
        (None, Some(webhook)) => {
            Hook::webhook(webhook.get_ref()).map(Some).map_err(|error| wrong(&webhook.span(), error.to_string()))
        }
        (Some(_), Some(_)) => {
            Err(wrong(span, "retire-command and retire-webhook exclude each other: keep one of them".into()))
        }
    }
}

fn wrong(span: &Range<usize>, what: String) -> Wrong {
    Wrong { at: span.start, what }
}

/// Shortened and escaped, in quotes.
fn shown(text: &str) -> String {
    let short: String = Note::new(text).as_str().chars().take(64).collect();
    format!("\"{short}\"")
}
