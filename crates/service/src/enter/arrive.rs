//! `/enter`: a browser arrives with an entry code.

use super::enter_session::{Entered, Entering, enter, enter_at_once};
use super::proceed::issuer;
use super::refuse::Denial;
use super::remembered::KnownVisit;
use super::reply::{AskEntry, Named, Reply, Step};
use super::session::{Browser, LiveSession};
use super::visit::{FoundPlace, Visited};
use crate::{Fault, Place, Service};
use ::enter::account::{Account, Person};
use ::enter::app::{App, TemplateRefused};
use ::enter::entry::{
    Admission, Answers, Arrival, EntryCode, EntryRefused, Known, Live, Onward, PENDING_LIFETIME_S,
    PendingRequests, Question, admit, onward,
};
use ::enter::ids::PersonId;
use ::enter::partner::Partner;
use ::enter::session::{Session, SessionApp};
use kernel::{Environment, Hashed, Plain, Time};
use serde_json::json;
use std::sync::Arc;
use store::entry_codes::{self, Arrived};
use store::held_entries::{self, HeldEntry};
use store::{DbError, pending_requests};

/// As refusals name it.
pub(super) const ROUTE: &str = "/enter";

/// A code with everything that its entry depends on, read at one moment.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// See [`store::revision`].
    revision: i64,
    pub(super) code: EntryCode,
    pub(super) partner: Arc<Partner>,
    pub(super) app: Arc<App>,
    account: Option<Account>,
    person: Option<Person>,
    roles: Option<Vec<String>>,
    active: bool,
    /// What the browser's cookie led to, and whether that is of somebody who may be here.
    session: Option<Session>,
    live: Option<LiveSession>,
    pending: PendingRequests,
}

impl Found {
    /// Every check of an entry that does not depend on the browser. What was made for an account is refused where
    /// the app is not active for it any more.
    fn judge(&self, code: EntryCode, now: Time) -> Result<Admission, EntryRefused> {
        code.redeem(&self.partner, &self.app, now)?;
        let known = Known {
            account: self.account.as_ref(),
            person: self.person.as_ref(),
            roles: self.roles.as_deref(),
        };
        let admission = admit(&self.partner, &self.code.order.context, known)?;
        if self.account.is_some() && !self.active {
            return Err(EntryRefused::AppNotActive);
        }
        Ok(admission)
    }

    fn onward(&self, place: &Place, person: &PersonId, confirmed: bool) -> Result<Onward, Problem> {
        let arrival = Arrival {
            person,
            app: &self.app,
            context: &self.code.order.context,
            next_url: &self.code.order.next_url,
            issuer: &issuer(place)?,
            confirmed,
        };
        let live = self.live.as_ref().map(|live| &live.person.id);
        Ok(onward(&arrival, Live { person: live, pending: &self.pending })?)
    }

    fn denial(&self, refused: EntryRefused) -> Denial {
        let order = &self.code.order;
        let seen = json!({
            "app": order.app.as_str(),
            "context": order.context.json(),
            "user": order.identity.partner_user.as_str(),
        });
        let denial = Denial::new(refused.code(), refused.status(), for_engineers(refused));
        denial.of(&self.partner.organization).seen(seen)
    }

    fn named(&self) -> Named {
        let order = &self.code.order;
        let unknown = || Named {
            name: order.email.clone().unwrap_or_else(|| order.identity.partner_user.as_str().to_owned()),
            email: order.email.clone(),
        };
        self.person.as_ref().map_or_else(unknown, Named::of)
    }
}

/// Why there is no way onwards.
#[derive(Debug)]
enum Problem {
    Template(TemplateRefused),
    Fault(Fault),
}

impl From<TemplateRefused> for Problem {
    fn from(why: TemplateRefused) -> Self {
        Self::Template(why)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the partner's engineer reads.
fn for_engineers(refused: EntryRefused) -> &'static str {
    match refused {
        EntryRefused::CodeUnknown => {
            "no entry code of this environment; ask for a new entry URL for each visit"
        }
        EntryRefused::CodeUsed => "the entry code was used before; ask for a new entry URL for each visit",
        EntryRefused::CodeLate => "the entry code was older than 60 seconds; redirect as soon as you have it",
        EntryRefused::CodeOtherApp => "the entry code was made for another app",
        EntryRefused::AppDisabled => "the app is switched off",
        EntryRefused::PartnerDisabled => "the partner is switched off",
        EntryRefused::UserDisabled => "the user is switched off",
        EntryRefused::AccountUnknown => "the account does not exist or is not one of this partner's",
        EntryRefused::AccountDisabled => "the account is switched off",
        EntryRefused::UserUnknown => "just-in-time users are off, and there is no user with this user_id",
        EntryRefused::NotAssociated => "just-in-time users are off, and the user has no role at this account",
        EntryRefused::AppNotActive => "the app is not active for this account",
        EntryRefused::ContextForbidden => "the context is superadmin, or names another partner",
        EntryRefused::RedirectLoop => "the browser was sent round in circles",
    }
}

impl Service {
    /// Redeems an entry code and goes on. HEAD and prefetch must not come here.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn arrive_by_entry(
        &self,
        place: &Place,
        code: Option<&str>,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let Some(code) = code.filter(|code| !code.is_empty()) else {
            let text = "the entry URL came without its code; redirect to the whole entryUrl of the answer";
            return self.denied(place, ROUTE, Denial::new("entry_code_missing", 400, text), browser).await;
        };
        let Some(found) = self.found(place, EntryCode::key(code), &browser).await? else {
            let unknown = EntryRefused::CodeUnknown;
            let denial = Denial::new(unknown.code(), unknown.status(), for_engineers(unknown));
            return self.denied(place, ROUTE, denial, browser).await;
        };
        let now = self.clock.now();
        let admission = match found.judge(found.code.clone(), now) {
            Ok(admission) => admission,
            Err(refused) => return self.denied(place, ROUTE, found.denial(refused), browser).await,
        };
        let stand_in = PersonId::new(&*self.chance);
        let person = found.person.as_ref().map_or(&stand_in, |person| &person.id);
        match found.onward(place, person, false) {
            Ok(Onward::Ask(question)) => self.hold(place, found, question, browser).await,
            Ok(_) => Box::pin(self.let_in(place, found, admission, false, browser)).await,
            Err(problem) => self.no_way(place, &found, problem, browser).await,
        }
    }

    async fn found(&self, place: &Place, code: Hashed, browser: &Browser) -> Result<Option<Found>, Fault> {
        let (environment, session) = (place.environment, browser.session.as_ref().map(Plain::hashed));
        let found = entry_codes::arrival(&self.db, environment, &code, session.as_ref()).await?;
        let Some(found) = found else { return Ok(None) };
        let partner = self.partner_at(environment, &found.partner).await?;
        let app = self.app_at(environment, &found.app, found.revision).await?;
        let Some((partner, app)) = partner.zip(app) else { return Ok(None) };
        let pending = self.waiting_of(environment, browser).await?;
        let Arrived { revision, code, roles, account, person, activated, .. } = found;
        let Arrived { session, holder, holders_partner, .. } = found;
        let live = self.live_of(environment, session.clone(), holder, holders_partner).await?;
        let active = app.open_to_all || activated;
        Ok(Some(Found {
            revision,
            code,
            partner,
            app,
            account,
            person,
            roles,
            active,
            session,
            live,
            pending,
        }))
    }

    /// The requests that wait in this browser and are still open.
    async fn waiting_of(
        &self,
        environment: Environment,
        browser: &Browser,
    ) -> Result<PendingRequests, Fault> {
        if browser.waiting.is_empty() {
            return Ok(PendingRequests::default());
        }
        let (nonces, now) = (browser.waiting.clone(), self.clock.now());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut pending = Vec::new();
                for nonce in &nonces {
                    let waiting = pending_requests::find(tx, environment, nonce).await?;
                    pending.extend(waiting.filter(|it| it.is_open(now)).map(|waiting| waiting.pending));
                }
                Ok::<_, DbError>(pending)
            })
        });
        Ok(read.await?.into_iter().collect())
    }

    /// Asks the person before anything is done.
    ///
    /// Decision: the code is used up first, and what is left is bound to this browser for 15 minutes. Otherwise a
    /// person would have to answer within the code's 60 seconds, and the page would hold a code that still works
    /// elsewhere. Trade: one more row for each such question.
    async fn hold(
        &self,
        place: &Place,
        found: Found,
        question: Question,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let (token, now) = (Plain::new(&*self.chance), self.clock.now());
        let binding = browser.binding.get_or_insert_with(|| Plain::new(&*self.chance)).clone();
        let (code, environment) = (found.code.hash.clone(), place.environment);
        let held = HeldEntry {
            token: token.hashed(),
            cookie: binding.hashed(),
            environment,
            code: code.clone(),
            since: now,
            answered: None,
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let first = entry_codes::mark_redeemed(tx, environment, &code, now).await?;
                if first {
                    held_entries::insert(tx, &held).await?;
                }
                Ok::<_, DbError>(first)
            })
        });
        if !write.await? {
            return self.denied(place, ROUTE, found.denial(EntryRefused::CodeUsed), browser).await;
        }
        let ask = AskEntry {
            token,
            question,
            app: found.app.name.clone(),
            partner: found.partner.name.clone(),
            now: found.live.as_ref().map(|live| Named::of(&live.person)),
            next: found.named(),
        };
        Ok(Reply { step: Step::AskEntry(ask), browser })
    }

    /// The answer to "continue as B?". Only in the browser that was asked, once.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn answer_entry(&self, place: &Place, token: &str, browser: Browser) -> Result<Reply, Fault> {
        let (token, environment, now) =
            (Plain::presented(token).hashed(), place.environment, self.clock.now());
        let cookie = browser.binding.as_ref().map(Plain::hashed);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let held = held_entries::find(tx, environment, &token).await?;
                let fits = |held: &HeldEntry| {
                    Some(&held.cookie) == cookie.as_ref()
                        && held.answered.is_none()
                        && now < held.since.plus_seconds(PENDING_LIFETIME_S)
                };
                let Some(held) = held.filter(fits) else { return Ok(None) };
                let first = held_entries::answer(tx, &held.token, now).await?;
                Ok::<_, DbError>(first.then_some(held.code))
            })
        });
        let found = match write.await? {
            Some(code) => self.found(place, code, &browser).await?,
            None => None,
        };
        let Some(found) = found else {
            let text =
                "the question was answered before, has waited too long, or was asked in another browser";
            return self.denied(place, ROUTE, Denial::new("request_over", 410, text), browser).await;
        };
        // Single use and the 60 seconds were judged when the person was asked; everything else is judged again.
        let fresh = EntryCode { state: ::enter::entry::State::Issued, issued: now, ..found.code.clone() };
        match found.judge(fresh, now) {
            Ok(admission) => Box::pin(self.let_in(place, found, admission, true, browser)).await,
            Err(refused) => self.denied(place, ROUTE, found.denial(refused), browser).await,
        }
    }

    async fn let_in(
        &self,
        place: &Place,
        found: Found,
        admission: Admission,
        confirmed: bool,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let entering = Entering {
            environment: place.environment,
            organization: found.partner.organization.clone(),
            code: (!confirmed).then(|| found.code.hash.clone()),
            order: found.code.order.clone(),
            admission,
            person: found.person.clone(),
            roles: found.roles.clone(),
            session: found.session.clone(),
            limits: self.enter.session,
            now: self.clock.now(),
            chance: Arc::clone(&self.chance),
        };
        let entered = match enter_at_once(&self.db, &entering, found.revision).await? {
            Some(entered) => entered,
            None => {
                let write = self.db.write(move |tx| Box::pin(async move { enter(tx, &entering).await }));
                match write.await? {
                    Ok(entered) => {
                        self.tell_soon();
                        entered
                    }
                    Err(refused) => return self.denied(place, ROUTE, found.denial(refused), browser).await,
                }
            }
        };
        self.remember_entry(&found, &entered);
        browser.session = Some(entered.cookie);
        browser.recent = browser.recent.with(&found.partner.id);
        let person = entered.session.person.clone();
        match found.onward(place, &person, true) {
            // A request of before goes on only with the answer that was asked for, or by its nonce.
            Ok(Onward::Continue(pending)) => Box::pin(self.go_on(place, &pending.nonce, browser)).await,
            Ok(Onward::InitiateLogin(to) | Onward::EntryUrl(to)) => Ok(Reply { step: Step::Go(to), browser }),
            Ok(Onward::OlderKind { session_url, entry_url, next_url }) => {
                let door = super::older::Door { session_url, entry_url, next_url };
                self.enter_older_kind(place, &found, &entered.session, door, browser).await
            }
            Ok(Onward::Ask(_)) => Err(Fault::broken("a confirmed entry asks again")),
            Err(problem) => self.no_way(place, &found, problem, browser).await,
        }
    }

    /// Remembers who came, and for what: the app's authorize request follows.
    fn remember_entry(&self, found: &Found, entered: &Entered) {
        let context = found.code.order.context.clone();
        let for_account = context.account().is_some();
        if for_account && entered.roles.is_none() {
            return;
        }
        let entry = SessionApp::of(&entered.session.id, &found.code.order, entered.session.authenticated);
        let live = LiveSession {
            session: entered.session.clone(),
            person: entered.person.clone(),
            partner: Arc::clone(&found.partner),
        };
        let place = FoundPlace {
            context: context.clone(),
            partner: Some(Arc::clone(&found.partner)),
            account: found.account.clone(),
            roles: entered.roles.clone().filter(|_| for_account),
            active: found.active,
        };
        let (answers, remembered) = (Answers::default(), None);
        let visited = Visited { live: Some(live), place: Some(place), answers, remembered };
        let of = (entered.session.secret.clone(), found.app.id.clone(), context);
        self.remembered.keep_visit(of, KnownVisit { revision: found.revision, visited, entry: Some(entry) });
    }

    async fn no_way(
        &self,
        place: &Place,
        found: &Found,
        problem: Problem,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let why = match problem {
            Problem::Template(why) => why,
            Problem::Fault(fault) => return Err(fault),
        };
        let denial = Denial::new("app_needs_account", 400, why.to_string()).of(&found.partner.organization);
        let denial = denial.seen(json!({ "app": found.app.id.as_str() }));
        self.denied(place, ROUTE, denial, browser).await
    }
}
