//! The page that a landing leads to: one button. It is written once for each organization, connector and language,
//! and filled in for each person.

use crate::Web;
use crate::dialog_page::{self, framing, show};
use crate::headers;
use crate::pages::{Filling, Letter, Person};
use crate::texts::Locale;
use axum::http::HeaderMap;
use axum::response::Response;
use connect::connector::Definition;
use connect::dialog::Stage;
use kernel::Plain;
use service::OrganizationConfig;
use service::connect::view::DialogContext;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Letters that are kept at most; of more all are written anew.
const MOST: usize = 1024;

/// A configuration and a definition by their places in memory, which the letter keeps them at; the language; whether
/// there is an e-mail address beside the name.
type Name = (usize, usize, Locale, bool);

#[derive(Debug)]
struct Kept {
    page: Letter,
    policy: Letter,
    _of: (Arc<OrganizationConfig>, Arc<Definition>),
}

/// The letters that were written.
#[derive(Debug, Default)]
pub struct Letters(RwLock<HashMap<Name, Arc<Kept>>>);

/// The page of a dialog that is ready; `None` for every other stage. It is what [`show`] makes, to the byte.
pub fn answer(web: &Web, context: &DialogContext, bearer: &Plain, asked: &HeaderMap) -> Option<Response> {
    let dialog = &context.dialog;
    if dialog.stage != Stage::Ready || dialog_page::asks_first(context, asked) {
        return None;
    }
    let locale = Locale::parse(&dialog.locale)?;
    let person = dialog_page::person(&dialog.visitor);
    let kept = kept(web, context, bearer, asked, (locale, &person));
    let nonce = headers::nonce(&*web.service().chance);
    let filling = Filling {
        path: &dialog_page::path(bearer),
        start_url: &web.service().start_path(dialog),
        nonce: &nonce,
        person: &person,
        version: dialog.version,
        expires_in: dialog_page::expires_in(web, dialog),
    };
    Some(headers::page_under(kept.page.fill(&filling), &kept.policy.fill(&filling)))
}

fn kept(
    web: &Web,
    context: &DialogContext,
    bearer: &Plain,
    asked: &HeaderMap,
    (locale, person): (Locale, &Person),
) -> Arc<Kept> {
    let (config, definition) = (&context.config, &context.definition);
    let places = (Arc::as_ptr(config).addr(), Arc::as_ptr(definition).addr());
    let name = (places.0, places.1, locale, person.email.is_some());
    let letters = &web.letters().0;
    if let Some(kept) = letters.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
        return Arc::clone(kept);
    }
    let kept = Arc::new(Kept {
        page: Letter::of_ready(show(web, context, bearer, asked)),
        policy: Letter::of(&headers::framed_policy(
            &framing(context),
            Letter::nonce_mark(),
            &dialog_page::report_to(context),
        )),
        _of: (Arc::clone(config), Arc::clone(definition)),
    });
    let mut letters = letters.write().unwrap_or_else(PoisonError::into_inner);
    if letters.len() >= MOST {
        letters.clear();
    }
    letters.insert(name, Arc::clone(&kept));
    kept
}
