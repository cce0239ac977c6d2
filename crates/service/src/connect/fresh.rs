//! Dialogs that were opened a moment ago: their first page needs nothing from the database.

use crate::OrganizationConfig;
use ::connect::dialog::Dialog;
use kernel::{Hashed, Time};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a first page is made from memory, in seconds.
const MOMENT_S: i64 = 2;
/// How many dialogs at most. Of more at a time the oldest are read from the database.
const MOST: usize = 1024;

/// What landings of this process have just written.
///
/// Decision: who lands is sent on to the page at once, and that one request finds here what its landing judged and
/// wrote; it is given out once, and whatever is done in the dialog afterwards asks the database. Attack: none that
/// is new, because only who has the bearer asks for it. Trade: what the operator or another node changes within two
/// seconds of the landing is seen one request later.
#[derive(Debug, Default)]
pub(crate) struct Fresh(Mutex<Opened<(Dialog, Arc<OrganizationConfig>)>>);

impl Fresh {
    pub(crate) fn put(&self, dialog: Dialog, config: Arc<OrganizationConfig>) {
        let (id, now) = (dialog.id.clone(), dialog.created);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(id, now, (dialog, config));
    }

    /// Gives a dialog out, the first time within its moment.
    pub(crate) fn take(&self, id: &Hashed, now: Time) -> Option<(Dialog, Arc<OrganizationConfig>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(id, now)
    }
}

#[derive(Debug)]
struct Opened<T> {
    known: HashMap<Hashed, (Time, T)>,
    /// In the order of opening, also of those that were given out.
    order: VecDeque<(Time, Hashed)>,
}

impl<T> Default for Opened<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Opened<T> {
    fn put(&mut self, id: Hashed, now: Time, what: T) {
        while let Some((since, _)) = self.order.front() {
            if now.seconds_since(*since) < MOMENT_S && self.order.len() < MOST {
                break;
            }
            if let Some((_, id)) = self.order.pop_front() {
                self.known.remove(&id);
            }
        }
        self.order.push_back((now, id.clone()));
        self.known.insert(id, (now, what));
    }

    fn take(&mut self, id: &Hashed, now: Time) -> Option<T> {
        let (since, what) = self.known.remove(id)?;
        (0..MOMENT_S).contains(&now.seconds_since(since)).then_some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: usize) -> Hashed {
        Hashed::from_stored(name.to_string())
    }

    #[test]
    fn a_dialog_is_given_out_once_and_only_within_its_moment() {
        let mut opened = Opened::default();
        let begun = Time::from_seconds(1_000);
        opened.put(id(1), begun, "one");
        opened.put(id(2), begun, "two");
        assert_eq!(opened.take(&id(3), begun), None);
        assert_eq!(opened.take(&id(1), begun), Some("one"));
        assert_eq!(opened.take(&id(1), begun), None);
        assert_eq!(opened.take(&id(2), begun.plus_seconds(MOMENT_S)), None);
        assert_eq!(opened.take(&id(2), begun), None, "nor later by a clock that was set back");
        opened.put(id(4), begun, "four");
        assert_eq!(opened.take(&id(4), begun.plus_seconds(-1)), None);
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut opened = Opened::default();
        let begun = Time::from_seconds(1_000);
        for number in 0..MOST + 10 {
            opened.put(id(number), begun, number);
        }
        assert_eq!((opened.known.len(), opened.order.len()), (MOST, MOST));
        assert_eq!(opened.take(&id(9), begun), None, "the oldest go first");
        assert_eq!(opened.take(&id(10), begun), Some(10));
        opened.put(id(0), begun.plus_seconds(MOMENT_S), 0);
        assert_eq!((opened.known.len(), opened.order.len()), (1, 1));
    }
}
