//! Pushed authorization requests (RFC 9126): taken in from an app that proves itself. `authorize` takes them out.

use super::oauth::{OAuthDenied, OAuthRefused};
use crate::Service;
use ::enter::oidc::Client;
use ::enter::oidc::authorize::Parameters;
use ::enter::oidc::par::{self, Pushed};
use kernel::Plain;
use store::{DbError, pushed_requests};

impl Service {
    /// Keeps the request of a client that has proven itself; the answer is its `request_uri`.
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn push_request(&self, client: &Client, form: &Parameters) -> Result<Plain, OAuthDenied> {
        let pushed = par::push(form.clone(), client, self.clock.now(), &*self.chance);
        let pushed =
            pushed.map_err(|answer| OAuthRefused::new(answer.error, answer.description).of(client))?;
        let Pushed { request_uri, request } = pushed;
        let write =
            self.db.write(move |tx| Box::pin(async move { pushed_requests::insert(tx, &request).await }));
        let kept: Result<(), DbError> = write.await;
        kept?;
        Ok(request_uri)
    }
}
