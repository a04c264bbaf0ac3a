//! The API as a plain function call: no server, no tower, no runtime.
//!
//! `cargo run -p release-http --example plain` prints what was answered.

use http::{Request, Response};
use release_http::testkit::{Memory, block_on};
use release_http::{Body, Call, Caller, Codes, ReleaseService, Tokens, properties};

const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    print!("{}", conversation()?);
    Ok(())
}

pub(crate) fn conversation() -> Result<String, Box<dyn std::error::Error>> {
    // The whole of it: a request in, a response out.
    let tokens = Tokens::new([("a-token", Caller::of_meshes(["mesh-1".parse()?]))]);
    let service = ReleaseService::new(Memory::default(), tokens).codes(Codes::Older);
    let body = r#"{
        "metadata": {"name": "cart-v2"},
        "spec": {"serviceName": "cart", "originalVersion": "v1", "version": "v2"}
    }"#;
    let end = || Request::delete(format!("{RELEASES}/r1?action=end")).headers("");
    let created = shown(block_on(service.answer(Request::post(RELEASES).headers(body)?)));
    let ended = shown(block_on(service.answer(end()?)));
    let again = shown(block_on(service.answer(end()?)));

    // Or only the half that understands requests.
    let (head, body) = end()?.into_parts();
    let call = Call::parse(&head, body.as_bytes())?;
    Ok(format!("{created}{ended}{again}{call:?}\n"))
}

trait Headers {
    /// Adds the headers that every request needs, and a body.
    fn headers(self, body: &str) -> http::Result<Request<String>>;
}

impl Headers for http::request::Builder {
    fn headers(self, body: &str) -> http::Result<Request<String>> {
        self.header("content-type", "application/json").header("x-auth-token", "a-token").body(body.to_owned())
    }
}

fn shown(response: Response<Body>) -> String {
    format!("{}\n{}\n\n", response.status(), properties::text_of(response))
}
