//! What a node was sent on one stream, and what it said to it.

use super::Moment;
use super::catalogue::{Content, Contents};
use super::holds::Holds;
use crate::service::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A stream of a node.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) subscriptions: BTreeMap<Kind, Subscription>,
    pub(super) holds: Holds,
    /// The route configurations that it is sent as soon as that is saved.
    pub(super) promised: BTreeSet<String>,
    /// The clusters that the node has for certain, once it has confirmed some.
    pub(super) clusters: Option<Arc<Contents>>,
    /// Whether it went on after its node had opened another one: then these are two processes of one name.
    pub(super) twin: bool,
}

/// A type of resources that a node asked for.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) names: Names,
    pub(super) sent: Option<Sent>,
    /// Send it again, although it was refused: something else has changed since.
    pub(super) retry: bool,
}

/// The resources that a node asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// All of them.
    Wildcard,
    /// These.
    These(BTreeSet<String>),
}

/// The newest response of a type.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) version: String,
    pub(super) nonce: String,
    /// All clusters are one for all who asked for all of them.
    pub(super) contents: Arc<Contents>,
    /// How long the node may keep some of them.
    pub(super) ttl: BTreeMap<String, Duration>,
    pub(super) at: Moment,
    pub(super) answer: Answer,
}

/// What the node said to a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing yet.
    Outstanding,
    /// It took it.
    Taken,
    /// It refused it, for this reason.
    Refused(String),
}

impl Names {
    /// The names of the first request for a type, or of a later one where `before` were asked for.
    ///
    /// Clusters are the only type here that can be asked for all at once: by a first request without names, or by `*`. A
    /// later request without names ends a subscription, unless it never had any.
    pub(super) fn read(kind: Kind, names: &[String], before: Option<&Self>) -> Self {
        let all = names.is_empty() && before.is_none_or(|before| *before == Self::Wildcard);
        if kind == Kind::Cluster && (all || names.iter().any(|name| name == "*")) {
            Self::Wildcard
        } else {
            Self::These(names.iter().cloned().collect())
        }
    }

    pub(super) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Wildcard => true,
            Self::These(names) => names.contains(name),
        }
    }

    /// The names, where they are named.
    pub(super) fn named(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::Wildcard => None,
            Self::These(names) => Some(names),
        }
        .into_iter()
        .flatten()
    }
}

impl Sent {
    /// Whether it had those contents.
    pub(super) fn has(&self, contents: &Contents) -> bool {
        let same = |(name, content): (&String, &Arc<Content>)| {
            self.contents.get(name).is_some_and(|known| known.id == content.id)
        };
        std::ptr::eq(Arc::as_ptr(&self.contents), contents) || contents.iter().all(same)
    }
}

impl Subscription {
    pub(super) fn refusal(&self) -> Option<&str> {
        match &self.sent.as_ref()?.answer {
            Answer::Refused(reason) => Some(reason),
            Answer::Outstanding | Answer::Taken => None,
        }
    }

    /// Since when the node owes an answer.
    pub(super) fn outstanding(&self) -> Option<Moment> {
        self.sent.as_ref().filter(|sent| sent.answer == Answer::Outstanding).map(|sent| sent.at)
    }
}
