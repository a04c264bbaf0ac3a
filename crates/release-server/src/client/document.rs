//! The server's documents, as far as people are shown them. Fields that are new to this client are no mistake.

use release_core::{
    Action, Generation, MeshId, Namespace, ReleaseId, ReleaseKey, ReleaseName, Routing, Service, Stage, Version,
    VersionLabel,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct ReleaseListDocument {
    pub(super) items: Vec<ReleaseDocument>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReleaseDocument {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    pub(super) status: Status,
}

/// A release of which nothing but the id is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct IdDocument {
    pub(super) metadata: OnlyId,
}

#[derive(Debug, Deserialize)]
pub(super) struct OnlyId {
    pub(super) uid: ReleaseId,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    #[serde(rename = "meshID")]
    pub(super) mesh_id: MeshId,
    pub(super) name: ReleaseName,
    pub(super) uid: ReleaseId,
    pub(super) namespace: Namespace,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) service_name: Service,
    /// The label of the grayscale version.
    pub(super) version: VersionLabel,
    pub(super) original_version: VersionLabel,
    pub(super) image_version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) phase: PhaseName,
    pub(super) action: Option<Action>,
    pub(super) stage: Option<Stage>,
    pub(super) result: Option<String>,
    pub(super) wanted: Numbered,
    pub(super) confirmed: Numbered,
    pub(super) failure: Option<FailureDocument>,
    pub(super) proof: Option<ProofDocument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PhaseName {
    Deploying,
    Running,
    Closing,
    Closed,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Numbered {
    pub(super) generation: Generation,
    pub(super) policy: Routing,
}

#[derive(Debug, Deserialize)]
pub(super) struct FailureDocument {
    pub(super) step: String,
    pub(super) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProofDocument {
    pub(super) generation: Generation,
    pub(super) confirmed_by: Vec<String>,
    pub(super) drained: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct PlanDocument {
    pub(super) action: Action,
    pub(super) steps: Vec<PlannedStep>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PlannedStep {
    pub(super) description: String,
    pub(super) then: Then,
}

#[derive(Debug, Deserialize)]
pub(super) struct Then {
    pub(super) policy: Routing,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProblemDocument {
    #[serde(rename = "errorCode")]
    pub(super) code: String,
    #[serde(rename = "errorMsg")]
    pub(super) message: String,
}

impl ReleaseDocument {
    pub(super) fn key(&self) -> ReleaseKey {
        let Metadata { mesh_id, namespace, uid, .. } = &self.metadata;
        ReleaseKey { mesh: mesh_id.clone(), namespace: namespace.clone(), id: uid.clone() }
    }

    /// The label of a version.
    pub(super) fn label(&self, version: Version) -> &VersionLabel {
        match version {
            Version::Original => &self.spec.original_version,
            Version::Grayscale => &self.spec.version,
        }
    }
}
