//! `vestibule demo`: a gateway with companies around it, on one port of this machine, gone when it ends.
//!
//! At the first door Acme Desk embeds the gateway's page, and Harbor CRM and Ledger are the outside systems; an
//! integration goes on for whoever has connected. At the second Meridian's users enter Beacon. The tour shows what
//! happens. The stand-ins talk to the gateway as strangers do: through its pages, its API and over HTTP.

mod acme;
mod beacon;
mod harbor;
mod ledger;
mod meridian;
mod setup;
mod setup_enter;
mod sign;
mod sites;
mod story;
mod tour;
mod witness;
mod witness_enter;
mod work;

use anyhow::Context as _;
use axum::Router;
use runner::Runner;
use service::Service;
use setup::Given;
use sites::{Addresses, Links, Site, Sites};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use story::Story;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The port that is tried first, so that the address is the same from day to day.
const USUAL_PORT: u16 = 8400;
/// How long open requests may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// What every stand-in can reach.
#[derive(Debug)]
struct Stage {
    addresses: Addresses,
    service: Arc<Service>,
    given: Given,
    story: Arc<Story>,
}

impl Stage {
    fn links(&self) -> Links {
        Links::new(self.addresses)
    }
}

/// A demo that listens and is not yet served.
#[derive(Debug)]
pub struct Demo {
    listener: TcpListener,
    router: Router,
    stage: Arc<Stage>,
    /// Removed with everything in it when the demo is dropped.
    folder: tempfile::TempDir,
}

impl Demo {
    /// Prepares everything. Without `port` the usual one is taken where it is free; 0 is any free one. `runner` starts
    /// the integration's program.
    ///
    /// # Errors
    /// Where the port is taken or the temporary folder cannot be written to.
    pub async fn prepare(port: Option<u16>, runner: Runner) -> anyhow::Result<Self> {
        let listener = listen(port).await?;
        let addresses = Addresses { port: listener.local_addr()?.port() };
        let folder = tempfile::Builder::new().prefix("vestibule-demo-").tempdir()?;
        let service = setup::service(folder.path(), addresses, runner).await?;
        let given = setup::organization(&service, addresses, folder.path()).await?;
        let story = Arc::new(Story::new(Arc::clone(&service.clock)));
        let stage = Arc::new(Stage { addresses, service, given, story });
        let router = sites(&stage).into_router();
        Ok(Self { listener, router, stage, folder })
    }

    /// The one address to open.
    pub fn url(&self) -> String {
        self.stage.addresses.origin(Site::Tour)
    }

    /// Where the database lies until the end.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Serves until `stop`, then ends streams, lets requests finish and removes the folder.
    ///
    /// # Errors
    /// Where the listener fails or the folder cannot be removed.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { listener, router, stage, folder } = self;
        let service = Arc::clone(&stage.service);
        let told = Arc::clone(&service);
        let serving = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
        let serving = serving.with_graceful_shutdown(async move { told.stopping.begun().await });
        let mut serving = tokio::spawn(async move { serving.await });
        let mut beside = JoinSet::new();
        beside.spawn(crate::housekeeping::tell(Arc::clone(&service)));
        beside.spawn(crate::housekeeping::work(Arc::clone(&service)));
        beside.spawn(work::follow(Arc::clone(&stage)));
        tokio::select! {
            () = stop => {}
            ended = &mut serving => ended.context("the server's task")??,
        }
        service.stopping.begin();
        // A browser keeps its connections open; what is still open after a moment is cut.
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
        while let Some(ended) = beside.join_next().await {
            ended.context("a task beside the server")?;
        }
        service.stopping.idle().await;
        service.db.close().await;
        folder.close().context("the demo's folder")
    }
}

async fn listen(port: Option<u16>) -> anyhow::Result<TcpListener> {
    let at = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match port {
        Some(port) => at(port).await.with_context(|| format!("port {port} of 127.0.0.1 cannot be used")),
        None => match at(USUAL_PORT).await {
            Ok(listener) => Ok(listener),
            Err(_) => at(0).await.context("no port of 127.0.0.1 is free"),
        },
    }
}

fn sites(stage: &Arc<Stage>) -> Sites {
    // The process has one recorder of metrics; a second demo in the same process shows none.
    let metrics = crate::process_metrics::install(stage.service.clock.now()).ok();
    let web = web::Web::new(Arc::clone(&stage.service), metrics, true);
    let harbor = Arc::new(harbor::Harbor::new(Arc::clone(stage)));
    let gateway = web::router(web).layer(axum::middleware::from_fn_with_state(
        Arc::new(witness::Witness::new(Arc::clone(stage))),
        witness::watch,
    ));
    Sites {
        addresses: stage.addresses,
        gateway,
        acme: acme::router(Arc::clone(stage)),
        harbor: harbor::router(Arc::clone(&harbor)),
        ledger: ledger::router(Arc::clone(stage)),
        meridian: meridian::router(Arc::clone(stage)),
        beacon: beacon::router(Arc::clone(stage)),
        tour: tour::router(Arc::clone(stage), harbor),
    }
}
