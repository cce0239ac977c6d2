//! `/oauth2/auth`, and the answers on its pages.

use super::asked::{Answered, Looked};
use super::{form_text, once_more_by_get};
use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::pages::RefusalKind;
use crate::who::Here;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use enter::entry::Nonce;
use enter::ids::AccountId;

const UNREADABLE: RefusalKind = RefusalKind::Entry("request_parameters", 400);
const OVER: RefusalKind = RefusalKind::Entry("request_over", 410);

/// The authorize request (OpenID Connect Core, section 3.1.2.1).
pub async fn get(asked: Looked) -> Response {
    let visitor = asked.visitor();
    let service = asked.web.service();
    visitor.shown(Box::pin(service.authorize(&asked.place, &asked.query, visitor.browser())).await)
}

/// The same as a form.
pub async fn post(
    State(web): State<Web>,
    _: Here,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    once_more_by_get("/oauth2/auth", form_text(&headers, body))
        .unwrap_or_else(|| answer::other(&web, &headers, UNREADABLE, &Framing::Nobody))
}

/// A search among the accounts.
pub async fn search(asked: Looked) -> Response {
    let Some(nonce) = asked.field("pending").as_deref().and_then(Nonce::parse) else {
        return answer::other(&asked.web, &asked.headers, OVER, &Framing::Nobody);
    };
    let search = asked.field("search").unwrap_or_default();
    let visitor = asked.visitor();
    let service = asked.web.service();
    visitor.shown(service.search_accounts(&asked.place, &nonce, &search, visitor.browser()).await)
}

/// The account that was chosen.
pub async fn account(answered: Answered) -> Response {
    let nonce = answered.field("pending").as_deref().and_then(Nonce::parse);
    let account = answered.field("account").and_then(|id| AccountId::parse(&id).ok());
    let (Some(nonce), Some(account)) = (nonce, account) else {
        return answer::other(&answered.web, &answered.headers, OVER, &Framing::Nobody);
    };
    let visitor = answered.visitor();
    let service = answered.web.service();
    let reply = service.answer_account(&answered.place, &nonce, account, visitor.browser()).await;
    visitor.shown_after_form(reply)
}

/// Whether the person allows what was asked. Anything but a clear yes is a no.
pub async fn consent(answered: Answered) -> Response {
    let Some(nonce) = answered.field("pending").as_deref().and_then(Nonce::parse) else {
        return answer::other(&answered.web, &answered.headers, OVER, &Framing::Nobody);
    };
    let allowed = answered.field("answer").as_deref() == Some("allow");
    let visitor = answered.visitor();
    let service = answered.web.service();
    let reply = service.answer_consent(&answered.place, &nonce, allowed, visitor.browser()).await;
    visitor.shown_after_form(reply)
}
