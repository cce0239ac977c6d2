//! For an app's backend: where a browser goes to be vouched for, and to sign out (`ServiceProvider`).

use super::partner_api::{CallFailed, PartnerCaller};
use crate::Service;
use ::enter::app::App;
use ::enter::context::ServiceContext;
use ::enter::percent;
use ::enter::sso::{
    GetLogoutUrlRequest, GetLogoutUrlResponse, GetSessionTransferUrlRequest, GetSessionTransferUrlResponse,
    check_app, check_caller, check_vouching,
};
use store::apps;

impl Service {
    /// The session-transfer URL of the partner to whom the context belongs.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn get_session_transfer_url(
        &self,
        caller: &PartnerCaller,
        request: &GetSessionTransferUrlRequest,
    ) -> Result<GetSessionTransferUrlResponse, CallFailed> {
        let target = request.check()?;
        let place = &caller.place;
        let subject = self.subject(place, &target.app, &target.context).await?;
        let owner = match (&target.context, &subject.account) {
            (ServiceContext::Account(_), Some(account)) => Some(account.partner.clone()),
            (ServiceContext::Partner(id), _) => Some(id.clone()),
            (ServiceContext::Account(_) | ServiceContext::SuperAdmin, _) => None,
        };
        let partner = match owner {
            Some(id) => self.partner_of(place.environment, &id).await?,
            None => None,
        };
        let app = check_app("service_provider_id", subject.app.as_deref())?;
        let partner = check_vouching(
            &target.context,
            app,
            &caller.partner,
            partner.as_deref(),
            subject.account.as_ref(),
        )?;
        let session_transfer_url = partner.transfer.for_entry(&app.id, &target.context, None);
        Ok(GetSessionTransferUrlResponse { session_transfer_url })
    }

    /// A page of the gateway that asks, then ends the session in every app.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn get_logout_url(
        &self,
        caller: &PartnerCaller,
        request: &GetLogoutUrlRequest,
    ) -> Result<GetLogoutUrlResponse, CallFailed> {
        let id = request.check()?;
        let (environment, wanted) = (caller.place.environment, id.clone());
        let read =
            self.db.read(move |tx| Box::pin(async move { apps::find(tx, environment, &wanted).await }));
        let found: Option<App> = read.await?;
        let app = check_app("service_provider_id", found.as_ref())?;
        check_caller(app, &caller.partner)?;
        let next = request.next(app)?;
        let next = next.map(|next| format!("&nextUrl={}", percent::encoded(&next))).unwrap_or_default();
        let app = percent::encoded(id.as_str());
        let logout_url = caller.place.link(&format!("/oauth2/logout?serviceProviderId={app}{next}"));
        Ok(GetLogoutUrlResponse { logout_url })
    }
}
