//! Every type that is written, in JSON and in a format that does not describe itself.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use release_core::law::Input;
use release_core::{
    Action, Browser, Command, Condition, CookieName, Generation, HeaderName, Literal, Matcher, MeshId, Mode, Namespace,
    Note, NumberedRouting, OperatingSystem, Owners, Pattern, Percent, Phase, Plan, PlannedStep, QueryName, ReleaseId,
    ReleaseKey, ReleaseName, ReleaseSpec, ReleaseTask, Report, Request, Routing, Rule, Service, Stage, Step, StepKind,
    StoredTask, Version, VersionLabel, Witnesses,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

macro_rules! round_trips {
    ($($name:ident)*) => {
        #[test]
        fn every_type_is_read_as_it_was_written() {
            $(round_trip::<$name>(stringify!($name));)*
        }
    };
}

round_trips! {
    Action Browser Command Condition CookieName Generation HeaderName Input Literal Matcher MeshId Mode Namespace Note
    NumberedRouting OperatingSystem Owners Pattern Percent Phase Plan PlannedStep QueryName ReleaseId ReleaseKey ReleaseName
    ReleaseSpec ReleaseTask Report Request Routing Rule Service Stage Step StepKind StoredTask Version VersionLabel Witnesses
}

fn round_trip<T: Arbitrary + Serialize + DeserializeOwned + PartialEq>(name: &str) {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&any::<T>(), |value| {
        let json = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(&serde_json::from_str::<T>(&json).map_err(|error| error.to_string()), &Ok(value), "{}", json);
        let value: T = serde_json::from_str(&json).unwrap();
        let bytes = postcard::to_stdvec(&value).unwrap();
        prop_assert_eq!(postcard::from_bytes(&bytes), Ok(value));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}
