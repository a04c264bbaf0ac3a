//! Names of things, checked once: past this module no name can be malformed.
//!
//! Every type here parses with [`FromStr`](core::str::FromStr) or `TryFrom<&str>`, prints with `Display`, is cheap to
//! clone (a shared string) and serialises as the plain string. A value that is not allowed gives a [`ParseError`].
//!
//! ```
//! use release_core::{MeshId, ReleaseKey};
//!
//! let mesh: MeshId = "mesh-1".parse()?;
//! assert_eq!(mesh.as_str(), "mesh-1");
//!
//! let key = ReleaseKey::parse("mesh-1", "shop", "3f2a")?;
//! assert_eq!(key.to_string(), "mesh-1/shop/3f2a");
//! # Ok::<(), release_core::ParseError>(())
//! ```

use crate::ParseError;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

/// Which release task: the three path segments of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ReleaseKey {
    /// The mesh.
    pub mesh: MeshId,
    /// The Kubernetes namespace of the service.
    pub namespace: Namespace,
    /// The task.
    pub id: ReleaseId,
}

impl ReleaseKey {
    /// Parses the three parts.
    pub fn parse(mesh: &str, namespace: &str, id: &str) -> Result<Self, ParseError> {
        Ok(Self { mesh: mesh.parse()?, namespace: namespace.parse()?, id: id.parse()? })
    }
}

impl fmt::Display for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.mesh.as_str(), "/", self.namespace.as_str(), "/", self.id.as_str()];
        parts.into_iter().try_for_each(|part| f.write_str(part))
    }
}

/// Declares a checked name: its documentation, the parameter that errors name, what is allowed in words and as code.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $parameter:literal, $allowed:literal, $valid:expr $(, $normal:expr)?) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = concat!("Allowed: ", $allowed, ".")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(try_from = "String", into = "String")
        )]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as a string.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = ParseError;

            fn try_from(value: &str) -> Result<Self, ParseError> {
                let valid: fn(&str) -> bool = $valid;
                if !valid(value) {
                    return Err(ParseError::new($parameter, value, $allowed));
                }
                $(
                    let normal: fn(&str) -> String = $normal;
                    let value = normal(value);
                )?
                Ok(Self(value.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseError;

            fn try_from(value: String) -> Result<Self, ParseError> {
                Self::try_from(value.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = ParseError;

            fn from_str(value: &str) -> Result<Self, ParseError> {
                Self::try_from(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}
pub(crate) use name;

name! {
    /// A mesh. Source: seed (a string); the characters are ours, so that an id needs no escaping anywhere.
    MeshId, "mesh_id",
    "1 to 64 ASCII letters, digits, '-', '_' or '.', the first one a letter or digit",
    is_opaque_id
}

name! {
    /// A Kubernetes namespace. Source: seed (a string); Kubernetes (RFC 1123 label).
    Namespace, "namespace",
    "1 to 63 lower-case letters, digits or '-', the first and last one a letter or digit",
    is_dns_label
}

name! {
    /// A release task's id, unique within its namespace. Source: seed (a string); the characters are ours.
    ReleaseId, "release_id",
    "1 to 64 ASCII letters, digits, '-', '_' or '.', the first one a letter or digit",
    is_opaque_id
}

name! {
    /// A release task's name, chosen by its owner. Source: contract (`metadata.name`).
    ReleaseName, "name",
    "4 to 64 lower-case letters, digits or '-', the first one a letter, the last one not '-'",
    |value| {
        (4..=64).contains(&value.len())
            && value.bytes().all(is_label_byte)
            && value.starts_with(|first: char| first.is_ascii_lowercase())
            && !value.ends_with('-')
    }
}

name! {
    /// The service under release. Source: contract (`serviceName`); Kubernetes (RFC 1123 label).
    Service, "service",
    "1 to 63 lower-case letters, digits or '-', the first and last one a letter or digit",
    is_dns_label
}

name! {
    /// The value of the `version` label that tells the pods of one version apart. Source: contract; Kubernetes (label
    /// value).
    VersionLabel, "version",
    "1 to 63 ASCII letters, digits, '-', '_' or '.', the first and last one a letter or digit",
    |value| (1..=63).contains(&value.len()) && value.bytes().all(is_id_byte) && has_alphanumeric_ends(value)
}

fn is_opaque_id(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && value.bytes().all(is_id_byte)
        && value.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn is_dns_label(value: &str) -> bool {
    (1..=63).contains(&value.len()) && value.bytes().all(is_label_byte) && has_alphanumeric_ends(value)
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn has_alphanumeric_ends(value: &str) -> bool {
    let alphanumeric = |char: char| char.is_ascii_alphanumeric();
    value.starts_with(alphanumeric) && value.ends_with(alphanumeric)
}
