//! HubSpot: the client in the form, refusals as `status` and `message`, the portal's id by a request of its own.

use super::{ACCESS_TOKEN, Call, REFRESH_TOKEN, Reply};
use serde_json::json;

pub(super) fn answer(call: &mut Call<'_>) -> Reply {
    let path = call.seen.path.clone();
    if let ("GET", Some(token)) = (call.seen.method.as_str(), path.strip_prefix("/oauth/v1/access-tokens/")) {
        return token_facts(call, token);
    }
    if let ("DELETE", Some(token)) =
        (call.seen.method.as_str(), path.strip_prefix("/oauth/v1/refresh-tokens/"))
    {
        call.memory.revoked = token == REFRESH_TOKEN;
        return Reply { status: 204, content_type: "text/plain", body: String::new(), location: None };
    }
    match call.route() {
        ("GET", "/oauth/authorize") => call.sign_in(),
        ("POST", "/oauth/v1/token") => token(call),
        ("GET", "/account-info/v3/details") if call.is_known_token(call.seen.bearer()) => {
            let body =
                json!({"portalId": 62_515, "uiDomain": "app.hubspot.com", "timeZone": "Europe/Berlin"});
            Reply::json(200, &body)
        }
        ("GET", "/account-info/v3/details") => refused(401, "INVALID_AUTHENTICATION"),
        _ => Reply::missing(),
    }
}

fn token(call: &mut Call<'_>) -> Reply {
    let form = call.seen.form();
    let get = |name: &str| form.get(name).map(String::as_str);
    let client =
        get("client_id").zip(get("client_secret")).map(|(id, secret)| (id.to_owned(), secret.to_owned()));
    if !call.is_known_client(client) {
        return refused(400, "BAD_CLIENT_ID");
    }
    let good = match get("grant_type") {
        Some("authorization_code") => call.redeem(get("code"), get("redirect_uri"), get("code_verifier")),
        Some("refresh_token") => get("refresh_token") == Some(REFRESH_TOKEN),
        _ => false,
    };
    if !good {
        return refused(400, "BAD_AUTH_CODE");
    }
    let body = json!({
        "token_type": "bearer", "refresh_token": REFRESH_TOKEN, "access_token": ACCESS_TOKEN, "expires_in": 1800,
    });
    Reply::json(200, &body)
}

fn token_facts(call: &Call<'_>, token: &str) -> Reply {
    if !call.is_known_token(Some(token)) {
        return refused(404, "NOT_FOUND");
    }
    let body = json!({
        "token": token, "user": "anna@example.com", "hub_domain": "demo.example.com", "hub_id": 62_515,
        "scopes": ["oauth", "crm.objects.contacts.read"], "token_type": "access", "expires_in": 1754,
    });
    Reply::json(200, &body)
}

fn refused(status: u16, code: &str) -> Reply {
    Reply::json(
        status,
        &json!({"status": code, "message": "refused by the stand-in", "correlationId": "c-1"}),
    )
}
