//! Source from a git repository: the program `git`, told to do nothing but fetch.

use super::release_build::BuildRefused;
use crate::Service;
use outbound::CallError;
use std::net::IpAddr;
use std::path::Path;
use url::Url;

/// What is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub url: String,
    /// `None` for the one that the repository says.
    pub branch: Option<String>,
}

/// Who says which repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Whoever can run a command on the gateway's machine: also folders of the machine, and any address.
    Operator,
    /// An organization: what may be called otherwise too.
    Organization,
}

/// What a repository was at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) revision: String,
    pub(super) branch: Option<String>,
}

/// How git gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http,
    Https,
    Ssh,
    File,
}

impl Protocol {
    const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }

    /// `git@host:path` is ssh too. A folder of this machine must be written as `file://`.
    fn of(url: &str) -> Option<Self> {
        if url.is_empty()
            || url.starts_with('-')
            || url.len() > 2000
            || url.chars().any(|c| c.is_control() || c == ' ')
        {
            return None;
        }
        match url.split_once("://") {
            Some(("https", _)) => Some(Self::Https),
            Some(("http", _)) => Some(Self::Http),
            Some(("ssh", rest)) => Some(Self::Ssh).filter(|_| !rest.starts_with('-')),
            Some(("file", _)) => Some(Self::File),
            // `transport::address` runs a helper program of that name.
            None if !url.contains("::") => {
                let (host, path) = url.split_once(':')?;
                (!host.contains('/') && !host.starts_with('-') && !path.is_empty()).then_some(Self::Ssh)
            }
            _ => None,
        }
    }
}

/// Checks an address that an organization registers.
///
/// # Errors
/// A sentence on what is taken.
pub fn check_url(url: &str, trust: Trust) -> Result<(), String> {
    let taken = match (Protocol::of(url), trust) {
        (Some(Protocol::Https | Protocol::Http), _) => {
            // A password in the address would be published with it.
            Url::parse(url)
                .is_ok_and(|it| it.has_host() && it.username().is_empty() && it.password().is_none())
        }
        (Some(Protocol::Ssh), Trust::Operator) => true,
        (Some(Protocol::Ssh | Protocol::File) | None, _) => false,
    };
    if taken {
        return Ok(());
    }
    Err(match trust {
        Trust::Operator => "a repository is an https or ssh address without a password in it".to_owned(),
        Trust::Organization => {
            "a repository is an https address without a user name or password in it".to_owned()
        }
    })
}

/// A branch or tag, after git-check-ref-format as far as it matters to a command line.
///
/// # Errors
/// A sentence that says so.
pub fn check_branch(branch: &str) -> Result<(), String> {
    let fits = !branch.is_empty()
        && branch.len() <= 200
        && !branch.starts_with(['-', '/', '.'])
        && !branch.ends_with(['/', '.'])
        && !branch.contains("..")
        && branch.chars().all(|c| c.is_alphanumeric() || "-_./+#@".contains(c));
    if fits { Ok(()) } else { Err(format!("`{}` is no name of a branch", branch.escape_default())) }
}

/// A folder inside a repository.
///
/// # Errors
/// A sentence that says so.
pub fn check_path(path: &str) -> Result<(), String> {
    let fits = !path.is_empty()
        && path.len() <= 500
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !["", ".", "..", ".git"].contains(&part));
    if fits {
        Ok(())
    } else {
        Err("a path is folders inside the repository, as in integrations/orders".to_owned())
    }
}

/// The largest file that git may write: 1 GiB, in the blocks of 512 bytes that `ulimit` counts.
const BLOCKS: u64 = (1 << 30) / 512;

impl Service {
    /// Fetches one commit into `folder/source`.
    pub(super) async fn fetch(
        &self,
        repository: &Repository,
        trust: Trust,
        folder: &Path,
        log: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Fetched, BuildRefused> {
        let Some(protocol) = Protocol::of(&repository.url) else {
            return Err(BuildRefused::Invalid("git takes https, ssh and file addresses".to_owned()));
        };
        if let Some(branch) = &repository.branch {
            check_branch(branch).map_err(BuildRefused::Invalid)?;
        }
        let mut settings = settings(protocol);
        match (protocol, trust) {
            (Protocol::File, Trust::Organization) => {
                return Err(BuildRefused::Invalid(
                    "files of this machine are built from the command line only".to_owned(),
                ));
            }
            (Protocol::Http | Protocol::Https, Trust::Organization) => {
                settings.push(("http.curloptResolve".to_owned(), self.pinned(&repository.url).await?));
            }
            (Protocol::File, Trust::Operator) => settings.push(("safe.directory".to_owned(), "*".to_owned())),
            _ => {}
        }
        let mut environment = environment(protocol, &settings);
        environment.push(("REPOSITORY".to_owned(), repository.url.clone()));
        let branch = repository.branch.as_ref().map_or("", |_| "--branch \"$BRANCH\" ");
        environment.extend(repository.branch.iter().map(|branch| ("BRANCH".to_owned(), branch.clone())));
        // What is variable travels in the environment, so that no text of anybody's becomes a word of the command.
        let command = format!(
            "ulimit -f {BLOCKS} && git clone --quiet --depth 1 --single-branch --no-tags --no-recurse-submodules \
             --template= {branch}-- \"$REPOSITORY\" source >&2 && git -C source rev-parse HEAD && \
             git -C source symbolic-ref --quiet --short HEAD; test -d source/.git"
        );
        let printed = self.run_of_build(&command, folder, (environment, None), "git", log).await?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let mut lines = printed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        let revision = lines.next().filter(|revision| revision.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(revision) = revision else {
            return Err(BuildRefused::Source("the repository has no commit".to_owned()));
        };
        Ok(Fetched { revision, branch: lines.next().or_else(|| repository.branch.clone()) })
    }

    /// `host:port:address`: the one answer that git's HTTP library may use for the name.
    ///
    /// Decision: the addresses are judged here and git is told them. Attack: a repository's name whose second answer is
    /// an inner address (lesson 23). Redirects are not followed, for the same reason.
    async fn pinned(&self, text: &str) -> Result<String, BuildRefused> {
        let refused = |text: String| BuildRefused::Source(text);
        let url = Url::parse(text).map_err(|_| refused("the repository's address is none".to_owned()))?;
        let found =
            self.outbound.addresses(&url).await.map_err(|error: CallError| refused(error.to_string()))?;
        let shown = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let addresses: Vec<String> = found.iter().map(shown).collect();
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
        Ok(format!("{host}:{port}:{}", addresses.join(",")))
    }
}

/// What git is told beside what it is asked for. Nothing of the machine's or an account's settings is read.
fn settings(protocol: Protocol) -> Vec<(String, String)> {
    let allowed = format!("protocol.{}.allow", protocol.word());
    let fixed = [
        ("protocol.allow", "never"),
        (allowed.as_str(), "always"),
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.autocrlf", "false"),
        ("credential.helper", ""),
        ("submodule.recurse", "false"),
        ("transfer.fsckObjects", "true"),
        ("http.followRedirects", "false"),
        ("http.proxy", ""),
        ("http.sslVerify", "true"),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "30"),
        ("gc.auto", "0"),
        ("advice.detachedHead", "false"),
    ];
    fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn environment(protocol: Protocol, settings: &[(String, String)]) -> Vec<(String, String)> {
    let fixed = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", protocol.word()),
        ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15"),
        ("GIT_LFS_SKIP_SMUDGE", "1"),
        ("LC_ALL", "C"),
    ];
    let mut environment: Vec<(String, String)> =
        fixed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.push(("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()));
    for (index, (name, value)) in settings.iter().enumerate() {
        environment.push((format!("GIT_CONFIG_KEY_{index}"), name.clone()));
        environment.push((format!("GIT_CONFIG_VALUE_{index}"), value.clone()));
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_fetch_are_taken() {
        let good = ["https://git.example.com/a/b.git", "http://127.0.0.1:9000/a.git"];
        for url in good {
            assert_eq!(check_url(url, Trust::Organization), Ok(()), "{url}");
            assert_eq!(check_url(url, Trust::Operator), Ok(()), "{url}");
        }
        for url in ["ssh://git@git.example.com/a.git", "git@git.example.com:a/b.git"] {
            assert_eq!(check_url(url, Trust::Operator), Ok(()), "{url}");
            assert!(check_url(url, Trust::Organization).is_err(), "{url}");
        }
        for url in [
            "",
            "-uevil",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c touch% /tmp/x",
            "fd::17",
            "file:///etc",
            "/etc",
            "../x",
            "git://git.example.com/a",
            "ftp://git.example.com/a",
            "ssh://-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "https://user:secret@git.example.com/a",
            "https://token@git.example.com/a",
            "https://git.example.com/a\nb",
            "https://",
        ] {
            assert!(check_url(url, Trust::Operator).is_err(), "{url}");
            assert!(check_url(url, Trust::Organization).is_err(), "{url}");
        }
    }

    #[test]
    fn branches_and_paths_stay_what_they_are() {
        for good in ["main", "release/1.4", "v1.4.0", "feature/ä-b_c", "dependabot/x@1"] {
            assert_eq!(check_branch(good), Ok(()), "{good}");
        }
        for bad in ["", "-b", "--upload-pack=x", "a..b", "/a", "a/", ".a", "a b", "a;b", "$(x)", "a\nb"] {
            assert!(check_branch(bad).is_err(), "{bad}");
        }
        for good in ["a", "integrations/orders"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "..", "a/../b", "./a", ".git", "a//b", "a\0"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
