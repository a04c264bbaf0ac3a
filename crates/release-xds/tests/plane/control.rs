//! What the control plane says of nodes that it hears of late must be true of them.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{TestCaseError, TestRunner};
use release_xds::testkit::{Seen, control};
use std::cell::Cell;

#[test]
fn whatever_happens_no_promise_is_broken() {
    let seen = Cell::new(Seen::default());
    let mut runner = TestRunner::new(ProptestConfig { cases: 1000, ..ProptestConfig::default() });
    let ran = runner.run(&vec(any::<u8>(), 0..800), |bytes| {
        let here = control(&bytes).map_err(TestCaseError::fail)?;
        let all = seen.get();
        seen.set(Seen {
            confirmed: all.confirmed + here.confirmed,
            drained: all.drained + here.drained,
            retired: all.retired + here.retired,
            refused: all.refused + here.refused,
        });
        Ok(())
    });
    ran.unwrap();
    let Seen { confirmed, drained, retired, refused } = seen.get();
    assert!(confirmed > 0 && drained > 0 && retired > 0 && refused > 0, "{:?}", seen.get());
}
