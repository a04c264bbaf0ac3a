//! Authentication with an access key and a signature, algorithm SDK-HMAC-SHA256. Source: contract.

mod authorization;
mod canonical;
mod replay;

use super::{Authenticate, Caller, Denied, SIGNATURE_CHALLENGE};
use authorization::Authorization;
use http::request::Parts;
use http::{HeaderValue, Method};
use replay::Seen;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, ready};
use std::sync::{Mutex, PoisonError};

/// How far `X-Sdk-Date` may be off, in seconds. Source: contract.
const SKEW: u64 = 15 * 60;

/// Checks signed requests: `Authorization: SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`.
///
/// - The signed headers must cover `host` and `x-sdk-date`, each signed header must occur once, and the date may be 15
///   minutes off at the most.
/// - **A signature is good for one request.** It is remembered until its date is too old, by access key and in bounded
///   memory; when a key has signed more than its [`capacity`](Self::capacity) within that time, further requests are
///   refused, not let through. The algorithm has a resolution of one second and no nonce, so who sends the same request
///   twice within a second signs a header that differs as well, for example `X-Request-Id`. The memory is this value's and
///   in this process: with several processes behind one address a signature is good once in each, and after a restart
///   once more, until its date is 15 minutes old.
/// - The body is always hashed: `X-Sdk-Content-Sha256` must be its hash where it is given, and `UNSIGNED-PAYLOAD` is
///   refused.
/// - The path and the query are signed as the client sent them. A router that takes a prefix off the path before it calls
///   this, as axum's `nest_service` does, makes every signature wrong: mount the API with its whole path.
/// - An unknown access key and a wrong signature give the same answer, after the same work. `Debug` shows no key.
///
/// ```
/// use release_http::{AkSk, Caller};
/// use std::time::{SystemTime, UNIX_EPOCH};
///
/// let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
/// let aksk = AkSk::new(now).key("an-access-key", "its-secret-key", Caller::of_every_mesh());
/// assert_eq!(format!("{aksk:?}"), "AkSk(1)");
/// ```
pub struct AkSk {
    keys: BTreeMap<String, Key>,
    /// Hashed with when the access key is unknown.
    nobody: Box<[u8]>,
    now: Box<dyn Fn() -> u64 + Send + Sync>,
    capacity: usize,
    repeatable_reads: bool,
}

struct Key {
    secret: Box<[u8]>,
    caller: Caller,
    seen: Mutex<Seen>,
}

impl AkSk {
    /// No keys yet. `now` is the clock: seconds since 1970, UTC.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            keys: BTreeMap::new(),
            nobody: Box::from(*b"nobody"),
            now: Box::new(now),
            capacity: 65_536,
            repeatable_reads: false,
        }
    }

    /// Adds an access key with its secret key and whom it stands for; unless the caller has a name, the access key is its name.
    /// A key without a secret lets nobody in, so it is left out.
    #[must_use]
    pub fn key(mut self, access: impl Into<String>, secret: impl Into<String>, caller: Caller) -> Self {
        let (access, secret) = (access.into(), secret.into().into_bytes().into_boxed_slice());
        let caller = if caller.name().is_none() { caller.named(access.as_str()) } else { caller };
        if !secret.is_empty() {
            self.keys.insert(access, Key { secret, caller, seen: Mutex::default() });
        }
        self
    }

    /// How many signatures each access key is remembered with; 65 536 unless said otherwise, about 4 MiB.
    #[must_use]
    pub fn capacity(mut self, signatures: usize) -> Self {
        self.capacity = signatures;
        self
    }

    /// Lets the same signature read (`GET`) again while its date is good; what changes something stays good for once.
    #[must_use]
    pub fn repeatable_reads(mut self) -> Self {
        self.repeatable_reads = true;
        self
    }

    fn check(&self, head: &Parts, body: &[u8]) -> Result<Caller, Denied> {
        let authorization = Authorization::of(&head.headers)?;
        let now = (self.now)();
        let (date, seconds) = canonical::date(&head.headers)?;
        if now.abs_diff(seconds) > SKEW {
            return Err(wrong("X-Sdk-Date is more than 15 minutes off: check the clock and sign again."));
        }
        let request = canonical::request(head, &authorization.signed_headers, body)?;
        let key = self.keys.get(authorization.access);
        let secret = key.map_or(&self.nobody, |key| &key.secret);
        let right = canonical::verify(secret, date, &request, &authorization.signature);
        let Some(key) = key.filter(|_| right) else {
            return Err(wrong(
                "The access key is not known or the signature is wrong: check the keys and what is signed.",
            ));
        };
        if !(self.repeatable_reads && head.method == Method::GET) {
            let mut seen = key.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.admit(seconds, authorization.signature, now, self.capacity)?;
        }
        Ok(key.caller.clone())
    }
}

impl Authenticate for AkSk {
    fn authenticate(&self, head: &Parts, body: &[u8]) -> impl Future<Output = Result<Caller, Denied>> + Send {
        ready(self.check(head, body))
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        vec![SIGNATURE_CHALLENGE]
    }
}

impl fmt::Debug for AkSk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AkSk({})", self.keys.len())
    }
}

fn wrong(why: &'static str) -> Denied {
    Denied::Wrong(why.into())
}
