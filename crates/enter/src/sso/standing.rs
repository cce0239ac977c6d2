//! Whose business a call is: what a service account may ask about an app, an account and a partner.

use super::{Code, Refused};
use crate::account::Account;
use crate::app::App;
use crate::context::ServiceContext;
use crate::partner::Partner;

/// Checks that the app may be entered for the context's account. What belongs to no account is not activated.
///
/// # Errors
/// Code 9.
pub fn check_active(app: &App, context: &ServiceContext, active: bool) -> Result<(), Refused> {
    match context {
        ServiceContext::Account(_) if !app.open_to_all && !active => {
            let what =
                "context.account.account_id: the app is not active for this account; activate it first";
            Err(Refused::new(Code::FailedPrecondition, what))
        }
        _ => Ok(()),
    }
}

/// Checks that the app is the caller's own: of the organization for which its service account speaks.
///
/// # Errors
/// Code 7.
pub fn check_caller(app: &App, caller: &Partner) -> Result<(), Refused> {
    if app.organization == caller.organization {
        return Ok(());
    }
    Err(Refused::new(Code::PermissionDenied, "service_provider_id: this app is not yours"))
}

/// Whom an app's backend may ask about: the partner that vouches for the context, where that one can.
///
/// Decision: an app's vendor may ask for any partner's session-transfer URL, because a browser that begins at the app
/// is shown it anyway; somebody else's backend may ask for its own partner alone. An account that is not there and one
/// of a switched-off partner are answered alike.
///
/// # Errors
/// Code 5, 7.
pub fn check_vouching<'a>(
    context: &ServiceContext,
    app: &App,
    caller: &Partner,
    partner: Option<&'a Partner>,
    account: Option<&Account>,
) -> Result<&'a Partner, Refused> {
    let owns_app = check_caller(app, caller);
    let partner = partner.filter(|partner| owns_app.is_ok() || partner.id == caller.id);
    let live = partner.filter(|partner| partner.disabled.is_none());
    match (context, live, account) {
        (ServiceContext::SuperAdmin, _, _) => {
            Err(Refused::new(Code::PermissionDenied, "context: super_admin is not open to anybody"))
        }
        (ServiceContext::Partner(id), Some(partner), _) if partner.id == *id => Ok(partner),
        (ServiceContext::Account(id), Some(partner), Some(account))
            if account.id == *id && account.partner == partner.id && account.disabled.is_none() =>
        {
            Ok(partner)
        }
        _ => {
            owns_app?;
            let field = match context {
                ServiceContext::Account(_) => "context.account.account_id",
                ServiceContext::Partner(_) | ServiceContext::SuperAdmin => "context.partner.partner_id",
            };
            Err(Refused::not_found(field, "nobody vouches for this; check the id"))
        }
    }
}
