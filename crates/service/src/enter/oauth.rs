//! The "no" of the endpoints that programs call (RFC 6749, section 5.2).

use super::refuse::Denial;
use crate::{Fault, Place, Service};
use ::enter::oidc::Client;
use kernel::SafeUrl;
use serde_json::json;
use store::{DbError, apps};

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthRefused {
    /// 400; 401 for a client that did not prove itself.
    pub status: u16,
    /// The specification's code.
    pub error: &'static str,
    /// For the app's engineer. ASCII without `"` and `\`.
    pub description: String,
    /// The client, where it is known: whether its pages may read the answer is its matter, and the record's.
    pub client: Option<Box<Client>>,
}

impl OAuthRefused {
    pub fn new(error: &'static str, description: impl std::fmt::Display) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        // RFC 6749, section 5.2 leaves out both, and what is no ASCII.
        let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let description = description.to_string().replace('"', "'");
        let description = description.chars().map(|c| if plain(c) { c } else { '?' }).collect();
        Self { status, error, description, client: None }
    }

    #[must_use]
    pub fn of(mut self, client: &Client) -> Self {
        self.client = Some(Box::new(client.clone()));
        self
    }
}

/// How one of these endpoints ends that did not do what was asked.
#[derive(Debug)]
pub enum OAuthDenied {
    Refused(OAuthRefused),
    Fault(Fault),
}

impl From<OAuthRefused> for OAuthDenied {
    fn from(refused: OAuthRefused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Fault> for OAuthDenied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for OAuthDenied {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

/// Whether pages at `origin` may read what a client is answered.
///
/// Decision: only where the client is one of a browser's or a device's, and the origin is exactly that of one of its
/// redirect URIs. Attack: a page anywhere could otherwise try stolen codes and tokens from its visitors' browsers
/// and read what comes of it. Trade: no page of another origin can share a client.
pub fn may_read(client: &Client, origin: &str) -> bool {
    let registered = |uri: &str| SafeUrl::parse(uri).is_ok_and(|uri| uri.origin().as_str() == origin);
    client.is_public() && client.redirect_uris.iter().any(|uri| registered(uri.as_str()))
}

impl Service {
    /// Writes a refusal down for the app's engineer; the answer stays as it is.
    pub async fn record_oauth(&self, place: &Place, refused: &OAuthRefused, route: &'static str) {
        let mut denial = Denial::new(refused.error, refused.status, refused.description.clone());
        if let Some(client) = &refused.client {
            denial = denial.seen(json!({ "client_id": client.id }));
            let (environment, app) = (place.environment, client.app.clone());
            let found =
                self.db.read(move |tx| Box::pin(async move { apps::find(tx, environment, &app).await }));
            if let Ok(Some(app)) = found.await {
                denial = denial.of(&app.organization);
            }
        }
        self.deny(denial, place.environment, route).await;
    }
}
