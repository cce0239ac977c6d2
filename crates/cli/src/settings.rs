//! Settings: one struct, four sources, and messages that say where a mistake stands.
//!
//! `vestibule.default.toml` names every key with its type, default and documentation. This file gives each key
//! its meaning; a test holds the two together.

mod known;
mod layers;
mod problem;
mod reader;
mod reference;
mod sources;
mod value;
mod work;

pub use known::{DEFAULT_FILE, Key, Known};
pub use layers::Source;
pub use problem::{Problem, Refused};
pub use reference::{Entry, reference, without_password};
pub use sources::{CONFIG_VARIABLE, Sources};
pub use value::{Kind, Value};
pub use work::{Programs, Work};

use enter::session::SessionLimits;
use ipnet::IpNet;
use kernel::{Environment, Origin, SecretText};
use layers::Layers;
use outbound::{Allow, Limits as CallLimits};
use reader::{Reader, secret};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SANDBOX: &str = "environments.sandbox.public_url";

/// Everything that an operator can set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub environments: Environments,
    pub database: Database,
    pub keys: Keys,
    pub outbound: Outbound,
    pub log: Log,
    pub proxies: Proxies,
    pub connectors: Connectors,
    pub limits: Limits,
    pub metrics: Metrics,
    pub tls: Option<Tls>,
    pub enter: service::enter::Options,
    pub work: Work,
    pub programs: Programs,
}

/// The public origin of each environment; at least one is set, and they differ.
#[derive(Debug, Clone)]
pub struct Environments {
    pub production: Option<Origin>,
    pub sandbox: Option<Origin>,
}

impl Environments {
    pub const fn origin(&self, environment: Environment) -> Option<&Origin> {
        match environment {
            Environment::Production => self.production.as_ref(),
            Environment::Sandbox => self.sandbox.as_ref(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite:path` or `postgres://..`; may carry a password.
    pub url: SecretText,
    pub synchronous: Synchronous,
    pub max_connections: u32,
}

/// What a commit survives on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// Loss of power.
    Full,
    /// The end of the process.
    Normal,
}

#[derive(Debug, Clone)]
pub struct Keys {
    pub master_key: Option<SecretText>,
    /// Program and arguments; empty for none.
    pub master_key_command: Vec<String>,
    pub master_key_file: PathBuf,
    pub older_master_keys: Vec<SecretText>,
}

#[derive(Debug, Clone)]
pub struct Outbound {
    pub allow: Allow,
    pub timeout: Duration,
}

impl Outbound {
    /// Bounds for the guarded client.
    pub fn call_limits(&self) -> CallLimits {
        let default = CallLimits::default();
        let connect_timeout = default.connect_timeout.min(self.timeout);
        CallLimits { timeout: self.timeout, connect_timeout, ..default }
    }
}

#[derive(Debug, Clone)]
pub struct Log {
    pub format: LogFormat,
    /// In the language of tracing's `EnvFilter`, checked.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone)]
pub struct Proxies {
    pub trusted: Vec<IpNet>,
}

#[derive(Debug, Clone)]
pub struct Connectors {
    pub folder: Option<PathBuf>,
}

/// Bounds for requests that arrive.
#[derive(Debug, Clone)]
pub struct Limits {
    pub webhook_body_bytes: usize,
    pub token_get_bytes: usize,
    pub token_post_bytes: usize,
    pub body_bytes: usize,
    pub connections: usize,
    pub header_read: Duration,
    pub request: Duration,
    pub stop: Duration,
}

#[derive(Debug, Clone)]
pub struct Metrics {
    /// A listener for `/metrics` alone; without it they are served with everything else.
    pub listen: Option<SocketAddr>,
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// Settings and what each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub entries: Vec<Entry>,
}

/// Reads all sources.
///
/// # Errors
/// [`Refused`] with every mistake that was found, each with its place.
pub fn load(sources: &Sources) -> Result<Loaded, Refused> {
    let known = Known::embedded()?;
    let mut layers = Layers::defaults(&known);
    let (file, named) = sources.chosen_file();
    match std::fs::read_to_string(&file) {
        Ok(text) => layers.file(&file.display().to_string(), &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {}
        Err(error) => layers.problem(&file.display(), format!("this file cannot be read: {error}")),
    }
    layers.variables(&sources.variables);
    layers.flags(&sources.flags);
    let mut reader = Reader::new(layers);
    let settings = settings(&mut reader);
    let layers = reader.into_layers();
    match settings {
        Some(settings) if layers.problems.is_empty() => {
            let mut entries = Vec::new();
            for key in &known.keys {
                let Some(placed) = layers.values.get(&key.path) else { continue };
                entries.push(Entry::new(&key.path, &placed.value, &placed.source));
            }
            if settings.environments.sandbox.is_none() {
                entries.iter_mut().filter(|entry| entry.key == SANDBOX).for_each(Entry::not_set);
            }
            Ok(Loaded { settings, entries })
        }
        _ => Err(Refused(layers.problems)),
    }
}

/// Every group is read before any is missed, so that all mistakes are told at once.
fn settings(reader: &mut Reader<'_>) -> Option<Settings> {
    let listen = reader.text("listen", address);
    let environments = environments(reader);
    let database = database(reader);
    let keys = keys(reader);
    let outbound = outbound(reader);
    let log = log(reader);
    let trusted = reader.list("proxies.trusted", ranges);
    let folder = reader.optional("connectors.folder", path);
    let limits = limits(reader);
    let metrics = reader.optional("metrics.listen", address);
    let tls = tls(reader);
    let enter = enter(reader);
    let work = work::work(reader);
    let programs = work::programs(reader);
    Some(Settings {
        listen: listen?,
        environments: environments?,
        database: database?,
        keys: keys?,
        outbound: outbound?,
        log: log?,
        proxies: Proxies { trusted: trusted? },
        connectors: Connectors { folder: folder? },
        limits: limits?,
        metrics: Metrics { listen: metrics? },
        tls: tls?,
        enter: enter?,
        work: work?,
        programs: programs?,
    })
}

fn enter(reader: &mut Reader<'_>) -> Option<service::enter::Options> {
    let legacy_audiences = reader.list("enter.legacy_audiences", |items: &[String]| {
        let strange = items.iter().find(|item| item.is_empty() || item.contains(char::is_whitespace));
        strange.map_or_else(|| Ok(items.to_vec()), |item| Err(format!("`{item}` is no audience")))
    });
    let idle = reader.number("enter.session_idle_minutes", 1..=7 * 24 * 60);
    let absolute = reader.number("enter.session_hours", 1..=30 * 24);
    let session = SessionLimits { idle_s: i64::from(idle?) * 60, absolute_s: i64::from(absolute?) * 3600 };
    Some(service::enter::Options { legacy_audiences: legacy_audiences?, session })
}

fn environments(reader: &mut Reader<'_>) -> Option<Environments> {
    let production = reader.optional("environments.production.public_url", Origin::parse);
    let sandbox = reader.optional(SANDBOX, Origin::parse);
    let (production, mut sandbox) = (production?, sandbox?);
    // Decision: the sandbox that exists only so that a first start works does not stay beside a production
    // environment. Attack: a Host of `localhost` would reach pages that any site may frame.
    if production.is_some() && reader.source(SANDBOX) == Some(Source::Default) {
        sandbox = None;
    }
    if production.is_none() && sandbox.is_none() {
        reader.refuse(SANDBOX, "at least one environment needs a public_url");
        return None;
    }
    if production == sandbox {
        reader.refuse(SANDBOX, "the environments must have different origins");
        return None;
    }
    Some(Environments { production, sandbox })
}

fn database(reader: &mut Reader<'_>) -> Option<Database> {
    let url = reader.text("database.url", |text| {
        let path = text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty());
        let server = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if path || server { Ok(SecretText::new(text)) } else { Err("expected sqlite:path or postgres://..") }
    });
    let synchronous = reader.text("database.synchronous", |text| match text {
        "full" => Ok(Synchronous::Full),
        "normal" => Ok(Synchronous::Normal),
        _ => Err("expected \"full\" or \"normal\""),
    });
    let max_connections = reader.number("database.max_connections", 1..=1000);
    Some(Database { url: url?, synchronous: synchronous?, max_connections: max_connections? })
}

fn keys(reader: &mut Reader<'_>) -> Option<Keys> {
    let master_key = reader.optional("keys.master_key", secret);
    let master_key_command = reader.list("keys.master_key_command", |words| {
        let is_absolute = words.first().is_none_or(|program| std::path::Path::new(program).is_absolute());
        if is_absolute {
            Ok(words.to_vec())
        } else {
            Err("expected a program's absolute path, and its arguments")
        }
    });
    let master_key_file = reader.text("keys.master_key_file", path);
    let older_master_keys = reader.list("keys.older_master_keys", |items| {
        Ok::<_, String>(items.iter().map(|item| SecretText::new(item.as_str())).collect())
    });
    Some(Keys {
        master_key: master_key?,
        master_key_command: master_key_command?,
        master_key_file: master_key_file?,
        older_master_keys: older_master_keys?,
    })
}

fn outbound(reader: &mut Reader<'_>) -> Option<Outbound> {
    let allow = reader.list("outbound.allow", Allow::parse);
    let timeout = reader.number("outbound.timeout_seconds", 1..=120).map(seconds);
    Some(Outbound { allow: allow?, timeout: timeout? })
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let format = reader.text("log.format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected \"text\" or \"json\""),
    });
    let filter = reader.text("log.filter", |text| {
        let checked = tracing_subscriber::EnvFilter::builder().parse(text);
        checked.map(|_| text.to_owned()).map_err(|_| "expected a level or a list as in info,service=debug")
    });
    Some(Log { format: format?, filter: filter? })
}

fn limits(reader: &mut Reader<'_>) -> Option<Limits> {
    const MEBIBYTE: u32 = 1 << 20;
    let webhook = reader.number("limits.webhook_body_bytes", 1024..=100 * MEBIBYTE);
    let get = reader.number("limits.token_get_bytes", 1024..=32 * 1024);
    let post = reader.number("limits.token_post_bytes", 1024..=MEBIBYTE);
    let body = reader.number("limits.body_bytes", 1024..=100 * MEBIBYTE);
    let connections = reader.number("limits.connections", 16..=1_000_000);
    let header_read = reader.number("limits.header_read_seconds", 1..=120);
    let request = reader.number("limits.request_seconds", 1..=600);
    let stop = reader.number("limits.stop_seconds", 0..=600);
    let size = |number: u32| usize::try_from(number).ok();
    Some(Limits {
        webhook_body_bytes: size(webhook?)?,
        token_get_bytes: size(get?)?,
        token_post_bytes: size(post?)?,
        body_bytes: size(body?)?,
        connections: size(connections?)?,
        header_read: seconds(header_read?),
        request: seconds(request?),
        stop: seconds(stop?),
    })
}

fn tls(reader: &mut Reader<'_>) -> Option<Option<Tls>> {
    let certificate = reader.optional("tls.certificate", path);
    let private_key = reader.optional("tls.private_key", path);
    match (certificate?, private_key?) {
        (None, None) => Some(None),
        (Some(certificate), Some(private_key)) => Some(Some(Tls { certificate, private_key })),
        (Some(_), None) => {
            reader.refuse("tls.private_key", "must be set where tls.certificate is");
            None
        }
        (None, Some(_)) => {
            reader.refuse("tls.certificate", "must be set where tls.private_key is");
            None
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an address and a port, as in 127.0.0.1:8080")
}

fn path(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() { Err("expected a path") } else { Ok(Path::new(text).to_owned()) }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn ranges(items: &[String]) -> Result<Vec<IpNet>, String> {
    let parse = |item: &String| {
        let range =
            item.parse::<IpNet>().map_err(|_| format!("`{item}` is not a range, as in 10.0.0.0/8"))?;
        let meant = range.trunc();
        if meant == range {
            Ok(range)
        } else {
            Err(format!("`{item}` has bits behind the prefix; write {meant}"))
        }
    };
    items.iter().map(parse).collect()
}

#[cfg(test)]
mod tests;
