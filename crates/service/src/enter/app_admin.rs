//! `ServiceProviderAdmin`: a partner's engineer administers the apps and clients of the own organization by program.

use super::partner_api::{CallFailed, PartnerCaller};
use crate::Service;
use crate::admin::clients::OldSecrets;
use crate::admin::{AdminRefused, Holder};
use ::enter::app::App;
use ::enter::ids::{AppId, ClientId};
use ::enter::sso::{
    ClientConfiguration, Code, CreateClientRequest, CreateClientResponse, CreateClientSecretRequest,
    CreateClientSecretResponse, CreateServiceProviderRequest, DeleteClientRequest,
    DeleteServiceProviderRequest, Empty, GetClientRequest, GetClientResponse, GetServiceProviderRequest,
    GetServiceProviderResponse, ListClientsRequest, ListClientsResponse, ListServiceProvidersRequest,
    ListServiceProvidersResponse, Page, Refused, ServiceProviderConfiguration, UpdateClientRequest,
    UpdateServiceProviderRequest, page_token,
};
use kernel::Actor;
use store::Kept;
use store::clients::ClientRecord;

impl From<AdminRefused> for CallFailed {
    fn from(refused: AdminRefused) -> Self {
        let code = match refused {
            AdminRefused::Fault(fault) => return Self::Fault(fault),
            AdminRefused::NotFound { .. } => Code::NotFound,
            AdminRefused::Taken { .. } => Code::AlreadyExists,
            AdminRefused::Invalid(_) | AdminRefused::Connector(_) => Code::InvalidArgument,
            AdminRefused::Conflict(_) | AdminRefused::Release(_) => Code::FailedPrecondition,
        };
        // Without the hint, which is for whoever sits at the command line.
        let message = match &refused {
            AdminRefused::NotFound { what, name, .. } => format!("there is no {what} `{name}`"),
            other => other.to_string(),
        };
        Self::Refused(Refused::new(code, message))
    }
}

impl PartnerCaller {
    /// What the caller may administer: its own organization's, in the environment that it called.
    pub(super) fn holder(&self) -> Holder {
        Holder { organization: self.partner.organization.clone(), environment: self.place.environment }
    }

    pub(super) fn actor(&self) -> Actor {
        let organization = self.partner.organization.clone();
        Actor::ServiceAccount { organization, email: self.account.clone() }
    }
}

/// An id that names a record which the caller wants.
pub(super) fn wanted<T, E: std::fmt::Display>(
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Refused> {
    if text.is_empty() {
        return Err(Refused::field(field, "missing"));
    }
    parse(text).map_err(|why| Refused::field(field, why))
}

/// One more than the page has, so that it is known whether there is a next one.
pub(super) fn one_more(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)
}

/// The page, and `next_page_token`.
pub(super) fn cut<T>(mut rows: Vec<T>, most: usize, id: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|last| page_token(&id(last)));
    (rows, next.unwrap_or_default())
}

fn shown(app: &Kept<App>) -> GetServiceProviderResponse {
    let service_provider = ServiceProviderConfiguration::of(&app.noun, app.revision);
    GetServiceProviderResponse { service_provider }
}

fn configuration(client: &Kept<ClientRecord>) -> ClientConfiguration {
    ClientConfiguration::of(&client.noun.client, &client.noun.name, client.revision)
}

impl Service {
    /// # Errors
    /// [`CallFailed`].
    pub async fn create_service_provider(
        &self,
        caller: &PartnerCaller,
        request: &CreateServiceProviderRequest,
    ) -> Result<GetServiceProviderResponse, CallFailed> {
        let (actor, holder) = (caller.actor(), caller.holder());
        Ok(shown(&self.create_app(&actor, &holder, &request.service_provider).await?))
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn get_service_provider(
        &self,
        caller: &PartnerCaller,
        request: &GetServiceProviderRequest,
    ) -> Result<GetServiceProviderResponse, CallFailed> {
        let id = wanted("service_provider_id", &request.service_provider_id, AppId::parse)?;
        Ok(shown(&self.app(&caller.holder(), &id).await?))
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn list_service_providers(
        &self,
        caller: &PartnerCaller,
        request: &ListServiceProvidersRequest,
    ) -> Result<ListServiceProvidersResponse, CallFailed> {
        let page = Page::read(request.page_size, &request.page_token, AppId::parse)?;
        let rows = self.all_apps(&caller.holder(), page.after.as_ref(), one_more(page.most)).await?;
        let (rows, next_page_token) = cut(rows, page.most, |app| app.noun.id.to_string());
        let service_providers = rows.iter().map(|app| shown(app).service_provider).collect();
        Ok(ListServiceProvidersResponse { service_providers, next_page_token })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn update_service_provider(
        &self,
        caller: &PartnerCaller,
        request: &UpdateServiceProviderRequest,
    ) -> Result<GetServiceProviderResponse, CallFailed> {
        let new = request.service_provider.clone();
        let id = wanted("service_provider.service_provider_id", &new.service_provider_id, AppId::parse)?;
        Ok(shown(&self.change_app(&caller.actor(), &caller.holder(), &id, new).await?))
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn delete_service_provider(
        &self,
        caller: &PartnerCaller,
        request: &DeleteServiceProviderRequest,
    ) -> Result<Empty, CallFailed> {
        let id = wanted("service_provider_id", &request.service_provider_id, AppId::parse)?;
        self.delete_app(&caller.actor(), &caller.holder(), &id).await?;
        Ok(Empty {})
    }

    /// Registers a client of one of the caller's apps; the secret is in this answer only.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn create_app_client(
        &self,
        caller: &PartnerCaller,
        request: &CreateClientRequest,
    ) -> Result<CreateClientResponse, CallFailed> {
        let new = &request.client;
        let app = wanted("client.service_provider_id", &new.service_provider_id, AppId::parse)?;
        let (actor, holder) = (caller.actor(), caller.holder());
        let (kept, secret) = self.create_client(&actor, &holder, &app, None, new).await?;
        let client_secret = secret.map_or_else(String::new, |secret| secret.reveal().to_owned());
        Ok(CreateClientResponse { client: configuration(&kept), client_secret })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn get_app_client(
        &self,
        caller: &PartnerCaller,
        request: &GetClientRequest,
    ) -> Result<GetClientResponse, CallFailed> {
        let id = wanted("client_id", &request.client_id, ClientId::parse)?;
        let client = self.client(&caller.holder(), &id).await?;
        Ok(GetClientResponse { client: configuration(&client) })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn list_app_clients(
        &self,
        caller: &PartnerCaller,
        request: &ListClientsRequest,
    ) -> Result<ListClientsResponse, CallFailed> {
        let page = Page::read(request.page_size, &request.page_token, ClientId::parse)?;
        let app = wanted("service_provider_id", &request.service_provider_id, AppId::parse)?;
        let all = self.clients(&caller.holder(), &app).await?;
        let after = page.after.as_ref();
        let rest = all.into_iter().filter(|kept| after.is_none_or(|after| kept.noun.client.id > *after));
        // The database's order may be another than this one's; the page token needs them to be the same.
        let mut rest: Vec<_> = rest.collect();
        rest.sort_by(|one, other| one.noun.client.id.cmp(&other.noun.client.id));
        let (rows, next_page_token) = cut(rest, page.most, |kept| kept.noun.client.id.to_string());
        Ok(ListClientsResponse { clients: rows.iter().map(configuration).collect(), next_page_token })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn update_app_client(
        &self,
        caller: &PartnerCaller,
        request: &UpdateClientRequest,
    ) -> Result<GetClientResponse, CallFailed> {
        let new = request.client.clone();
        let id = wanted("client.client_id", &new.client_id, ClientId::parse)?;
        let client = self.change_client(&caller.actor(), &caller.holder(), &id, new).await?;
        Ok(GetClientResponse { client: configuration(&client) })
    }

    /// # Errors
    /// [`CallFailed`].
    pub async fn delete_app_client(
        &self,
        caller: &PartnerCaller,
        request: &DeleteClientRequest,
    ) -> Result<Empty, CallFailed> {
        let id = wanted("client_id", &request.client_id, ClientId::parse)?;
        self.delete_client(&caller.actor(), &caller.holder(), &id).await?;
        Ok(Empty {})
    }

    /// A further secret: the latest two are in force from now on.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn create_app_client_secret(
        &self,
        caller: &PartnerCaller,
        request: &CreateClientSecretRequest,
    ) -> Result<CreateClientSecretResponse, CallFailed> {
        let id = wanted("client_id", &request.client_id, ClientId::parse)?;
        let (actor, holder) = (caller.actor(), caller.holder());
        let secret = self.create_client_secret(&actor, &holder, &id, OldSecrets::KeepLatest).await?;
        Ok(CreateClientSecretResponse { client_secret: secret.reveal().to_owned() })
    }
}
