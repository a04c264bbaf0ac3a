//! A request, as far as routing looks at it.

use alloc::string::String;
use alloc::vec::Vec;

/// A request, as far as routing looks at it.
///
/// Header names are compared without case, and blanks around values don't count. A header that occurs more than once has
/// several values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request {
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// What stands behind the `?` of the path, as it was sent: no percent-decoding takes place.
    pub query: String,
    /// The data plane's random draw, as a number modulo 100: a ratio of 20 % takes the draws 0 to 19.
    pub draw: u8,
}

impl Request {
    /// The values of a header: one for each time it occurs.
    pub(super) fn header(&self, name: &str) -> impl Iterator<Item = &str> + Clone {
        let given = self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        given.map(|(_, value)| value.trim_matches(BLANKS))
    }

    /// The values of the cookies of that name.
    pub(super) fn cookies(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.header("cookie").flat_map(|cookies| cookies.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim_matches(BLANKS).split_once('='));
        pairs.filter(move |(given, _)| *given == name).map(|(_, value)| value)
    }

    /// The value of the first query parameter of that name.
    pub(super) fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }
}

/// The white space that HTTP allows around a value.
const BLANKS: [char; 2] = [' ', '\t'];
