//! The gateway's side of one program: passes wishes to the supervisor, takes in what the program prints, and knows
//! what to do where the supervisor is lost.

use crate::program::{Ended, How, Program};
use crate::wire::{self, Order, Report, Task};
use crate::{Deadline, Happening, output};
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch as latest};
use tokio::time::timeout;

/// How much of a program's output is read at once.
const PIECE: usize = 16 * 1024;

/// How long after its last moment a supervisor may still be there before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long output is still read after a supervisor was lost: something that escaped may hold it open for ever.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the gateway wants of a program now.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub deadline: Deadline,
    pub cancelled: bool,
}

/// Runs the program to its end under this supervisor and tells what happens.
pub async fn watch(
    supervisor: io::Result<Waiting>,
    program: Program,
    wished: latest::Receiver<Wish>,
    happened: mpsc::Sender<Happening>,
) {
    let wish = *wished.borrow();
    let ended = match supervisor.and_then(|supervisor| Started::new(supervisor, &program, wish)) {
        Ok(started) => started.followed(&program, wished, &happened).await,
        Err(error) => nothing_ran(How::NotStarted(format!("no supervisor could be started: {error}"))),
    };
    // Its scratch folder goes before anybody is told that nothing is left.
    drop(program);
    let _ = happened.send(Happening::Ended(Box::new(ended))).await;
}

/// What is told where the task of a program ended without a word, as when a runtime shuts down.
pub fn vanished() -> Ended {
    nothing_ran(How::Lost("nobody watches it any more".into()))
}

fn nothing_ran(how: How) -> Ended {
    Ended { how, stdout: Vec::new(), stdout_cut: false, log_cut: false, took: Duration::ZERO, peak_memory: 0 }
}

/// A supervisor that has been started, with the program's output, which it only hands through.
struct Started {
    supervisor: Child,
    orders: OwnedWriteHalf,
    reports: OwnedReadHalf,
    first: Vec<u8>,
}

/// A supervisor that has been started and knows of no program yet. Where this is dropped it ends.
#[derive(Debug)]
pub struct Waiting {
    supervisor: Child,
    ours: std::os::unix::net::UnixStream,
}

impl Waiting {
    /// # Errors
    /// Where it cannot be started.
    pub fn new(mut command: Command) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let supervisor = command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { supervisor, ours })
    }

    pub fn id(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// Itself, where it is still there.
    pub fn still(mut self) -> Option<Self> {
        matches!(self.supervisor.try_wait(), Ok(None)).then_some(self)
    }

    /// Ends it, as nobody needs it.
    pub async fn leave(self) {
        let Self { mut supervisor, ours } = self;
        drop(ours);
        // What it ended with is of no interest.
        drop(supervisor.wait().await);
    }
}

impl Started {
    fn new(waiting: Waiting, program: &Program, wish: Wish) -> io::Result<Self> {
        let first = wire::line(&Order::Begin(Box::new(Task::of(program, wish.deadline))))?;
        let (reports, orders) = UnixStream::from_std(waiting.ours)?.into_split();
        Ok(Self { supervisor: waiting.supervisor, orders, reports, first })
    }

    async fn followed(
        mut self,
        program: &Program,
        wished: latest::Receiver<Wish>,
        happened: &mpsc::Sender<Happening>,
    ) -> Ended {
        let begun = Deadline::now();
        let session = self.supervisor.id();
        let mut stdout = output::Kept::new(program.limits.stdout);
        let mut log = output::Log::new(program.limits.log);
        let (out, err) = (self.supervisor.stdout.take(), self.supervisor.stderr.take());
        let told = {
            let reading = async { tokio::join!(keep(out, &mut stdout), pass_on(err, &mut log, happened)) };
            let asking = order(self.orders, self.first, wished.clone());
            let reporting = reported(self.reports);
            let overdue = overdue(wished, program);
            tokio::pin!(reading, asking, reporting, overdue);
            let (mut all_read, mut all_asked) = (false, false);
            let told = loop {
                tokio::select! {
                    told = &mut reporting => break told,
                    () = &mut overdue => break Told::default(),
                    () = &mut asking, if !all_asked => all_asked = true,
                    _ = &mut reading, if !all_read => all_read = true,
                }
            };
            if told.end.is_none() {
                let _ = self.supervisor.start_kill();
                let _ = self.supervisor.wait().await;
                end_session(session).await;
            }
            if !all_read {
                // Where all went well nothing holds the output open any more, but a reader may be slow to take it.
                let patience = if told.end.is_some() { Duration::MAX } else { FAREWELL };
                let _ = timeout(patience, &mut reading).await;
            }
            told
        };
        // It has said its last word and only has to leave: nobody needs to wait for that.
        tokio::spawn(async move { self.supervisor.wait().await });
        let (stdout, stdout_cut) = stdout.finish();
        let (how, took, peak_memory) = told.outcome(begun);
        Ended { how, stdout, stdout_cut, log_cut: log.is_cut(), took, peak_memory }
    }
}

/// What a supervisor has said.
#[derive(Default)]
struct Told {
    started: bool,
    end: Option<(How, Duration, u64)>,
}

impl Told {
    fn outcome(self, begun: Deadline) -> (How, Duration, u64) {
        self.end.unwrap_or_else(|| {
            let how = if self.started { "its supervisor was lost" } else { "its supervisor was lost early" };
            (How::Lost(how.into()), Deadline::now().since(begun), 0)
        })
    }
}

async fn reported(reports: OwnedReadHalf) -> Told {
    let mut told = Told::default();
    let mut lines = BufReader::new(reports).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Report::Started) => told.started = true,
            Ok(Report::Ended { how, took_micros, peak_memory }) => {
                told.end = Some((how, Duration::from_micros(took_micros), peak_memory));
                return told;
            }
            Err(error) => tracing::warn!(%error, "a supervisor says what nobody understands"),
        }
    }
    told
}

/// Hands wishes over as they change. Ends, and with it the stream, where nobody has wishes any more: that ends the
/// program.
async fn order(mut orders: OwnedWriteHalf, first: Vec<u8>, mut wished: latest::Receiver<Wish>) {
    if orders.write_all(&first).await.is_err() {
        return;
    }
    loop {
        let wish = *wished.borrow_and_update();
        let order = if wish.cancelled { Order::Cancel } else { Order::Deadline(wish.deadline) };
        let Ok(line) = wire::line(&order) else { return };
        if orders.write_all(&line).await.is_err() || wished.changed().await.is_err() {
            return;
        }
    }
}

/// Comes to an end once a supervisor should long have ended everything, and itself.
async fn overdue(mut wished: latest::Receiver<Wish>, program: &Program) {
    let latest = Deadline::after(program.limits.time);
    loop {
        let deadline = wished.borrow_and_update().deadline.min(latest);
        let left = deadline.plus(program.limits.grace).plus(PATIENCE).left();
        let alone = async {
            if wished.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        if timeout(left, alone).await.is_err() {
            return;
        }
    }
}

async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut output::Kept) {
    let Some(mut from) = from else { return };
    let mut piece = vec![0; PIECE];
    while let Ok(read) = from.read(&mut piece).await {
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { return };
        kept.push(read);
    }
}

async fn pass_on(
    from: Option<impl AsyncRead + Unpin>,
    log: &mut output::Log,
    happened: &mpsc::Sender<Happening>,
) {
    let Some(mut from) = from else { return };
    let mut piece = vec![0; PIECE];
    while let Ok(read) = from.read(&mut piece).await {
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { return };
        if let Some(passed) = log.pass(read) {
            // Where nobody listens the program must still be able to write.
            let _ = happened.send(Happening::Log(passed)).await;
        }
    }
}

#[cfg(target_os = "linux")]
async fn end_session(session: Option<u32>) {
    if let Some(session) = session {
        let _ = tokio::task::spawn_blocking(move || crate::orphans::end_session(session)).await;
    }
}

#[cfg(not(target_os = "linux"))]
async fn end_session(_: Option<u32>) {}
