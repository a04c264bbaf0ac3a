//! What the engine logs, and for whom. A binary of its own: what another thread logs first, where nobody listens, is not
//! logged by any.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests may panic as the tests do")]

#[path = "all/fixture.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod fixture;

use fixture::{at_a_fifth, settings, until};
use release_core::{Action, Command, Mode, Phase, StepKind};
use release_engine::{Engine, Settings};
use release_store::MemoryStore;
use release_testkit::{Behaviour, SimulatedMesh};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::{Instrument as _, error_span};
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn each_line_belongs_to_the_request_that_it_follows_from() {
    let log = Log::default();
    let lines = fmt().with_ansi(false).with_target(false).without_time();
    let log_to = log.clone();
    let _guard = lines.with_writer(move || log_to.clone()).finish().set_default();

    let (mesh, hour) = (SimulatedMesh::new(2), Duration::from_hours(1));
    // No further try before the cancel.
    let settings = Settings { first_pause: hour, longest_pause: hour, ..settings() };
    let engine = Engine::start(MemoryStore::new(), mesh.clone(), settings).await.unwrap();
    let key = at_a_fifth(&engine, "a").instrument(error_span!("request", id = "create")).await;
    mesh.behave(|_, step| match step.kind() {
        StepKind::Apply => Behaviour::Refuses("no proxy answers".into()),
        _ => Behaviour::Works,
    });
    engine.command(&key, Command::END).instrument(error_span!("request", id = "end")).await.unwrap();
    until(&engine, &key, |stored| stored.record.task.failure().is_some()).await;
    mesh.behave(|_, _| Behaviour::Works);
    let cancel = engine.delete(&key, Action::Cancel, Mode::Perform);
    let canceled = cancel.instrument(error_span!("request", id = "cancel")).await.unwrap();
    assert_eq!(canceled.record.task.phase(), Phase::Closed(Action::Cancel));
    assert!(engine.shutdown(Duration::from_secs(1)).await);
    insta::assert_snapshot!(log.text());
}
