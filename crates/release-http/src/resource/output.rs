//! Documents that callers get.

use super::{API_VERSION, ClusterId, DeploymentName, ImageVersion, Release, ReleaseType};
use release_core::{
    Action, Generation, MeshId, Namespace, Note, NumberedRouting, Percent, Phase, Plan, PlannedStep, ReleaseId,
    ReleaseName, ReleaseTask, Routing, Service, Stage, StepKind, Version, VersionLabel, Witnesses,
};
use serde::Serialize;

/// A Release. Source: contract; what is ours is marked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleaseDocument<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
    spec: Spec<'a>,
    status: Status<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "meshID")]
    mesh_id: &'a MeshId,
    name: &'a ReleaseName,
    uid: &'a ReleaseId,
    namespace: &'a Namespace,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    service_name: &'a Service,
    #[serde(rename = "clusterID", skip_serializing_if = "Option::is_none")]
    cluster_id: Option<&'a ClusterId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_name: Option<&'a DeploymentName>,
    /// The label of the grayscale version.
    version: &'a VersionLabel,
    /// Ours.
    original_version: &'a VersionLabel,
    #[serde(rename = "type")]
    release_type: ReleaseType,
    /// Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_version: Option<&'a ImageVersion>,
}

/// All of it is ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(flatten)]
    place: Place,
    /// How a finished task ended, in the words of the user guide.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    wanted: Numbered<'a>,
    confirmed: Numbered<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofDocument>,
}

/// A phase in three flat fields.
#[derive(Serialize)]
struct Place {
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    generation: Generation,
    policy: &'a Routing,
    /// Absent where the shares depend on the requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Weights>,
}

#[derive(Serialize)]
struct Weights {
    original: Percent,
    grayscale: Percent,
}

#[derive(Serialize)]
struct FailureDocument {
    step: String,
    reason: Note,
}

/// Why it was safe to retire the loser.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProofDocument {
    generation: Generation,
    confirmed_by: Witnesses,
    drained: Note,
}

impl<'a> From<&'a Release> for ReleaseDocument<'a> {
    fn from(Release { task, details }: &'a Release) -> Self {
        let (key, spec) = (task.key(), task.spec());
        Self {
            kind: "Release",
            api_version: API_VERSION,
            metadata: Metadata { mesh_id: &key.mesh, name: &details.name, uid: &key.id, namespace: &key.namespace },
            spec: Spec {
                service_name: &spec.service,
                cluster_id: details.cluster_id.as_ref(),
                deployment_name: details.deployment_name.as_ref(),
                version: &spec.grayscale,
                original_version: &spec.original,
                release_type: ReleaseType::Canary,
                image_version: details.image_version.as_ref(),
            },
            status: task.into(),
        }
    }
}

impl<'a> From<&'a ReleaseTask> for Status<'a> {
    fn from(task: &'a ReleaseTask) -> Self {
        Self {
            place: task.phase().into(),
            result: result(task.phase()),
            wanted: task.wanted().into(),
            confirmed: task.confirmed().into(),
            failure: task
                .failure()
                .map(|failure| FailureDocument { step: failure.step.to_string(), reason: failure.reason }),
            proof: task.proof().map(|proof| ProofDocument {
                generation: proof.generation,
                confirmed_by: proof.confirmed_by,
                drained: proof.drained,
            }),
        }
    }
}

impl From<Phase> for Place {
    fn from(phase: Phase) -> Self {
        let name = match phase {
            Phase::Deploying => "deploying",
            Phase::Running => "running",
            Phase::Closing(..) => "closing",
            Phase::Closed(_) => "closed",
        };
        Self { phase: name, action: phase.action(), stage: phase.stage() }
    }
}

/// Source: contract (user guide).
fn result(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Closed(Action::End) => Some("Released successfully"),
        Phase::Closed(Action::Cancel) => Some("Released canceled"),
        Phase::Deploying | Phase::Running | Phase::Closing(..) => None,
    }
}

impl<'a> From<&'a NumberedRouting> for Numbered<'a> {
    fn from(numbered: &'a NumberedRouting) -> Self {
        let weights = numbered.routing.weights().map(|(original, grayscale)| Weights { original, grayscale });
        Self { generation: numbered.generation, policy: &numbered.routing, weights }
    }
}

/// All releases of a mesh. Source: contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleaseListDocument<'a> {
    kind: &'static str,
    api_version: &'static str,
    items: Vec<ReleaseDocument<'a>>,
}

impl<'a> From<&'a [Release]> for ReleaseListDocument<'a> {
    fn from(releases: &'a [Release]) -> Self {
        Self { kind: "ReleaseList", api_version: API_VERSION, items: releases.iter().map(Into::into).collect() }
    }
}

/// What a delete would do. Ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanDocument<'a> {
    kind: &'static str,
    api_version: &'static str,
    action: Action,
    steps: Vec<StepDocument<'a>>,
}

/// A step, and what there is once it has succeeded.
#[derive(Serialize)]
struct StepDocument<'a> {
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    description: String,
    then: Then<'a>,
}

#[derive(Serialize)]
struct Then<'a> {
    #[serde(flatten)]
    place: Place,
    policy: &'a Routing,
}

impl<'a> From<&'a Plan> for PlanDocument<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self {
            kind: "ReleasePlan",
            api_version: API_VERSION,
            action: plan.action,
            steps: plan.steps.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a PlannedStep> for StepDocument<'a> {
    fn from(planned: &'a PlannedStep) -> Self {
        let kind = planned.step.kind();
        let (step, version) = match kind {
            StepKind::EnsureReady(version) => ("ensureReady", Some(version)),
            StepKind::Apply => ("apply", None),
            StepKind::Drain(version) => ("drain", Some(version)),
            StepKind::Retire(version) => ("retire", Some(version)),
        };
        let then = Then { place: planned.phase.into(), policy: &planned.routing };
        Self { step, version, description: kind.to_string(), then }
    }
}
