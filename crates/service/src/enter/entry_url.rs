//! Entry URLs without a code: permalinks for a partner's dashboard (`IdentityProvider.GetEntryURL`).

use super::partner_api::{CallFailed, PartnerCaller};
use crate::Service;
use ::enter::context::ServiceContext;
use ::enter::sso::{
    GetEntryUrlRequest, GetEntryUrlResponse, GetMultiEntryUrlRequest, GetMultiEntryUrlResponse, Refused,
    entry_url,
};

impl Service {
    /// # Errors
    /// [`CallFailed`].
    pub async fn get_entry_url(
        &self,
        caller: &PartnerCaller,
        request: &GetEntryUrlRequest,
    ) -> Result<GetEntryUrlResponse, CallFailed> {
        let target = request.check()?;
        let subject = self.subject(&caller.place, &target.app, &target.context).await?;
        let (app, _) = subject.checked(caller, &target.context)?;
        let entry_url = entry_url(&app, &target.context, &caller.partner.id, &request.path)?;
        Ok(GetEntryUrlResponse { entry_url })
    }

    /// # Errors
    /// [`CallFailed`]: one app that fails fails all, and the message names it.
    pub async fn get_multi_entry_url(
        &self,
        caller: &PartnerCaller,
        request: &GetMultiEntryUrlRequest,
    ) -> Result<GetMultiEntryUrlResponse, CallFailed> {
        let (apps, context) = request.check()?;
        // Without a context only an app that has no place for an account has an entry URL.
        let context = context.unwrap_or_else(|| ServiceContext::Partner(caller.partner.id.clone()));
        let mut entry_urls = Vec::with_capacity(apps.len());
        for id in &apps {
            let subject = self.subject(&caller.place, id, &context).await?;
            let url = subject
                .checked(caller, &context)
                .and_then(|(app, _)| entry_url(&app, &context, &caller.partner.id, ""));
            let named = |why: Refused| Refused::new(why.code, format!("{} ({id})", why.message));
            entry_urls.push(url.map_err(named)?);
        }
        Ok(GetMultiEntryUrlResponse { entry_urls })
    }
}
