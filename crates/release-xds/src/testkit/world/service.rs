//! A service, its description and its releases.

use super::motion::Edit;
use crate::control::Declared;
use crate::envoy;
use crate::service::{Endpoint, Serves, ServiceConfig, ServiceName, VersionConfig, cluster_name};
use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost};
use prost::Message as _;
use release_core::{Generation, ParseError, ReleaseKey, ReleaseSpec, Routing, Version, VersionLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A service of two versions.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) file: File,
    labels: [VersionLabel; 2],
    /// Which version serves when no release is open.
    pub(super) serving: VersionLabel,
    /// How often a release was begun.
    releases: u32,
    pub(super) release: Option<Release>,
    /// The versions that were retired and not brought back.
    pub(super) gone: BTreeSet<VersionLabel>,
}

/// What the services file says of a service.
#[derive(Clone)]
pub(super) struct File {
    pub(super) there: bool,
    longest: Duration,
    port: u16,
    pub(super) serves: VersionLabel,
    pub(super) versions: BTreeSet<VersionLabel>,
}

/// The release that is open.
pub(super) struct Release {
    pub(super) spec: ReleaseSpec,
    pub(super) generation: Generation,
    pub(super) routing: Routing,
    /// Whether that was ever confirmed.
    pub(super) confirmed: bool,
    pub(super) retired: bool,
    /// Whether the workloads of the loser are gone.
    pub(super) cleared: bool,
}

impl Service {
    pub(super) fn new(number: usize) -> Result<Self, ParseError> {
        let labels: [VersionLabel; 2] = ["v1".parse()?, "v2".parse()?];
        let [serves, _] = labels.clone();
        let file = File {
            there: true,
            longest: Duration::from_secs(2),
            port: 1,
            serves: serves.clone(),
            versions: labels.iter().cloned().collect(),
        };
        let name = ServiceName {
            mesh: super::MESH.parse()?,
            namespace: "shop".parse()?,
            service: format!("s{number}").parse()?,
        };
        Ok(Self { name, file, labels, serving: serves, releases: 0, release: None, gone: BTreeSet::new() })
    }

    pub(super) fn cluster(&self, label: &VersionLabel) -> String {
        cluster_name(&self.name, label)
    }

    /// The clusters of the versions that were retired and not brought back.
    pub(super) fn gone(&self) -> impl Iterator<Item = String> {
        self.gone.iter().map(|label| self.cluster(label))
    }

    /// The clusters that the file does not describe.
    pub(super) fn undescribed(&self) -> impl Iterator<Item = String> {
        let described = |label: &&VersionLabel| self.file.there && self.file.versions.contains(*label);
        self.labels.iter().filter(move |label| !described(label)).map(|label| self.cluster(label))
    }

    /// A release from the version that serves to the other one.
    pub(super) fn next_release(&mut self) -> Result<ReleaseSpec, ParseError> {
        self.releases += 1;
        let id = format!("{}-{}", self.name.service, self.releases);
        Ok(ReleaseSpec {
            key: ReleaseKey::parse(super::MESH, "shop", &id)?,
            service: self.name.service.clone(),
            original: self.serving.clone(),
            grayscale: self.other(&self.serving),
        })
    }

    fn other(&self, label: &VersionLabel) -> VersionLabel {
        let [v1, v2] = self.labels.clone();
        if *label == v1 { v2 } else { v1 }
    }

    /// The version was retired.
    pub(super) fn is_without(&mut self, label: &VersionLabel) {
        self.gone.insert(label.clone());
        if let Some(release) = &mut self.release {
            release.retired = true;
        }
    }

    /// The workloads of the version that was retired are gone, and this one serves alone.
    pub(super) fn is_cleared(&mut self, survivor: &VersionLabel) {
        self.serving = survivor.clone();
        if let Some(release) = &mut self.release {
            release.cleared = true;
        }
    }

    /// The virtual host that a process has which runs the newest routing of the release.
    pub(super) fn expected(&self, release: &Release) -> Result<VirtualHost, String> {
        let ReleaseSpec { original, grayscale, .. } = release.spec.clone();
        let serves = Serves::Release { original, grayscale, routing: release.routing.clone() };
        let Declared { name, domains, max_stream_duration, versions, .. } = self.file.declared(&self.name);
        let config = ServiceConfig { name, domains, max_stream_duration, versions, serves };
        let routes = envoy::route(super::MESH, &[&config]);
        let routes = RouteConfiguration::decode(&*routes.body.value).map_err(|error| error.to_string())?;
        routes.virtual_hosts.into_iter().next().ok_or_else(|| "a service has no virtual host".to_owned())
    }

    /// How the file is after an edit.
    pub(super) fn edited(&self, edit: Edit) -> File {
        let mut file = self.file.clone();
        match edit {
            Edit::Longest => file.longest = Duration::from_secs(file.longest.as_secs() % 3 + 1),
            Edit::Endpoints => file.port += 1,
            Edit::Serves => file.serves = self.other(&file.serves),
            Edit::Version => {
                let other = self.other(&file.serves);
                if !file.versions.remove(&other) {
                    file.versions.insert(other);
                }
            }
            Edit::Service => file.there = !file.there,
        }
        file
    }

    /// The file was taken in.
    pub(super) fn is_now(&mut self, file: File) {
        if !file.there {
            self.release = None;
        }
        if self.release.as_ref().is_none_or(|release| release.cleared) && file.there {
            // Described without it, a version that was retired may be described again.
            self.gone.retain(|label| file.versions.contains(label));
            if file.serves != self.file.serves {
                self.serving = file.serves.clone();
            }
        }
        self.file = file;
    }
}

impl File {
    pub(super) fn declared(&self, name: &ServiceName) -> Declared {
        let version = || VersionConfig { endpoints: vec![Endpoint { host: "127.0.0.1".to_owned(), port: self.port }] };
        Declared {
            name: name.clone(),
            domains: vec![format!("{}.shop", name.service)],
            max_stream_duration: self.longest,
            versions: self.versions.iter().map(|label| (label.clone(), version())).collect::<BTreeMap<_, _>>(),
            serves: self.serves.clone(),
        }
    }
}

impl Release {
    /// The version that has no request any more.
    pub(super) fn loser(&self) -> Option<Version> {
        self.routing.sole_owner().map(Version::other)
    }
}
