//! Every message that a caller, an operator or the author of an adapter can meet.

use crate::stage::{closed, closing, deploying, running, spec};
use release_core::{
    Action, Browser, Command, Condition, CookieName, Error, Generation, HeaderName, Literal, MeshId, Mode, Namespace,
    OperatingSystem, ParseError, Pattern, Percent, Phase, QueryName, ReleaseId, ReleaseKey, ReleaseName, ReleaseSpec,
    ReleaseTask, Releases, Report, Routing, Rule, Service, Stage, Version, VersionLabel, Witnesses,
};
use std::fmt::{Display, Write as _};
use std::str::FromStr;

#[test]
fn refused_values() {
    let mut messages = String::new();
    let long = "m".repeat(100);
    let mut add = |result: Result<(), ParseError>| writeln!(messages, "{}", result.unwrap_err()).unwrap();
    add(parse::<MeshId>("../etc"));
    add(parse::<MeshId>(&long));
    add(parse::<Namespace>("Shop"));
    add(parse::<ReleaseId>("a/b"));
    add(parse::<ReleaseId>("\u{1b}[31mred\n"));
    add(parse::<ReleaseName>("abc"));
    add(parse::<Service>("cart-"));
    add(parse::<VersionLabel>(""));
    add(parse::<Action>("CANCEL"));
    add(parse::<HeaderName>("x group"));
    add(parse::<CookieName>("a;b"));
    add(parse::<QueryName>("a=b"));
    add(parse::<Literal>(" beta"));
    add(parse::<Pattern>("(beta"));
    add(parse::<Pattern>(r"(?<=a)b"));
    add(Percent::new(101).map(drop));
    add(Rule::new([]).map(drop));
    let conditions = (0..33).map(|n| header(&format!("x-{n}")));
    add(Rule::new(conditions).map(drop));
    let rules = (0..33).map(|n| Rule::new([header(&format!("x-{n}"))]).unwrap());
    add(Routing::content(rules).map(drop));
    insta::assert_snapshot!(messages);
}

#[test]
fn refused_commands() {
    let mut releases = Releases::new();
    let key = spec().key;
    let unknown = releases.command(&key, Command::CANCEL).unwrap_err();
    releases.create(spec()).unwrap();
    let exists = releases.create(spec()).unwrap_err();
    let busy =
        releases.create(ReleaseSpec { key: ReleaseKey { id: "77aa".parse().unwrap(), ..key }, ..spec() }).unwrap_err();
    let same = ReleaseTask::new(ReleaseSpec { grayscale: spec().original, ..spec() }).unwrap_err();

    let mut messages = String::new();
    let mut add = |error: Error| writeln!(messages, "{:?}: {error}", error.kind()).unwrap();
    let refuse = |task: &ReleaseTask, command: Command| task.clone().command(command).unwrap_err();
    let all_to_original = Command::SetRouting(Routing::exclusive(Version::Original));
    add(unknown);
    add(refuse(&closed(Action::End), Command::CANCEL));
    add(refuse(&deploying(), all_to_original.clone()));
    add(refuse(&closing(Action::Cancel, Stage::Routing), all_to_original.clone()));
    add(refuse(&closing(Action::End, Stage::Retiring), all_to_original));
    add(refuse(&closing(Action::Cancel, Stage::Retiring), Command::TakeOver(Version::Grayscale)));
    add(refuse(&deploying(), Command::END));
    add(refuse(&closing(Action::Cancel, Stage::Preparing), Command::END));
    add(refuse(&closing(Action::End, Stage::Retiring), Command::CANCEL));
    add(refuse(&closing(Action::Cancel, Stage::Retiring), Command::Reopen));
    add(refuse(&running(), Command::Delete(Action::Cancel, Mode::Require)));
    add(refuse(&running(), Command::Delete(Action::End, Mode::Require)));
    add(refuse(&closing(Action::End, Stage::Routing), Command::Delete(Action::Cancel, Mode::Require)));
    add(same);
    add(exists);
    add(busy);
    add("Cancel".parse::<Action>().unwrap_err().into());
    insta::assert_snapshot!(messages);
}

#[test]
fn unexpected_reports() {
    let mut task = running();
    let (generation, version) = (task.wanted().generation, Version::Original);
    let later = Generation::new(generation.get() + 1);
    let future = task.report(Report::Confirmed { generation: later, by: Witnesses::one("envoy-1") }).unwrap_err();
    let early = task.report(Report::Retired { generation, version }).unwrap_err();
    insta::assert_snapshot!(format!("{future}\n{early}"));
}

#[test]
fn refused_documents() {
    let stored = serde_json::to_value(running()).unwrap();
    let mut messages = String::new();
    let mut add = |edit: fn(&mut serde_json::Value)| {
        let mut document = stored.clone();
        edit(&mut document);
        writeln!(messages, "{}", serde_json::from_value::<ReleaseTask>(document).unwrap_err()).unwrap();
    };
    add(|document| *document = serde_json::json!({"v9": {}}));
    add(|document| document["v1"]["phase"] = "paused".into());
    add(|document| document["v1"]["phase"] = "closed".into());
    add(|document| document["v1"]["colour"] = "red".into());
    add(|document| document["v1"]["key"]["mesh"] = "".into());
    add(|document| document["v1"]["grayscale"] = "v1".into());
    add(|document| document["v1"]["failure"] = "why".into());
    add(|document| document["v1"]["phase"] = "deploying".into());
    add(|document| document["v1"]["confirmed"]["generation"] = 9.into());
    insta::assert_snapshot!(messages);
}

#[test]
fn names_for_people() {
    let mut words = String::new();
    let mut add = |word: &dyn Display| writeln!(words, "{word}").unwrap();
    add(&spec().key);
    for phase in
        [Phase::Deploying, Phase::Running, Phase::Closing(Action::End, Stage::Draining), Phase::Closed(Action::Cancel)]
    {
        add(&phase);
    }
    let two = [header("x-a"), header("x-b")].map(|condition| Rule::new([condition]).unwrap());
    let one =
        [Rule::new([Condition::OperatingSystem(OperatingSystem::Ios), Condition::Browser(Browser::Chrome)]).unwrap()];
    add(&Routing::exclusive(Version::Grayscale));
    add(&Routing::weighted(Percent::new(20).unwrap()));
    add(&Routing::content(one).unwrap());
    add(&Routing::content(two).unwrap());
    let require = Command::Delete(Action::End, Mode::Require);
    let set = Command::SetRouting(Routing::exclusive(Version::Original));
    for command in [set, Command::TakeOver(Version::Grayscale), Command::CANCEL, require, Command::Reopen] {
        add(&command);
    }
    let by = Witnesses::new(["envoy-2".into(), "envoy-1".into()]).unwrap();
    for planned in running().plan(Action::End, Mode::Perform).unwrap().steps {
        add(&planned.step);
        add(&planned.step.succeeded(by.clone(), "idle for 15 s"));
        add(&planned.step.failed("it takes longer"));
    }
    for law in release_core::law::Law::ALL {
        add(&law);
    }
    insta::assert_snapshot!(words);
}

fn parse<T: FromStr>(value: &str) -> Result<(), T::Err> {
    value.parse::<T>().map(drop)
}

fn header(name: &str) -> Condition {
    Condition::Header { name: name.parse().unwrap(), value: release_core::Matcher::Exact("1".parse().unwrap()) }
}
