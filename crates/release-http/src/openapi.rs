//! The OpenAPI document.

/// The OpenAPI 3.1 document of the API, as JSON.
///
/// It is written by hand; tests hold it against the code, so that neither can change alone.
pub const OPENAPI: &str = include_str!("../openapi.json");
