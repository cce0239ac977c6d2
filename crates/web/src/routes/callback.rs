//! `GET /oauth2/callback`: where every outside system sends the browser back to (contract `connect.md`, 3).

use crate::Web;
use crate::answer;
use crate::cookies;
use crate::headers::{self, Framing};
use crate::pages::{CallbackOutcome, CallbackPage, Party};
use crate::who::{Fetch, Here};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::Plain;
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
    let spent = came.spent_cookie.as_deref().map(|name| cookies::clear(&place, name));
    let mut response = shown(&web, &headers, came);
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
            Ended::Pending { code: Some(code) } => CallbackOutcome::Code(code),
            Ended::Failed { failure, detail } => CallbackOutcome::Failed { failure, detail },
        },
        continue_url: came.onwards,
        reference: came.reference,
    };
    headers::page(status, page.render(), &Framing::Nobody, &page.shell.nonce)
}
