//! A program that runs, as the gateway sees it.

use crate::program::{Ended, Program};
use crate::watch::{self, Waiting, Wish};
use crate::{Deadline, VERB};
use bytes::Bytes;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch as latest};

/// Pieces of a log that wait to be taken; a program that is ahead of them waits.
const PIECES: usize = 64;

/// How long a supervisor is kept ready that nobody needs.
const READY: Duration = Duration::from_secs(30);

/// Starts programs, each under a supervisor of its own.
///
/// To start a supervisor takes longer than most of the rest. So after the end of a program one is kept ready for the next,
/// for a while: a process that knows nothing yet, and ends when its pipe to this one closes.
#[derive(Clone, Debug)]
pub struct Runner {
    executable: PathBuf,
    words: Vec<OsString>,
    ready: Arc<Mutex<Option<Waiting>>>,
}

impl Runner {
    /// Supervisors are `executable`, started with `words`; it must then call [`crate::supervise`].
    pub fn new(executable: impl Into<PathBuf>, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self { executable: executable.into(), words, ready: Arc::default() }
    }

    /// Supervisors are this very executable, also where its file was replaced meanwhile.
    pub fn of_this_executable() -> Self {
        Self::new("/proc/self/exe", [VERB])
    }

    /// Starts a program. Whatever goes wrong is told by [`Running::next`], as the end of it.
    ///
    /// Everything of it is gone at the latest [`crate::Limits::grace`] after `deadline`, unless that is moved ahead.
    /// Must be called inside a Tokio runtime.
    pub fn start(&self, program: Program, deadline: Deadline) -> Running {
        let (wishes, wished) = latest::channel(Wish { deadline, cancelled: false });
        let (happened, happenings) = mpsc::channel(PIECES);
        // One that something has ended meanwhile is none.
        let ready = self.ready().take().and_then(Waiting::still);
        let supervisor = ready.map_or_else(|| self.supervisor(), Ok);
        let runner = self.clone();
        tokio::spawn(async move {
            watch::watch(supervisor, program, wished, happened).await;
            runner.keep_ready().await;
        });
        Running { wishes, happenings }
    }
}

impl Runner {
    fn ready(&self) -> std::sync::MutexGuard<'_, Option<Waiting>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn supervisor(&self) -> io::Result<Waiting> {
        let mut command = tokio::process::Command::new(&self.executable);
        command.args(&self.words);
        Waiting::new(command)
    }

    /// Keeps a supervisor ready, unless one is. Where it cannot be started the next program's own try tells why.
    async fn keep_ready(self) {
        if self.ready().is_some() {
            return;
        }
        let Ok(new) = self.supervisor() else { return };
        let id = new.id();
        let before = self.ready().replace(new);
        if let Some(before) = before {
            before.leave().await;
        }
        tokio::time::sleep(READY).await;
        let is_this = |ready: &mut Waiting| ready.id() == id;
        let unneeded = self.ready().take_if(is_this);
        if let Some(unneeded) = unneeded {
            unneeded.leave().await;
        }
    }
}

/// What a running program does.
#[derive(Debug, PartialEq, Eq)]
pub enum Happening {
    /// Bytes of standard error, as they came: a character may be torn in two.
    Log(Bytes),
    /// Nothing of it is left. Comes last, once.
    Ended(Box<Ended>),
}

/// A program that runs. Dropping this ends it.
#[derive(Debug)]
pub struct Running {
    wishes: latest::Sender<Wish>,
    happenings: mpsc::Receiver<Happening>,
}

impl Running {
    /// Moves the deadline ahead. An earlier one than before changes nothing.
    pub fn extend(&self, deadline: Deadline) {
        self.wishes.send_if_modified(|wish| {
            let later = deadline > wish.deadline;
            wish.deadline = wish.deadline.max(deadline);
            later
        });
    }

    /// Ends it: SIGTERM, and SIGKILL after the grace. It then ends as [`crate::How::Cancelled`], unless it had ended
    /// before.
    pub fn cancel(&self) {
        self.wishes.send_modify(|wish| wish.cancelled = true);
    }

    /// The next thing it does; `None` after its end. Nothing is lost where the future is dropped.
    pub async fn next(&mut self) -> Option<Happening> {
        self.happenings.recv().await
    }

    /// Waits for the end; what is left of the log is dropped.
    pub async fn wait(mut self) -> Ended {
        loop {
            match self.next().await {
                Some(Happening::Log(_)) => {}
                Some(Happening::Ended(ended)) => return *ended,
                None => return watch::vanished(),
            }
        }
    }
}
