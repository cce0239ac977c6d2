//! Answers that say no: a page for people, JSON for programs, with one code and one reference.

use crate::Web;
use crate::headers::{self, Framing};
use crate::pages::{Party, RefusalKind, RefusalPage, Shell};
use crate::texts::{Locale, Words};
use crate::who::wants_json;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::ids::RefusalId;
use serde_json::json;
use service::Fault;
use service::admin::AdminRefused;
use service::connect::refuse::Refused;
use service::enter::refuse::Denied;

/// The language of a request.
pub fn locale(headers: &HeaderMap, ui_locales: Option<&str>) -> Locale {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Locale::negotiate(ui_locales, accepted)
}

/// The frame of a page in the organization's colour.
pub fn shell(web: &Web, locale: Locale, color: Option<kernel::Color>) -> Shell {
    Shell::new(locale, color, headers::nonce(&*web.service().chance))
}

/// A refused landing. The page may be framed by anyone, because without it the browser would show its own
/// blank error; it holds no action and no data of the user.
pub fn refused(web: &Web, headers: &HeaderMap, locale: Locale, refused: &Refused) -> Response {
    let Refused { refusal, reference, config } = refused;
    if wants_json(headers) {
        let mut body = json!({
            "message": refusal.message,
            "code": refusal.code.as_str(),
            "reference": reference.as_str(),
        });
        if let (Some(body), Some(claim)) = (body.as_object_mut(), &refusal.claim) {
            body.insert("claim".to_owned(), json!(claim));
        }
        return json_answer(refusal.code.status(), &body);
    }
    let organization = config.as_ref().map(|config| &config.organization);
    let shell = shell(web, locale, organization.and_then(|organization| organization.color));
    let kind = RefusalKind::Landing(refusal.code);
    let messages = config.as_ref().map(|config| {
        let said = Words::new(locale)
            .with("app", &config.organization.name)
            .say(format!("refused.{}.text", kind.code()).as_str());
        crate::messages::error(config, &said, kind.code(), reference.as_str())
    });
    let page = RefusalPage {
        kind,
        organization: organization.map(Party::from),
        claim: refusal.claim.clone(),
        reference: reference.to_string(),
        messages: messages.unwrap_or_default(),
        shell,
    };
    headers::page(refusal.code.status(), page.render(), &Framing::Anyone, &page.shell.nonce)
}

/// A refusal of the second door. Nobody frames it, because some of its pages are answers to what a person did here.
pub fn denied(web: &Web, headers: &HeaderMap, ui_locales: Option<&str>, denied: &Denied) -> Response {
    let Denied { denial, reference } = denied;
    let page = RefusalPage {
        shell: shell(web, locale(headers, ui_locales), None),
        kind: RefusalKind::Entry(denial.code, denial.status),
        organization: None,
        claim: denial.parameter.clone(),
        reference: reference.to_string(),
        messages: Vec::new(),
    };
    if wants_json(headers) {
        let body = json!({ "message": page.text(), "code": denial.code, "reference": reference.as_str() });
        return json_answer(denial.status, &body);
    }
    headers::page(denial.status, page.render(), &Framing::Nobody, &page.shell.nonce)
}

/// A page that says no for another reason than a landing's.
pub fn other(web: &Web, headers: &HeaderMap, kind: RefusalKind, framing: &Framing) -> Response {
    let service = web.service();
    let reference = RefusalId::new(service.clock.now(), &*service.chance);
    let page = RefusalPage {
        shell: shell(web, locale(headers, None), None),
        kind,
        organization: None,
        claim: None,
        reference: reference.to_string(),
        messages: Vec::new(),
    };
    if wants_json(headers) {
        let body = json!({ "message": page.text(), "code": kind.code(), "reference": reference.as_str() });
        return json_answer(kind.status(), &body);
    }
    tracing::info!(reference = %reference, code = kind.code(), "refused");
    headers::page(kind.status(), page.render(), framing, &page.shell.nonce)
}

/// 421: this host is none of ours.
pub fn host_unknown(web: &Web, headers: &HeaderMap) -> Response {
    other(web, headers, RefusalKind::HostUnknown, &Framing::Nobody)
}

/// 403: a POST that did not come from a page of our own.
pub fn origin_forbidden(web: &Web, headers: &HeaderMap) -> Response {
    other(web, headers, RefusalKind::OriginForbidden, &Framing::Anyone)
}

/// 410: the dialog is over, or there never was one.
pub fn dialog_expired(web: &Web, headers: &HeaderMap) -> Response {
    other(web, headers, RefusalKind::DialogExpired, &Framing::Anyone)
}

/// 503 with a reference under which the log has the reason.
pub fn fault(web: &Web, headers: &HeaderMap, fault: &Fault) -> Response {
    tracing::error!(error = %fault, "a request could not be carried out");
    let mut response = other(web, headers, RefusalKind::Unavailable, &Framing::Anyone);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// `403 {"detail":"Not authorized"}` (contract `connect.md`, section 6).
pub fn not_authorized() -> Response {
    json_answer(403, &json!({ "detail": "Not authorized" }))
}

/// `{"message": ..}` with 404, 409, 422 and the like (contract `connect.md`, section 6).
pub fn api_message(status: u16, message: &str) -> Response {
    json_answer(status, &json!({ "message": message }))
}

/// A validation error in the published shape: `{"detail":[{loc,msg,type}]}`, status 422.
pub fn api_invalid(location: &[&str], message: &str, kind: &str) -> Response {
    json_answer(422, &json!({ "detail": [{ "loc": location, "msg": message, "type": kind }] }))
}

/// 422 for a path whose part of this name is no number, as every published id is.
pub fn api_not_a_number(name: &str) -> Response {
    api_invalid(&["path", name], "value is not a valid integer", "type_error.integer")
}

/// Our own fault, for programs.
pub fn api_fault(fault: &Fault) -> Response {
    tracing::error!(error = %fault, "an API request could not be carried out");
    let mut response = api_message(503, "the gateway cannot answer just now; try again in a few seconds");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// What an administrator's refusal is as an answer of the API.
pub fn api_refused(refused: &AdminRefused) -> Response {
    match refused {
        AdminRefused::NotFound { what, .. } => api_message(404, &format!("there is no such {what}")),
        AdminRefused::Taken { .. } | AdminRefused::Conflict(_) => api_message(409, &refused.to_string()),
        AdminRefused::Connector(_) => api_invalid(&["body"], &refused.to_string(), "value_error"),
        AdminRefused::Invalid(text) => api_invalid(&["body"], text, "value_error"),
        AdminRefused::Release(unusable) => api_invalid(&["body"], &unusable.to_string(), unusable.code()),
        AdminRefused::Fault(fault) => api_fault(fault),
    }
}

/// JSON with a status.
pub fn json_answer(status: u16, body: &serde_json::Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}
