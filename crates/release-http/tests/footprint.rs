//! What a DELETE costs in memory. A binary of its own: it counts with its own global allocator.

use allocation_counter::measure;
use http::Request;
use release_http::Call;
use std::hint::black_box;

#[test]
fn parsing_allocates_what_the_command_keeps() {
    let request = Request::delete("/v2/meshes/mesh-1/namespaces/shop/releases/3f2a7c1e?action=end")
        .header("content-type", "application/json")
        .header("x-auth-token", "a-token");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let counted = measure(|| assert!(black_box(Call::parse(&head, b"")).is_ok()));
    // The three ids.
    assert_eq!(counted.count_total, 3, "{counted:?}");
}
