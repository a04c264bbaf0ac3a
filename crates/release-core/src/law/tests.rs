//! Each law's checker can fail: it is shown a task, a change or an outcome that breaks the law.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets tests unwrap, but not the functions that tests share"
)]

use super::input::check_repeated;
use super::{
    Broken, Input, Law, Outcome, check_asked, check_change, check_commuting, check_future, check_input, check_stored,
    check_takeover, check_task, guard,
};
use crate::{
    Action, Change, Command, Error, Generation, Mode, Percent, Phase, Plan, ReleaseKey, ReleaseSpec, ReleaseTask,
    Report, Routing, StoredTask, Witnesses,
};
use serde_json::{Value, json};

const CHANGED: Outcome = Outcome::Done(Change::Changed);

#[test]
fn a_state_can_break_a_law() {
    let all_to = |version: &str| json!({"generation": 4, "routing": {"exclusive": version}});
    let closed = |action| closing(action, 4);
    assert_eq!(law(check_task(&edit(closed(Action::Cancel), |v1| v1["confirmed"] = all_to("grayscale")))), 7);
    assert_eq!(law(check_task(&edit(closed(Action::Cancel), |v1| route(v1, &all_to("grayscale"))))), 2);
    assert_eq!(law(check_task(&edit(closed(Action::End), |v1| route(v1, &all_to("original"))))), 3);
    assert_eq!(law(check_task(&edit(running(), |v1| v1["reachable"] = json!({"only": "original"})))), 4);
    assert_eq!(law(check_task(&edit(closing(Action::End, 3), |v1| v1["confirmed"]["generation"] = 3.into()))), 4);
    assert_eq!(law(check_task(&edit(closing(Action::End, 2), |v1| v1["confirmed"]["generation"] = 3.into()))), 4);
    assert_eq!(law(check_task(&edit(closing(Action::End, 3), |v1| route(v1, &all_to("original"))))), 5);
    assert_eq!(law(check_task(&edit(running(), |v1| v1["confirmed"]["generation"] = 4.into()))), 7);
    assert_eq!(law(check_task(&edit(deploying(), |v1| v1["wanted"]["generation"] = 0.into()))), 7);
    assert_eq!(
        law(
            check_task(&edit(closing(Action::End, 1), |v1| v1["wanted"]["routing"] = json!({"exclusive": "original"})))
        ),
        13
    );
    assert_eq!(law(check_task(&edit(running(), |v1| v1["phase"] = "deploying".into()))), 14);
    let undeployed = |v1: &mut Value| v1["resume"]["deployed"] = false.into();
    assert_eq!(law(check_task(&edit(closing(Action::Cancel, 0), undeployed))), 14);
    let promised = |v1: &mut Value| {
        v1["resume"] = json!({"deployed": false, "routing": {"exclusive": "grayscale"}});
        v1["reachable"] = json!({"only": "original"});
        let as_found = json!({"generation": 1, "routing": {"exclusive": "original"}});
        (v1["wanted"], v1["confirmed"]) = (as_found.clone(), as_found);
    };
    assert_eq!(law(check_task(&edit(closing(Action::Cancel, 0), promised))), 14);
    // The next report would give the grayscale version everything.
    let ended = |v1: &mut Value| {
        promised(v1);
        v1["resume"]["routing"] = json!({"exclusive": "original"});
    };
    assert_eq!(check_task(&edit(closing(Action::Cancel, 0), ended)), Ok(()));
    assert_eq!(law(check_task(&edit(closing(Action::End, 0), ended))), 14);
}

#[test]
fn a_change_can_break_a_law() {
    let set = Input::from(Command::SetRouting(share(30)));
    let forward = Input::from(Command::END);
    let refused = Outcome::Refused(Error::EndBeforeReady);
    let check = |before: &ReleaseTask, input: &Input, outcome: &Outcome, after: &ReleaseTask| {
        law(check_change(before, input, outcome, after))
    };
    assert_eq!(check(&running(), &set, &refused, &deploying()), 9);
    assert_eq!(check(&running(), &set, &Outcome::Done(Change::Unchanged), &deploying()), 8);
    assert_eq!(check(&running(), &set, &CHANGED, &running()), 8);
    // Law 7: another release, back in the phases, another action, a number that falls, is left out, or stands twice.
    let other = edit(running(), |v1| v1["service"] = "basket".into());
    assert_eq!(check(&running(), &set, &CHANGED, &other), 7);
    let again_deploying = edit(running(), |v1| v1["phase"] = "deploying".into());
    assert_eq!(check(&running(), &set, &CHANGED, &again_deploying), 7);
    assert_eq!(check(&closing(Action::Cancel, 0), &forward, &CHANGED, &closing(Action::End, 0)), 7);
    assert_eq!(check(&closing(Action::End, 0), &forward, &CHANGED, &closing(Action::Cancel, 0)), 7);
    let numbered = |number: u64| edit(running(), |v1| v1["wanted"]["generation"] = number.into());
    assert_eq!(check(&numbered(4), &set, &CHANGED, &numbered(3)), 7);
    assert_eq!(check(&numbered(4), &set, &CHANGED, &numbered(6)), 7);
    let other_share = edit(running(), |v1| v1["wanted"]["routing"] = json!({"weighted": {"grayscale": 30}}));
    assert_eq!(check(&running(), &set, &CHANGED, &other_share), 7);
    let unconfirmed = edit(running(), |v1| v1["confirmed"]["generation"] = 1.into());
    assert_eq!(check(&running(), &set, &CHANGED, &unconfirmed), 7);
    // Law 4.
    let forgotten = edit(numbered(4), |v1| v1["reachable"] = json!({"only": "original"}));
    assert_eq!(check(&numbered(4), &set, &CHANGED, &edit(forgotten, |v1| v1["failure"] = "new".into())), 4);
    // Laws 5 and 6.
    let retiring = closing(Action::Cancel, 3);
    let moved = edit(closing(Action::Cancel, 4), |v1| v1["wanted"]["generation"] = 5.into());
    assert_eq!(check(&retiring, &forward, &CHANGED, &moved), 5);
    let reconfirmed = edit(closing(Action::Cancel, 4), |v1| v1["confirmed"]["generation"] = 5.into());
    assert_eq!(check(&retiring, &forward, &CHANGED, &reconfirmed), 5);
    let turned = edit(closing(Action::Cancel, 4), |v1| v1["action"] = "end".into());
    assert_eq!(check(&retiring, &Command::Reopen.into(), &CHANGED, &turned), 6);
    // Law 13, for either survivor and for rules about content.
    for (action, less) in [
        (Action::Cancel, json!({"weighted": {"grayscale": 20}})),
        (Action::End, json!({"weighted": {"grayscale": 80}})),
        (Action::End, json!({"content": [[{"browser": "chrome"}]]})),
    ] {
        let less = json!({"generation": 5, "routing": less});
        let fallen = edit(closing(action, 1), |v1| (v1["wanted"], v1["reachable"]) = (less, "both".into()));
        assert_eq!(check(&closing(action, 1), &forward, &CHANGED, &fallen), 13);
    }
}

/// Law 7: each way back leads to one phase, and nothing else leads back.
#[test]
fn a_way_back_can_break_a_law() {
    let check = |before: &ReleaseTask, input: Command, after: &ReleaseTask| {
        law(check_change(before, &input.into(), &CHANGED, after))
    };
    let became = |mut task: ReleaseTask, input: Command| {
        let _ = task.command(input).unwrap();
        task
    };
    let undeployed = became(deploying(), Command::CANCEL);
    let end = closing(Action::End, 1);
    assert_eq!(check(&end, Command::Reopen, &became(end.clone(), Command::Reopen)), 0);
    assert_eq!(check(&undeployed, Command::Reopen, &became(undeployed.clone(), Command::Reopen)), 0);
    assert_eq!(check(&end, Command::CANCEL, &became(end.clone(), Command::CANCEL)), 0);
    for (before, input, after) in [
        (&end, Command::Reopen, deploying()),
        (&undeployed, Command::Reopen, running()),
        (&end, Command::Reopen, closing(Action::End, 0)),
        (&end, Command::Reopen, closing(Action::End, 2)),
        (&end, Command::CANCEL, closing(Action::Cancel, 1)),
        (&end, Command::CANCEL, running()),
        (&closing(Action::Cancel, 1), Command::CANCEL, closing(Action::Cancel, 0)),
        // Nor with a number of its own: only over an end does a cancel begin anew.
        (
            &closing(Action::Cancel, 1),
            Command::CANCEL,
            became(became(closing(Action::Cancel, 1), Command::Reopen), Command::CANCEL),
        ),
        (&end, Command::SetRouting(share(30)), running()),
    ] {
        assert_eq!(check(before, input.clone(), &after), 7, "{input:?} leads {} to {}", before.phase(), after.phase());
    }
}

/// Law 15.
#[test]
fn a_skipped_stage_breaks_a_law() {
    let succeeded =
        |task: &ReleaseTask| Input::from(task.next_step().unwrap().succeeded(Witnesses::one("envoy-1"), "idle"));
    let failed = |task: &ReleaseTask| Input::from(task.next_step().unwrap().failed("why"));
    let unconfirmed = || {
        let mut task = running();
        let _ = task.command(Command::SetRouting(share(30))).unwrap();
        task
    };
    let confirmed =
        |number| Input::from(Report::Confirmed { generation: Generation::new(number), by: Witnesses::one("envoy-1") });
    let at = |reports| closing(Action::End, reports);
    let rows = [
        // Without an answer, or by a failure.
        (deploying(), Command::SetRouting(share(30)).into(), running()),
        (deploying(), failed(&deploying()), running()),
        (at(0), failed(&at(0)), at(1)),
        (at(2), Command::END.into(), at(3)),
        // By the success of another step, or of the same one before.
        (at(0), succeeded(&at(1)), at(1)),
        (at(1), confirmed(3), at(2)),
        // One is left out.
        (deploying(), succeeded(&deploying()), at(0)),
        (unconfirmed(), succeeded(&unconfirmed()), at(0)),
        (running(), Command::END.into(), at(2)),
        (at(1), succeeded(&at(1)), at(3)),
        (at(2), succeeded(&at(2)), at(4)),
    ];
    for (before, input, after) in rows {
        let broken = law(check_change(&before, &input, &CHANGED, &after));
        assert_eq!(broken, 15, "{input:?} leads {} to {}", before.phase(), after.phase());
    }
}

#[test]
fn a_repetition_can_break_a_law() {
    let set = Input::from(Command::SetRouting(share(30)));
    assert_eq!(law(check_repeated(&running(), &set, &CHANGED)), 8);
    let cancel = Input::from(Command::CANCEL);
    assert_eq!(law(check_repeated(&closing(Action::End, 3), &cancel, &CHANGED)), 8);
    let refused = Outcome::Refused(Error::EndBeforeReady);
    assert_eq!(law(check_repeated(&deploying(), &cancel, &refused)), 8);
    assert_eq!(law(check_repeated(&closing(Action::End, 3), &cancel, &refused)), 8);
    // A step that was due before is due again under its number; the one that is still due, and a new one, are none.
    let asked = |task: &ReleaseTask| [task.next_step().unwrap()];
    let (preparing, routing) = (closing(Action::End, 0), closing(Action::End, 1));
    assert_eq!(law(check_asked(&asked(&preparing), &routing, &preparing)), 8);
    assert_eq!(check_asked(&asked(&preparing), &preparing, &routing), Ok(()));
    assert_eq!(check_asked(&asked(&routing), &routing, &routing), Ok(()));
}

#[test]
fn a_future_can_break_a_law() {
    let (cancel, end) = (closing(Action::Cancel, 0), closing(Action::End, 0));
    for before in [running(), closing(Action::End, 2)] {
        assert_eq!(law(check_commuting(&before, &cancel, &end)), 10);
        assert_eq!(check_commuting(&before, &cancel, &cancel), Ok(()));
    }
    for decided in [closing(Action::End, 3), closing(Action::End, 4)] {
        assert_eq!(check_commuting(&decided, &cancel, &end), Ok(()));
    }
    let plan = running().plan(Action::End, Mode::Perform).unwrap();
    let (steps, closed) = (plan.steps.clone(), Phase::Closed(Action::End));
    assert_eq!(check_takeover(&plan, &steps, closed), Ok(()));
    assert_eq!(law(check_takeover(&plan, &steps, Phase::Closed(Action::Cancel))), 11);
    assert_eq!(law(check_takeover(&plan, &steps[1..], closed)), 11);
    let five = Plan { steps: [&steps[..1], &steps].concat(), ..plan };
    assert_eq!(law(check_takeover(&five, &five.steps, closed)), 11);
    // No law is broken by so high a number, but no task is stored with it.
    let endless = |v1: &mut Value| {
        (v1["wanted"]["generation"], v1["confirmed"]["generation"]) = ((u64::MAX - 9).into(), (u64::MAX - 9).into());
    };
    assert_eq!(law(check_future(&edit(running(), endless))), 12);
    assert_eq!(law(check_stored(&running(), None)), 12);
    assert_eq!(law(check_stored(&running(), Some(&deploying()))), 12);
    assert_eq!(check_stored(&running(), Some(&running())), Ok(()));
}

/// In a debug build, which this is.
#[test]
#[should_panic(expected = "took in")]
fn a_change_that_breaks_a_law_is_caught_at_once() {
    let _ = guard(&mut running(), Command::CANCEL, |task, _| {
        *task = deploying();
        Ok::<_, Error>(Change::Changed)
    });
}

#[test]
fn a_content_policy_keeps_the_laws() {
    let mut task = running();
    let routing: Routing = serde_json::from_value(json!({"content": [[{"browser": "chrome"}]]})).unwrap();
    let (after, outcome) = check_input(&task, &Command::SetRouting(routing.clone()).into()).unwrap();
    assert_eq!((outcome, task.command(Command::SetRouting(routing))), (CHANGED, Ok(Change::Changed)));
    assert_eq!(after, task);
}

#[test]
fn laws_are_numbered_in_order() {
    for (law, number) in Law::ALL.into_iter().zip(1..) {
        assert_eq!(law.number(), number);
        let broken = law.broken("how");
        assert_eq!((broken.law(), broken.how()), (law, "how"));
    }
}

/// The number of the law that was broken, 0 for none.
fn law(checked: Result<(), Broken>) -> u8 {
    checked.map_or_else(|broken| broken.law().number(), |()| 0)
}

fn deploying() -> ReleaseTask {
    ReleaseTask::new(ReleaseSpec {
        key: ReleaseKey::parse("mesh-1", "shop", "3f2a").unwrap(),
        service: "cart".parse().unwrap(),
        original: "v1".parse().unwrap(),
        grayscale: "v2".parse().unwrap(),
    })
    .unwrap()
}

/// At generation 3: a fifth of the requests, confirmed.
fn running() -> ReleaseTask {
    let mut task = deploying();
    succeed(&mut task);
    let _ = task.command(Command::SetRouting(share(20))).unwrap();
    succeed(&mut task);
    task
}

/// After that many reports of a takeover.
fn closing(action: Action, reports: usize) -> ReleaseTask {
    let mut task = running();
    let _ = task.command(if action == Action::Cancel { Command::CANCEL } else { Command::END }).unwrap();
    for _ in 0..reports {
        succeed(&mut task);
    }
    task
}

fn succeed(task: &mut ReleaseTask) {
    let step = task.next_step().unwrap();
    let _ = task.report(step.succeeded(Witnesses::one("envoy-1"), "idle")).unwrap();
}

fn share(percent: u64) -> Routing {
    Routing::weighted(Percent::new(percent).unwrap())
}

/// The task with its stored form changed, unchecked.
fn edit(task: ReleaseTask, edit: impl FnOnce(&mut Value)) -> ReleaseTask {
    let mut document = serde_json::to_value(StoredTask::from(task)).unwrap();
    edit(&mut document["v1"]);
    serde_json::from_value::<StoredTask>(document).unwrap().unchecked().unwrap()
}

/// Wanted and confirmed, and nothing else reachable.
fn route(v1: &mut Value, all: &Value) {
    v1["reachable"] = json!({"only": all["routing"]["exclusive"]});
    (v1["wanted"], v1["confirmed"]) = (all.clone(), all.clone());
}
