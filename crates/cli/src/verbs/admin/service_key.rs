//! `vestibule service-key ..`

use super::{ACTOR, Desk};
use crate::verbs::output::note;
use crate::verbs::secret_source::file_or_input;
use anyhow::Context as _;
use enter::ids::ServiceKeyId;
use enter::service_account::{ServiceKey, Switches};
use kernel::jose::Algorithm;
use kernel::{SecretText, Time};
use serde_json::{Value, json};
use service::admin::service_keys::{NewKeyMaterial, NewServiceKey, switch_names};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a key and its key file, which is written or shown this once
    Create {
        /// Whose key
        #[arg(long, value_name = "ADDRESS")]
        service_account: String,
        /// Its id (`kid`). Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// ES256 or RS256
        #[arg(long, value_parser = algorithm, default_value = "ES256")]
        algorithm: Algorithm,
        /// When it ends by itself, counted from now, as in 365d. Default: never
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds)]
        lives: Option<i64>,
        /// What an SDK in the field needs and what weakens the proof: without-jti, audience-in-header, legacy-audience
        #[arg(long = "allow", value_name = "SWITCH", value_delimiter = ',')]
        switches: Vec<Switch>,
        /// A new file for the key, which only its owner can read. Default: standard output
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Registers a public key whose private key the partner keeps
    Register {
        /// Whose key
        #[arg(long, value_name = "ADDRESS")]
        service_account: String,
        /// Its id (`kid`). Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// ES256, RS256 or EdDSA
        #[arg(long, value_parser = algorithm, default_value = "ES256")]
        algorithm: Algorithm,
        /// When it ends by itself, counted from now, as in 365d. Default: never
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds)]
        lives: Option<i64>,
        /// File with the public key as PEM or JWK (`-`: standard input)
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
    },
    /// A service account's keys
    List {
        /// Whose
        #[arg(long, value_name = "ADDRESS")]
        service_account: String,
    },
    /// Sets which switches are on: those that are named, and no others
    Allow {
        key: String,
        /// without-jti, audience-in-header, legacy-audience
        #[arg(value_name = "SWITCH")]
        switches: Vec<Switch>,
    },
    /// Lets a key end by itself: the overlap while its successor is brought in
    End {
        key: String,
        /// How long it is still accepted
        #[arg(long = "in", value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "24h")]
        in_s: i64,
    },
    /// Refuses what the key signs, and tokens that were given for it, from now on
    Disable { key: String },
    /// Takes disable back
    Enable { key: String },
}

/// A leniency by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Assertions without `jti` may be repeated until they expire
    WithoutJti,
    /// `aud` may stand in the JOSE header
    AudienceInHeader,
    /// The audiences of the older exchange are taken
    LegacyAudience,
}

fn switches(named: &[Switch]) -> Switches {
    Switches {
        without_jti: named.contains(&Switch::WithoutJti),
        audience_in_header: named.contains(&Switch::AudienceInHeader),
        legacy_audience: named.contains(&Switch::LegacyAudience),
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = Algorithm::parse(text).filter(|algorithm| *algorithm != Algorithm::Hs256);
    known.ok_or_else(|| "expected ES256, RS256 or EdDSA".to_owned())
}

fn record(key: &ServiceKey, now: Time) -> Value {
    let state = match (key.disabled, key.expires) {
        (Some(_), _) => "disabled",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "live",
    };
    json!({
        "key": key.id,
        "service_account": key.account,
        "algorithm": key.algorithm.as_str(),
        "made": if key.generated_here { "here" } else { "by the partner" },
        "switches_on": switch_names(key.switches()),
        "state": state,
        "expires": key.expires.map(Time::iso_seconds),
    })
}

fn id(text: &str) -> anyhow::Result<ServiceKeyId> {
    super::id(ServiceKeyId::parse, text, "service-key list --service-account ADDRESS")
}

/// A new key: for whom, and what it is.
struct Wanted {
    service_account: String,
    new: NewServiceKey,
    key_file: Option<PathBuf>,
}

impl Wanted {
    fn made(
        service_account: String,
        id: Option<String>,
        algorithm: Algorithm,
        life_s: Option<i64>,
        material: NewKeyMaterial,
    ) -> anyhow::Result<Self> {
        let id = id.map(|text| ServiceKeyId::parse(&text)).transpose()?;
        let new = NewServiceKey { id, algorithm, life_s, material };
        Ok(Self { service_account, new, key_file: None })
    }
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let changed = match action {
        Action::Create { service_account, id, algorithm, lives, switches: named, key_file } => {
            let material = NewKeyMaterial::Generate(switches(&named));
            let wanted = Wanted::made(service_account, id, algorithm, lives, material)?;
            return add(desk, Wanted { key_file, ..wanted }).await;
        }
        Action::Register { service_account, id, algorithm, lives, public_key } => {
            let material = NewKeyMaterial::Public(file_or_input(&public_key)?.reveal().to_owned());
            return add(desk, Wanted::made(service_account, id, algorithm, lives, material)?).await;
        }
        Action::List { service_account } => {
            let keys = desk.service.service_keys(&holder, &service_account).await?;
            let now = desk.service.clock.now();
            let records: Vec<_> = keys.iter().map(|key| record(key, now)).collect();
            desk.out.list(&records, &["key", "algorithm", "made", "switches_on", "state", "expires"])?;
            return Ok(());
        }
        Action::Allow { key, switches: named } => {
            let switches = switches(&named);
            desk.service.set_service_key_switches(&ACTOR, &holder, &id(&key)?, switches).await?
        }
        Action::End { key, in_s } => desk.service.end_service_key(&ACTOR, &holder, &id(&key)?, in_s).await?,
        Action::Disable { key } => {
            desk.service.disable_service_key(&ACTOR, &holder, &id(&key)?, true).await?
        }
        Action::Enable { key } => {
            desk.service.disable_service_key(&ACTOR, &holder, &id(&key)?, false).await?
        }
    };
    // A key that ends at once has ended by now.
    desk.out.one(&record(&changed, desk.service.clock.now()))?;
    Ok(())
}

async fn add(desk: &mut Desk<'_>, wanted: Wanted) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let Wanted { service_account, new, key_file } = wanted;
    // Before the key: a key whose file cannot be written would be registered for nobody.
    let mut into = key_file.as_deref().map(|path| private(path).map(|file| (path, file))).transpose()?;
    let made = desk.service.add_service_key(&ACTOR, &holder, &service_account, new).await;
    let written = match (&made, into.as_mut()) {
        (Ok((_, Some(text))), Some((path, file))) => write(path, file, text),
        _ => Ok(()),
    };
    if let (true, Some((path, _))) = (made.is_err() || written.is_err(), &into) {
        // What is left of it is empty or half a key; where it cannot be removed the error below says enough.
        let _ = std::fs::remove_file(path);
    }
    let (key, text) = made?;
    if let Err(error) = written {
        desk.service.disable_service_key(&ACTOR, &holder, &key.id, true).await?;
        return Err(error);
    }
    told(desk, &key, text, into.map(|(path, _)| path))
}

fn told(
    desk: &mut Desk<'_>,
    key: &ServiceKey,
    text: Option<SecretText>,
    path: Option<&Path>,
) -> anyhow::Result<()> {
    let mut record = record(key, desk.service.clock.now());
    let owner = &key.account;
    match (text, path) {
        (Some(_), Some(path)) => {
            let said = format!("{} signs for {owner}; its key file is {}", key.id, path.display());
            desk.out.done(&record, &said)?;
        }
        (Some(text), None) => {
            note(&format!("{} signs for {owner}. The key file is shown only this once.", key.id));
            if desk.out.is_json() {
                let file: Value = serde_json::from_str(text.reveal())?;
                if let Some(record) = record.as_object_mut() {
                    record.insert("key_file".to_owned(), file);
                }
                desk.out.one(&record)?;
            } else {
                desk.out.text(text.reveal().trim_end())?;
            }
        }
        (None, _) => desk.out.done(&record, &format!("{} is registered for {owner}", key.id))?,
    }
    Ok(())
}

/// A new file that only its owner can read and write; one that is there is never overwritten.
fn private(path: &Path) -> anyhow::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).with_context(|| format!("{} cannot be made", path.display()))
}

fn write(path: &Path, file: &mut File, text: &SecretText) -> anyhow::Result<()> {
    let said = || format!("{} cannot be written; the key was switched off", path.display());
    file.write_all(text.reveal().as_bytes()).with_context(said)?;
    file.sync_all().with_context(said)
}
