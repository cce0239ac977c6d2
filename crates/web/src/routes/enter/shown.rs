//! The service's reply as a page or a redirect, with what the browser is to keep.

use crate::Web;
use crate::answer;
use crate::browser;
use crate::headers::{self, Framing};
use crate::pages::{AccountChoice, AskView, ConsentView, EntryPage, EntryView, Person};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::enter::reply::{AskConsent, AskEntry, ChooseAccount, ChoosePartner, Named, Reply, Step};
use service::enter::session::Browser;
use service::{Fault, Place};

/// Who asks, in which language, and with which cookies.
pub(super) struct Visitor<'a> {
    pub(super) web: &'a Web,
    pub(super) place: &'a Place,
    pub(super) headers: &'a HeaderMap,
    /// `ui_locales` of the request.
    pub(super) ui_locales: Option<String>,
    before: Browser,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(web: &'a Web, place: &'a Place, headers: &'a HeaderMap, query: &str) -> Self {
        let before = browser::read(web.service(), place, headers);
        Self { web, place, headers, ui_locales: super::field(query, "ui_locales"), before }
    }

    /// As the browser is before the request.
    pub(super) fn browser(&self) -> Browser {
        self.before.clone()
    }

    /// The reply to a GET: what leads elsewhere is a redirect.
    pub(super) fn shown(&self, reply: Result<Reply, Fault>) -> Response {
        self.reply(reply, false)
    }

    /// The reply to a form of ours: what leads elsewhere is a page that goes on by itself.
    pub(super) fn shown_after_form(&self, reply: Result<Reply, Fault>) -> Response {
        self.reply(reply, true)
    }

    fn reply(&self, reply: Result<Reply, Fault>, after_form: bool) -> Response {
        let Reply { step, browser } = match reply {
            Ok(reply) => reply,
            Err(fault) => return answer::fault(self.web, self.headers, &fault),
        };
        let mut response = match step {
            Step::Go(to) if after_form => self.onward(to),
            Step::Go(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
            Step::Denied(denied) => {
                answer::denied(self.web, self.headers, self.ui_locales.as_deref(), &denied)
            }
            Step::ChooseAccount(choose) => self.page(200, account(choose)),
            Step::ChoosePartner(ChoosePartner { app, partners }) => {
                self.page(200, EntryView::Partner { app, partners })
            }
            Step::Consent(ask) => self.page(200, consent(ask)),
            Step::AskEntry(ask) => self.page(200, ask_entry(&ask)),
        };
        self.keep(&browser, &mut response);
        response
    }

    /// On to another site, without a redirect.
    pub(super) fn onward(&self, to: String) -> Response {
        self.page(200, EntryView::Onward { to, at_once: true })
    }

    /// Sets the cookies that changed.
    pub(super) fn keep(&self, after: &Browser, response: &mut Response) {
        browser::write(self.web.service(), self.place, &self.before, after, response.headers_mut());
    }

    pub(super) fn page(&self, status: u16, view: EntryView) -> Response {
        let locale = answer::locale(self.headers, self.ui_locales.as_deref());
        let page = EntryPage::new(answer::shell(self.web, locale, None), view);
        headers::page(status, page.render(), &Framing::Nobody, &page.shell.nonce)
    }
}

pub(super) fn person(named: Named) -> Person {
    Person::new(named.name, named.email)
}

fn account(choose: ChooseAccount) -> EntryView {
    let accounts = choose.accounts.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    EntryView::Account(AccountChoice {
        pending: choose.nonce.as_str().to_owned(),
        app: choose.app,
        person: person(choose.person),
        accounts,
        total: choose.total,
        search: choose.search,
    })
}

fn consent(ask: AskConsent) -> EntryView {
    EntryView::Consent(ConsentView {
        pending: ask.nonce.as_str().to_owned(),
        app: ask.app,
        vendor: ask.vendor,
        person: person(ask.person),
        account: ask.account,
        scopes: ask.scopes,
    })
}

fn ask_entry(ask: &AskEntry) -> EntryView {
    EntryView::Ask(AskView {
        token: ask.token.reveal().to_owned(),
        app: ask.app.clone(),
        partner: ask.partner.clone(),
        now: ask.now.clone().map(person),
        next: person(ask.next.clone()),
    })
}
