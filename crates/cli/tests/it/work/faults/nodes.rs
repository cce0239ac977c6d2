//! Whole processes of the gateway on a world's database.

use super::Outside;
use std::path::Path;
use std::time::Duration;
use testkit::process::{Launch, Stop, Supervised, free_port};
use testkit::world::World;

const START: Duration = Duration::from_secs(60);

/// How processes of one test are started: each has the same settings but its own listener.
#[derive(Debug, Clone)]
pub(super) struct Nodes {
    settings: Vec<String>,
    master_key: String,
}

/// One of them. Dropping it ends it in order.
#[derive(Debug)]
pub(super) struct Node {
    process: Supervised,
    pub(super) address: String,
}

impl Nodes {
    /// On the world's database; programs run in `folder`.
    pub(super) fn of(world: &World, outside: &Outside, folder: &Path) -> Self {
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let settings = vec![
            format!("environments.sandbox.public_url={}", world.url(kernel::Environment::Sandbox)),
            format!("database.url={}", world.database_url()),
            format!("outbound.allow=[\"{}\", \"{}\"]", outside.address(), world.own_system.address()),
            format!("programs.folder={}", folder.join("programs").display()),
            format!("programs.path={path}"),
            "work.lease_seconds=30".to_owned(),
        ];
        Self { settings, master_key: world.master_key() }
    }

    /// With one more setting, which covers an earlier one of its name.
    #[must_use]
    pub(super) fn set(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    fn launch(&self) -> Launch {
        let launch = Launch::new(env!("CARGO_BIN_EXE_vestibule")).unwrap();
        let launch = launch.environment("VESTIBULE_KEYS__MASTER_KEY", &self.master_key);
        self.settings.iter().fold(launch, |launch, setting| launch.argument("--set").argument(setting))
    }

    /// `vestibule serve`, which works as well. Blocks until it answers.
    pub(super) fn serve(&self) -> Node {
        let address = format!("127.0.0.1:{}", free_port());
        let launch = self.launch().argument("--set").argument(format!("listen={address}")).argument("serve");
        Node::ready(launch, address.clone(), &address)
    }

    /// `vestibule work`. Blocks until it works.
    pub(super) fn work(&self) -> Node {
        Node::ready(self.launch().argument("work"), String::new(), "working")
    }

    /// Any other verb, to its end: its status and all that it said.
    pub(super) fn runs(&self, words: &[&str]) -> (String, String) {
        let process = self.launch().arguments(words).start().unwrap();
        let status = process.wait_for_end(START).unwrap_or_else(|| panic!("{words:?}: {}", process.output()));
        (status, process.output())
    }
}

impl Node {
    fn ready(launch: Launch, address: String, word: &str) -> Self {
        let process = launch.start().unwrap();
        let ready = process.wait_for_line(|line| line.contains(word), START);
        ready.unwrap_or_else(|error| panic!("{error}\n{}", process.output()));
        Self { process, address }
    }

    /// `kill -9`.
    pub(super) fn kill(self) -> String {
        self.process.signal(Stop::Kill).unwrap();
        let ended = self.process.wait_for_end(START);
        assert_eq!(ended.as_deref(), Some("137"), "{}", self.process.output());
        self.process.output()
    }

    /// SIGTERM: finishes or hands back, and ends well.
    pub(super) fn stop(self) -> String {
        self.process.signal(Stop::Terminate).unwrap();
        let ended = self.process.wait_for_end(START);
        assert_eq!(ended.as_deref(), Some("0"), "{}", self.process.output());
        self.process.output()
    }

    /// Its number among the machine's processes.
    pub(super) fn process(&self) -> u32 {
        self.process.process().unwrap()
    }

    /// Whether it is this one that asked from one of these ports.
    pub(super) fn asks_from(&self, ports: &[u16]) -> bool {
        let folder = format!("/proc/{}", self.process());
        let connections = std::fs::read_to_string(format!("{folder}/net/tcp")).unwrap_or_default();
        // `sl local_address rem_address st ..`, the inode at place 9; addresses are hexadecimal.
        let inode_of = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
            ports.contains(&port).then(|| format!("socket:[{}]", fields[9]))
        };
        let inodes: Vec<String> = connections.lines().filter_map(inode_of).collect();
        let Ok(open) = std::fs::read_dir(format!("{folder}/fd")) else { return false };
        let targets = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.into_iter().any(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
    }

    pub(super) fn output(&self) -> String {
        self.process.output()
    }
}
