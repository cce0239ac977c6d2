//! `/service-gateway`: a link to a page inside an app, checked (contract `enter.md`, section 6).

use super::proceed::loop_denial;
use super::refuse::Denial;
use super::reply::{Reply, Step};
use super::session::{Browser, LiveSession};
use super::visit::{FoundPlace, find_place};
use crate::{Fault, Place, Service};
use ::enter::app::App;
use ::enter::context::ServiceContext;
use ::enter::entry::EntryRefused;
use ::enter::ids::{AccountId, AppId, PartnerId};
use ::enter::oidc::authorize::Parameters;
use ::enter::partner::Partner;
use serde_json::json;
use std::sync::Arc;
use store::{DbError, apps};

/// As refusals name it.
const ROUTE: &str = "/service-gateway";

/// A link, read.
#[derive(Debug)]
struct Link {
    app: AppId,
    context: ServiceContext,
    /// With places for the account and the partner; `None` is the app's entry URL.
    path: Option<String>,
    skip_auth: bool,
}

impl Link {
    /// `&&` between two parameters is no parameter, as in links that exist.
    fn read(query: &str) -> Result<Self, Denial> {
        let malformed = |name: &str, text: &str| Denial::new("link_malformed", 400, text).parameter(name);
        let parameters = Parameters::parse(query)
            .map_err(|_| malformed("query", "a parameter stands twice, or there are too many"))?;
        let app = parameters.get("serviceProviderId").and_then(|id| AppId::parse(id).ok());
        let app = app.ok_or_else(|| malformed("serviceProviderId", "it is missing or malformed"))?;
        let given = ["serviceContext", "account_id", "partner_id"].map(|name| parameters.get(name));
        let context = match given {
            [Some(text), None, None] => ServiceContext::parse(text)
                .map_err(|why| Denial::new(why.code(), 400, why.to_string()).parameter("serviceContext"))?,
            [None, Some(id), None] => ServiceContext::Account(
                AccountId::parse(id).map_err(|why| malformed("account_id", &why.to_string()))?,
            ),
            [None, None, Some(id)] => ServiceContext::Partner(
                PartnerId::parse(id).map_err(|why| malformed("partner_id", &why.to_string()))?,
            ),
            _ => {
                let text = "send exactly one of account_id, partner_id and serviceContext";
                return Err(malformed("serviceContext", text));
            }
        };
        let path = parameters.get("path").map(str::to_owned);
        Ok(Self { app, context, path, skip_auth: parameters.get("skipAuth") == Some("true") })
    }
}

impl Service {
    /// Follows a link.
    ///
    /// A signed-in person of the context's partner is told whether the app is active for the account and open to
    /// them, and goes on. Everybody else is sent to the partner first; with `skipAuth` straight to the app, which
    /// then asks for the sign-in by itself, and is told nothing about account or access.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn follow_link(&self, place: &Place, query: &str, browser: Browser) -> Result<Reply, Fault> {
        let link = match Link::read(query) {
            Ok(link) => link,
            Err(denial) => return self.denied(place, ROUTE, denial, browser).await,
        };
        if link.context == ServiceContext::SuperAdmin {
            let refused = EntryRefused::ContextForbidden;
            let text = "superadmin is not open to anybody";
            let denial = Denial::new(refused.code(), refused.status(), text);
            return self.denied(place, ROUTE, denial, browser).await;
        }
        let live = self.live_session(place, &browser).await?;
        let Some((app, found)) = self.linked(place, &link, live.as_ref()).await? else {
            let denial = Denial::new("app_unknown", 404, "there is no app of this serviceProviderId");
            return self.denied(place, ROUTE, denial, browser).await;
        };
        let (partner, to) = match checked(&link, &app, &found) {
            Ok(checked) => checked,
            Err(denial) => return self.denied(place, ROUTE, denial, browser).await,
        };
        match live.filter(|live| live.partner.id == partner.id) {
            Some(live) => match open_to(&link, &app, &found, &live) {
                Ok(()) => Ok(Reply { step: Step::Go(to), browser }),
                Err(denial) => self.denied(place, ROUTE, denial, browser).await,
            },
            None if link.skip_auth => Ok(Reply { step: Step::Go(to), browser }),
            None => self.link_by_partner(place, &link, &app, &partner, &to, browser).await,
        }
    }

    async fn linked(
        &self,
        place: &Place,
        link: &Link,
        live: Option<&LiveSession>,
    ) -> Result<Option<(App, FoundPlace)>, Fault> {
        let (environment, id, context) = (place.environment, link.app.clone(), link.context.clone());
        let person = live.map(|live| live.person.id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(app) = apps::find(tx, environment, &id).await? else { return Ok(None) };
                let found = find_place(tx, environment, &app, context, person.as_ref()).await?;
                Ok::<_, DbError>(Some((app, found)))
            })
        });
        Ok(read.await?)
    }

    async fn link_by_partner(
        &self,
        place: &Place,
        link: &Link,
        app: &App,
        partner: &Partner,
        to: &str,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let trips = std::mem::take(&mut browser.trips);
        match trips.another(&app.id, self.clock.now()) {
            Ok(trips) => browser.trips = trips,
            Err(refused) => {
                let denial = loop_denial(refused, &partner.organization, app.id.as_str());
                return self.denied(place, ROUTE, denial, browser).await;
            }
        }
        let next = link.path.as_ref().map(|_| to);
        let to = partner.transfer.for_entry(&app.id, &link.context, next);
        Ok(Reply { step: Step::Go(to), browser })
    }
}

/// What anybody may learn from a link: that app and partner are switched on, and that its address is the app's.
fn checked(link: &Link, app: &App, found: &FoundPlace) -> Result<(Arc<Partner>, String), Denial> {
    let refused = |refused: EntryRefused, text: &str| Denial::new(refused.code(), refused.status(), text);
    if app.disabled.is_some() {
        return Err(refused(EntryRefused::AppDisabled, "the app is switched off").of(&app.organization));
    }
    let Some(partner) = found.partner.clone() else {
        let text = "there is no such account or partner";
        return Err(refused(EntryRefused::AccountUnknown, text).of(&app.organization));
    };
    if partner.disabled.is_some() {
        let text = "the partner is switched off";
        return Err(refused(EntryRefused::PartnerDisabled, text).of(&partner.organization));
    }
    let account = match &link.context {
        ServiceContext::Account(account) => Some(account),
        ServiceContext::Partner(_) | ServiceContext::SuperAdmin => None,
    };
    let malformed = |text: String| {
        let seen =
            json!({ "path": link.path.as_ref().map(|path| path.chars().take(300).collect::<String>()) });
        Denial::new("link_malformed", 400, text).parameter("path").of(&partner.organization).seen(seen)
    };
    let to = match &link.path {
        Some(path) => app
            .link(path, account, &partner.id)
            .map_err(|why| malformed(why.to_string()))?
            .as_str()
            .to_owned(),
        None => app.entry.filled(account).map_err(|why| malformed(why.to_string()))?.as_str().to_owned(),
    };
    Ok((partner, to))
}

/// What only a signed-in person of that partner is told.
fn open_to(link: &Link, app: &App, found: &FoundPlace, live: &LiveSession) -> Result<(), Denial> {
    let seen = json!({
        "app": app.id.as_str(),
        "context": link.context.json(),
        "user": live.person.identity.partner_user.as_str(),
    });
    let refused = |refused: EntryRefused, text: &str| {
        let denial = Denial::new(refused.code(), refused.status(), text);
        Err(denial.of(&live.partner.organization).seen(seen.clone()))
    };
    let Some(account) = &found.account else { return Ok(()) };
    if account.disabled.is_some() {
        return refused(EntryRefused::AccountDisabled, "the account is switched off");
    }
    if !found.active {
        return refused(EntryRefused::AppNotActive, "the app is not active for this account");
    }
    if found.roles.is_none() {
        return refused(EntryRefused::NotAssociated, "the user has no role at this account");
    }
    Ok(())
}
