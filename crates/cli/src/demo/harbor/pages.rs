//! What people see of Harbor: its deals, the sign-in, and the question whether Acme may come in.

use super::Harbor;
use super::books::{ACCOUNTS, Account, Asked, Deal, Hook, Sent};
use crate::demo::setup::CLIENT_ID;
use crate::demo::sites::{Links, Site, cookie, page, redirect_with_cookie};
use crate::demo::story::{At, Line};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use url::Url;

const COOKIE: &str = "harbor_account";

#[derive(Template)]
#[template(path = "demo/harbor_signin.html")]
struct SignInPage {
    links: Links,
    accounts: [Account; 2],
    /// Where to go on.
    next: String,
    client: bool,
}

#[derive(Template)]
#[template(path = "demo/harbor_consent.html")]
struct ConsentPage {
    links: Links,
    account: Account,
    request: String,
}

#[derive(Template)]
#[template(path = "demo/harbor.html")]
struct HomePage {
    links: Links,
    account: Account,
    deals: Vec<Deal>,
    hooks: Vec<Hook>,
    sent: Vec<Sent>,
}

#[derive(Template)]
#[template(path = "demo/harbor_refused.html")]
struct RefusedPage {
    links: Links,
    text: &'static str,
}

fn signed_in(headers: &HeaderMap) -> Option<Account> {
    Account::by_id(&cookie(headers, COOKIE)?)
}

impl Harbor {
    fn refused(&self, text: &'static str) -> Response {
        page(self.stage.addresses, 400, &RefusedPage { links: self.stage.links(), text })
    }

    fn sign_in_page(&self, next: String, client: bool) -> Response {
        let shown = SignInPage { links: self.stage.links(), accounts: ACCOUNTS, next, client };
        page(self.stage.addresses, 200, &shown)
    }
}

pub(super) async fn home(State(harbor): State<Arc<Harbor>>, headers: HeaderMap) -> Response {
    let Some(account) = signed_in(&headers) else { return harbor.sign_in_page("/".to_owned(), false) };
    let books = harbor.books();
    let mut sent = books.sent.clone();
    sent.reverse();
    sent.truncate(8);
    let links = harbor.stage.links();
    let (deals, hooks) = (books.deals.clone(), books.hooks_of(account.id));
    page(harbor.stage.addresses, 200, &HomePage { links, account, deals, hooks, sent })
}

#[derive(Deserialize)]
pub(super) struct SignIn {
    account: String,
    next: String,
}

pub(super) async fn sign_in(Form(form): Form<SignIn>) -> Response {
    let Some(account) = Account::by_id(&form.account) else { return Redirect::to("/").into_response() };
    redirect_with_cookie(own_path(&form.next), COOKIE, account.id)
}

pub(super) async fn sign_out(body: Bytes) -> Response {
    let next = url::form_urlencoded::parse(&body).find(|(name, _)| name == "next").map(|(_, value)| value);
    redirect_with_cookie(own_path(next.as_deref().unwrap_or("/")), COOKIE, "")
}

/// Only a path of this site: `//other.example` and `/\other.example` lead elsewhere.
fn own_path(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    if own { next } else { "/" }
}

pub(super) async fn won(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Path(deal): Path<u64>,
) -> Response {
    if let Some(account) = signed_in(&headers) {
        harbor.win(account.id, deal).await;
    }
    Redirect::to("/").into_response()
}

/// The authorization endpoint. What is wrong with the client or the way back is shown here and never sent on
/// (RFC 6749, section 4.1.2.1).
pub(super) async fn authorize(
    State(harbor): State<Arc<Harbor>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let of = |name: &str| query.get(name).cloned().unwrap_or_default();
    let back = format!("{}/oauth2/callback", harbor.stage.addresses.origin(Site::Gateway));
    if of("client_id") != CLIENT_ID {
        return harbor.refused("No program of this name is registered at Harbor.");
    }
    if of("redirect_uri") != back {
        return harbor.refused("The address to come back to is not the registered one.");
    }
    if of("response_type") != "code"
        || of("code_challenge_method") != "S256"
        || of("code_challenge").is_empty()
    {
        return harbor.refused("Harbor lets programs in by code and PKCE only.");
    }
    let asked =
        Asked { redirect_uri: back, scope: of("scope"), state: of("state"), challenge: of("code_challenge") };
    let id = harbor.books().ask(asked, &*harbor.stage.service.chance);
    Redirect::to(&format!("/oauth/consent/{}", id.reveal())).into_response()
}

pub(super) async fn consent(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Path(request): Path<String>,
) -> Response {
    if harbor.books().asked(&request).is_none() {
        return harbor.refused("This request was answered already. Begin again where you came from.");
    }
    match signed_in(&headers) {
        None => harbor.sign_in_page(format!("/oauth/consent/{request}"), true),
        Some(account) => {
            let shown = ConsentPage { links: harbor.stage.links(), account, request };
            page(harbor.stage.addresses, 200, &shown)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Decision {
    decision: String,
}

pub(super) async fn decide(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Path(request): Path<String>,
    Form(form): Form<Decision>,
) -> Response {
    let Some(account) = signed_in(&headers) else {
        return Redirect::to(&format!("/oauth/consent/{request}")).into_response();
    };
    let decided = harbor.books().decide(&request);
    let Some(asked) = decided else {
        return harbor.refused("This request was answered already. Begin again where you came from.");
    };
    let story = &harbor.stage.story;
    let state = asked.state.clone();
    let back = asked.redirect_uri.clone();
    let (name, value) = if form.decision != "approve" {
        story.tell(Line::new(At::Harbor, "Acme was turned away", "The person said no.").bad());
        ("error", "access_denied".to_owned())
    } else if account.guest {
        let text = "A guest of this workspace may not let programs in; Harbor asks for another account.";
        story.tell(Line::new(At::Harbor, "This account may not decide that", text).bad());
        ("error", "account_selection_required".to_owned())
    } else {
        let text = format!(
            "{} allowed it for {}: read deals, and be told when one is won.",
            account.name, account.workspace
        );
        story.tell(Line::new(At::Harbor, "Acme was let in", text));
        let service = &harbor.stage.service;
        let code = harbor.books().code(asked, account, service.clock.now(), &*service.chance);
        ("code", code.reveal().to_owned())
    };
    let issuer = harbor.stage.addresses.origin(Site::Harbor);
    let answer = [(name, value.as_str()), ("state", &state), ("iss", &issuer)];
    match Url::parse_with_params(&back, answer) {
        Ok(url) => Redirect::to(url.as_str()).into_response(),
        Err(_) => harbor.refused("The address to come back to cannot be read."),
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_sign_in_leads_nowhere_else() {
        assert_eq!(own_path("/oauth/consent/x"), "/oauth/consent/x");
        for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example", ""] {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
