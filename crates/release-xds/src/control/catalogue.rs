//! What is to be served at this moment, as resources.

use crate::envoy;
use crate::service::{Kind, Resource, ServiceConfig, ServiceName};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

/// A resource, and what it means for the services in it. Two of the same id are the same.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) id: u64,
    pub(super) resource: Arc<Resource>,
    /// The same for the same resource.
    digest: u64,
    /// Of a route configuration: the revision of each service in it.
    pub(super) revisions: BTreeMap<ServiceName, u64>,
    /// Of a route configuration: the clusters that it can give a request to, and how long such a request can take.
    pub(super) reaches: BTreeMap<String, Duration>,
}

/// Resources by name.
pub(super) type Contents = BTreeMap<String, Arc<Content>>;

/// What is to be served at this moment.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    newest_id: u64,
    pub(super) clusters: Contents,
    /// Those that somebody asked for.
    routes: Contents,
    /// Those of them that may be different now.
    outdated: BTreeSet<String>,
}

impl Catalogue {
    /// Takes in what a service wants now; with `None` it is gone. Returns the clusters that are not there any more.
    pub(super) fn update(&mut self, name: &ServiceName, config: Option<&ServiceConfig>) -> Vec<Arc<Content>> {
        let prefix = format!("{name}/");
        let before: Vec<_> = self.clusters.keys().filter(|cluster| cluster.starts_with(&prefix)).cloned().collect();
        let mut gone: Contents =
            before.into_iter().filter_map(|cluster| self.clusters.remove_entry(&cluster)).collect();
        for resource in config.map(envoy::clusters).unwrap_or_default() {
            let known = gone.remove(&resource.name);
            let content = match known.filter(|known| *known.resource == resource) {
                Some(same) => same,
                None => self.content(resource, BTreeMap::new(), BTreeMap::new()),
            };
            self.clusters.insert(content.resource.name.clone(), content);
        }
        self.outdated.extend(self.routes.keys().filter(|route| covers(route, name.parts())).cloned());
        gone.into_values().collect()
    }

    /// The route configuration of that name.
    pub(super) fn route<'a>(
        &mut self,
        name: &str,
        services: impl Iterator<Item = (u64, &'a ServiceConfig)>,
    ) -> Arc<Content> {
        let outdated = self.outdated.remove(name);
        let known = self.routes.get(name);
        if let Some(content) = known.filter(|_| !outdated) {
            return Arc::clone(content);
        }
        let covered: Vec<_> = services.filter(|(_, config)| covers(name, config.name.parts())).collect();
        let configs: Vec<_> = covered.iter().map(|(_, config)| *config).collect();
        let resource = envoy::route(name, &configs);
        let revisions = covered.iter().map(|(revision, config)| (config.name.clone(), *revision)).collect();
        let longest: BTreeMap<_, _> =
            configs.iter().map(|config| (config.name.to_string(), config.max_stream_duration)).collect();
        let reaches = resource
            .uses
            .iter()
            .map(|cluster| {
                let owner = cluster.rsplit_once('/').and_then(|(owner, _)| longest.get(owner));
                (cluster.clone(), owner.copied().unwrap_or_default())
            })
            .collect();
        // Where only clusters have changed, the routes are the same: nobody needs them again.
        let same = |known: &&Arc<Content>| {
            *known.resource == resource && known.revisions == revisions && known.reaches == reaches
        };
        if let Some(content) = known.filter(same) {
            return Arc::clone(content);
        }
        let content = self.content(resource, revisions, reaches);
        self.routes.insert(name.to_owned(), Arc::clone(&content));
        content
    }

    fn content(
        &mut self,
        resource: Resource,
        revisions: BTreeMap<ServiceName, u64>,
        reaches: BTreeMap<String, Duration>,
    ) -> Arc<Content> {
        self.newest_id += 1;
        let digest = digest(&(&resource.name, &resource.body.value));
        Arc::new(Content { id: self.newest_id, resource: Arc::new(resource), digest, revisions, reaches })
    }
}

/// Whether the route configuration of that name has a virtual host for the service of that mesh, namespace and name: it is
/// named after the service, its namespace, or its mesh.
pub(super) fn covers<'a>(route: &str, service: impl IntoIterator<Item = &'a str>) -> bool {
    let mut service = service.into_iter();
    route.split('/').all(|part| service.next() == Some(part))
}

/// What Envoy calls a service by itself: changes whenever its routes change.
pub(super) fn rendered(config: &ServiceConfig) -> Resource {
    envoy::route(&config.name.to_string(), &[config])
}

/// The version of a response: the same for the same resources.
pub(super) fn version(kind: Kind, contents: &Contents) -> String {
    let digests: Vec<u64> = contents.values().map(|content| content.digest).collect();
    format!("{:016x}", digest(&(kind, digests)))
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
