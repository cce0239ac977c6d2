//! The product of the company that embeds our page, on a site of its own, with the real embed script and a record of
//! every message that its window gets.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use serde::Deserialize;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Listens on this machine and answers under every name below `localhost`.
#[derive(Debug)]
pub(super) struct Site {
    port: u16,
    gateway: Arc<OnceLock<String>>,
    server: JoinHandle<()>,
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Acme Desk</title>
    <meta name=viewport content='width=device-width, initial-scale=1'><link rel=icon href='data:,'>
    <style>:root { color-scheme: light dark } body { margin: 0; font: 15px/22px system-ui }
        main { max-width: 480px; margin: 0 auto } h1 { font-size: 20px; padding: 0 16px }</style>
    <script>
        window.messages = [];
        window.addEventListener('message', (event) => {
            window.messages.push({origin: event.origin, data: event.data});
        });
    </script>";

/// What the company's engineers wrote: the embed script, and what becomes of its promise.
const DESK: &str = "<script src='GATEWAY/embed/v1.js'></script>
    <script>
        window.outcomes = [];
        function connect(options) {
            window.opened = Vestibule.open({container: '#place', title: 'Connect Harbor', ...options});
            window.opened.then(
                (result) => window.outcomes.push({resolved: result}),
                (error) => window.outcomes.push({rejected: error.code}));
        }
    </script></head>
    <body><main><h1>Integrations</h1><div id=place></div></main></body></html>";

impl Site {
    pub(super) async fn start() -> Self {
        let gateway = Arc::new(OnceLock::new());
        let routes = Router::new()
            .route("/", get(desk))
            .route("/plain", get(plain))
            .fallback(|| async { StatusCode::NOT_FOUND })
            .with_state(Arc::clone(&gateway));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { port, gateway, server }
    }

    /// From now on the desk loads the embed script from there.
    pub(super) fn embeds(&self, gateway: &str) {
        self.gateway.set(gateway.to_owned()).unwrap();
    }

    /// `http://{name}.localhost:PORT`.
    pub(super) fn origin(&self, name: &str) -> String {
        format!("http://{name}.localhost:{}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn desk(State(gateway): State<Arc<OnceLock<String>>>) -> Html<String> {
    Html(format!("{HEAD}{}", DESK.replace("GATEWAY", gateway.get().unwrap())))
}

#[derive(Deserialize)]
struct Framed {
    url: String,
    /// A `referrerpolicy`.
    policy: Option<String>,
    sandbox: Option<String>,
}

impl Framed {
    fn markup(&self) -> String {
        let Self { url, policy, sandbox } = self;
        let url = url.replace('&', "&amp;").replace('"', "&quot;");
        let policy = policy.as_deref().unwrap_or("origin");
        let sandbox = sandbox.as_ref().map(|list| format!(" sandbox='{list}'")).unwrap_or_default();
        format!(
            "{HEAD}</head><body><main><h1>Integrations</h1><iframe title=inner width=480 height=700 \
             referrerpolicy={policy}{sandbox} src=\"{url}\"></iframe></main></body></html>"
        )
    }
}

/// A page that frames another one, without the embed script.
async fn plain(Query(framed): Query<Framed>) -> Html<String> {
    Html(framed.markup())
}
