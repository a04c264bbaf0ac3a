//! The API as a plain function call: no server, no tower, no runtime.

use http::{Request, Response};
use release_http::testkit::{Memory, block_on};
use release_http::{Body, Call, Caller, Codes, ReleaseService, Tokens, properties};

const RELEASES: &str = "/v2/meshes/mesh-1/namespaces/shop/releases";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The whole of it: a request in, a response out.
    let tokens = Tokens::new([("a-token", Caller::of_meshes(["mesh-1".parse()?]))]);
    let service = ReleaseService::new(Memory::default(), tokens).codes(Codes::Older);
    let body = r#"{
        "metadata": {"name": "cart-v2"},
        "spec": {"serviceName": "cart", "originalVersion": "v1", "version": "v2"}
    }"#;
    show(block_on(service.answer(Request::post(RELEASES).headers(body)?)));
    show(block_on(service.answer(Request::delete(format!("{RELEASES}/r1?action=end")).headers("")?)));
    show(block_on(service.answer(Request::delete(format!("{RELEASES}/r1?action=end")).headers("")?)));

    // Or only the half that understands requests.
    let (head, body) = Request::get(format!("{RELEASES}/r1")).headers("")?.into_parts();
    println!("{:?}", Call::parse(&head, body.as_bytes())?);
    Ok(())
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

fn show(response: Response<Body>) {
    println!("{}\n{}\n", response.status(), properties::text_of(response));
}
