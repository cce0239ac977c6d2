//! `IdentityProviderAdmin`: a partner's engineer administers the own organization's partners by program.

use super::app_admin::{cut, one_more, wanted};
use super::partner_api::{CallFailed, PartnerCaller};
use crate::Service;
use ::enter::ids::PartnerId;
use ::enter::partner::Partner;
use ::enter::sso::{
    CreateIdentityProviderRequest, DeleteIdentityProviderRequest, Empty, GetIdentityProviderRequest,
    GetIdentityProviderResponse, IdentityProviderConfiguration, ListIdentityProvidersRequest,
    ListIdentityProvidersResponse, Page, UpdateIdentityProviderRequest,
};
use store::Kept;

fn partner_answer(kept: &Kept<Partner>) -> GetIdentityProviderResponse {
    let identity_provider = IdentityProviderConfiguration::of(&kept.noun, kept.revision);
    GetIdentityProviderResponse { identity_provider }
}

impl Service {
    /// # Errors
    /// [`CallFailed`].
    pub async fn create_identity_provider(
        &self,
        caller: &PartnerCaller,
        request: &CreateIdentityProviderRequest,
    ) -> Result<GetIdentityProviderResponse, CallFailed> {
        let made = self.create_partner(&caller.actor(), &caller.holder(), &request.identity_provider).await?;
        Ok(partner_answer(&made))
    }

    /// The caller's own where no id is sent.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn get_identity_provider(
        &self,
        caller: &PartnerCaller,
        request: &GetIdentityProviderRequest,
    ) -> Result<GetIdentityProviderResponse, CallFailed> {
        let id = match request.partner_id.as_str() {
            "" => caller.partner.id.clone(),
            text => wanted("partner_id", text, PartnerId::parse)?,
        };
        Ok(partner_answer(&self.partner(&caller.holder(), &id).await?))
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn list_identity_providers(
        &self,
        caller: &PartnerCaller,
        request: &ListIdentityProvidersRequest,
    ) -> Result<ListIdentityProvidersResponse, CallFailed> {
        let page = Page::read(request.page_size, &request.page_token, PartnerId::parse)?;
        let rows = self.partners(&caller.holder(), page.after.as_ref(), one_more(page.most)).await?;
        let (rows, next_page_token) = cut(rows, page.most, |kept| kept.noun.id.to_string());
        let of = |kept: &Kept<Partner>| IdentityProviderConfiguration::of(&kept.noun, kept.revision);
        Ok(ListIdentityProvidersResponse {
            identity_providers: rows.iter().map(of).collect(),
            next_page_token,
        })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn update_identity_provider(
        &self,
        caller: &PartnerCaller,
        request: &UpdateIdentityProviderRequest,
    ) -> Result<GetIdentityProviderResponse, CallFailed> {
        let new = request.identity_provider.clone();
        let id = wanted("identity_provider.partner_id", &new.partner_id, PartnerId::parse)?;
        Ok(partner_answer(&self.change_partner(&caller.actor(), &caller.holder(), &id, new).await?))
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn delete_identity_provider(
        &self,
        caller: &PartnerCaller,
        request: &DeleteIdentityProviderRequest,
    ) -> Result<Empty, CallFailed> {
        let id = wanted("partner_id", &request.partner_id, PartnerId::parse)?;
        self.delete_partner(&caller.actor(), &caller.holder(), &id).await?;
        Ok(Empty {})
    }
}
