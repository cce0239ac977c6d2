//! Entry URLs with a fresh code (`IdentityProvider.GetEntryURLWithCode`; contract `enter.md`, section 2).

use super::partner_api::{CallFailed, PartnerCaller, Subject};
use super::refuse::Denial;
use crate::{Fault, Service};
use ::enter::account::{Identity, PartnerUserId, Person};
use ::enter::app::{App, BackUrl, with_code};
use ::enter::context::ServiceContext;
use ::enter::entry::{EntryCode, NextUrl, Order, Who};
use ::enter::sso::{
    Code, GetEntryUrlWithCodeRequest, GetEntryUrlWithCodeResponse, Method, Refused, Target, check_active,
};
use kernel::SafeUrl;
use kernel::jose::shortened;
use store::entry_codes::{self, MadeBy};
use store::people;

/// The gateway's own door for codes.
const ENTER: &str = "/enter";

impl Service {
    /// Mints a code: one read of what it is about, one durable insert.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn get_entry_url_with_code(
        &self,
        caller: &PartnerCaller,
        request: &GetEntryUrlWithCodeRequest,
    ) -> Result<GetEntryUrlWithCodeResponse, CallFailed> {
        let target = request.check()?;
        let who = request.who(&caller.partner)?;
        let (subject, namesakes) = self.entry_subject(caller, &target, &who).await?;
        let partner_user = match who {
            Who::ById(id) => id,
            Who::ByEmail(email) => Who::one_by_email(&email, &caller.partner, &namesakes)
                .map_err(|why| Refused::new(Code::InvalidArgument, why.to_string()))?,
        };
        let (order, door) = ordered(caller, request, target, subject, partner_user)?;
        if let BackUrl::Dropped(why) = &order.back_url {
            let text = shortened(&request.back_url);
            self.record_dropped(caller, &order, why.code(), &format!("back_url: {why}"), &text).await;
        }
        match self.mint(caller, request, order, &door, None).await? {
            Some(response) => Ok(response),
            // Between the look at the caller's token and this.
            None => Err(Refused::new(Code::Unauthenticated, "authorization: the token was revoked").into()),
        }
    }

    /// The same for a caller and about an app and an account that are in memory, where the insert finds that all of it is
    /// still so. `None` in every other case: nothing has happened, and the caller is to be confirmed.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn mint_from_memory(
        &self,
        caller: &PartnerCaller,
        request: &GetEntryUrlWithCodeRequest,
    ) -> Result<Option<GetEntryUrlWithCodeResponse>, Fault> {
        let (Some(unconfirmed), Ok(target)) = (&caller.unconfirmed, request.check()) else { return Ok(None) };
        let Ok(Who::ById(partner_user)) = request.who(&caller.partner) else { return Ok(None) };
        let of = (caller.place.environment, target.app.clone(), target.context.clone());
        let known = self.remembered.subject(&of);
        let Some(known) = known.filter(|known| known.revision == unconfirmed.revision) else {
            return Ok(None);
        };
        let made = ordered(caller, request, target, known.subject.clone(), partner_user);
        match made {
            Ok((order, door)) if !matches!(order.back_url, BackUrl::Dropped(_)) => {
                self.mint(caller, request, order, &door, Some(unconfirmed.revision)).await
            }
            _ => Ok(None),
        }
    }

    async fn mint(
        &self,
        caller: &PartnerCaller,
        request: &GetEntryUrlWithCodeRequest,
        order: Order,
        door: &SafeUrl,
        revision: Option<i64>,
    ) -> Result<Option<GetEntryUrlWithCodeResponse>, Fault> {
        let minted = EntryCode::mint(order, self.clock.now(), &*self.chance);
        let by = MadeBy { revision, jti: caller.jti.clone() };
        let kept = entry_codes::insert(&self.db, caller.place.environment, &minted.code, &by).await?;
        let next = Some(request.next_url.as_str()).filter(|next| !next.is_empty());
        let response =
            GetEntryUrlWithCodeResponse { entry_url: with_code(door, minted.plain.reveal(), next) };
        Ok(kept.then_some(response))
    }

    async fn entry_subject(
        &self,
        caller: &PartnerCaller,
        target: &Target,
        who: &Who,
    ) -> Result<(Subject, Vec<Person>), Fault> {
        let subject = self.subject(&caller.place, &target.app, &target.context).await?;
        let Who::ByEmail(email) = who else { return Ok((subject, Vec::new())) };
        let (partner, email) = (caller.partner.id.clone(), email.clone());
        let read =
            self.db.read(move |tx| Box::pin(async move { people::by_email(tx, &partner, &email).await }));
        Ok((subject, read.await.map_err(Fault::from)?))
    }

    async fn record_dropped(
        &self,
        caller: &PartnerCaller,
        order: &Order,
        code: &'static str,
        message: &str,
        text: &str,
    ) {
        let denial = Denial::new(code, 200, format!("{message}; the entry went on without it"));
        let seen =
            serde_json::json!({ "service_account": caller.account, "app": order.app, "back_url": text });
        let denial = denial.of(&caller.partner.organization).parameter("back_url").seen(seen);
        self.deny(denial, caller.place.environment, Method::GetEntryUrlWithCode.path()).await;
    }
}

/// What is ordered, and where the browser goes with the code.
fn ordered(
    caller: &PartnerCaller,
    request: &GetEntryUrlWithCodeRequest,
    target: Target,
    subject: Subject,
    partner_user: PartnerUserId,
) -> Result<(Order, SafeUrl), CallFailed> {
    let (app, active) = subject.checked(caller, &target.context)?;
    check_active(&app, &target.context, active)?;
    let identity = Identity { partner: caller.partner.id.clone(), partner_user };
    let order = request.order(target, identity, &caller.partner, &app, &issuer(caller)?)?;
    let door = door(caller, &app, &order)?;
    Ok((order, door))
}

fn door(caller: &PartnerCaller, app: &App, order: &Order) -> Result<SafeUrl, CallFailed> {
    // An app that cannot be entered for this context is told now, and not to the person afterwards. A request that
    // waits goes back to the app's redirect URI and needs no entry URL.
    if !matches!(order.next_url, NextUrl::Pending(_)) {
        let account = match &order.context {
            ServiceContext::Account(account) => Some(account),
            ServiceContext::Partner(_) | ServiceContext::SuperAdmin => None,
        };
        app.entry.filled(account).map_err(|why| Refused::field("context", why))?;
    }
    let own = SafeUrl::parse(&caller.place.link(ENTER));
    own.map_err(|why| CallFailed::Fault(Fault::broken(format!("the public URL: {why}"))))
}

fn issuer(caller: &PartnerCaller) -> Result<SafeUrl, CallFailed> {
    let parsed = SafeUrl::parse(caller.place.url());
    parsed.map_err(|why| CallFailed::Fault(Fault::broken(format!("the public URL: {why}"))))
}
