//! `/v2/tenants/{id}/connectors/{name}/call`, `/soap` and `/xml`: calls to outside systems with a credential that the
//! caller does not see (contract `connect.md`, section 6).

use crate::Web;
use crate::answer;
use crate::who::ApiCaller;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use connect::connector::Method;
use connect::connector::flow::{CallBody, Rate, Wanted};
use futures_util::StreamExt as _;
use kernel::ids::TenantId;
use kernel::{Slug, Time};
use serde_json::{Map, Value, json};
use service::work::call::{Answered, CALL_BODY, CallFailed, Calling, Content, Form, NoAnswer, no_answer};
use service::work::credential::NoCredential;

/// The scope that calls outside systems; it does not read credentials.
pub const SCOPE: &str = "connectors:call";

/// `{data}` of JSON or text; with `?raw=true` the body as it is.
pub async fn call(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(names): Path<(String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let is_raw = query.unwrap_or_default().split('&').any(|pair| matches!(pair, "raw=true" | "raw=1"));
    let form = if is_raw { Form::Raw } else { Form::Data };
    carried_out(&web, &caller, names, form, request).await
}

/// `{data}` of a SOAP envelope.
pub async fn soap(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(names): Path<(String, String)>,
    request: Request,
) -> Response {
    carried_out(&web, &caller, names, Form::Soap, request).await
}

/// `{data}` of XML.
pub async fn xml(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(names): Path<(String, String)>,
    request: Request,
) -> Response {
    carried_out(&web, &caller, names, Form::Xml, request).await
}

async fn carried_out(
    web: &Web,
    caller: &service::connect::look_up::Caller,
    (id, connector): (String, String),
    form: Form,
    request: Request,
) -> Response {
    if !caller.may(SCOPE) {
        return answer::not_authorized();
    }
    let Some((tenant, connector)) = named(&id, &connector) else {
        return answer::api_message(404, "this tenant has no such connector");
    };
    let Ok(body) = to_bytes(request.into_body(), CALL_BODY).await else {
        return answer::api_message(413, &format!("the body is larger than {CALL_BODY} bytes"));
    };
    let wanted = match wanted(&body, form) {
        Ok(wanted) => wanted,
        Err(unfit) => return unfit.into_response(),
    };
    let calling = Calling { tenant, connector, environment: Some(caller.environment), wanted, form };
    match web.service().call(&caller.organization, &calling).await {
        Ok(answered) => shown(answered),
        Err(failed) => refused(&failed, web.service().clock.now()),
    }
}

/// Tenant and connector as the path names them.
pub(super) fn named(id: &str, connector: &str) -> Option<(TenantId, Slug)> {
    Some((TenantId::parse(id).ok()?, Slug::parse(connector).ok()?))
}

/// What is wrong with the body of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit {
    field: &'static str,
    message: String,
    kind: &'static str,
}

impl Unfit {
    fn new(field: &'static str, message: impl Into<String>, kind: &'static str) -> Self {
        Self { field, message: message.into(), kind }
    }

    fn into_response(self) -> Response {
        let location: &[&str] = if self.field.is_empty() { &["body"] } else { &["body", self.field] };
        answer::api_invalid(location, &self.message, self.kind)
    }
}

/// Reads `{method, target_url, headers, query_params, body|data}`; other members are passed over.
///
/// # Errors
/// [`Unfit`].
pub fn wanted(body: &[u8], form: Form) -> Result<Wanted, Unfit> {
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| Unfit::new("", "is not a JSON object", "value_error.jsondecode"))?;
    let is_xml = matches!(form, Form::Soap | Form::Xml);
    let method = match fields.get("method") {
        None | Some(Value::Null) if is_xml => Method::Post,
        None | Some(Value::Null) => Method::Get,
        Some(text) => method(text)?,
    };
    let target = fields.get("target_url").and_then(Value::as_str);
    let target = target.ok_or_else(|| Unfit::new("target_url", "is needed: a text", "type_error.str"))?;
    let (accept, text_type) = match form {
        Form::Data => ("application/json", "text/plain; charset=utf-8"),
        Form::Raw => ("*/*", "text/plain; charset=utf-8"),
        Form::Soap => ("text/xml, application/soap+xml, application/xml", "text/xml; charset=utf-8"),
        Form::Xml => ("application/xml, text/xml", "application/xml; charset=utf-8"),
    };
    let query = pairs(&fields, "query_params")?;
    let headers = pairs(&fields, "headers")?;
    let body = payload(&fields, is_xml)?;
    Ok(Wanted { method, target: target.to_owned(), headers, query, body, text_type, accept })
}

fn method(text: &Value) -> Result<Method, Unfit> {
    let text = text.as_str().unwrap_or_default();
    Method::parse(text).ok_or_else(|| {
        let known: Vec<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
        Unfit::new("method", format!("is none of {}", known.join(", ")), "value_error.method")
    })
}

/// An object of texts, numbers and flags; a list gives its name several times. An empty list is what languages with one
/// kind of container write for an empty object.
fn pairs(fields: &Map<String, Value>, field: &'static str) -> Result<Vec<(String, String)>, Unfit> {
    let unfit = || Unfit::new(field, "is an object of texts, numbers and flags", "type_error.dict");
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let members = match fields.get(field) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.is_empty() => return Ok(Vec::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(unfit()),
    };
    let mut pairs = Vec::new();
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    pairs.push((name.clone(), text(item).ok_or_else(unfit)?));
                }
            }
            value => pairs.push((name.clone(), text(value).ok_or_else(unfit)?)),
        }
    }
    Ok(pairs)
}

/// `body` or, as some programs call it, `data`.
fn payload(fields: &Map<String, Value>, is_xml: bool) -> Result<Option<CallBody>, Unfit> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let value = match (given("body"), given("data")) {
        (Some(_), Some(_)) => {
            return Err(Unfit::new("data", "stands for `body`; give one of them", "value_error.both"));
        }
        (one, other) => one.or(other),
    };
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(CallBody::Text(text.clone()))),
        Some(_) if is_xml => Err(Unfit::new("body", "is XML, as a text", "type_error.str")),
        Some(value) => Ok(Some(CallBody::Json(value.clone()))),
    }
}

fn shown(answered: Answered) -> Response {
    let Answered { content, rate } = answered;
    let mut response = match content {
        Content::Data(data) => Json(json!({ "data": data })).into_response(),
        Content::LargeData(pieces) => {
            let pieces = pieces.stream().map(|piece| piece.map(Bytes::from));
            let whole = futures_util::stream::iter([Ok(Bytes::from_static(b"{\"data\":"))])
                .chain(pieces)
                .chain(futures_util::stream::iter([Ok(Bytes::from_static(b"}"))]));
            let mut response = Response::new(Body::from_stream(whole));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Content::Raw { content_type, pieces } => {
            let pieces = pieces.stream().map(|piece| piece.map(Bytes::from));
            raw(content_type.as_deref(), Body::from_stream(pieces))
        }
    };
    tell_rate(response.headers_mut(), rate);
    response
}

/// A body of somebody else's under our own name. Decision: no browser shows it as a page. Attack: a page with scripts at
/// an outside system would run at our origin. Trade: none, because programs ask.
fn raw(content_type: Option<&str>, body: Body) -> Response {
    let mut response = Response::new(body);
    let kind = content_type.and_then(|kind| HeaderValue::from_str(kind).ok());
    let kind = kind.unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let sandbox = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    response
}

/// What the outside system says of its limits, under names that do not depend on it.
fn tell_rate(headers: &mut HeaderMap, rate: Rate) {
    for (name, number) in [("x-ratelimit-remaining", rate.remaining), ("x-ratelimit-reset", rate.reset_s)] {
        if let Some(number) = number {
            headers.insert(name, HeaderValue::from(number));
        }
    }
}

/// A credential that is not there, for programs.
pub(super) fn credential_refused(refused: &NoCredential, now: Time) -> Response {
    let said = |status: u16, code: &str| {
        answer::json_answer(status, &json!({ "message": refused.to_string(), "code": code }))
    };
    match refused {
        NoCredential::NotFound => answer::api_message(404, &refused.to_string()),
        NoCredential::Disconnected => said(409, "not_connected"),
        NoCredential::NotNow { again } => {
            with_retry(said(503, "credential_not_fresh"), Some(again.seconds_since(now).max(1)))
        }
        NoCredential::Fault(fault) => answer::api_fault(fault),
    }
}

fn with_retry(mut response: Response, wait_s: Option<i64>) -> Response {
    if let Some(wait) = wait_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

fn refused(failed: &CallFailed, now: Time) -> Response {
    let (code, message) = (failed.code(), failed.to_string());
    let said = |status: u16, more: Value| {
        let mut body = json!({ "message": message, "code": code });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        answer::json_answer(status, &body)
    };
    match failed {
        CallFailed::Credential(refused) => credential_refused(refused, now),
        CallFailed::Refused(refused) => answer::api_invalid(&["body", refused.field()], &message, code),
        CallFailed::Unanswered(error) => match no_answer(error) {
            NoAnswer::Unfit(field) => answer::api_invalid(&["body", field], &message, code),
            NoAnswer::TooSlow => said(504, Value::Null),
            NoAnswer::Outside => said(502, Value::Null),
        },
        CallFailed::Redirect { status, location } => {
            said(502, json!({ "status": status, "location": location }))
        }
        CallFailed::TooMany { status, wait_s, body } => {
            let answer = said(429, json!({ "status": status, "retry_after": wait_s, "body": body }));
            with_retry(answer, *wait_s)
        }
        CallFailed::Status { status, wait_s, body } => {
            said(502, json!({ "status": status, "retry_after": wait_s, "body": body }))
        }
        CallFailed::SoapFault { status, fault, body } => {
            let fault = json!({ "code": fault.code, "text": fault.text });
            said(502, json!({ "status": status, "fault": fault, "body": body }))
        }
        CallFailed::Unreadable { status, .. } => said(502, json!({ "status": status })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value, form: Form) -> Result<Wanted, Unfit> {
        wanted(body.to_string().as_bytes(), form)
    }

    #[test]
    fn a_call_is_read() {
        let body = json!({
            "method": "post", "target_url": "/x", "headers": {"A": "1", "B": 2, "C": null},
            "query_params": {"a": true, "b": ["x", 1]}, "body": {"k": [1]}, "other": 1,
        });
        let wanted = read(&body, Form::Data).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!((wanted.method, wanted.target.as_str()), (Method::Post, "/x"));
        assert_eq!(wanted.headers, [pair("A", "1"), pair("B", "2")]);
        assert_eq!(wanted.query, [pair("a", "true"), pair("b", "x"), pair("b", "1")]);
        assert_eq!(wanted.body, Some(CallBody::Json(json!({"k": [1]}))));
        let bare = read(&json!({"target_url": ""}), Form::Data).unwrap();
        assert_eq!((bare.method, bare.body), (Method::Get, None));
        let head = read(&json!({"target_url": "/x", "method": "head"}), Form::Data).unwrap();
        assert_eq!(head.method, Method::Head);
        let empty =
            read(&json!({"target_url": "/x", "headers": [], "query_params": []}), Form::Data).unwrap();
        assert!(empty.headers.is_empty() && empty.query.is_empty());
        let soap = read(&json!({"target_url": "/x", "data": "<a/>"}), Form::Soap).unwrap();
        assert_eq!((soap.method, soap.body), (Method::Post, Some(CallBody::Text("<a/>".into()))));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (body, form, field) in [
            (json!([]), Form::Data, ""),
            (json!({}), Form::Data, "target_url"),
            (json!({"target_url": 1}), Form::Data, "target_url"),
            (json!({"target_url": "/x", "method": "TRACE"}), Form::Data, "method"),
            (json!({"target_url": "/x", "method": "CONNECT"}), Form::Data, "method"),
            (json!({"target_url": "/x", "method": 1}), Form::Data, "method"),
            (json!({"target_url": "/x", "headers": ["a"]}), Form::Data, "headers"),
            (json!({"target_url": "/x", "headers": {"a": {}}}), Form::Data, "headers"),
            (json!({"target_url": "/x", "query_params": "a=b"}), Form::Data, "query_params"),
            (json!({"target_url": "/x", "body": 1, "data": 2}), Form::Data, "data"),
            (json!({"target_url": "/x", "body": {}}), Form::Xml, "body"),
        ] {
            assert_eq!(read(&body, form).map_err(|unfit| unfit.field), Err(field), "{body}");
        }
        assert!(wanted(b"{", Form::Data).is_err());
    }
}
