//! One process of the gateway, as far as the network sees it.

use service::Service;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use web::Web;

/// A running node; it ends with this value.
#[derive(Debug)]
pub struct Node {
    service: Arc<Service>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Node {
    pub(super) fn start(service: Arc<Service>, listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound port");
        let router = web::router(Web::new(Arc::clone(&service), None, false));
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the gateway serves");
        });
        Self { service, address, server }
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
    }
}
