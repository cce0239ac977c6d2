//! `/oauth2/access-check`: whether the person of an access token may open an account.

use super::grant::UserToken;
use super::visit::{FoundPlace, find_place};
use crate::{Fault, Place, Service};
use ::enter::context::ServiceContext;
use ::enter::oidc::access_check::{AccessCheck, AskedAccount, access_check, asked_account};

impl Service {
    /// `account` is the parameter; without one the token's own account is asked about.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn check_access(
        &self,
        place: &Place,
        token: &UserToken,
        account: Option<&str>,
    ) -> Result<AccessCheck, Fault> {
        let (standing, now) = (token.loaded.standing(), self.clock.now());
        let Some(id) = asked_account(account, &standing) else {
            return Ok(access_check(&standing, None, now));
        };
        let (environment, context) = (place.environment, ServiceContext::Account(id.clone()));
        let (app, person) = (token.loaded.app.clone(), token.loaded.person.id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move { find_place(tx, environment, &app, context, Some(&person)).await })
        });
        let found: FoundPlace = read.await.map_err(Fault::from)?;
        let asked = AskedAccount {
            id: &id,
            account: found.account.as_ref(),
            roles: found.roles.as_deref(),
            active: found.active,
        };
        Ok(access_check(&standing, Some(asked), now))
    }
}
