//! What happened so far, in order, for the tour's page: told by the stand-ins and by the witness at the
//! gateway's door, read as server-sent events.

use kernel::{Clock, Time};
use serde::Serialize;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many lines are kept; the oldest go first.
const KEPT: usize = 300;

/// Where something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum At {
    Acme,
    Gateway,
    Harbor,
    Ledger,
    Meridian,
    Beacon,
}

impl At {
    const fn name(self) -> &'static str {
        match self {
            Self::Acme => "Acme Desk",
            Self::Gateway => "Vestibule",
            Self::Harbor => "Harbor CRM",
            Self::Ledger => "Ledger",
            Self::Meridian => "Meridian",
            Self::Beacon => "Beacon",
        }
    }
}

/// A thing of the tour that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Milestone {
    SignedIn,
    Connected,
    WebhookArrived,
    RanForWebhook,
    ScheduleFired,
    Renewed,
    PortalSignedIn,
    Entered,
    Left,
}

/// One line of the story.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) number: u64,
    /// `14:04:02`, UTC.
    pub(crate) time: String,
    pub(crate) at: At,
    pub(crate) who: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    /// What can be unfolded: a name, and JSON or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) milestone: Option<Milestone>,
    /// Something was refused or did not work.
    pub(crate) bad: bool,
}

impl Line {
    pub(crate) fn new(at: At, title: impl Into<String>, text: impl Into<String>) -> Self {
        let (title, text) = (title.into(), text.into());
        let who = at.name();
        Self {
            number: 0,
            time: String::new(),
            at,
            who,
            title,
            text,
            detail: None,
            milestone: None,
            bad: false,
        }
    }

    #[must_use]
    pub(crate) fn json(self, name: &str, value: &serde_json::Value) -> Self {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.shows(name, text)
    }

    #[must_use]
    pub(crate) fn shows(mut self, name: &str, text: impl Into<String>) -> Self {
        self.detail = Some((name.to_owned(), text.into()));
        self
    }

    #[must_use]
    pub(crate) const fn reaches(mut self, milestone: Milestone) -> Self {
        self.milestone = Some(milestone);
        self
    }

    #[must_use]
    pub(crate) const fn bad(mut self) -> Self {
        self.bad = true;
        self
    }
}

#[derive(Debug, Default)]
struct Told {
    lines: VecDeque<Line>,
    next: u64,
    once: HashSet<String>,
}

/// The story.
#[derive(Debug)]
pub(crate) struct Story {
    told: Mutex<Told>,
    /// The number of the newest line.
    newest: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

impl Story {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { told: Mutex::default(), newest: watch::Sender::new(0), clock }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, mut line: Line) {
        let mut told = self.told();
        told.next += 1;
        line.number = told.next;
        line.time = clock_time(self.clock.now());
        if told.lines.len() == KEPT {
            told.lines.pop_front();
        }
        told.lines.push_back(line);
        self.newest.send_replace(told.next);
    }

    /// Tells it unless something was told under this key before.
    pub(crate) fn tell_once(&self, key: String, line: Line) {
        let first = self.told().once.insert(key);
        if first {
            self.tell(line);
        }
    }

    /// Whether something was told under this key.
    pub(crate) fn was_told(&self, key: &str) -> bool {
        self.told().once.contains(key)
    }

    /// The lines after number `after`, in order.
    pub(crate) fn since(&self, after: u64) -> Vec<Line> {
        self.told().lines.iter().filter(|line| line.number > after).cloned().collect()
    }

    /// For waiting until there is something new.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

fn clock_time(now: Time) -> String {
    now.iso_seconds().split(['T', 'Z']).nth(1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::TestClock;

    #[test]
    fn the_story_is_read_on_from_where_one_was() {
        let story = Story::new(Arc::new(TestClock::at(Time::from_seconds(1_000))));
        story.tell(Line::new(At::Acme, "one", ""));
        story.tell_once("key".into(), Line::new(At::Gateway, "two", ""));
        story.tell_once("key".into(), Line::new(At::Gateway, "two again", ""));
        let all = story.since(0);
        assert_eq!(all.iter().map(|line| line.title.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(story.since(1).len(), 1);
        assert!(story.since(2).is_empty());
        assert_eq!(*story.listen().borrow(), 2);
    }

    #[test]
    fn the_oldest_lines_are_forgotten() {
        let story = Story::new(Arc::new(TestClock::at(Time::from_seconds(1_000))));
        (0..KEPT + 5).for_each(|_| story.tell(Line::new(At::Harbor, "x", "")));
        let all = story.since(0);
        assert_eq!((all.len(), all[0].number), (KEPT, 6));
    }
}
