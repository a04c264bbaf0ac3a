//! What people are shown about a release.

use super::document::{Numbered, PhaseName, PlanDocument, ReleaseDocument, Status};
use super::nodes::NodeDocument;
use comfy_table::{Cell, Table, TableStyle};
use release_core::{Action, Routing, RoutingKind, Stage, Version};

const STAGES: [(Stage, &str); 4] = [
    (Stage::Preparing, "Preparing"),
    (Stage::Routing, "Routing"),
    (Stage::Draining, "Draining"),
    (Stage::Retiring, "Retiring"),
];

/// The releases of a mesh.
pub(super) fn list<'a>(releases: impl Iterator<Item = &'a ReleaseDocument>) -> String {
    let mut table = plain();
    table.set_header(["ID", "NAME", "NAMESPACE", "SERVICE", "VERSIONS", "STATUS", "TRAFFIC"]);
    for release in releases {
        let (metadata, spec) = (&release.metadata, &release.spec);
        table.add_row([
            metadata.uid.to_string(),
            metadata.name.to_string(),
            metadata.namespace.to_string(),
            spec.service_name.to_string(),
            format!("{} → {}", spec.original_version, spec.version),
            state(&release.status),
            traffic(release, &release.status.confirmed.policy),
        ]);
    }
    if table.is_empty() { "No such releases; `release-server create` makes one.\n".into() } else { text(&table) }
}

/// The Envoys.
pub(super) fn nodes(nodes: &[NodeDocument]) -> String {
    let mut table = plain();
    table.set_header(["NODE", "STATUS", "ROUTES"]);
    for node in nodes {
        let status = match (&node.refusal, &node.since, node.connected) {
            _ if node.duplicate => "two Envoys have this id: give each its own".into(),
            (Some(refusal), ..) => format!("refuses: {refusal}"),
            (None, None, true) => "confirmed".into(),
            (None, Some(since), true) => format!("owes an answer since {since}"),
            (None, since, false) => {
                format!("cut off since {}, and may still route", since.as_deref().unwrap_or("some time"))
            }
        };
        table.add_row([node.id.clone(), status, node.routes.join(", ")]);
    }
    if table.is_empty() {
        return "No Envoy has connected yet: nothing can be confirmed.\n".into();
    }
    text(&table)
}

/// All about one release.
pub(super) fn release(release: &ReleaseDocument) -> String {
    let (metadata, spec, status) = (&release.metadata, &release.spec, &release.status);
    let mut table = plain();
    let mut row = |name: &str, value: String| {
        table.add_row([Cell::new(name), Cell::new(value)]);
    };
    row("Release", format!("{} ({})", metadata.uid, metadata.name));
    row("Mesh", format!("{}, namespace {}", metadata.mesh_id, metadata.namespace));
    row("Service", format!("{}: {} → {}", spec.service_name, spec.original_version, spec.version));
    if let Some(image) = &spec.image_version {
        row("Image", image.clone());
    }
    row("Status", state(status));
    if status.phase == PhaseName::Closing {
        row("Stages", stages(status));
    }
    row("Traffic", format!("{}, {}", traffic(release, &status.confirmed.policy), number(&status.confirmed)));
    if status.wanted != status.confirmed {
        let wanted = traffic(release, &status.wanted.policy);
        row("Wanted", format!("{wanted}, {}, not confirmed by every proxy yet", number(&status.wanted)));
    }
    if let Some(failure) = &status.failure {
        row("Failing", format!("{}: {}", failure.step, failure.reason));
    }
    if let Some(proof) = &status.proof {
        row("Proof", format!("generation {} confirmed by {}", proof.generation, proof.confirmed_by.join(", ")));
        row("", format!("drained: {}", proof.drained));
    }
    text(&table)
}

/// A release that is new.
pub(super) fn created(release: &ReleaseDocument) -> String {
    let spec = &release.spec;
    format!(
        "Created {}, release {} of {}: {} → {}\nnext: `{}` once `show` says running; all traffic stays with {} until then\n",
        release.metadata.uid,
        release.metadata.name,
        spec.service_name,
        spec.original_version,
        spec.version,
        with_scope(release, "policy", "--weight 20"),
        spec.original_version,
    )
}

/// A policy that was accepted.
pub(super) fn policy_set(release: &ReleaseDocument) -> String {
    let wanted = &release.status.wanted;
    let next = if *wanted == release.status.confirmed {
        "confirmed by every proxy".into()
    } else {
        format!("`{}` says when every proxy confirmed it", with_scope(release, "show", ""))
    };
    format!("Accepted: {}, {}\nnext: {next}\n", traffic(release, &wanted.policy), number(wanted))
}

/// A takeover that was taken back.
pub(super) fn reopened(release: &ReleaseDocument) -> String {
    let wanted = traffic(release, &release.status.wanted.policy);
    format!("Reopened: {}; wanted is again {wanted}\n", state(&release.status))
}

/// A takeover that is finished.
pub(super) fn closed(release: &ReleaseDocument) -> String {
    let Some(action) = release.status.action else { return self::release(release) };
    let (survivor, loser) = (release.label(action.survivor()), release.label(action.loser()));
    let service = &release.spec.service_name;
    let done = match action {
        Action::Cancel => "Canceled",
        Action::End => "Ended",
    };
    let proof = release.status.proof.as_ref().map(|proof| {
        let by = proof.confirmed_by.join(", ");
        format!("proof: generation {} confirmed by {by}; drained: {}\n", proof.generation, proof.drained)
    });
    format!("{done}: {survivor} has all traffic of {service}, {loser} is retired\n{}", proof.unwrap_or_default())
}

/// A takeover that was finished before it was asked for again.
pub(super) fn closed_already(release: &ReleaseDocument) -> String {
    format!("Closed already. {}", closed(release))
}

/// A takeover that is not finished.
pub(super) fn still_closing(release: &ReleaseDocument) -> String {
    let status = &release.status;
    let action = status.action.map(|action| action.to_string()).unwrap_or_default();
    let failing = status.failure.as_ref().map(|failure| format!("; {}: {}", failure.step, failure.reason));
    format!(
        "the {action} is decided and goes on, but is not finished: {}{}",
        stages(status),
        failing.unwrap_or_default()
    )
}

/// What a takeover would do.
pub(super) fn plan(plan: &PlanDocument, release: &ReleaseDocument) -> String {
    let action = plan.action;
    let mut table = plain();
    table.set_header(["", "STEP", "TRAFFIC AFTERWARDS"]);
    for (number, step) in plan.steps.iter().enumerate() {
        let row = [(number + 1).to_string(), step.description.clone(), traffic(release, &step.then.policy)];
        table.add_row(row);
    }
    let (spec, status) = (&release.spec, &release.status);
    format!(
        "What {action} would do with {} ({} → {}), which is {}: {}\n{}next: `{}`\n",
        spec.service_name,
        spec.original_version,
        spec.version,
        state(status),
        traffic(release, &status.confirmed.policy),
        text(&table),
        with_scope(release, &action.to_string(), ""),
    )
}

/// The four stages of a takeover: which are done, which one is under way.
pub(super) fn stages(status: &Status) -> String {
    let done = |stage| status.phase == PhaseName::Closed || status.stage.is_some_and(|now| stage < now);
    let mark = |stage| match status.stage {
        _ if done(stage) => '✔',
        Some(now) if now == stage => '▶',
        _ => '·',
    };
    STAGES.map(|(stage, name)| format!("{} {name}", mark(stage))).join("  ")
}

/// Where a release is, in few words.
fn state(status: &Status) -> String {
    let place = match (status.phase, status.action, status.stage) {
        (PhaseName::Deploying, ..) => "deploying".into(),
        (PhaseName::Running, ..) => "running".into(),
        (PhaseName::Closing, Some(action), Some(stage)) => format!("{action}: {stage}"),
        (PhaseName::Closing, ..) => "closing".into(),
        (PhaseName::Closed, ..) => status.result.clone().unwrap_or_else(|| "closed".into()).to_lowercase(),
    };
    if status.failure.is_some() { format!("{place}, failing") } else { place }
}

/// Who serves which share, by the versions' labels.
fn traffic(release: &ReleaseDocument, policy: &Routing) -> String {
    let (original, grayscale) = (release.label(Version::Original), release.label(Version::Grayscale));
    match policy.kind() {
        RoutingKind::Exclusive(version) => format!("all {}", release.label(version)),
        RoutingKind::Weighted(share) => format!("{} {original}, {share} {grayscale}", share.rest()),
        RoutingKind::Content(rules) => {
            let s = if rules.len() == 1 { "" } else { "s" };
            format!("{} rule{s} {grayscale}, rest {original}", rules.len())
        }
    }
}

fn number(numbered: &Numbered) -> String {
    format!("generation {}", numbered.generation)
}

/// A command line for that release.
fn with_scope(release: &ReleaseDocument, command: &str, more: &str) -> String {
    let key = release.key();
    let space = if more.is_empty() { "" } else { " " };
    format!("release-server {command} {} --mesh-id {} --namespace {}{space}{more}", key.id, key.mesh, key.namespace)
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table
}

/// A table without the blanks around it.
fn text(table: &Table) -> String {
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A release of which the status says that.
    fn document(status: &Value) -> ReleaseDocument {
        serde_json::from_value(json!({
            "metadata": { "meshID": "mesh-1", "name": "cart-v2", "uid": "r1", "namespace": "shop" },
            "spec": { "serviceName": "cart", "version": "v2", "originalVersion": "v1", "newToThisClient": true },
            "status": status,
        }))
        .unwrap()
    }

    fn closing(stage: &str) -> Value {
        json!({
            "phase": "closing", "action": "end", "stage": stage,
            "wanted": { "generation": 4, "policy": { "exclusive": "grayscale" } },
            "confirmed": { "generation": 3, "policy": { "weighted": { "grayscale": 20 } } },
            "failure": { "step": "apply the routing", "reason": "node envoy-2 is cut off since 12:03:04" },
        })
    }

    #[test]
    fn a_takeover_shows_where_it_is_and_what_keeps_it() {
        let stages: Vec<_> = ["preparing", "routing", "draining", "retiring"]
            .map(|stage| stages(&document(&closing(stage)).status))
            .into();
        let shown = release(&document(&closing("routing")));
        let still = still_closing(&document(&closing("routing")));
        insta::assert_snapshot!(format!("{}\n\n{shown}\n{still}", stages.join("\n")));
    }

    #[test]
    fn every_policy_is_told_in_few_words() {
        let rule = json!([{ "browser": "chrome" }]);
        let other = json!([{ "operatingSystem": "ios" }]);
        let texts = [
            json!({ "exclusive": "original" }),
            json!({ "exclusive": "grayscale" }),
            json!({ "weighted": { "grayscale": 7 } }),
            json!({ "content": [rule] }),
            json!({ "content": [rule, other] }),
        ]
        .map(|policy| {
            let numbered = json!({ "generation": 2, "policy": policy });
            let release = document(&json!({ "phase": "running", "wanted": numbered, "confirmed": numbered }));
            traffic(&release, &release.status.confirmed.policy)
        });
        let expected = ["all v1", "all v2", "93 % v1, 7 % v2", "1 rule v2, rest v1", "2 rules v2, rest v1"];
        assert_eq!(texts, expected);
    }
}
