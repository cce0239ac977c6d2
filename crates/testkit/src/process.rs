//! Programs beside the tests: started under a guard that ends them with the test process, however that ends.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

const GUARD: &str = include_str!("guard.sh");

/// How often a file that another process writes is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// The longest that a guard may take to end its program and to remove its folder.
const FAREWELL: Duration = Duration::from_secs(15);

/// An account of the operating system, for programs that refuse to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// The account of that name in `/etc/passwd`, if there is one.
    ///
    /// # Errors
    /// When `/etc/passwd` cannot be read.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        Ok(Self::find(&fs::read_to_string("/etc/passwd")?, name))
    }

    fn find(accounts: &str, name: &str) -> Option<Self> {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            Some(Self { user: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
        })
    }
}

/// Whether the test process itself runs as root.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn is_root() -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    Ok(effective == Some("0"))
}

/// The signal that asks a program to stop; after five seconds it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Terminate,
    Interrupt,
    Quit,
    Kill,
}

impl Stop {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Kill => "KILL",
        }
    }
}

/// A program about to be started. Its folder exists already, so that arguments can name files in it.
#[derive(Debug)]
pub struct Launch {
    folder: tempfile::TempDir,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    working_folder: Option<PathBuf>,
    account: Option<Account>,
    stop: Stop,
}

impl Launch {
    /// # Errors
    /// When no temporary folder can be made.
    pub fn new(program: impl AsRef<OsStr>) -> io::Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new().prefix("vestibule-test-").tempdir()?,
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            working_folder: None,
            account: None,
            stop: Stop::Terminate,
        })
    }

    /// The temporary folder of this program, removed when it ends. The program's output is captured there.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Where the program starts; its temporary folder where this is not said.
    #[must_use]
    pub fn working_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.working_folder = Some(folder.into());
        self
    }

    /// Runs the program, and its guard, as somebody else, and gives him the folder with all that is in it now.
    #[must_use]
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    #[must_use]
    pub fn stop_with(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// # Errors
    /// When the guard cannot be started. A program that is not there shows as one that ended at once: see
    /// [`Supervised::wait_for_line`].
    pub fn start(self) -> io::Result<Supervised> {
        let folder = self.folder.path().to_path_buf();
        let output = File::create(folder.join("output"))?;
        if let Some(account) = self.account {
            give(&folder, account)?;
        }
        let mut guard = Command::new("/bin/sh");
        guard.arg("-c").arg(GUARD).arg("guard").arg(&folder).arg(self.stop.name());
        guard.arg(&self.program).args(&self.arguments).envs(self.environment);
        guard.current_dir(self.working_folder.as_deref().unwrap_or(&folder));
        guard.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        // A group of its own: an interrupt typed at the terminal must not end the guard before its work is done.
        guard.process_group(0);
        if let Some(account) = self.account {
            guard.uid(account.user).gid(account.group);
        }
        let mut guard = guard.spawn()?;
        let lifeline = guard.stdin.take();
        Ok(Supervised { name: self.program, folder: self.folder.keep(), guard, lifeline })
    }
}

fn give(path: &Path, account: Account) -> io::Result<()> {
    chown(path, Some(account.user), Some(account.group))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), account)?;
        }
    }
    Ok(())
}

/// Why an awaited line did not come.
#[derive(Debug)]
pub enum NotReady {
    /// The program ended; its exit status as a shell counts it, and all that it said.
    Ended { status: String, output: String },
    /// It runs but did not say the line in time; all that it said.
    Silent { output: String },
}

impl std::fmt::Display for NotReady {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended { status, output } => write!(formatter, "ended with status {status}:\n{output}"),
            Self::Silent { output } => write!(formatter, "did not become ready in time:\n{output}"),
        }
    }
}

impl std::error::Error for NotReady {}

/// A running program that ends, with all its children, when this value is dropped or when the test process dies.
#[derive(Debug)]
pub struct Supervised {
    name: OsString,
    folder: PathBuf,
    guard: Child,
    lifeline: Option<ChildStdin>,
}

impl Supervised {
    /// The program's temporary folder; gone after the drop.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that the program has written so far, to standard output and standard error.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("output")).unwrap_or_default()).into_owned()
    }

    /// The exit status as a shell counts it (128 and the signal's number for a killed one), once it has ended.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("status")).ok().map(|status| status.trim().to_owned())
    }

    /// The first complete line for which `wanted` says yes, waiting for it at most `within`. Blocks the thread:
    /// an async test calls it through `spawn_blocking` where its own runtime must go on meanwhile.
    ///
    /// # Errors
    /// See [`NotReady`].
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, within: Duration) -> Result<String, NotReady> {
        let find = || {
            let output = self.output();
            let complete = output.rfind('\n').and_then(|end| output.get(..end)).unwrap_or_default();
            complete.lines().find(|line| wanted(line)).map(str::to_owned)
        };
        // Whether it ended is asked before its last words are read, so that none of them is missed.
        poll(within, || {
            let ended = self.ended();
            find().map(Ok).or_else(|| ended.map(Err))
        })
        .map_or_else(
            || Err(NotReady::Silent { output: self.output() }),
            |found| found.map_err(|status| NotReady::Ended { status, output: self.output() }),
        )
    }

    /// Waits until the program has ended by itself, at most `within`, and returns its status.
    #[must_use]
    pub fn wait_for_end(&self, within: Duration) -> Option<String> {
        poll(within, || self.ended())
    }

    /// The id of the program's own process.
    ///
    /// # Errors
    /// When the program was not even begun within five seconds.
    pub fn process(&self) -> io::Result<u32> {
        let file = self.folder.join("process");
        poll(Duration::from_secs(5), || fs::read_to_string(&file).ok()?.trim().parse().ok())
            .ok_or_else(|| io::Error::other(format!("{} was not started", self.name.display())))
    }

    /// Sends a signal to the program's own process and returns at once. [`Stop::Kill`] is how a test takes the
    /// power away from a server.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn signal(&self, signal: Stop) -> io::Result<()> {
        let process = self.process()?.to_string();
        let status = Command::new("/bin/sh")
            .args(["-c", "kill \"-$1\" \"$2\"", "kill", signal.name(), &process])
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("process {process} is not there")))
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if poll(FAREWELL, || self.guard.try_wait().ok().flatten()).is_none() {
            eprintln!("the guard of {} did not end in time", self.name.display());
        }
    }
}

/// Asks until there is an answer, or until `within` has passed.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is awaited in real time, also where a test has stopped tokio's clock"
)]
pub(crate) fn poll<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = look() {
            return Some(answer);
        }
        if start.elapsed() >= within {
            return None;
        }
        std::thread::sleep(GLANCE);
    }
}

/// Runs a short program to its end with `input` on its standard input, and returns its standard output.
///
/// # Panics
/// When it cannot be started or does not end well: its standard error is the message.
#[must_use]
pub fn run(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}; run `cargo xtask setup`"));
    let mut pipe = child.stdin.take().expect("standard input is piped");
    let output = std::thread::scope(|scope| {
        // Written beside the reading, or a long input and a long output would wait for each other. A program
        // that does not read it all has its own reasons; its exit status tells.
        scope.spawn(move || pipe.write_all(input.as_bytes()));
        child.wait_with_output()
    });
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program's output is text")
}

/// A TCP port of the loopback address that was free a moment ago.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/bash\n";
        assert_eq!(Account::find(accounts, "postgres"), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::find(accounts, "post"), None);
    }
}
