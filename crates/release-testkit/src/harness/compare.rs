//! One task and what the model says of it.

use super::same;
use crate::model::Record;
use release_core::{Failure, NumberedRouting, Proof, ReleaseTask};

/// Whether everything that a task shows is what the model says.
pub(super) fn compare(task: &ReleaseTask, record: &Record) -> Result<(), String> {
    let numbered = |generation, routing| NumberedRouting { generation, routing };
    let confirmed = release_core::Generation::new(record.confirmed as u64);
    let decided = record.phase.is_closed() || record.phase.stage() == Some(release_core::Stage::Retiring);
    let proof = record.confirmed_by.clone().zip(record.drained.clone()).filter(|_| decided);
    let proof = proof.map(|(confirmed_by, drained)| Proof { generation: confirmed, confirmed_by, drained });
    let failure = record.due().zip(record.failure.clone()).map(|(step, reason)| Failure { step, reason });

    same("spec", task.spec(), &record.spec)?;
    same("phase", &task.phase(), &record.phase)?;
    same("wanted routing", task.wanted(), &numbered(record.generation(), record.wanted()))?;
    same("confirmed routing", task.confirmed(), &numbered(confirmed, record.routing(record.confirmed)))?;
    same("reachable versions", &task.reachable(), &record.reachable())?;
    same("next step", &task.next_step(), &record.next_step())?;
    same("failure", &task.failure(), &failure)?;
    same("proof", &task.proof(), &proof)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use release_core::{Command, Note, Percent, ReleaseSpec, Routing, Witnesses};

    /// Each difference between a task and the model is seen, and named.
    #[test]
    fn every_difference_is_named() {
        type Edit = fn(&mut Record);
        let key = release_core::ReleaseKey::parse("m1", "shop", "a").unwrap();
        let [service, original, grayscale] = ["cart", "v1", "v2"];
        let spec = ReleaseSpec {
            key,
            service: service.parse().unwrap(),
            original: original.parse().unwrap(),
            grayscale: grayscale.parse().unwrap(),
        };
        let (mut task, mut record) = (ReleaseTask::new(spec.clone()).unwrap(), Record::new(spec));
        let _ = task.command(Command::CANCEL).unwrap();
        let _ = record.command(Command::CANCEL).unwrap();
        for _ in 0..3 {
            let report = task.next_step().unwrap().succeeded(Witnesses::one("envoy-1"), "idle");
            let _ = task.report(report.clone()).unwrap();
            let _ = record.report(report).unwrap();
        }
        assert_eq!(compare(&task, &record), Ok(()));

        let edits: [(&str, Edit); 7] = [
            ("spec", |record| record.spec.service = "search".parse().unwrap()),
            ("phase", |record| record.phase = release_core::Phase::Running),
            ("wanted routing", |record| record.routings.push(record.wanted())),
            ("confirmed routing", |record| record.confirmed = 1),
            ("wanted routing", |record| record.routings[2] = Routing::weighted(Percent::new(7).unwrap())),
            ("failure", |record| record.failure = Some(Note::new("why"))),
            ("proof", |record| record.drained = Some(Note::new("in another way"))),
        ];
        for (name, edit) in edits {
            let mut record = record.clone();
            edit(&mut record);
            let difference = compare(&task, &record).unwrap_err();
            assert!(difference.starts_with(&format!("{name}: ")), "{name}: {difference}");
        }
    }
}
