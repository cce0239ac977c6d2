//! The outside system: an OAuth server that answers at once.

use anyhow::Result;
use axum::http::header;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use tokio::task::JoinHandle;

/// The running stand-in; it ends with this value.
#[derive(Debug)]
pub struct Provider {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Provider {
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let token = json!({
            "access_token": "a-token-of-the-usual-length-3f9d1c7b5a2e4680",
            "refresh_token": "another-one-of-the-usual-length-3f9d1c7b5a",
            "token_type": "bearer",
            "expires_in": 3600,
        });
        let router = Router::new().route("/token", post(move || async move { Json(token) })).route(
            "/account",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], r#"{"name":"Acme"}"#) }),
        );
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        // It serves until it is aborted, so there is no outcome to look at.
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, task })
    }

    /// Its definition, as an operator would put it into the folder of connectors.
    pub fn definition(&self) -> String {
        let base = format!("http://{}", self.address);
        format!(
            r#"id = "{id}"
name = "Outside"
docs_url = "https://docs.example.com"

[auth]
kind = "oauth2"
account = "{{capture.name}}"

[authorize]
url = "{base}/authorize"
pkce = "s256"
scope = {{ default = ["read"] }}

[token]
url = "{base}/token"

[verify]
request = {{ url = "{base}/account" }}
save = {{ "/name" = "name" }}
fail_text = "Outside does not know this connection."

[api]
base_url = "{base}"
headers = {{ Authorization = "Bearer {{token.access}}" }}
"#,
            id = crate::world::OUTSIDE_CONNECTOR
        )
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}
