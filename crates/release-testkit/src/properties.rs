//! What must hold for every input, as functions that tests and fuzz targets call. `Err` says what does not hold.
//!
//! ```
//! release_testkit::properties::parse_names_and_routings(br#"{"weighted":{"grayscale":20}}"#)?;
//! # Ok::<(), String>(())
//! ```

use crate::harness::{self, Operation};
use arbitrary::Unstructured;
use core::fmt::{Debug, Display};
use core::str::FromStr;
use release_core::law::{check_future, check_input, check_task};
use release_core::{
    Action, Command, CookieName, HeaderName, Literal, MeshId, Namespace, ParseError, Pattern, QueryName, ReleaseId,
    ReleaseKey, ReleaseName, ReleaseTask, Request, Routing, RoutingKind, Service, Version, VersionLabel, Witnesses,
};

/// The most operations that are read from bytes.
const OPERATIONS: usize = 64;

/// Any operations have the results that the naive model says, and keep every law.
pub fn operations(bytes: &[u8]) -> Result<(), String> {
    harness::run(&read_operations(bytes)).map(drop).map_err(|failure| failure.to_string())
}

/// The operations that bytes stand for.
pub fn read_operations(bytes: &[u8]) -> Vec<Operation> {
    let mut u = Unstructured::new(bytes);
    let mut operations = Vec::new();
    while !u.is_empty() && operations.len() < OPERATIONS {
        let Ok(operation) = u.arbitrary() else { break };
        operations.push(operation);
    }
    operations
}

/// Any bytes that are read as a stored task are one that keeps the laws, now and after the step that is due, is written the
/// same again, and can be closed.
pub fn decode_stored(bytes: &[u8]) -> Result<(), String> {
    let Ok(task) = serde_json::from_slice::<ReleaseTask>(bytes) else { return Ok(()) };
    check_task(&task).and_then(|()| check_future(&task)).map_err(|broken| broken.to_string())?;
    if let Some(step) = task.next_step() {
        let report = step.succeeded(Witnesses::one("a proxy"), "nothing in flight");
        let _ = check_input(&task, &report.into()).map_err(|broken| broken.to_string())?;
    }
    round_trip(&task)?;
    closes(task)
}

/// Whether a cancel, or what is under way already, closes the task within four reports.
fn closes(mut task: ReleaseTask) -> Result<(), String> {
    let refused = task.command(Command::CANCEL).is_err();
    for _ in 0..4 {
        let Some(step) = task.next_step() else { break };
        let report = step.succeeded(Witnesses::one("a proxy"), "nothing in flight");
        let _ = task.report(report).map_err(|error| error.to_string())?;
    }
    let phase = task.phase();
    holds(phase.is_closed(), || {
        format!("is {phase} after a cancel ({}) and 4 reports", if refused { "refused" } else { "accepted" })
    })
}

/// Any text that is read as a name, a pattern or a routing is written the same again; for any that isn't, the error is
/// short and printable. A routing that is read is total and in normal form.
pub fn parse_names_and_routings(bytes: &[u8]) -> Result<(), String> {
    let Ok(text) = core::str::from_utf8(bytes) else { return Ok(()) };
    name::<MeshId>(text)?;
    name::<Namespace>(text)?;
    name::<ReleaseId>(text)?;
    name::<ReleaseName>(text)?;
    name::<Service>(text)?;
    name::<VersionLabel>(text)?;
    name::<HeaderName>(text)?;
    name::<CookieName>(text)?;
    name::<QueryName>(text)?;
    name::<Literal>(text)?;
    name::<Action>(text)?;
    name::<Pattern>(text)?;
    key(text)?;
    if let Ok(pattern) = text.parse::<Pattern>() {
        pattern_matches_as_a_whole(&pattern, text)?;
    }
    if let Ok(routing) = serde_json::from_str::<Routing>(text) {
        routing_is_normal(&routing)?;
        routing_is_total(&routing, &request(text))?;
    }
    Ok(())
}

fn name<T>(text: &str) -> Result<(), String>
where
    T: FromStr<Err = ParseError> + Display + Debug + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    match text.parse::<T>() {
        Ok(name) => {
            let printed = name.to_string();
            holds(printed.eq_ignore_ascii_case(text), || format!("{text:?} is printed as {printed:?}"))?;
            holds(printed.parse::<T>().as_ref() == Ok(&name), || format!("{printed:?} is read as another name"))?;
            let written = serde_json::to_value(&name).map_err(|error| error.to_string())?;
            holds(written == printed, || format!("{name:?} is written as {written}"))?;
            round_trip(&name)
        }
        Err(error) => printable(&error),
    }
}

/// A pattern in a group matches the same; one of nothing but letters and digits matches itself alone.
fn pattern_matches_as_a_whole(pattern: &Pattern, text: &str) -> Result<(), String> {
    let grouped = format!("({pattern})").parse::<Pattern>();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    for value in ["", "beta", "1", text, &format!("{text}\n"), &format!("{text}{text}")] {
        let matches = pattern.matches(value);
        holds(!plain || matches == (value == text), || format!("{pattern} matches {value:?}: {matches}"))?;
        if let Ok(grouped) = &grouped {
            holds(grouped.matches(value) == matches, || format!("{grouped} and {pattern} differ on {value:?}"))?;
        }
    }
    Ok(())
}

fn key(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let [mesh, namespace, id] = parts[..] else { return Ok(()) };
    match ReleaseKey::parse(mesh, namespace, id) {
        Ok(key) => {
            holds(key.to_string() == text, || format!("{text:?} is printed as {key}")).and_then(|()| round_trip(&key))
        }
        Err(error) => printable(&error),
    }
}

/// A short message without control characters.
fn printable(error: &ParseError) -> Result<(), String> {
    let message = error.to_string();
    holds(!message.chars().any(char::is_control), || format!("control characters in {message:?}"))?;
    holds(error.value().chars().count() <= 64, || format!("the value is too long in {message:?}"))?;
    holds(message.chars().count() <= 400, || format!("too long: {message:?}"))
}

/// A request that has `text` wherever rules look.
fn request(text: &str) -> Request {
    let headers = ["x-group", "user-agent", "cookie"].map(|name| (name.to_owned(), text.to_owned()));
    Request { headers: headers.to_vec(), query: text.to_owned(), draw: 0 }
}

/// The routing is what its parts make in any order and number, and what is read of what is written of it.
pub fn routing_is_normal(routing: &Routing) -> Result<(), String> {
    let made = match routing.kind() {
        RoutingKind::Exclusive(version) => Ok(Routing::exclusive(version)),
        RoutingKind::Weighted(share) => Ok(Routing::weighted(share)),
        RoutingKind::Content(rules) => Routing::content(rules.iter().rev().cloned()),
    };
    holds(made.as_ref() == Ok(routing), || format!("{routing:?} made of its parts is {made:?}"))?;
    round_trip(routing)
}

/// Every request has an owner, as the weights, the rules and the sole owner say.
pub fn routing_is_total(routing: &Routing, request: &Request) -> Result<(), String> {
    let owner = routing.owner(request);
    holds(routing.owners().contains(owner), || format!("{owner} owns {request:?}, but not by {:?}", routing.owners()))?;
    holds(routing.sole_owner().is_none_or(|sole| sole == owner), || {
        format!("{owner} is not the sole owner of {routing}")
    })?;
    if let RoutingKind::Content(rules) = routing.kind() {
        let matched = rules.iter().any(|rule| rule.conditions().iter().all(|condition| condition.matches(request)));
        return holds(matched == (owner == Version::Grayscale), || {
            format!("{owner} owns {request:?} under {routing:?}")
        });
    }
    let Some((original, grayscale)) = routing.weights() else { return Err(format!("{routing} has no weights")) };
    let drawn =
        (0..100).filter(|draw| routing.owner(&Request { draw: *draw, ..request.clone() }) == Version::Grayscale);
    let share = drawn.count();
    holds(share == usize::from(grayscale.get()), || format!("{share} of 100 draws, but {grayscale} under {routing}"))?;
    holds(original.get() + grayscale.get() == 100, || format!("{original} + {grayscale} under {routing}"))
}

/// Written as JSON and read again, it is the same, and is written the same.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(value: &T) -> Result<(), String> {
    let written = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let read: T = serde_json::from_str(&written).map_err(|error| format!("{error}: {written}"))?;
    holds(read == *value, || format!("{value:?} came back as {read:?}"))?;
    let again = serde_json::to_string(&read).map_err(|error| error.to_string())?;
    holds(again == written, || format!("{written} became {again}"))
}

fn holds(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
