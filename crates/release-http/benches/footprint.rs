//! Allocations for a DELETE, parsed and answered: a table, and an error where there are more than there should be.

mod contenders;

use allocation_counter::measure;
use contenders::{Contender, axum_router, delete, paths, service};
use release_http::Call;
use release_http::testkit::{block_on, route};
use std::hint::black_box;
use tower::Service;

fn main() {
    println!("{:<34} {:>11} {:>9}", "", "allocations", "bytes");
    let (head, ()) = delete().map(|_| ()).into_parts();
    // The three ids, which the command keeps.
    let parse = count("parse a DELETE", || drop(black_box(Call::parse(&head, b""))));
    assert_eq!(parse, 3, "parsing allocates more than the command keeps");
    count("route it", || {
        let _ = black_box(route(&head.method, head.uri.path()));
    });
    let matchit = paths();
    count("route it, matchit", || {
        let _ = black_box(matchit.at(head.uri.path()).map(|found| *found.value));
    });
    for (name, status) in [("DELETE, 404", 404), ("DELETE, 200", 200)] {
        let contender = Contender::answering(status);
        let (mut ours, mut axum) = (service(contender), axum_router(contender));
        // The first time, a router may set up what it keeps.
        drop(block_on(axum.call(delete())));
        let mut requests = [delete(), delete(), delete()].into_iter();
        let plain = count(&format!("{name}, plain function"), || {
            drop(requests.next().map(|request| block_on(ours.answer(request))));
        });
        let tower = count(&format!("{name}, tower service"), || {
            drop(requests.next().map(|request| block_on(ours.call(request))));
        });
        let axum = count(&format!("{name}, axum"), || {
            drop(requests.next().map(|request| block_on(axum.call(request))));
        });
        assert!(plain < tower && tower < axum, "{plain}, {tower}, {axum}");
    }
}

/// Prints and returns how often `work` allocates.
fn count(name: &str, work: impl FnOnce()) -> u64 {
    let counted = measure(work);
    println!("{name:<34} {:>11} {:>9}", counted.count_total, counted.bytes_total);
    counted.count_total
}
