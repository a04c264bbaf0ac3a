//! Steps of releases.

use super::declared::config;
use super::memory::Fence;
use super::withdrawal::Withdrawal;
use super::{Control, DeclareError, Moment, Progress};
use crate::service::{Serves, ServiceName, cluster_name};
use release_core::{Generation, ReleaseKey, ReleaseSpec, Routing, Version, VersionLabel};

/// The most releases of a service that are remembered after the newest.
const CLOSED: usize = 32;

/// Why a step was not carried out. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Nobody described the service.
    #[error("service {0} is not in the services file")]
    UnknownService(ServiceName),
    /// Nobody described the version.
    #[error("version {version} of service {service} is not in the services file")]
    UnknownVersion {
        /// The service.
        service: ServiceName,
        /// The version.
        version: VersionLabel,
    },
    /// The release was closed already.
    #[error("service {service} has a newer release, {newer}: this one was closed here")]
    Closed {
        /// The service.
        service: ServiceName,
        /// The newest release.
        newer: ReleaseKey,
    },
    /// The generation is not the newest.
    #[error("generation {asked} is not applied: {newest} was already")]
    Older {
        /// What was asked for.
        asked: Generation,
        /// The newest.
        newest: Generation,
    },
    /// The generation was applied with another routing.
    #[error("generation {0} was applied already, with another routing")]
    Different(Generation),
    /// The generation is not known: the memory is of an earlier time.
    #[error("generation {0} was never applied here")]
    NotApplied(Generation),
    /// A version of this release was retired.
    #[error("version {0} is retired: nothing is routed to it any more")]
    Retired(VersionLabel),
    /// The version is in use.
    #[error("version {0} serves requests: it is not retired")]
    InUse(VersionLabel),
    /// A node may still route to the version, or a request to it may be under way.
    #[error("version {version} is not drained: {why}")]
    NotDrained {
        /// The version.
        version: VersionLabel,
        /// What is waited for.
        why: String,
    },
    /// The release is not one of what the service serves: its routing would move traffic that nobody asked to move.
    #[error(
        "service {service} serves {serves}, not {original}, the release's original version: end the release for {grayscale}, or set serves = \"{original}\" in the services file"
    )]
    NotServing {
        /// The service.
        service: ServiceName,
        /// What it serves.
        serves: String,
        /// The original version of the release.
        original: VersionLabel,
        /// Its grayscale version.
        grayscale: VersionLabel,
    },
    /// The service can't serve that.
    #[error(transparent)]
    Declare(#[from] DeclareError),
}

/// The service that a release is about.
pub fn service_of(spec: &ReleaseSpec) -> ServiceName {
    ServiceName { mesh: spec.key.mesh.clone(), namespace: spec.key.namespace.clone(), service: spec.service.clone() }
}

impl Control {
    /// Has a routing of a release served from now on. The same again changes nothing, but has what was refused sent again.
    ///
    /// Of an older generation, and of a release that was closed, nothing is done.
    pub fn apply(&mut self, spec: &ReleaseSpec, generation: Generation, routing: &Routing) -> Result<(), StepError> {
        let name = service_of(spec);
        let managed = self.services.get(&name).ok_or_else(|| StepError::UnknownService(name.clone()))?;
        let serves = Serves::Release {
            original: spec.original.clone(),
            grayscale: spec.grayscale.clone(),
            routing: routing.clone(),
        };
        let mut remembered = managed.remembered.clone();
        match &remembered.release {
            Some(fence) if fence.key == spec.key => {
                if generation < fence.generation {
                    return Err(StepError::Older { asked: generation, newest: fence.generation });
                }
                if let Some(retired) = &fence.retired {
                    let survives = serves.owners().into_iter().all(|label| label != retired);
                    if generation > fence.generation || !survives {
                        return Err(StepError::Retired(retired.clone()));
                    }
                    return Ok(());
                }
                if generation == fence.generation {
                    if remembered.serves != serves {
                        return Err(StepError::Different(generation));
                    }
                    self.retry_refused();
                    return Ok(());
                }
            }
            Some(fence) if remembered.closed.contains(&spec.key) => {
                return Err(StepError::Closed { service: name, newer: fence.key.clone() });
            }
            _ => {}
        }
        for version in [&spec.original, &spec.grayscale] {
            if !managed.declared.versions.contains_key(version) {
                return Err(StepError::UnknownVersion { service: name, version: version.clone() });
            }
        }
        let fence = Fence { key: spec.key.clone(), generation, retired: None, cleared: false };
        let before = remembered.release.replace(fence).map(|before| before.key);
        if before.as_ref() != Some(&spec.key) {
            let serving = remembered.serves.owners();
            if serves.owners().contains(&spec.original) && !serving.contains(&spec.original) {
                let serving: Vec<&str> = serving.into_iter().map(VersionLabel::as_str).collect();
                return Err(StepError::NotServing {
                    service: name,
                    serves: serving.join(", "),
                    original: spec.original.clone(),
                    grayscale: spec.grayscale.clone(),
                });
            }
            remembered.closed.extend(before);
            let surplus = remembered.closed.len().saturating_sub(CLOSED);
            remembered.closed.drain(..surplus);
            // A new release may bring back what an earlier one retired; its original only if nothing is routed to it.
            remembered.retired.remove(&spec.original);
            remembered.retired.remove(&spec.grayscale);
        }
        remembered.serves = serves;
        let config = config(&managed.declared, &remembered)?;
        if let Some(managed) = self.services.get_mut(&name) {
            managed.remembered = remembered;
        }
        self.serve(&name, config);
        self.retry_refused();
        Ok(())
    }

    /// Whether a step of that generation still is one of the newest of the service's newest release.
    pub fn is_current(&self, spec: &ReleaseSpec, generation: Generation) -> Result<(), StepError> {
        let name = service_of(spec);
        let managed = self.services.get(&name).ok_or_else(|| StepError::UnknownService(name.clone()))?;
        match &managed.remembered.release {
            Some(fence) if fence.key != spec.key => Err(StepError::Closed { service: name, newer: fence.key.clone() }),
            Some(fence) if fence.generation > generation => {
                Err(StepError::Older { asked: generation, newest: fence.generation })
            }
            Some(fence) if fence.generation == generation => Ok(()),
            _ => Err(StepError::NotApplied(generation)),
        }
    }

    /// Takes the cluster of the version that lost away, once it is [drained](Self::drained): the point of no return. Again, it
    /// has what was refused sent again.
    ///
    /// That it was drained before does not count: a node that was thought to be gone may have come back since.
    pub fn retire(&mut self, spec: &ReleaseSpec, version: Version, now: Moment) -> Result<(), StepError> {
        let (name, label) = (service_of(spec), spec.label(version));
        let managed = self.services.get(&name).ok_or_else(|| StepError::UnknownService(name.clone()))?;
        let mut remembered = managed.remembered.clone();
        let Some(fence) = &mut remembered.release else {
            return Err(StepError::InUse(label.clone()));
        };
        if fence.key != spec.key {
            return Err(StepError::Closed { service: name, newer: fence.key.clone() });
        }
        if fence.retired.as_ref() == Some(label) {
            self.retry_refused();
            return Ok(());
        }
        if remembered.serves.owners().contains(label) {
            return Err(StepError::InUse(label.clone()));
        }
        if let Progress::Waiting(waiting) = self.drained(spec, version, now) {
            let why = match waiting.blockers.first() {
                _ if waiting.lost => "which nodes there are is not known".to_owned(),
                Some(blocker) => format!("node {} may still route to it", blocker.node),
                None if waiting.unsaved => "that nothing is routed to it is not saved yet".to_owned(),
                None => "a request to it may still be in progress".to_owned(),
            };
            return Err(StepError::NotDrained { version: label.clone(), why });
        }
        fence.retired = Some(label.clone());
        remembered.serves = Serves::One(spec.label(version.other()).clone());
        remembered.retired.insert(label.clone());
        let config = config(&managed.declared, &remembered)?;
        if let Some(managed) = self.services.get_mut(&name) {
            managed.remembered = remembered;
        }
        self.withdrawals.insert(cluster_name(&name, label), Withdrawal::new(now));
        self.serve(&name, config);
        Ok(())
    }

    /// Whether the release has retired the version.
    pub fn is_retired(&self, spec: &ReleaseSpec, version: Version) -> bool {
        let managed = self.services.get(&service_of(spec));
        let fence = managed.and_then(|managed| managed.remembered.release.as_ref());
        fence.is_some_and(|fence| fence.key == spec.key && fence.retired.as_ref() == Some(spec.label(version)))
    }

    /// Whether the workloads of the version that the release retired are known to be gone.
    pub fn is_cleared(&self, spec: &ReleaseSpec) -> bool {
        let managed = self.services.get(&service_of(spec));
        let fence = managed.and_then(|managed| managed.remembered.release.as_ref());
        fence.is_some_and(|fence| fence.key == spec.key && fence.cleared)
    }

    /// The workloads of the version that the release retired are gone.
    pub fn cleared(&mut self, spec: &ReleaseSpec) {
        let name = service_of(spec);
        let Some(managed) = self.services.get_mut(&name) else { return };
        if let Some(fence) = &mut managed.remembered.release
            && fence.key == spec.key
        {
            fence.cleared = true;
            if let Some(retired) = &fence.retired {
                self.withdrawals.remove(&cluster_name(&name, retired));
            }
            self.remember_service(&name);
        }
    }
}
