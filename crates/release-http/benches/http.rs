//! Time for a DELETE, parsed and answered, against axum's extractors with the same answers; and for routing alone,
//! against matchit.
//!
//! No socket: what is measured is what an adapter adds.

mod contenders;

use contenders::{Contender, axum_router, delete, paths, service};
use criterion::{Criterion, criterion_group, criterion_main};
use release_core::Action;
use release_http::testkit::{block_on, route};
use release_http::{Call, Operation};
use std::hint::black_box;
use tower::{Service, ServiceExt};

/// So few that a request is still in the cache when it is answered, as one is that was just read from a socket.
const BATCH: criterion::BatchSize = criterion::BatchSize::NumIterations(64);

fn deletes(criterion: &mut Criterion) {
    for (name, status) in [("delete_404", 404), ("delete_200", 200)] {
        let contender = Contender::answering(status);
        let mut group = criterion.benchmark_group(name);
        let mut ours = service(contender);
        assert_eq!(block_on(ours.answer(delete())).status(), status);
        group.bench_function("ours", |bencher| {
            bencher.iter_batched(delete, |request| block_on(ours.call(request)), BATCH);
        });
        group.bench_function("ours_plain_function", |bencher| {
            bencher.iter_batched(delete, |request| block_on(ours.answer(request)), BATCH);
        });
        let axum = axum_router(contender);
        assert_eq!(block_on(axum.clone().oneshot(delete())).map(|response| response.status().as_u16()), Ok(status));
        group.bench_function("bare_axum", |bencher| {
            let mut axum = axum.clone();
            bencher.iter_batched(delete, |request| block_on(axum.call(request)), BATCH);
        });
        group.finish();
    }
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    let (head, ()) = delete().map(|_| ()).into_parts();
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            let found = route(black_box(&head.method), black_box(head.uri.path()));
            assert!(matches!(found, Some((Operation::Delete, [_, _, _]))));
        });
    });
    group.bench_function("ours_with_parsed_ids_and_action", |bencher| {
        bencher.iter(|| assert!(matches!(Call::parse(black_box(&head), b""), Ok(Call::Delete(_, Action::End)))));
    });
    let matchit = paths();
    group.bench_function("bare_matchit", |bencher| {
        bencher.iter(|| {
            let found = matchit.at(black_box(head.uri.path())).map(|found| (*found.value, found.params.len()));
            assert!(matches!(found, Ok((2, 3))));
        });
    });
    group.finish();
}

criterion_group!(benches, deletes, routing);
criterion_main!(benches);
