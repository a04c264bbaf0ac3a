//! Names, patterns and routings, read and written.

use proptest::prelude::*;
use release_core::{Pattern, Routing, Rule, Version};
use release_testkit::properties;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_is_read_or_refused_with_a_printable_error(text in "\\PC{0,80}|[\\x00-\\x7f]{0,80}|.{300,400}") {
        prop_assert_eq!(properties::parse_names_and_routings(text.as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_nearly_a_name_or_a_pattern_too(text in "[a-zA-Z0-9._-]{0,70}|[ab.*+?(){}|\\[\\]^$\\\\0-9,:i]{0,12}") {
        prop_assert_eq!(properties::parse_names_and_routings(text.as_bytes()), Ok(()));
    }

    #[test]
    fn a_routing_is_in_normal_form(routing: Routing) {
        prop_assert_eq!(properties::routing_is_normal(&routing), Ok(()));
        let written = serde_json::to_vec(&routing).unwrap();
        prop_assert_eq!(properties::parse_names_and_routings(&written), Ok(()));
    }

    #[test]
    fn the_order_and_number_of_rules_make_no_difference(rules: Vec<Rule>) {
        let rules: Vec<Rule> = rules.into_iter().take(16).collect();
        let doubled = rules.iter().rev().chain(&rules).cloned();
        let routing = Routing::content(rules.iter().cloned()).unwrap();
        prop_assert_eq!(&Routing::content(doubled).unwrap(), &routing);
        prop_assert_eq!(rules.is_empty(), routing.sole_owner() == Some(Version::Original));
    }

    #[test]
    fn a_pattern_is_read_as_it_is_printed(pattern: Pattern) {
        prop_assert_eq!(properties::parse_names_and_routings(pattern.as_str().as_bytes()), Ok(()));
    }
}
