//! One process of the gateway, as far as the network sees it.

use service::Service;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use web::Web;

/// A running node; it ends with this value.
#[derive(Debug)]
pub struct Node {
    service: Arc<Service>,
    address: SocketAddr,
    server: JoinHandle<()>,
    work: Mutex<Option<JoinHandle<()>>>,
}

impl Node {
    pub(super) fn start(service: Arc<Service>, listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound port");
        let router = web::router(Web::new(Arc::clone(&service), None, false));
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the gateway serves");
        });
        Self { service, address, server, work: Mutex::default() }
    }

    /// Works from now on, as `vestibule serve` does: the queue, schedules, deliveries. Without it nothing of that happens
    /// unless a test does it by hand.
    ///
    /// # Panics
    /// When it works already.
    pub fn works(&self) {
        let task = tokio::spawn(Arc::clone(&self.service).work_on());
        let before = self.work.lock().expect("nobody panicked here").replace(task);
        assert!(before.is_none(), "it works already");
    }

    #[must_use]
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// On the loopback address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
        if let Some(work) = self.work.get_mut().ok().and_then(Option::take) {
            work.abort();
        }
    }
}
