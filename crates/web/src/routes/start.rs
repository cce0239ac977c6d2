//! `GET /start/{ticket}`: the popup or tab on its way to the outside system (design `browser.md`).

use crate::Web;
use crate::answer;
use crate::cookies;
use crate::headers::{self, Framing};
use crate::pages::{RefusalKind, StartPage};
use crate::who::{Fetch, Here};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::connect::start::{Start, Started};

/// Uses the ticket up and sends the browser on. HEAD and prefetch use nothing up.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    method: Method,
    Path(ticket): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let fetch = Fetch::of(&headers);
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    if fetch.prefetch {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let in_tab = query.as_deref() == Some("tab=1");
    let start =
        Start { environment: place.environment, ticket: &ticket, same_origin: fetch.same_origin, in_tab };
    let started = match web.service().start(&start).await {
        Ok(Some(started)) => started,
        Ok(None) => return answer::other(&web, &headers, RefusalKind::StartExpired, &Framing::Nobody),
        Err(fault) => return answer::fault(&web, &headers, &fault),
    };
    let Started { authorize_url, cookie_name, cookie, explain } = started;
    let mut response = match explain {
        None => (StatusCode::SEE_OTHER, [(header::LOCATION, authorize_url.as_str())]).into_response(),
        Some(context) => {
            let organization = &context.config.organization;
            let page = StartPage {
                shell: answer::shell(&web, answer::locale(&headers, None), organization.color),
                organization: organization.into(),
                system: crate::dialog_page::system(&context.definition),
                person: crate::dialog_page::person(&context.dialog.visitor),
                continue_url: authorize_url.to_string(),
            };
            headers::page(200, page.render(), &Framing::Nobody, &page.shell.nonce)
        }
    };
    let cookie = cookies::set(&place, &cookie_name, cookie.reveal(), connect::attempt::LIFETIME_S);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
