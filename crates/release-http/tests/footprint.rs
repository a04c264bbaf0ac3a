//! What a DELETE costs in memory. A binary of its own: it counts with its own global allocator.

use allocation_counter::measure;
use http::Request;
use release_http::testkit::{Memory, block_on};
use release_http::{Call, ReleaseService, Unauthenticated};
use std::hint::black_box;

const TARGET: &str = "/v2/meshes/mesh-1/namespaces/shop/releases/3f2a7c1e?action=end";

fn request() -> http::Result<Request<String>> {
    let request = Request::delete(TARGET).header("content-type", "application/json");
    request.header("x-request-id", "0d7a1b2c").body(String::new())
}

#[test]
fn parsing_allocates_what_the_command_keeps() {
    let (head, _) = request().unwrap().into_parts();
    let counted = measure(|| assert!(black_box(Call::parse(&head, b"")).is_ok()));
    // The three ids.
    assert_eq!(counted.count_total, 3, "{counted:?}");
}

#[test]
fn answering_allocates_what_the_answer_keeps() {
    let service = ReleaseService::new(Memory::default(), Unauthenticated);
    let mut requests = vec![request().unwrap()];
    let counted = measure(|| {
        let response = requests.pop().map(|request| block_on(service.answer(request)));
        assert!(response.is_some_and(|response| response.status() == 404));
    });
    // The ids, and the key that the error keeps; what the answer is waited for with, and its id; the message and the body.
    assert_eq!(counted.count_total, 3 + 1 + 2 + 2, "{counted:?}");
}
