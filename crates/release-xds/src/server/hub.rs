//! The control plane and its streams, behind one lock.

use super::convert;
use crate::control::{Control, Memory, Moment, StreamId};
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use release_engine::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// What a stream sends.
pub(super) type Sender = mpsc::Sender<Result<DiscoveryResponse, Status>>;

/// Where a stream sends.
#[derive(Debug)]
struct Outlet {
    sender: Sender,
    /// Ends the stream.
    end: CancellationToken,
}

/// What is later than that is never: a clock can't show every moment that a state file may ask for.
const FAR: Duration = Duration::from_hours(24 * 365 * 100);

/// The most streams at the same time, of nodes and of load reports each.
const STREAMS: usize = 10_000;

/// The control plane and its streams, behind one lock.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Something has changed that a step may wait for.
    pub(crate) changed: watch::Sender<()>,
    /// The memory has changed, and is to be saved.
    pub(crate) unsaved: Notify,
    pub(crate) stop: CancellationToken,
    /// Nobody serves the nodes any more, whether or not that was meant.
    pub(crate) ended: CancellationToken,
    pub(super) room: Arc<Semaphore>,
    pub(super) room_for_reports: Arc<Semaphore>,
    sources: AtomicU64,
    started: (Instant, SystemTime),
}

#[derive(Debug)]
struct State {
    control: Control,
    streams: HashMap<StreamId, Outlet>,
    /// Whether the memory is saved.
    keeps: bool,
    /// Why it can't be: then nothing is confirmed or retired any more.
    trouble: Option<String>,
}

impl Hub {
    /// `keeps`: somebody [saves](Self::to_be_saved) the memory; else it counts as saved although it never is.
    pub(crate) fn new(control: Control, keeps: bool) -> Self {
        Self {
            state: Mutex::new(State { control, streams: HashMap::new(), keeps, trouble: None }),
            changed: watch::Sender::new(()),
            unsaved: Notify::new(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            room: Arc::new(Semaphore::new(STREAMS)),
            room_for_reports: Arc::new(Semaphore::new(STREAMS)),
            sources: AtomicU64::new(0),
            started: (Instant::now(), SystemTime::now()),
        }
    }

    /// Now, as the control plane counts.
    fn now(&self) -> Moment {
        Moment::new(self.started.0.elapsed())
    }

    /// When that is by tokio's clock.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.started.0 + moment.since_start().min(FAR)
    }

    /// When that is by the clock on the wall.
    pub(crate) fn wall(&self, moment: Moment) -> Timestamp {
        (self.started.1 + moment.since_start().min(FAR)).into()
    }

    /// A number for a source of load reports.
    pub(super) fn source(&self) -> u64 {
        self.sources.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at the control plane.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Control, Moment) -> T) -> T {
        look(&self.state().control, self.now())
    }

    /// Tells the control plane something, sends what it then wants sent and has saved what it then remembers.
    pub(crate) fn tell<T>(&self, tell: impl FnOnce(&mut Control, Moment) -> T) -> T {
        let mut state = self.state();
        let told = tell(&mut state.control, self.now());
        self.flush(&mut state);
        told
    }

    /// Why what the control plane remembers can't be saved.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// What must be saved now, and its number.
    pub(crate) fn to_be_saved(&self) -> Option<(u64, Memory)> {
        let control = &self.state().control;
        control.unsaved().map(|number| (number, control.memory().clone()))
    }

    /// What came of saving the memory of that number.
    pub(crate) fn saved(&self, number: u64, result: Result<(), String>) {
        let mut state = self.state();
        match &result {
            Ok(()) => state.control.saved(number),
            Err(trouble) if state.trouble.as_ref() == Some(trouble) => {}
            Err(trouble) => tracing::error!(
                %trouble,
                "what must outlive a restart can't be saved: no release is confirmed and no node is given routes that has none"
            ),
        }
        state.trouble = result.err();
        self.flush(&mut state);
    }

    /// Nothing is saved any more: what waits for that need not wait.
    pub(crate) fn saves_no_more(&self) {
        self.state().trouble = Some("the control plane has stopped".to_owned());
        self.changed.send_replace(());
    }

    /// Waits until all that is remembered now is saved; an error says why it can't be.
    pub(crate) async fn until_saved(&self) -> Result<(), String> {
        let mut changed = self.changed.subscribe();
        let Some(number) = self.state().control.unsaved() else { return Ok(()) };
        loop {
            changed.mark_unchanged();
            {
                let state = self.state();
                if state.control.is_saved(number) {
                    return Ok(());
                }
                if let Some(trouble) = &state.trouble {
                    return Err(trouble.clone());
                }
            }
            let _ = changed.changed().await;
        }
    }

    /// A node has opened a stream.
    pub(super) fn connected(&self, node: &str, sender: Sender, end: CancellationToken) -> Result<StreamId, Status> {
        let mut state = self.state();
        let connected = state.control.connected(node, self.now());
        let id = connected.map_err(|error| Status::invalid_argument(error.to_string()))?;
        state.streams.insert(id, Outlet { sender, end });
        Ok(id)
    }

    /// A stream has ended.
    pub(super) fn closed(&self, id: StreamId) {
        let mut state = self.state();
        state.streams.remove(&id);
        state.control.closed(id, self.now());
        self.flush(&mut state);
    }

    /// Ends all streams.
    pub(crate) fn end(&self) {
        self.stop.cancel();
        self.state().streams.clear();
    }

    fn flush(&self, state: &mut State) {
        let mut pushes = state.control.pushes(self.now());
        if let Some(number) = state.control.unsaved() {
            if state.keeps {
                self.unsaved.notify_one();
            } else {
                state.control.saved(number);
                pushes.extend(state.control.pushes(self.now()));
            }
        }
        for push in pushes {
            let id = push.stream;
            let Some(outlet) = state.streams.get(&id) else { continue };
            // There is never more than one response of each type under way: a stream that has no room for it is broken.
            let sent = !self.stop.is_cancelled() && outlet.sender.try_send(Ok(convert::response(push))).is_ok();
            if !sent {
                let unavailable = Status::unavailable("the control plane can't go on with this stream");
                let _ = outlet.sender.try_send(Err(unavailable));
                outlet.end.cancel();
            }
        }
        self.changed.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, Duration, Hub, Moment};
    use crate::control::{Memory, Settings};

    #[tokio::test]
    async fn a_moment_that_no_clock_can_show_is_far_away() {
        let hub = Hub::new(Control::new(Settings::default(), Memory::default(), Moment::default()), false);
        let never = Moment::new(Duration::MAX);
        assert!(hub.instant(never) > hub.instant(Moment::default()));
        assert!(hub.wall(never).to_string().starts_with("21"), "{}", hub.wall(never));
    }
}
