//! The second door's part of the setup: a partner with its businesses and its service account, and an app with its
//! client.

use super::setup::ENVIRONMENT;
use super::sites::{Addresses, Site};
use super::{beacon, meridian};
use anyhow::Context as _;
use enter::ids::{AccountId, AppId, ClientId, PartnerId};
use enter::service_account::Switches;
use enter::sso::{
    ClientConfiguration, IdentityProviderConfiguration, OpenIdConnect, ServiceProviderConfiguration,
};
use kernel::jose::Algorithm;
use kernel::{Actor, Plain, SecretText};
use service::Service;
use service::admin::Holder;
use service::admin::accounts::AccountChange;
use service::admin::organizations::OrganizationChange;
use service::admin::service_accounts::ServiceAccountChange;
use service::admin::service_keys::{NewKeyMaterial, NewServiceKey};

/// What Meridian and Beacon got when they registered: each secret is known to its two sides only.
pub(crate) struct GivenEntering {
    /// The key file of Meridian's service account.
    pub(crate) key_file: SecretText,
    /// Beacon's client at the gateway, and its secret.
    pub(crate) client: ClientId,
    pub(crate) client_secret: Plain,
}

/// Registers both, as their engineers do once at the command line.
///
/// # Errors
/// Where the database does not take it.
pub(crate) async fn companies(service: &Service, addresses: Addresses) -> anyhow::Result<GivenEntering> {
    let key_file = partner(service, addresses).await?;
    let (client, client_secret) = app(service, addresses).await?;
    Ok(GivenEntering { key_file, client, client_secret })
}

async fn holder(service: &Service, slug: &str, name: &str) -> anyhow::Result<Holder> {
    let change = OrganizationChange { name: Some(name.to_owned()), ..OrganizationChange::default() };
    let made = service.create_organization(&Actor::Operator, slug, change).await?;
    Ok(Holder { organization: made.organization.id, environment: ENVIRONMENT })
}

async fn partner(service: &Service, addresses: Addresses) -> anyhow::Result<SecretText> {
    let operator = Actor::Operator;
    let holder = holder(service, "meridian", "Meridian").await?;
    let configuration = IdentityProviderConfiguration {
        partner_id: meridian::PARTNER.to_owned(),
        name: "Meridian".to_owned(),
        session_transfer_url: format!("{}/session-transfer", addresses.origin(Site::Meridian)),
        just_in_time: true,
        ..IdentityProviderConfiguration::default()
    };
    service.create_partner(&operator, &holder, &configuration).await?;
    let partner = PartnerId::parse(meridian::PARTNER)?;
    for business in meridian::BUSINESSES {
        let change = AccountChange { name: Some(business.name.to_owned()), ..AccountChange::default() };
        let id = AccountId::parse(business.account)?;
        service.create_account(&operator, &holder, &partner, Some(id), change).await?;
    }
    let change = ServiceAccountChange { name: Some("portal".to_owned()), ..ServiceAccountChange::default() };
    let made = service.create_service_account(&operator, &holder, &partner, None, change).await?;
    let material = NewKeyMaterial::Generate(Switches::default());
    let new = NewServiceKey { id: None, algorithm: Algorithm::Es256, life_s: None, material };
    let (_, file) = service.add_service_key(&operator, &holder, &made.account.email, new).await?;
    file.context("a key that is made here comes as a file")
}

async fn app(service: &Service, addresses: Addresses) -> anyhow::Result<(ClientId, Plain)> {
    let operator = Actor::Operator;
    let holder = holder(service, "beacon", "Beacon").await?;
    let origin = addresses.origin(Site::Beacon);
    let scopes = ["openid", "profile", "email"].map(str::to_owned).to_vec();
    let configuration = ServiceProviderConfiguration {
        service_provider_id: beacon::APP.to_owned(),
        name: "Beacon".to_owned(),
        entry_url: format!("{origin}/accounts/<accountId>"),
        primary_domain: addresses.authority(Site::Beacon),
        open_id_connect: Some(OpenIdConnect { initiate_login_uri: format!("{origin}/login") }),
        pre_approved_scopes: scopes.clone(),
        ..ServiceProviderConfiguration::default()
    };
    service.create_app(&operator, &holder, &configuration).await?;
    let app = AppId::parse(beacon::APP)?;
    for business in meridian::BUSINESSES {
        let account = AccountId::parse(business.account)?;
        service.activate_app(&operator, &holder, &app, &account, true).await?;
    }
    let configuration = ClientConfiguration {
        name: "Beacon's backend".to_owned(),
        application_type: "web".to_owned(),
        token_endpoint_auth_method: "client_secret_basic".to_owned(),
        redirect_uris: vec![format!("{origin}/callback")],
        post_logout_redirect_uris: vec![format!("{origin}/signed-out")],
        scopes,
        backchannel_logout_uri: format!("{origin}/backchannel-logout"),
        ..ClientConfiguration::default()
    };
    let (kept, secret) = service.create_client(&operator, &holder, &app, None, &configuration).await?;
    Ok((kept.noun.client.id, secret.context("a client with a secret gets one")?))
}
