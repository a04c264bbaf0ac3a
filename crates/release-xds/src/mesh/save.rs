//! What the control plane remembers, on its way to the file.

use super::state_file::StateFile;
use crate::server::Hub;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Saves what the control plane remembers whenever that has changed, until the hub is stopped. Only the newest is saved:
/// what changes meanwhile shares the next sync.
pub(super) async fn save(hub: Arc<Hub>, mut file: StateFile) {
    loop {
        tokio::select! {
            () = hub.unsaved.notified() => {}
            () = hub.stop.cancelled() => {}
        }
        while let Some((number, memory)) = hub.to_be_saved() {
            let saving = spawn_blocking(move || {
                let saved = file.save(&memory);
                (file, saved)
            });
            let Ok((back, saved)) = saving.await else {
                hub.saved(number, Err("saving it broke off".to_owned()));
                return;
            };
            file = back;
            let failed = saved.is_err();
            hub.saved(number, saved);
            if failed {
                tokio::select! {
                    () = sleep(AGAIN) => {}
                    () = hub.stop.cancelled() => break,
                }
            }
        }
        if hub.stop.is_cancelled() {
            hub.saves_no_more();
            return;
        }
    }
}
