//! Which release a person means.

use super::arguments::OneRelease;
use super::commands::{read, succeeded};
use super::connection::Server;
use super::document::{PhaseName, ReleaseDocument, ReleaseListDocument};
use super::failure::{Exit, Failure};
use release_core::{ReleaseKey, ReleaseName};
use release_http::Operation;

/// The release that is meant by its id or by its name.
///
/// The ids that servers make start with a digit and names with a letter, so that only for what may be a name the others are
/// looked at: an id goes first, then the unclosed release of that name, then the newest that is closed. What is none of them
/// goes to the server as it is, which then says that it is not there.
pub(super) async fn find(server: &Server, meant: &OneRelease) -> Result<ReleaseKey, Failure> {
    let (mesh, namespace) = (meant.scope.mesh_id.clone(), meant.scope.namespace.clone());
    let text = meant.id.as_str();
    let mut id = meant.id.clone();
    if ReleaseName::try_from(text).is_ok() {
        let answer = succeeded(server.ask_mesh(Operation::List, &mesh, None, "").await?)?;
        let mut releases = read::<ReleaseListDocument>(&answer)?.items;
        releases.retain(|release| release.metadata.namespace == namespace);
        if !releases.iter().any(|release| release.metadata.uid == id) {
            releases.retain(|release| release.metadata.name.as_str() == text);
            id = by_name(text, &releases)?.map_or(id, |release| release.metadata.uid.clone());
        }
    }
    Ok(ReleaseKey { mesh, namespace, id })
}

/// Of the releases that have a name, the one that is meant.
fn by_name<'a>(name: &str, releases: &'a [ReleaseDocument]) -> Result<Option<&'a ReleaseDocument>, Failure> {
    let unclosed: Vec<_> = releases.iter().filter(|release| release.status.phase != PhaseName::Closed).collect();
    match unclosed[..] {
        [] => Ok(releases.iter().max_by_key(|release| &release.metadata.uid)),
        [release] => Ok(Some(release)),
        _ => {
            let ids: Vec<_> = unclosed.iter().map(|release| release.metadata.uid.as_str()).collect();
            let message = format!("{} unclosed releases have the name {name}: {}", ids.len(), ids.join(", "));
            Err(Failure::new(Exit::Usage, message).next("say which one by its id"))
        }
    }
}
