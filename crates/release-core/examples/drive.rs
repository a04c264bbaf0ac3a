//! The loop that drives a release task, against a simulated mesh of two proxies: one refuses a routing, one is cut off, and
//! none is quick.
//!
//! `cargo run -p release-core --example drive -- [cancel|end]` prints every step and what came of it.

use std::error::Error;
use std::io::Write;

use release_core::{Action, Command, Mode, ReleaseTask, Report};
use release_testkit::mesh::{Mesh, Motion, ProxyId, sample_task};

fn main() -> Result<(), Box<dyn Error>> {
    let action = std::env::args().nth(1).as_deref().unwrap_or("cancel").parse()?;
    release(action, &mut std::io::stdout())
}

fn release(action: Action, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (mut task, mut mesh) = (sample_task(), Mesh::new(2));

    writeln!(out, "The release is created:")?;
    drive(&mut task, &mut mesh, &[], out)?;

    writeln!(out, "\nHalf of the traffic goes to the new version:")?;
    let _changed = task.command(Command::SetRouting(serde_json::from_str(r#"{"weighted":{"grayscale":50}}"#)?))?;
    drive(&mut task, &mut mesh, &[], out)?;

    writeln!(out, "\nThe release is finished ({action}):")?;
    let _changed = task.command(Command::Delete(action, Mode::Perform))?;
    let [one, two] = [1, 2].map(ProxyId::new);
    // A proxy that is cut off may still route to the loser: without it nothing is confirmed.
    let trouble = [Motion::Refuse(one), Motion::CutOff(two), Motion::Take(one), Motion::Acknowledge(one)];
    drive(&mut task, &mut mesh, &trouble, out)?;

    let proof = task.proof().ok_or("a closed task has a proof")?;
    writeln!(out, "Generation {} was confirmed by {}; {}.", proof.generation, proof.confirmed_by, proof.drained)?;
    Ok(())
}

/// Drives `task` until nothing is left to do. `trouble` is what happens while proxies are waited for.
fn drive(
    task: &mut ReleaseTask,
    mesh: &mut Mesh,
    trouble: &[Motion],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut trouble = trouble.iter();
    // A real engine stores the task before every step, and backs off before it tries one again.
    while let Some(step) = task.next_step() {
        writeln!(out, "{:<30} do:     {step}", task.phase().to_string())?;
        let report = match mesh.perform(&step) {
            Some(report) => report,
            None => match wait(mesh, trouble.next(), out)? {
                Some(report) => report,
                None => continue, // The same step again.
            },
        };
        writeln!(out, "{:<30} report: {report}", "")?;
        let _changed = task.report(report)?;
    }
    writeln!(out, "{}", task.phase())?;
    Ok(())
}

/// Some proxies have not confirmed yet. One thing happens; if it is none in particular, everything that is under way arrives.
fn wait(mesh: &mut Mesh, happens: Option<&Motion>, out: &mut impl Write) -> std::io::Result<Option<Report>> {
    let Some(motion) = happens else {
        writeln!(out, "{:<30} wait:   every proxy is there, and takes the routing", "")?;
        mesh.settle();
        return Ok(None);
    };
    writeln!(out, "{:<30} wait:   {motion}", "")?;
    Ok(mesh.move_on(*motion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_closes_through_a_refusal_and_a_cut_off() -> Result<(), Box<dyn Error>> {
        for action in [Action::Cancel, Action::End] {
            let mut out = Vec::new();
            release(action, &mut out)?;
            let said = String::from_utf8(out)?;
            let expected = [
                "proxy-1 refuses the routing",
                "report: could not apply",
                "proxy-2 is cut off",
                "every proxy is there",
                &format!("closed ({action})"),
                "confirmed by proxy-1, proxy-2;",
            ];
            let mut rest = said.as_str();
            for words in expected {
                rest = rest.split_once(words).ok_or_else(|| format!("{words:?} is missing at its place: {said}"))?.1;
            }
        }
        Ok(())
    }
}
