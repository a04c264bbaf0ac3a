//! Checked texts of the documents that the core knows nothing of.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares a checked text: its documentation, what is allowed in words and as code.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, $valid:expr) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = concat!("Allowed: ", $allowed, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(value: String) -> Result<Self, Self::Error> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) { Ok(Self(value)) } else { Err(concat!("it must be ", $allowed)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The cluster that the workloads run in. Source: contract (`clusterID`); the characters are ours.
    ClusterId,
    "1 to 64 ASCII letters, digits, '-', '_' or '.'",
    |value| (1..=64).contains(&value.len()) && value.bytes().all(is_word)
}

text! {
    /// The workload of the grayscale version. Source: contract (`deploymentName`); Kubernetes (RFC 1123 subdomain).
    DeploymentName,
    "1 to 253 lower-case letters, digits, '-' or '.', the first and last one a letter or digit",
    |value| {
        let end = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
        (1..=253).contains(&value.len())
            && value.chars().all(|char| end(char) || matches!(char, '-' | '.'))
            && value.starts_with(end)
            && value.ends_with(end)
    }
}

text! {
    /// The version of the grayscale version's image. Source: contract (`UpdateRelease`); OCI (a tag).
    ImageVersion,
    "1 to 128 ASCII letters, digits, '-', '_' or '.', the first one not '-' or '.'",
    |value| {
        (1..=128).contains(&value.len()) && value.bytes().all(is_word) && !value.starts_with(['-', '.'])
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_allowed_and_nothing_else() {
        let cluster = |text: &str| ClusterId::try_from(text.to_owned()).is_ok();
        assert!(cluster("c") && cluster("-a_B.9") && cluster(&"x".repeat(64)));
        assert!(!cluster("") && !cluster("a b") && !cluster("é") && !cluster(&"x".repeat(65)));

        let deployment = |text: &str| DeploymentName::try_from(text.to_owned()).is_ok();
        assert!(deployment("cart-v2.blue") && deployment("0") && deployment(&"x".repeat(253)));
        assert!(!deployment("") && !deployment("Cart") && !deployment("a/b") && !deployment(&"x".repeat(254)));
        assert!(!deployment("-a") && !deployment("a-") && !deployment(".a") && !deployment("a."));

        let image = |text: &str| ImageVersion::try_from(text.to_owned()).is_ok();
        assert!(image("2.0.1-rc_1") && image("_x") && image("V9") && image(&"x".repeat(128)));
        assert!(!image("") && !image("-x") && !image(".x") && !image("a:b") && !image(&"x".repeat(129)));
    }

    #[test]
    fn a_text_prints_as_itself() {
        let text = ImageVersion::try_from("2.0.1".to_owned()).unwrap();
        assert_eq!((text.to_string().as_str(), text.as_str()), ("2.0.1", "2.0.1"));
    }
}
