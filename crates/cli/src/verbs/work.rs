//! `vestibule work`: does what goes on after connecting, and answers nobody, until it is asked to stop.

use super::serve;
use crate::listener::{self, Listening};
use crate::settings::{Loaded, Settings};
use crate::signals::Signals;
use crate::{housekeeping, process_metrics};
use kernel::{Clock as _, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Applies pending migrations before it works. An empty database is always set up
    #[arg(long)]
    migrate: bool,
}

/// Works until SIGTERM or SIGINT, then finishes or hands back what is under way.
///
/// # Errors
/// Where it cannot start, or where it was made to end before everything was handed back.
pub fn run(arguments: &Arguments, loaded: &Loaded) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work(arguments, &loaded.settings))
}

async fn work(arguments: &Arguments, settings: &Settings) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let socket = match settings.work.listen {
        Some(address) => Some(serve::bind("work.listen", address).await?),
        None => None,
    };
    let metrics = process_metrics::install(SystemClock.now())?;
    let service = serve::open(arguments.migrate, settings).await?;
    let mut beside = JoinSet::new();
    housekeeping::begin(&mut beside, &service, &metrics);
    beside.spawn(housekeeping::work(Arc::clone(&service)));
    let listen = socket.as_ref().and_then(|socket| socket.local_addr().ok()).map(|listen| listen.to_string());
    if let Some(socket) = socket {
        tell(socket, &service, metrics, settings, &signals, &mut beside);
    }
    tracing::info!(listen, database = service.db.engine(), "working");

    signals.reached(1).await;
    tracing::info!("stopping; what is under way is finished or handed back");
    service.stopping.begin();
    let rest = async {
        while beside.join_next().await.is_some() {}
        service.stopping.idle().await;
    };
    let in_order = tokio::select! {
        () = rest => true,
        () = signals.reached(2) => false,
    };
    service.db.close().await;
    tracing::info!("stopped");
    if in_order { Ok(()) } else { anyhow::bail!("stopped before everything was handed back") }
}

/// Health and metrics, for whoever watches.
fn tell(
    socket: TcpListener,
    service: &Arc<Service>,
    metrics: PrometheusHandle,
    settings: &Settings,
    signals: &Signals,
    beside: &mut JoinSet<()>,
) {
    let options = web::Options { metrics: Some(metrics), ..web::Options::default() };
    let router = web::routes::health::alone(web::Web::with(Arc::clone(service), options));
    let how = serve::listening(settings, None);
    let (how, signals) = (Listening { connections: serve::COLLECTORS, ..how }, signals.clone());
    beside.spawn(async move {
        listener::serve(socket, router, &how, signals.reached(1), signals.reached(2)).await;
    });
}
