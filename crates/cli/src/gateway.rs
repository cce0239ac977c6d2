//! The assembly: from settings to the database, the service and the router.
//!
//! `serve`, the commands of administration, the demonstration and the tests put a gateway together here.

use crate::master_keys::{MasterKeysRefused, load_master_keys};
use crate::settings::{Environments, Programs, Settings, Synchronous};
use connect::connector::{Catalogue, Loopback, Policy, Problem, shipped};
use kernel::{Chance, Clock, Environment, MasterKeys, SystemChance, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use outbound::{Allow, Client, ClientRefused};
use service::places::PlacesRefused;
use service::work::Machine;
use service::{Limits, Parts, Place, Places, Service};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::migrate::{MIGRATIONS, Migration};
use store::{Config, Db, DbError};
use web::front::Front;

/// Why there is no gateway. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum GatewayRefused {
    #[error("the database cannot be used: {0}")]
    Database(#[from] DbError),
    #[error(transparent)]
    MasterKeys(#[from] MasterKeysRefused),
    #[error("`connectors.folder`: {path} cannot be read: {cause}")]
    Folder { path: PathBuf, cause: io::Error },
    #[error("connectors that cannot be used:\n{}", lines(.0))]
    Connectors(Vec<Problem>),
    #[error(transparent)]
    Places(#[from] PlacesRefused),
    #[error("`environments.{environment}.public_url` must be an origin: {cause}")]
    PublicUrl { environment: Environment, cause: kernel::safe_url::UrlRefused },
    #[error(transparent)]
    Outbound(#[from] ClientRefused),
    #[error(
        "the database lacks {} of this program's migrations (from {} on); make a copy of it, then run `vestibule migrate`",
        .0.len(), .0.first().map_or("?", |migration| migration.name)
    )]
    Pending(Vec<Migration>),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Opens the database of the settings, without migrating it. A SQLite file is made where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn open_database(settings: &Settings) -> Result<Db, DbError> {
    let database = &settings.database;
    let config = Config {
        synchronous: match database.synchronous {
            Synchronous::Full => store::Synchronous::Full,
            Synchronous::Normal => store::Synchronous::Normal,
        },
        max_connections: usize::try_from(database.max_connections).unwrap_or(usize::MAX),
        ..Config::new(database.url.reveal())
    };
    Db::open(&config).await
}

/// Migrates a database that is still empty. One that is in use is never changed on the way: its operator
/// decides when, because a copy should be made before.
///
/// # Errors
/// [`GatewayRefused::Pending`] where it lacks migrations, [`GatewayRefused::Database`].
pub async fn prepare(db: &Db, clock: &dyn Clock) -> Result<(), GatewayRefused> {
    let pending = store::pending(db).await?;
    if pending.is_empty() {
        return Ok(());
    }
    if pending.len() < MIGRATIONS.len() {
        return Err(GatewayRefused::Pending(pending));
    }
    let applied = store::migrate(db, clock.now()).await?;
    tracing::info!(
        engine = db.engine(),
        migrations = applied.len(),
        "the database was empty and is ready now"
    );
    Ok(())
}

/// The connectors that ship, and those of the operator's folder, which win.
///
/// # Errors
/// [`GatewayRefused::Folder`], [`GatewayRefused::Connectors`] with every problem of every file.
pub fn catalogue(settings: &Settings) -> Result<Catalogue, GatewayRefused> {
    let mut catalogue = shipped();
    if let Some(folder) = &settings.connectors.folder {
        let files = connector_files(folder)
            .map_err(|cause| GatewayRefused::Folder { path: folder.clone(), cause })?;
        let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let own = Catalogue::read(files, policy(settings)).map_err(GatewayRefused::Connectors)?;
        own.iter().for_each(|definition| catalogue.put(definition.as_ref().clone()));
    }
    Ok(catalogue)
}

/// Every `*.toml` of the folder with its text, in the order of their names.
fn connector_files(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(&path)?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

/// How connectors' addresses are judged: those of this machine only where the operator lets calls go inside.
pub fn policy(settings: &Settings) -> Policy {
    let inside = settings.outbound.allow != Allow::nothing();
    Policy { loopback: if inside { Loopback::Allowed } else { Loopback::Refused } }
}

/// The environments that have a public URL.
///
/// # Errors
/// [`GatewayRefused::Places`], [`GatewayRefused::PublicUrl`].
pub fn places(environments: &Environments) -> Result<Places, GatewayRefused> {
    let mut places = Vec::new();
    for environment in Environment::ALL {
        let Some(origin) = environments.origin(environment) else { continue };
        let place = Place::new(environment, origin.as_str());
        places.push(place.map_err(|cause| GatewayRefused::PublicUrl { environment, cause })?);
    }
    Ok(Places::new(places)?)
}

/// The service of this machine's settings: its database opened and prepared, its master keys loaded (or made at
/// the first start).
///
/// # Errors
/// [`GatewayRefused`].
pub async fn open(settings: &Settings) -> Result<Arc<Service>, GatewayRefused> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let db = open_database(settings).await?;
    prepare(&db, &*clock).await?;
    let masters = load_master_keys(settings, &SystemChance)?;
    assemble(settings, db, masters, clock, Arc::new(SystemChance))
}

/// The same from parts that are there already, as tests and the demonstration have them.
///
/// # Errors
/// [`GatewayRefused`].
pub fn assemble(
    settings: &Settings,
    db: Db,
    masters: MasterKeys,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
) -> Result<Arc<Service>, GatewayRefused> {
    let limits = &settings.limits;
    let mut service = Service::new(Parts {
        db,
        clock,
        chance,
        places: places(&settings.environments)?,
        masters,
        catalogue: catalogue(settings)?,
        outbound: Client::new(settings.outbound.call_limits(), settings.outbound.allow.clone())?,
        policy: policy(settings),
        limits: Limits {
            token_get: limits.token_get_bytes,
            token_post: limits.token_post_bytes,
            webhook_body: limits.webhook_body_bytes,
            body: limits.body_bytes,
        },
    });
    service.enter = settings.enter.clone();
    service.work = settings.work.options;
    service.machine = machine(&settings.programs);
    Ok(Arc::new(service))
}

/// What this machine gives to programs.
fn machine(programs: &Programs) -> Machine {
    let Programs { folder, path, account, cache_bytes, build_time, build_bytes } = programs.clone();
    Machine {
        user: account.map(|(user, group)| runner::User { user, group }),
        path,
        // A program starts in a folder of its own, where a path from here would lead elsewhere.
        folder: std::path::absolute(&folder).unwrap_or(folder),
        cache_bytes,
        build_time,
        build_memory: build_bytes,
        ..Machine::default()
    }
}

/// What answers the requests of a service, as the settings want it.
pub fn front(service: Arc<Service>, settings: &Settings, metrics: Option<PrometheusHandle>) -> Front {
    web::front(web::Web::with(
        service,
        web::Options {
            metrics,
            gallery: false,
            trusted_proxies: settings.proxies.trusted.clone(),
            request_timeout: settings.limits.request,
        },
    ))
}
