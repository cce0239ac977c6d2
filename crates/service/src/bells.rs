//! Bells: who waits for a dialog to change is woken at once when the change happened in this process.
//!
//! With several nodes the change may have happened elsewhere; those who wait therefore look at the database
//! now and then as well. A bell only makes it quick.

use kernel::Hashed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many may wait for one dialog at a time, in this process. Decision: whoever comes beyond that is turned
/// away and asks by itself. Attack: everyone who waits looks at the database each second, and one address of a
/// dialog could be listened to thousands of times. Trade: who opens one dialog in many tabs polls in some.
pub const SEATS: usize = 16;

/// One bell per dialog that somebody waits for.
#[derive(Debug, Default)]
pub struct Bells(Mutex<HashMap<String, Bell>>);

#[derive(Debug, Default)]
struct Bell {
    sound: Arc<Notify>,
    /// Counted here and not by the references, which end only after the lock is given back.
    seats: usize,
}

impl Bells {
    /// Rings for everyone who waits for this dialog.
    pub fn ring(&self, dialog: &Hashed) {
        if let Some(bell) = self.bells().get(dialog.as_str()) {
            bell.sound.notify_waiters();
        }
    }

    /// A seat beside the bell; `None` where all [`SEATS`] are taken. The bell is taken away when the last seat is
    /// left.
    pub fn sit(self: &Arc<Self>, dialog: &Hashed) -> Option<Seat> {
        let mut bells = self.bells();
        let bell = bells.entry(dialog.as_str().to_owned()).or_default();
        if bell.seats >= SEATS {
            return None;
        }
        bell.seats += 1;
        let sound = Arc::clone(&bell.sound);
        Some(Seat { sound, bells: Arc::clone(self), dialog: dialog.as_str().to_owned() })
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<String, Bell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.bells().len()
    }
}

/// Someone who waits for one dialog.
#[derive(Debug)]
pub struct Seat {
    sound: Arc<Notify>,
    bells: Arc<Bells>,
    dialog: String,
}

impl Seat {
    /// A future that counts rings from now on, also before it is first polled: take it, look at the database,
    /// then await it, and no change is missed.
    pub fn listen(&self) -> tokio::sync::futures::Notified<'_> {
        self.sound.notified()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut bells = self.bells.bells();
        let Some(bell) = bells.get_mut(&self.dialog) else { return };
        bell.seats = bell.seats.saturating_sub(1);
        if bell.seats == 0 {
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
        let seat = bells.sit(&dialog).unwrap();
        let waiting = seat.listen();
        bells.ring(&dialog);
        waiting.await;
        drop(seat);
        assert_eq!(bells.count(), 0);
    }

    #[test]
    fn one_dialog_has_so_many_seats_and_leaves_nothing_behind() {
        let bells = Arc::new(Bells::default());
        let (dialog, other) = (Hashed::from_stored("d"), Hashed::from_stored("e"));
        let seats: Vec<_> = (0..SEATS).map(|_| bells.sit(&dialog).unwrap()).collect();
        assert!(bells.sit(&dialog).is_none());
        assert!(bells.sit(&other).is_some(), "another dialog has its own");
        // All at once, from many threads: the last one takes the bell away, whoever it is.
        std::thread::scope(|scope| {
            for seat in seats {
                scope.spawn(move || drop(seat));
            }
        });
        assert_eq!(bells.count(), 0);
        assert!(bells.sit(&dialog).is_some());
    }
}
