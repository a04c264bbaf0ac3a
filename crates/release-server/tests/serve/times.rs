//! How long the stages of a takeover take, for those who run the server.

use crate::process::Process;

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_counts_with_the_time_that_it_took() {
    let process = Process::in_memory(&["--simulated-lag=200"]);
    let client = &process.client;
    let release = client.at_a_fifth("cart").await;
    release.delete("end").await.ok();
    for stage in ["preparing", "routing", "draining", "retiring"] {
        let seconds = client.metric(&format!(r#"release_stage_seconds_sum{{action="end",stage="{stage}"}}"#)).await;
        // Nobody knows how much longer it takes on a busy machine.
        assert!(seconds.is_some_and(|seconds| seconds >= 0.2), "{stage}: {seconds:?}");
    }
}
