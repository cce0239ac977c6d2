//! Files and the few pages that belong to nobody: the embed script, styles, the mark, the home page, and the
//! gallery of the demo.

use crate::Web;
use crate::answer;
use crate::assets::{self, Asset, FOR_AN_HOUR, FOR_EVER};
use crate::headers::{self, Framing};
use crate::pages::{Gallery, HomeLink, HomePage, RefusalKind, Scheme, gallery};
use crate::texts::Locale;
use crate::who::Here;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

/// What this is, for whoever came by chance.
pub async fn home(State(web): State<Web>, Here(_): Here, headers: HeaderMap) -> Response {
    let mut links = vec![
        HomeLink::new("/health/ready", "ready"),
        HomeLink::new("/embed/v1.js", "embed"),
        HomeLink::new("/embed/v1.d.ts", "types"),
        HomeLink::new("/openapi.json", "openapi"),
    ];
    if web.has_gallery() {
        links.push(HomeLink::new("/gallery", "gallery"));
    }
    let page = HomePage { shell: answer::shell(&web, answer::locale(&headers, None), None), links };
    headers::page(200, page.render(), &Framing::Nobody, &page.shell.nonce)
}

/// Nothing here is for crawlers.
pub async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

/// The mark.
pub async fn favicon(State(web): State<Web>, headers: HeaderMap) -> Response {
    sent(&web, &headers, assets::named("mark.svg"), FOR_AN_HOUR)
}

/// `/embed/v1.js`: any page may load it.
pub async fn embed_script(State(web): State<Web>, headers: HeaderMap) -> Response {
    for_everyone(sent(&web, &headers, assets::named("embed/v1.js"), FOR_AN_HOUR))
}

/// `/embed/v1.d.ts`.
pub async fn embed_types(State(web): State<Web>, headers: HeaderMap) -> Response {
    for_everyone(sent(&web, &headers, assets::named("embed/v1.d.ts"), FOR_AN_HOUR))
}

/// `/static/{hash}/{name}`.
pub async fn asset(
    State(web): State<Web>,
    Path((hash, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    sent(&web, &headers, assets::hashed(&hash, &name), FOR_EVER)
}

/// The embed script runs in pages of other origins: they may load it, and check it by its hash.
fn for_everyone(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

fn sent(web: &Web, headers: &HeaderMap, asset: Option<&'static Asset>, cache: &'static str) -> Response {
    let Some(asset) = asset else {
        return answer::other(web, headers, RefusalKind::NotFound, &Framing::Nobody);
    };
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let answer = asset.answer(text(header::ACCEPT_ENCODING), text(header::IF_NONE_MATCH), cache);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(answer.cache_control));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = answer.content_encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if let Ok(etag) = HeaderValue::from_str(&asset.etag()) {
        out.insert(header::ETAG, etag);
    }
    response
}

/// Every page as a sample, where the gateway was started with a gallery.
pub async fn gallery(
    State(web): State<Web>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if !web.has_gallery() {
        return answer::other(&web, &headers, RefusalKind::NotFound, &Framing::Nobody);
    }
    let shell = answer::shell(&web, answer::locale(&headers, None), None);
    let page = Gallery { shell, part: query.get("part").cloned() };
    let mut response = headers::page(200, page.render(), &Framing::Nobody, &page.shell.nonce);
    let policy = headers::content_security_policy(&Framing::Nobody, &page.shell.nonce);
    if let Ok(policy) = HeaderValue::from_str(&format!("{policy}; frame-src 'self'")) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// One sample page, in the language and the scheme asked for.
pub async fn specimen(
    State(web): State<Web>,
    Path(slug): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let found =
        web.has_gallery().then(|| gallery::specimens().into_iter().find(|it| it.slug == slug)).flatten();
    let Some(specimen) = found else {
        return answer::other(&web, &headers, RefusalKind::NotFound, &Framing::Nobody);
    };
    let locale = match query.get("dir").map(String::as_str) {
        Some("rtl") => Locale::Mirrored,
        _ => answer::locale(&headers, query.get("lang").map(String::as_str)),
    };
    let scheme = Scheme::parse(query.get("scheme").map(String::as_str));
    let nonce = headers::nonce(&*web.service().chance);
    let own = Framing::Origins(vec!["'self'".to_owned()]);
    let mut response = headers::page(200, specimen.render(locale, scheme, &nonce), &own, &nonce);
    // A sample has no dialog behind it, which its script would look for and miss.
    let policy =
        headers::content_security_policy(&own, &nonce).replace("script-src 'self'", "script-src 'none'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
