//! Where lines go: standard error, many at a time.
//!
//! Decision: a line waits up to five milliseconds for others, and is then written with them by a thread; a warning or
//! an error is written at once, with all that was said before it. Why: to write each line by itself is a call into the
//! kernel for each request. Trade: after kill -9 the lines of the last five milliseconds are missing, which tell of
//! requests that were answered; what a request did is in the database before it is answered.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others.
const PAUSE: Duration = Duration::from_millis(5);
/// How much waits at most, in bytes.
const MOST: usize = 64 * 1024;

/// The lines that wait, and where they go.
struct Held {
    lines: Vec<u8>,
    to: Box<dyn Write + Send>,
}

impl Held {
    fn write(&mut self) {
        // Where even that cannot be written there is nobody to tell.
        let _ = self.to.write_all(&self.lines).and_then(|()| self.to.flush());
        self.lines.clear();
    }
}

struct Shared {
    held: Mutex<Held>,
    begun: Condvar,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output(Arc<Shared>);

impl Output {
    /// Begins the thread that writes.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let held = Mutex::new(Held { lines: Vec::new(), to: Box::new(to) });
        let output = Self(Arc::new(Shared { held, begun: Condvar::new() }));
        let shared = Arc::clone(&output.0);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                let waiting = shared.begun.wait_while(shared.held(), |held| held.lines.is_empty());
                let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
                // Gives the lock back for the whole pause: that is what gathers lines.
                drop(shared.begun.wait_timeout_while(waiting, PAUSE, |_| true));
                shared.held().write();
            }
        })?;
        Ok(output)
    }

    /// Writes what waits.
    pub(super) fn finish(&self) {
        self.0.held().write();
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines { shared: &self.0, at_once: true }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Lines<'a> {
        Lines { shared: &self.0, at_once: *about.level() <= Level::WARN }
    }
}

/// Takes the text of one event.
pub(super) struct Lines<'a> {
    shared: &'a Shared,
    at_once: bool,
}

impl Write for Lines<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut held = self.shared.held();
        if held.lines.is_empty() && !self.at_once {
            self.shared.begun.notify_one();
        }
        held.lines.extend_from_slice(text);
        if self.at_once || held.lines.len() > MOST {
            held.write();
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use tracing_subscriber::layer::SubscriberExt as _;

    struct Sent(Sender<String>);

    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(say: impl FnOnce(&Receiver<String>)) {
        let (sender, written) = channel();
        let output = Output::start(Sent(sender)).unwrap();
        let lines = tracing_subscriber::fmt::layer().without_time().with_target(false).with_writer(output);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || say(&written));
    }

    #[test]
    fn lines_that_wait_are_written_in_order_by_themselves() {
        written(|written| {
            tracing::info!("one");
            tracing::info!("two");
            let deadline = Duration::from_secs(10);
            let mut seen = String::new();
            while seen.lines().count() < 2 {
                seen.push_str(&written.recv_timeout(deadline).unwrap());
            }
            let (one, two) = (seen.find("one").unwrap(), seen.find("two").unwrap());
            assert!(one < two, "{seen}");
        });
    }

    #[test]
    fn a_warning_is_written_before_its_caller_goes_on_with_all_before_it() {
        written(|written| {
            tracing::info!("one");
            tracing::warn!("two");
            let seen: String = written.try_iter().collect();
            assert!(seen.contains("one") && seen.contains("two"), "{seen}");
        });
    }
}
