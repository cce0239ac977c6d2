//! Bells: who waits for a dialog to change is woken at once when the change happened in this process.
//!
//! With several nodes the change may have happened elsewhere; those who wait therefore look at the database
//! now and then as well. A bell only makes it quick.

use kernel::Hashed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// One bell per dialog that somebody waits for.
#[derive(Debug, Default)]
pub struct Bells(Mutex<HashMap<String, Arc<Notify>>>);

impl Bells {
    /// Rings for everyone who waits for this dialog.
    pub fn ring(&self, dialog: &Hashed) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(dialog.as_str()) {
            bell.notify_waiters();
        }
    }

    /// A seat beside the bell. The bell is taken away when the last seat is left.
    pub fn sit(self: &Arc<Self>, dialog: &Hashed) -> Seat {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = Arc::clone(bells.entry(dialog.as_str().to_owned()).or_default());
        Seat { bell, bells: Arc::clone(self), dialog: dialog.as_str().to_owned() }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Someone who waits for one dialog.
#[derive(Debug)]
pub struct Seat {
    bell: Arc<Notify>,
    bells: Arc<Bells>,
    dialog: String,
}

impl Seat {
    /// A future that counts rings from now on, also before it is first polled: take it, look at the database,
    /// then await it, and no change is missed.
    pub fn listen(&self) -> tokio::sync::futures::Notified<'_> {
        self.bell.notified()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut bells = self.bells.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One count is the map's, one is ours.
        if Arc::strong_count(&self.bell) <= 2 {
            bells.remove(&self.dialog);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_look_and_wait_is_heard() {
        let bells = Arc::new(Bells::default());
        let dialog = Hashed::from_stored("d");
        let seat = bells.sit(&dialog);
        let waiting = seat.listen();
        bells.ring(&dialog);
        waiting.await;
        drop(seat);
        assert_eq!(bells.count(), 0);
    }
}
