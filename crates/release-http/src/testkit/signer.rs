//! The client's side of SDK-HMAC-SHA256.

use http::{HeaderValue, Request};
use sha2::{Digest, Sha256};
use std::fmt;

/// Signs requests, as a client does.
///
/// Written apart from what verifies them, and as plainly as the contract puts it: it takes paths and queries as they are,
/// so they must not need any escaping.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key.
    pub access: &'a str,
    /// The secret key.
    pub secret: &'a str,
}

impl Signer<'_> {
    /// Sets `X-Sdk-Date` and `Authorization`. `host`, the date and the headers named in `more` are signed.
    pub fn sign<B: AsRef<[u8]>>(&self, request: &mut Request<B>, date: &str, more: &[&str]) {
        let Ok(date_value) = HeaderValue::from_str(date) else { return };
        request.headers_mut().insert("x-sdk-date", date_value);
        let mut names: Vec<&str> = ["host", "x-sdk-date"].into_iter().chain(more.iter().copied()).collect();
        names.sort_unstable();
        let mut headers = String::new();
        for name in &names {
            let value = request.headers().get(*name).map(HeaderValue::as_bytes).unwrap_or_default();
            headers.extend([name, ":", String::from_utf8_lossy(value).trim_matches([' ', '\t']), "\n"]);
        }
        let mut query: Vec<&str> = request.uri().query().into_iter().flat_map(|query| query.split('&')).collect();
        query.sort_unstable();
        let canonical = [
            request.method().as_str(),
            &format!("{}/", request.uri().path()),
            &query.join("&"),
            &headers,
            &names.join(";"),
            &hex(&Sha256::digest(request.body().as_ref())),
        ]
        .join("\n");
        let text = format!("SDK-HMAC-SHA256\n{date}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&hmac_sha256(self.secret.as_bytes(), text.as_bytes()));
        let authorization =
            format!("SDK-HMAC-SHA256 Access={}, SignedHeaders={}, Signature={signature}", self.access, names.join(";"));
        if let Ok(authorization) = HeaderValue::try_from(authorization) {
            request.headers_mut().insert("authorization", authorization);
        }
    }
}

/// Without the secret.
impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("access", &self.access).finish_non_exhaustive()
    }
}

/// HMAC as RFC 2104 defines it.
fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    let short: Vec<u8> = if key.len() > block.len() { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.iter_mut().zip(short).for_each(|(byte, key)| *byte = key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
