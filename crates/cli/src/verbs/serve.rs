//! `vestibule serve`: the gateway itself, until it is asked to stop.

use crate::gateway::{self, GatewayRefused};
use crate::listener::{self, Ended, Listening};
use crate::settings::{Loaded, Settings};
use crate::signals::Signals;
use crate::tls::Certificates;
use crate::{housekeeping, process_metrics};
use anyhow::Context as _;
use kernel::{Clock as _, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig;
use service::Service;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Open files beside connections: the database's, calls to outside systems, listeners.
const OTHER_FILES: usize = 128;
/// Connections of those who collect metrics, at a time.
pub(super) const COLLECTORS: usize = 16;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Applies pending migrations before it serves. An empty database is always set up; one that is in use is
    /// otherwise left as it is, and the program ends with a message, because a copy should be made before
    #[arg(long)]
    migrate: bool,
}

/// Serves until SIGTERM or SIGINT, then lets open requests finish.
///
/// # Errors
/// Where it cannot start, or where requests were cut off at the stop.
pub fn run(arguments: &Arguments, loaded: &Loaded) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments, &loaded.settings))
}

async fn serve(arguments: &Arguments, settings: &Settings) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    // First of all, because a second process on these addresses shall not touch the database.
    let socket = bind("listen", settings.listen).await?;
    let aside = match settings.metrics.listen {
        Some(address) => Some(bind("metrics.listen", address).await?),
        None => None,
    };
    let certificates = settings.tls.as_ref().map(Certificates::read).transpose()?;
    let tls = certificates.as_ref().map(Certificates::server_config).transpose()?;
    let metrics = process_metrics::install(SystemClock.now())?;
    let service = open(arguments.migrate, settings).await?;

    let mut beside = JoinSet::new();
    housekeeping::begin(&mut beside, &service, &metrics);
    if settings.work.enabled {
        beside.spawn(housekeeping::work(Arc::clone(&service)));
    }
    if let Some(certificates) = certificates {
        beside.spawn(housekeeping::reread(Arc::clone(&service), certificates));
    }
    let how = listening(settings, tls);
    let metrics = aside_or_here(aside, metrics, &how, &signals, &mut beside);
    let front = gateway::front(Arc::clone(&service), settings, metrics);
    ready(&service, settings, socket.local_addr().unwrap_or(settings.listen));

    let stop = async {
        signals.reached(1).await;
        tracing::info!(at_most_s = how.stop.as_secs(), "stopping; open requests are finished first");
        service.stopping.begin();
    };
    let ended = listener::serve(socket, front, &how, stop, signals.reached(2)).await;
    // What was begun for a request that is gone by now is finished too: a call to an outside system whose
    // answer must be kept. Both are bounded by themselves; at a second signal they are left.
    let rest = async {
        service.stopping.idle().await;
        while beside.join_next().await.is_some() {}
    };
    tokio::select! {
        () = rest => {}
        () = signals.reached(2) => {}
    }
    service.db.close().await;
    tracing::info!("stopped");
    match ended {
        Ended::InOrder => Ok(()),
        Ended::Cut => anyhow::bail!("stopped before every request was answered"),
    }
}

pub(super) async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("`{key}`: {address} cannot be listened on; is another program there already?")
    })
}

pub(super) fn listening(settings: &Settings, tls: Option<Arc<ServerConfig>>) -> Listening {
    let limits = &settings.limits;
    let connections = process_metrics::open_files_limit()
        .map_or(limits.connections, |files| limits.connections.min(files.saturating_sub(OTHER_FILES).max(1)));
    if connections < limits.connections {
        tracing::warn!(
            connections,
            "fewer connections than `limits.connections`, because the operating system lets this program open few files"
        );
    }
    Listening { header_read: limits.header_read, stop: limits.stop, connections, tls }
}

/// Serves the metrics at their own address, where there is one; else gives them back for the router.
fn aside_or_here(
    aside: Option<TcpListener>,
    metrics: PrometheusHandle,
    how: &Listening,
    signals: &Signals,
    beside: &mut JoinSet<()>,
) -> Option<PrometheusHandle> {
    let Some(socket) = aside else { return Some(metrics) };
    let (how, signals) = (Listening { tls: None, connections: COLLECTORS, ..how.clone() }, signals.clone());
    beside.spawn(async move {
        let router = web::routes::health::metrics_alone(metrics);
        listener::serve(socket, router, &how, signals.reached(1), signals.reached(2)).await;
    });
    None
}

pub(super) async fn open(migrate: bool, settings: &Settings) -> Result<Arc<Service>, GatewayRefused> {
    if migrate {
        let db = gateway::open_database(settings).await?;
        let applied = store::migrate(&db, SystemClock.now()).await;
        db.close().await;
        for migration in applied? {
            tracing::info!(version = migration.version, name = migration.name, "migrated");
        }
    }
    gateway::open(settings).await
}

/// The one line that says where the gateway is.
fn ready(service: &Service, settings: &Settings, listen: SocketAddr) {
    let url = |environment| service.places.of(environment).map(service::Place::url);
    tracing::info!(
        %listen,
        tls = settings.tls.is_some(),
        production = url(kernel::Environment::Production),
        sandbox = url(kernel::Environment::Sandbox),
        database = service.db.engine(),
        connectors = service.catalogue.len(),
        "ready"
    );
}
