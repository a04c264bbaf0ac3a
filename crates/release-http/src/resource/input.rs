//! Documents that callers send. Unknown and repeated fields are refused by name.

use super::{API_VERSION, ClusterId, DeploymentName, Details, ImageVersion, NewRelease, ReleaseType};
use crate::json::{self, Place};
use release_core::{MeshId, Namespace, ReleaseKey, ReleaseName, Routing, Service, VersionLabel};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The body of a create.
pub(crate) fn read_new_release(body: &[u8], mesh: MeshId, namespace: Namespace) -> Result<NewRelease, String> {
    let Create { kind, api_version, metadata, spec } = json::read(body, place_in_release)?;
    check_head(kind.as_deref(), api_version.as_deref())?;
    agrees("meshID", metadata.mesh_id.as_ref(), &mesh)?;
    agrees("namespace", metadata.namespace.as_ref(), &namespace)?;
    let ReleaseType::Canary = spec.release_type.unwrap_or_default();
    Ok(NewRelease {
        mesh,
        namespace,
        service: spec.service_name,
        original: spec.original_version,
        grayscale: spec.version,
        details: Details {
            name: metadata.name,
            cluster_id: spec.cluster_id,
            deployment_name: spec.deployment_name,
            image_version: spec.image_version,
        },
    })
}

/// The body of a policy.
pub(crate) fn read_policy(body: &[u8]) -> Result<Routing, String> {
    json::read(body, place_in_policy).map_err(|error| {
        format!(r#"{error} A policy is one of {{"exclusive": …}}, {{"weighted": …}} and {{"content": …}}."#)
    })
}

/// The body of an update.
pub(crate) fn read_update(body: &[u8], key: &ReleaseKey) -> Result<ImageVersion, String> {
    let Update { kind, api_version, metadata, spec } = json::read(body, place_in_release)?;
    check_head(kind.as_deref(), api_version.as_deref())?;
    if let Some(metadata) = metadata {
        agrees("meshID", metadata.mesh_id.as_ref(), &key.mesh)?;
        agrees("namespace", metadata.namespace.as_ref(), &key.namespace)?;
    }
    Ok(spec.image_version)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object")]
struct Create {
    kind: Option<String>,
    api_version: Option<String>,
    metadata: CreateMetadata,
    spec: CreateSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct CreateMetadata {
    #[serde(rename = "meshID")]
    mesh_id: Option<MeshId>,
    name: ReleaseName,
    /// Generated: what a caller sends is ignored. Source: contract.
    #[serde(rename = "uid")]
    _uid: Option<IgnoredAny>,
    namespace: Option<Namespace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object")]
struct CreateSpec {
    service_name: Service,
    #[serde(rename = "clusterID")]
    cluster_id: Option<ClusterId>,
    deployment_name: Option<DeploymentName>,
    version: VersionLabel,
    original_version: VersionLabel,
    #[serde(rename = "type")]
    release_type: Option<ReleaseType>,
    image_version: Option<ImageVersion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object")]
struct Update {
    kind: Option<String>,
    api_version: Option<String>,
    metadata: Option<UpdateMetadata>,
    spec: UpdateSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct UpdateMetadata {
    #[serde(rename = "meshID")]
    mesh_id: Option<MeshId>,
    /// A task keeps its name: sending it is allowed and changes nothing.
    #[serde(rename = "name")]
    _name: Option<ReleaseName>,
    #[serde(rename = "uid")]
    _uid: Option<IgnoredAny>,
    namespace: Option<Namespace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object")]
struct UpdateSpec {
    image_version: ImageVersion,
}

fn place_in_policy(path: &str) -> Place {
    // Without its indices: `content` are the rules, `content[]` the conditions of one, `content[][]` is one of these.
    let general: String = path.chars().filter(|char| !char.is_ascii_digit()).collect();
    match general.as_str() {
        "content" | "content[]" => Place::Array,
        "" | "content[][]" | "content[][].header.value" | "content[][].cookie.value" | "content[][].query.value" => {
            Place::Choice
        }
        _ => Place::Other,
    }
}

fn place_in_release(path: &str) -> Place {
    if path == "metadata.uid" { Place::Ignored } else { Place::Other }
}

fn check_head(kind: Option<&str>, api_version: Option<&str>) -> Result<(), String> {
    if kind.is_some_and(|kind| kind != "Release") {
        return Err("The body is not valid, field kind: it must be Release, or be left out.".into());
    }
    if api_version.is_some_and(|version| version != API_VERSION) {
        return Err(format!("The body is not valid, field apiVersion: it must be {API_VERSION}, or be left out."));
    }
    Ok(())
}

/// The path decides; a body that says something else is a mistake that had better be noticed.
fn agrees<T: PartialEq>(field: &str, given: Option<&T>, path: &T) -> Result<(), String> {
    if given.is_some_and(|given| given != path) {
        return Err(format!(
            "The body is not valid, field metadata.{field}: it must be as in the path, or be left out."
        ));
    }
    Ok(())
}
