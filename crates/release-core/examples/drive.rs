//! The loop that drives a release task, against a simulated mesh of two proxies.
//!
//! `cargo run -p release-core --example drive -- [cancel|end]` prints every step and what came of it.

use std::error::Error;

use release_core::{Action, Command, Mode, ReleaseTask};
use release_testkit::mesh::{Mesh, Words, sample_task};

/// Drives `task` until nothing is left to do.
fn drive(task: &mut ReleaseTask, mesh: &mut Mesh) -> Result<(), Box<dyn Error>> {
    // A real engine stores the task before every step, and backs off before it tries one again.
    while let Some(step) = task.next_step() {
        println!("{:<30} do:     {}", task.phase().to_string(), Words(&step));
        let Some(report) = mesh.perform(&step) else {
            mesh.settle(); // Some proxies have not confirmed yet: here they all do now.
            continue;
        };
        println!("{:<30} report: {}", "", Words(&report));
        let _changed = task.report(report)?;
    }
    println!("{}", task.phase());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let action = std::env::args().nth(1).as_deref().unwrap_or("cancel").parse::<Action>()?;
    let (mut task, mut mesh) = (sample_task(), Mesh::new(2));

    println!("The release is created:");
    drive(&mut task, &mut mesh)?;

    println!("\nHalf of the traffic goes to the new version:");
    let _changed = task.command(Command::SetRouting(serde_json::from_str(r#"{"weighted":{"grayscale":50}}"#)?))?;
    drive(&mut task, &mut mesh)?;

    println!("\nThe release is finished ({action}):");
    let _changed = task.command(Command::Delete(action, Mode::Perform))?;
    drive(&mut task, &mut mesh)?;

    let proof = task.proof().ok_or("a closed task has a proof")?;
    println!("Generation {} was confirmed by {}; {}.", proof.generation, proof.confirmed_by, proof.drained);
    Ok(())
}
