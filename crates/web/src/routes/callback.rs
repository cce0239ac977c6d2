//! `GET /oauth2/callback`: where every outside system sends the browser back to (contract `connect.md`, 3).

use crate::Web;
use crate::answer;
use crate::cookies;
use crate::headers::{self, Framing};
use crate::pages::{CallbackOutcome, CallbackPage, Party};
use crate::who::{Fetch, Here};
use crate::who_dialog::OwnForm;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::Plain;
use service::Place;
use service::connect::callback::{CameBack, Ended};

/// Uses the state up, swaps the code, and leaves a pending credential for the dialog. HEAD and prefetch use
/// nothing up.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    if Fetch::of(&headers).prefetch {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let cookie = |name: &str| cookies::get(&place, &headers, name).map(Plain::presented);
    let came = match web.service().come_back(place.environment, &query.unwrap_or_default(), &cookie).await {
        Ok(came) => came,
        Err(fault) => return answer::fault(&web, &headers, &fault),
    };
    answered(&web, &place, &headers, came)
}

/// One of several, chosen on the page at the end of a sign-in in the frame's own tab.
pub async fn post(State(web): State<Web>, Here(place): Here, form: OwnForm) -> Response {
    let OwnForm { headers, mut fields } = form;
    let cookie = |name: &str| cookies::get(&place, &headers, name).map(Plain::presented);
    let state = Plain::presented(fields.remove("state").unwrap_or_default());
    let chosen = fields.remove("choice").unwrap_or_default();
    match web.service().choose_in_tab(place.environment, &state, &cookie, &chosen).await {
        Ok(came) => answered(&web, &place, &headers, came),
        Err(fault) => answer::fault(&web, &headers, &fault),
    }
}

fn answered(web: &Web, place: &Place, headers: &HeaderMap, came: CameBack) -> Response {
    let spent = came.spent_cookie.as_deref().map(|name| cookies::clear(place, name));
    let mut response = shown(web, headers, came);
    if let Some(Ok(value)) = spent.map(|cookie| HeaderValue::from_str(&cookie)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn shown(web: &Web, headers: &HeaderMap, came: CameBack) -> Response {
    let context = came.context.as_ref();
    let organization = context.map(|context| &context.config.organization);
    let status = if matches!(came.ended, Ended::Failed { .. }) { 400 } else { 200 };
    let page = CallbackPage {
        shell: answer::shell(web, answer::locale(headers, None), organization.and_then(|it| it.color)),
        organization: organization.map(Party::from),
        system: context.map(|context| crate::dialog_page::system(&context.definition)),
        outcome: match came.ended {
            Ended::Pending { code: None } => CallbackOutcome::Arrived,
            Ended::Installed => CallbackOutcome::Installed,
            Ended::Choose { choices } => CallbackOutcome::Choose {
                state: came.state.map(|state| state.reveal().to_owned()).unwrap_or_default(),
                choices,
            },
            Ended::Pending { code: Some(code) } => CallbackOutcome::Code(code),
            Ended::Failed { failure, detail } => CallbackOutcome::Failed { failure, detail },
        },
        continue_url: came.onwards,
        reference: came.reference,
    };
    headers::page(status, page.render(), &Framing::Nobody, &page.shell.nonce)
}
