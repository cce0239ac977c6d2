//! `POST /reports/frames/{organization}`: what browsers report when they did not let a page be framed.

use crate::Web;
use crate::who::Here;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kernel::Origin;
use serde_json::Value;

/// Takes a report in either form (`application/csp-report`, or the Reporting API's list). It is always
/// answered alike, because nobody reads the answer. Only the framing origin is taken: a report also names the
/// page's address, which is a bearer.
pub async fn frame(
    State(web): State<Web>,
    Here(place): Here,
    Path(organization): Path<String>,
    body: Bytes,
) -> StatusCode {
    for parent in framing_origins(&body) {
        if let Err(fault) = web.service().report_frame(place.environment, &organization, &parent).await {
            tracing::warn!(error = %fault, "a browser's report could not be recorded");
        }
    }
    StatusCode::NO_CONTENT
}

fn framing_origins(body: &[u8]) -> Vec<Origin> {
    let Ok(report) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let reports = match report {
        Value::Array(list) => list.into_iter().take(4).map(|entry| entry.get("body").cloned()).collect(),
        Value::Object(_) => vec![report.get("csp-report").cloned()],
        _ => Vec::new(),
    };
    reports.into_iter().flatten().filter_map(|report| framing_origin(&report)).collect()
}

fn framing_origin(report: &Value) -> Option<Origin> {
    let text = |names: [&str; 2]| names.iter().find_map(|name| report.get(name)?.as_str());
    let directive = text(["effective-directive", "effectiveDirective"])
        .or_else(|| report.get("violated-directive").and_then(Value::as_str))?;
    if !directive.starts_with("frame-ancestors") {
        return None;
    }
    let url = url::Url::parse(text(["blocked-uri", "blockedURL"])?).ok()?;
    Origin::parse(&url.origin().ascii_serialization()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_framing_origin_is_taken() {
        let old = br#"{"csp-report":{"document-uri":"https://g.example/dialogs/secret","violated-directive":"frame-ancestors",
            "effective-directive":"frame-ancestors","blocked-uri":"https://evil.example/page?x=1"}}"#;
        let new = br#"[{"type":"csp-violation","body":{"effectiveDirective":"frame-ancestors","blockedURL":"https://evil.example/"}}]"#;
        for report in [&old[..], &new[..]] {
            let origins = framing_origins(report);
            assert_eq!(origins.iter().map(Origin::as_str).collect::<Vec<_>>(), ["https://evil.example"]);
        }
        for other in [
            &b"{}"[..],
            b"",
            b"[1]",
            br#"{"csp-report":{"violated-directive":"img-src","blocked-uri":"https://a.example"}}"#,
        ] {
            assert!(framing_origins(other).is_empty());
        }
    }
}
