//! From a message to its use case and back.

use super::fault;
use crate::Web;
use bytes::Bytes;
use enter::sso::json::{Message, Name, read, write};
use enter::sso::{Method, Refused};
use serde_json::Value;
use service::Place;
use service::enter::partner_api::{CallFailed, PartnerCaller};

/// A request's message, in whichever way it came.
pub(super) enum Input {
    Json(Bytes),
    /// As the published description reads it.
    Grpc(Value),
}

impl Input {
    fn read<T: Message>(&self) -> Result<T, Refused> {
        match self {
            Self::Json(body) => read(body),
            Self::Grpc(value) => T::read(value, &Name::top("")),
        }
    }
}

/// Who calls, where the token says so and has the method's scope.
pub(super) async fn caller(
    web: &Web,
    place: &Place,
    method: Method,
    bearer: Option<&str>,
) -> Result<PartnerCaller, Refused> {
    // This one is called for every entry, and confirms its caller with what it writes.
    if method == Method::GetEntryUrlWithCode {
        let known = web.service().remembered_partner_caller(place, bearer).await;
        let known = known.map_err(|why| fault(method, &why))?;
        if let Some(caller) = known.filter(|caller| caller.check_scope(method).is_ok()) {
            return Ok(caller);
        }
    }
    permitted(web, method, web.service().partner_caller(place, bearer).await).await
}

async fn permitted(
    web: &Web,
    method: Method,
    caller: Result<PartnerCaller, CallFailed>,
) -> Result<PartnerCaller, Refused> {
    let caller = match caller {
        Ok(caller) => caller,
        Err(CallFailed::Refused(refused)) => return Err(refused),
        Err(CallFailed::Fault(why)) => return Err(fault(method, &why)),
    };
    if let Err(refused) = caller.check_scope(method) {
        web.service().record_call(&caller, method, &refused).await;
        return Err(refused);
    }
    Ok(caller)
}

/// The answer's message as JSON.
pub(super) async fn carry_out(
    web: &Web,
    caller: PartnerCaller,
    method: Method,
    input: &Input,
) -> Result<Value, Refused> {
    let caller = if caller.is_confirmed() {
        caller
    } else {
        let service = web.service();
        if let Ok(request) = input.read()
            && let Some(answer) =
                service.mint_from_memory(&caller, &request).await.map_err(|why| fault(method, &why))?
        {
            return Ok(write(&answer));
        }
        permitted(web, method, service.confirmed_caller(caller).await).await?
    };
    match use_case(web, &caller, method, input).await {
        Ok(answer) => Ok(answer),
        Err(CallFailed::Refused(refused)) => {
            web.service().record_call(&caller, method, &refused).await;
            Err(refused)
        }
        Err(CallFailed::Fault(why)) => Err(fault(method, &why)),
    }
}

async fn use_case(
    web: &Web,
    caller: &PartnerCaller,
    method: Method,
    input: &Input,
) -> Result<Value, CallFailed> {
    let service = web.service();
    macro_rules! by {
        ($use_case:ident) => {{
            let request = input.read()?;
            write(&service.$use_case(caller, &request).await?)
        }};
    }
    Ok(match method {
        Method::GetEntryUrl => by!(get_entry_url),
        Method::GetEntryUrlWithCode => by!(get_entry_url_with_code),
        Method::GetMultiEntryUrl => by!(get_multi_entry_url),
        Method::Logout => by!(partner_logout),
        Method::GetSessionTransferUrl => by!(get_session_transfer_url),
        Method::GetLogoutUrl => by!(get_logout_url),
        Method::CreateServiceProvider => by!(create_service_provider),
        Method::GetServiceProvider => by!(get_service_provider),
        Method::ListServiceProviders => by!(list_service_providers),
        Method::UpdateServiceProvider => by!(update_service_provider),
        Method::DeleteServiceProvider => by!(delete_service_provider),
        Method::CreateClient => by!(create_app_client),
        Method::GetClient => by!(get_app_client),
        Method::ListClients => by!(list_app_clients),
        Method::UpdateClient => by!(update_app_client),
        Method::DeleteClient => by!(delete_app_client),
        Method::CreateClientSecret => by!(create_app_client_secret),
        Method::CreateIdentityProvider => by!(create_identity_provider),
        Method::GetIdentityProvider => by!(get_identity_provider),
        Method::ListIdentityProviders => by!(list_identity_providers),
        Method::UpdateIdentityProvider => by!(update_identity_provider),
        Method::DeleteIdentityProvider => by!(delete_identity_provider),
    })
}
