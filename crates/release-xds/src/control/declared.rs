//! Services, as the operator describes them.

use super::catalogue::{Content, rendered};
use super::memory::Remembered;
use super::{Control, Lingering, Managed};
use crate::service::{Serves, ServiceConfig, ServiceName, VersionConfig};
use release_core::{ReleaseKey, VersionLabel};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A service, as the operator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The service.
    pub name: ServiceName,
    /// See [`ServiceConfig::domains`].
    pub domains: Vec<String>,
    /// See [`ServiceConfig::max_stream_duration`].
    pub max_stream_duration: Duration,
    /// Its versions.
    pub versions: BTreeMap<VersionLabel, VersionConfig>,
    /// The version that serves before the first release.
    pub serves: VersionLabel,
}

/// Why a description of services was not taken in. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeclareError {
    /// A service without the version that serves.
    #[error(
        "service {service} serves version {version} now, which is not described any more: it must stay until a release has replaced it"
    )]
    Serving {
        /// The service.
        service: ServiceName,
        /// The version.
        version: VersionLabel,
    },
    /// A service without a version, or a service, that a release is about.
    #[error(
        "release {release} of service {service} is not closed: the service and the two versions must stay until then"
    )]
    UnderRelease {
        /// The release.
        release: ReleaseKey,
        /// The service.
        service: ServiceName,
    },
    /// A service is to serve a version that a release retired: its workloads may be gone.
    #[error(
        "service {service} can't be made to serve version {version}, which a release retired: bring it back by a release, or describe the service without it first"
    )]
    Retired {
        /// The service.
        service: ServiceName,
        /// The version.
        version: VersionLabel,
    },
}

impl Control {
    /// Takes in the description of all services, in place of the one before. What releases have done stays: a version that
    /// was retired stays so, and a service goes on serving what its last release left.
    ///
    /// A service whose [`serves`](Declared::serves) is another one than before serves that from now on, unless a release of it
    /// is open: then, and afterwards, that of the release counts. A service that is gone is served no more, and its clusters
    /// go as soon as no node can route to them.
    ///
    /// To be told when nothing is [unsaved](Self::unsaved): after a crash, what was edited during a release would be carried out,
    /// were that release not remembered.
    pub fn declare(&mut self, services: Vec<Declared>) -> Result<(), DeclareError> {
        let mut next = BTreeMap::new();
        for declared in services {
            let remembered = self.recall(&declared)?;
            let config = config(&declared, &remembered)?;
            next.insert(declared.name.clone(), (declared, remembered, config));
        }
        for known in self.memory.services.iter().filter(|known| !next.contains_key(&known.name)) {
            under_release(known)?;
        }
        let before = self.newest_memory;
        let gone: Vec<_> = self.services.keys().filter(|name| !next.contains_key(name)).cloned().collect();
        for name in gone {
            self.services.remove(&name);
            let clusters = self.catalogue.update(&name, None);
            self.linger(clusters);
        }
        for (name, (declared, remembered, config)) in next {
            if let Some(managed) = self.services.get_mut(&name) {
                (managed.declared, managed.remembered) = (declared, remembered);
            } else {
                let rendered = rendered(&config);
                self.newest_revision += 1;
                let revision = self.newest_revision;
                let managed = Managed { declared, remembered, config: config.clone(), rendered, revision, memory: 0 };
                self.services.insert(name.clone(), managed);
            }
            self.serve(&name, config);
        }
        if self.newest_memory > before {
            self.declared_memory = self.newest_memory;
        }
        self.look_at_all();
        Ok(())
    }

    /// What is remembered of a service, in the light of how it is described now.
    fn recall(&self, declared: &Declared) -> Result<Remembered, DeclareError> {
        let Declared { name, serves, .. } = declared;
        let Some(mut known) = self.memory.services.iter().find(|known| known.name == *name).cloned() else {
            return Ok(Remembered {
                name: name.clone(),
                declared: serves.clone(),
                serves: Serves::One(serves.clone()),
                release: None,
                closed: Vec::new(),
                retired: BTreeSet::new(),
                longest_stream: declared.max_stream_duration,
            });
        };
        // What a release is retiring does not come back before that is done: it would never be done.
        if open_release(&known).is_none() {
            known.retired.retain(|label| declared.versions.contains_key(label));
        }
        if known.declared != *serves {
            if known.retired.contains(serves) {
                return Err(DeclareError::Retired { service: name.clone(), version: serves.clone() });
            }
            known.declared = serves.clone();
            // What was edited during a release is not carried out behind it.
            if open_release(&known).is_none() {
                known.serves = Serves::One(serves.clone());
            }
        }
        known.longest_stream = known.longest_stream.max(declared.max_stream_duration);
        Ok(known)
    }

    /// A service wants that served from now on.
    pub(super) fn serve(&mut self, name: &ServiceName, config: ServiceConfig) {
        let Some(managed) = self.services.get_mut(name) else { return };
        let rendered = rendered(&config);
        if rendered != managed.rendered {
            self.newest_revision += 1;
            managed.revision = self.newest_revision;
            managed.rendered = rendered;
        }
        managed.config = config;
        let gone = self.catalogue.update(name, Some(&managed.config));
        for cluster in self.catalogue.clusters.keys() {
            self.lingering.remove(cluster);
        }
        // A version that was retired is known to be unreachable; only what the operator took out lingers.
        let retired = &managed.remembered.retired;
        let lingers = gone.into_iter().filter(|cluster| {
            let label = cluster.resource.name.rsplit_once('/').map(|(_, label)| label);
            !retired.iter().any(|retired| label == Some(retired.as_str()))
        });
        let lingers = lingers.collect();
        self.linger(lingers);
        self.remember_service(name);
        self.look_at_all();
    }

    fn linger(&mut self, clusters: Vec<Arc<Content>>) {
        for cluster in clusters {
            self.lingering.insert(cluster.resource.name.clone(), Lingering { cluster, held_by: None });
        }
    }
}

/// What a service wants served: as it is described, without the versions that are retired.
pub(super) fn config(declared: &Declared, remembered: &Remembered) -> Result<ServiceConfig, DeclareError> {
    let Declared { name, domains, max_stream_duration, versions, .. } = declared;
    let mut versions = versions.clone();
    versions.retain(|label, _| !remembered.retired.contains(label));
    under_release_without(remembered, &versions)?;
    let serves = remembered.serves.clone();
    if let Some(version) = serves.owners().into_iter().find(|label| !versions.contains_key(*label)) {
        return Err(DeclareError::Serving { service: name.clone(), version: version.clone() });
    }
    let (name, domains) = (name.clone(), domains.clone());
    Ok(ServiceConfig { name, domains, max_stream_duration: *max_stream_duration, versions, serves })
}

/// The release that is open, if one is: until the workloads of the version that lost are gone.
fn open_release(remembered: &Remembered) -> Option<&ReleaseKey> {
    remembered.release.as_ref().filter(|fence| !fence.cleared).map(|fence| &fence.key)
}

/// Refuses that a service is missing which a release is about.
fn under_release(remembered: &Remembered) -> Result<(), DeclareError> {
    match open_release(remembered) {
        Some(release) => Err(DeclareError::UnderRelease { release: release.clone(), service: remembered.name.clone() }),
        None => Ok(()),
    }
}

/// Refuses that a version is missing which a release is about.
fn under_release_without(
    remembered: &Remembered,
    versions: &BTreeMap<VersionLabel, VersionConfig>,
) -> Result<(), DeclareError> {
    match &remembered.serves {
        Serves::Release { original, grayscale, .. }
            if !(versions.contains_key(original) && versions.contains_key(grayscale)) =>
        {
            under_release(remembered)
        }
        _ => Ok(()),
    }
}
