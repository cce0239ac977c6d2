//! Entry URLs with a fresh code (`IdentityProvider.GetEntryURLWithCode`; contract `enter.md`, section 2).

use super::partner_api::{CallFailed, PartnerCaller, Subject};
use super::refuse::Denial;
use crate::{Fault, Service};
use ::enter::account::{Identity, Person};
use ::enter::app::{App, BackUrl, with_code};
use ::enter::context::ServiceContext;
use ::enter::entry::{EntryCode, NextUrl, Order, Who};
use ::enter::sso::{
    Code, GetEntryUrlWithCodeRequest, GetEntryUrlWithCodeResponse, Method, Refused, Target, check_active,
};
use kernel::SafeUrl;
use kernel::jose::shortened;
use store::{entry_codes, people};

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
        let (app, active) = subject.checked(caller, &target.context)?;
        check_active(&app, &target.context, active)?;
        let partner_user = match who {
            Who::ById(id) => id,
            Who::ByEmail(email) => Who::one_by_email(&email, &caller.partner, &namesakes)
                .map_err(|why| Refused::new(Code::InvalidArgument, why.to_string()))?,
        };
        let identity = Identity { partner: caller.partner.id.clone(), partner_user };
        let order = request.order(target, identity, &caller.partner, &app, &issuer(caller)?)?;
        let door = self.door(caller, &app, &order)?;
        if let BackUrl::Dropped(why) = &order.back_url {
            let text = shortened(&request.back_url);
            self.record_dropped(caller, &order, why.code(), &format!("back_url: {why}"), &text).await;
        }
        let minted = EntryCode::mint(order, self.clock.now(), &*self.chance);
        entry_codes::insert(&self.db, caller.place.environment, &minted.code).await.map_err(Fault::from)?;
        let next = Some(request.next_url.as_str()).filter(|next| !next.is_empty());
        Ok(GetEntryUrlWithCodeResponse { entry_url: with_code(&door, minted.plain.reveal(), next) })
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

    /// Where the browser goes with the code.
    fn door(&self, caller: &PartnerCaller, app: &App, order: &Order) -> Result<SafeUrl, CallFailed> {
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

fn issuer(caller: &PartnerCaller) -> Result<SafeUrl, CallFailed> {
    let parsed = SafeUrl::parse(caller.place.url());
    parsed.map_err(|why| CallFailed::Fault(Fault::broken(format!("the public URL: {why}"))))
}
