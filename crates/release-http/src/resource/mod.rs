//! The JSON documents of the API.

mod input;
mod output;
mod text;

pub(crate) use input::{read_new_release, read_policy, read_update};
pub(crate) use output::{PlanDocument, ReleaseDocument, ReleaseListDocument};
pub use text::{ClusterId, DeploymentName, ImageVersion};

use release_core::{
    MeshId, Namespace, ReleaseId, ReleaseKey, ReleaseName, ReleaseSpec, ReleaseTask, Service, VersionLabel,
};
use serde::{Deserialize, Serialize};

/// The value of `apiVersion`. Source: contract.
const API_VERSION: &str = "asm/v2";

/// A release as the API shows it: the task, and what only its readers need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The task, which the core decides about. Its id is the `uid` on the wire.
    pub task: ReleaseTask,
    /// The rest of the document.
    pub details: Details,
}

/// The parts of a release that no decision depends on. Store them next to the task.
///
/// ```
/// use release_http::Details;
///
/// let details: Details = serde_json::from_str(r#"{"name": "cart-v2", "imageVersion": "2.0.1"}"#)?;
/// assert_eq!(details.image_version.unwrap().as_str(), "2.0.1");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Details {
    /// `metadata.name`.
    pub name: ReleaseName,
    /// `spec.clusterID`.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "clusterID")]
    pub cluster_id: Option<ClusterId>,
    /// `spec.deploymentName`: the workload of the grayscale version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_name: Option<DeploymentName>,
    /// `spec.imageVersion`, ours: what an update changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_version: Option<ImageVersion>,
}

/// What a caller wants to be created. The id is the embedder's to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelease {
    /// The mesh.
    pub mesh: MeshId,
    /// The namespace.
    pub namespace: Namespace,
    /// The service under release.
    pub service: Service,
    /// The label of the version that serves now.
    pub original: VersionLabel,
    /// The label of the new version.
    pub grayscale: VersionLabel,
    /// The rest of the document.
    pub details: Details,
}

impl NewRelease {
    /// What the core needs to know, under this id.
    pub fn spec(&self, id: ReleaseId) -> ReleaseSpec {
        ReleaseSpec {
            key: ReleaseKey { mesh: self.mesh.clone(), namespace: self.namespace.clone(), id },
            service: self.service.clone(),
            original: self.original.clone(),
            grayscale: self.grayscale.clone(),
        }
    }
}

/// `spec.type`: the one kind of release there is. Ours: the published page does not print the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReleaseType {
    #[default]
    Canary,
}
