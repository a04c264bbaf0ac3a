//! The control plane and its streams, behind one lock.

use super::convert;
use crate::control::{Control, Moment, StreamId};
use crate::mesh::StateFile;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use release_engine::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, mpsc, watch};
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
    pub(crate) stop: CancellationToken,
    pub(super) room: Arc<Semaphore>,
    pub(super) room_for_reports: Arc<Semaphore>,
    sources: AtomicU64,
    started: (Instant, SystemTime),
}

#[derive(Debug)]
struct State {
    control: Control,
    streams: HashMap<StreamId, Outlet>,
    /// Why the memory can't be saved: then nothing is sent.
    trouble: Option<String>,
    /// Where the memory is saved, until the end.
    file: Option<StateFile>,
    ended: bool,
}

impl Hub {
    pub(crate) fn new(control: Control, file: Option<StateFile>) -> Self {
        Self {
            state: Mutex::new(State { control, streams: HashMap::new(), trouble: None, file, ended: false }),
            changed: watch::Sender::new(()),
            stop: CancellationToken::new(),
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

    /// Tells the control plane something, saves what it then remembers and sends what it then wants sent.
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

    /// Lets go of the state file: another process may have it. From now on nothing is sent.
    pub(crate) fn let_go(&self) {
        let mut state = self.state();
        (state.file, state.ended) = (None, true);
    }

    fn flush(&self, state: &mut State) {
        let pushes = state.control.pushes(self.now());
        if state.control.take_unsaved() {
            state.trouble = state.save().err();
            if let Some(trouble) = &state.trouble {
                tracing::error!(%trouble, "what must outlive a restart can't be saved: nothing is sent");
                state.control.keep_unsaved();
            }
        }
        for push in pushes {
            let id = push.stream;
            let Some(outlet) = state.streams.get(&id) else { continue };
            // There is never more than one response of each type under way: a stream that has no room for it is broken.
            let sent = state.trouble.is_none() && outlet.sender.try_send(Ok(convert::response(push))).is_ok();
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

impl State {
    fn save(&self) -> Result<(), String> {
        if self.ended {
            return Err("the control plane has stopped".to_owned());
        }
        self.file.as_ref().map_or(Ok(()), |file| file.save(self.control.memory()).map_err(|error| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, Duration, Hub, Moment};
    use crate::control::{Memory, Settings};

    #[tokio::test]
    async fn a_moment_that_no_clock_can_show_is_far_away() {
        let hub = Hub::new(Control::new(Settings::default(), Memory::default(), Moment::default()), None);
        let never = Moment::new(Duration::MAX);
        assert!(hub.instant(never) > hub.instant(Moment::default()));
        assert!(hub.wall(never).to_string().starts_with("21"), "{}", hub.wall(never));
    }
}
