//! What values are accepted, at the edges of what is allowed, and what phases say of themselves.

use crate::stage::{closed, closing, deploying, every_phase, running};
use release_core::{
    Action, Browser, Condition, CookieName, HeaderName, Literal, MeshId, Namespace, Note, OperatingSystem, ParseError,
    Percent, Phase, QueryName, ReleaseId, ReleaseName, ReleaseTask, Service, Stage, VersionLabel, Witnesses,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;

#[test]
fn names_have_lengths_and_alphabets() {
    let long = |length: usize| "a".repeat(length);
    accepts::<MeshId>(&["a", "7", "A.b_c-1.", &long(64)], &["", "-a", ".", "_a", "a b", "ä", &long(65)]);
    accepts::<ReleaseId>(&["a", "7", "A.b_c-1.", &long(64)], &["", "-a", "..", "a/b", "a%2Fb", &long(65)]);
    accepts::<Namespace>(&["a", "7", "a-1", &long(63)], &["", "-a", "a-", "A", "a.b", "a_b", &long(64)]);
    accepts::<Service>(&["a", "7", "a-1", &long(63)], &["", "-a", "a-", "A", "a.b", "a_b", &long(64)]);
    accepts::<ReleaseName>(&["abcd", "a-1b", &long(64)], &["abc", "1abc", "abc-", "-abc", "Abcd", "ab.cd", &long(65)]);
    accepts::<VersionLabel>(&["1", "v1.2_3-A", &long(63)], &["", "-1", "1.", "_", "a b", &long(64)]);
    accepts::<HeaderName>(&["x", "x-!#$%&'*+.^_`|~1", &long(128)], &["", "x y", "x:", "ä", &long(129)]);
    accepts::<CookieName>(&["X", "a-!#$%&'*+.^_`|~1", &long(128)], &["", "a=b", "a;b", &long(129)]);
    accepts::<QueryName>(&["q", "a[0]", "%20", &long(128)], &["", "a&b", "a=b", "a#b", "a b", &long(129)]);
    accepts::<Literal>(&["a b", "~!", &long(512)], &["", " a", "a ", "\t", "ä", &long(513)]);
    assert_eq!("X-Group".parse::<HeaderName>().unwrap().as_str(), "x-group");
    assert_eq!(("cancel".parse(), "end".parse()), (Ok(Action::Cancel), Ok(Action::End)));
    assert_eq!((Percent::new(100).map(Percent::get), Percent::new(101).is_err()), (Ok(100), true));
}

#[test]
fn a_refused_value_is_named_repeated_and_answered() {
    let error = "Cancel".parse::<Action>().unwrap_err();
    assert_eq!((error.parameter(), error.value()), ("action", "Cancel"));
    assert_eq!(error.allowed(), "exactly 'cancel' or 'end', in lower case");
}

#[test]
fn rules_and_policies_are_bounded_sets() {
    use release_core::{Routing, Rule};
    let browser = Condition::Browser(Browser::Chrome);
    let system = Condition::OperatingSystem(OperatingSystem::Ios);
    let rule = Rule::new([system.clone(), browser.clone(), system.clone()]).unwrap();
    assert_eq!(rule, Rule::new([browser.clone(), system.clone()]).unwrap());
    assert_eq!(rule.conditions().len(), 2);
    assert!(Rule::new(vec![browser.clone(); 32]).is_ok() && Rule::new(vec![browser; 33]).is_err());
    assert!(Routing::content(vec![rule.clone(); 32]).is_ok() && Routing::content(vec![rule; 33]).is_err());
}

#[test]
fn phases_say_what_they_are() {
    for task in every_phase() {
        let phase = task.phase();
        assert_eq!(phase.is_closed(), matches!(phase, Phase::Closed(_)));
        assert_eq!(phase.is_closing(), phase.stage().is_some());
        assert_eq!(phase.action().is_some(), phase.is_closing() || phase.is_closed());
    }
    assert_eq!(closing(Action::End, Stage::Draining).phase().stage(), Some(Stage::Draining));
    assert_eq!((closed(Action::End).phase().action(), deploying().phase().action()), (Some(Action::End), None));
}

/// No task gets there: beyond it, a document was not written by this library.
#[test]
fn stored_generations_are_bounded() {
    let stored = |generation: u64| {
        let mut document = serde_json::to_value(running()).unwrap();
        for routing in ["wanted", "confirmed"] {
            document["v1"][routing]["generation"] = generation.into();
        }
        serde_json::from_value::<ReleaseTask>(document).map_err(|error| error.to_string())
    };
    let most = u64::MAX / 2;
    assert_eq!(stored(most).unwrap().wanted().generation.get(), most);
    assert!(stored(most + 1).unwrap_err().contains("its generation is higher than any task's ever gets"));
}

#[test]
fn witnesses_and_notes_keep_their_words() {
    let names = ["b", "a", "b"].map(Note::new);
    let witnesses = Witnesses::new(names).unwrap();
    assert_eq!(witnesses.names(), ["a", "b"].map(Note::new));
}

fn accepts<T: FromStr<Err = ParseError> + Display + Debug>(good: &[&str], bad: &[&str]) {
    for value in good {
        let parsed = value.parse::<T>();
        assert!(parsed.as_ref().is_ok_and(|parsed| parsed.to_string().eq_ignore_ascii_case(value)), "{parsed:?}");
    }
    for value in bad {
        let error = value.parse::<T>().unwrap_err();
        assert!(value.starts_with(error.value().trim_end_matches('…')) || error.value().contains('\\'), "{error}");
        assert!(!error.allowed().is_empty() && error.to_string().contains(error.parameter()), "{error}");
    }
}
