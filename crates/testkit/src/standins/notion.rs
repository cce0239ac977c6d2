//! Notion: Basic with a JSON body, `owner=user`, the `Notion-Version` header on everything.

use super::{ACCESS_TOKEN, Call, REFRESH_TOKEN, Reply};
use serde_json::{Value, json};

pub(super) fn answer(call: &mut Call<'_>) -> Reply {
    let versioned = call.seen.headers.get("notion-version").is_some_and(|version| version == "2022-06-28");
    match call.route() {
        ("GET", "/v1/oauth/authorize")
            if call.seen.query.get("owner").map(String::as_str) == Some("user") =>
        {
            call.sign_in()
        }
        ("POST", "/v1/oauth/token") if versioned => token(call),
        ("POST", "/v1/oauth/token") => refused(400, "missing_version"),
        ("POST", "/v1/oauth/revoke") if call.is_known_client(call.seen.basic()) => {
            call.memory.revoked = call.seen.json().get("token").and_then(Value::as_str) == Some(ACCESS_TOKEN);
            Reply::json(200, &json!({"request_id": "r-1"}))
        }
        ("GET", "/v1/users/me") if !versioned => refused(400, "missing_version"),
        ("GET", "/v1/users/me") if call.is_known_token(call.seen.bearer()) => {
            Reply::json(200, &json!({"object": "user", "id": "b-1", "type": "bot", "name": "Acme's app"}))
        }
        ("GET", "/v1/users/me") => Reply::json(
            401,
            &json!({"object": "error", "status": 401, "code": "unauthorized", "message": "API token is invalid."}),
        ),
        _ => Reply::missing(),
    }
}

fn token(call: &mut Call<'_>) -> Reply {
    if !call.is_known_client(call.seen.basic()) {
        return refused(401, "invalid_client");
    }
    let body = call.seen.json();
    let get = |name: &str| body.get(name).and_then(Value::as_str);
    let good = match get("grant_type") {
        Some("authorization_code") => call.redeem(get("code"), get("redirect_uri"), None),
        Some("refresh_token") => get("refresh_token") == Some(REFRESH_TOKEN),
        _ => false,
    };
    // The client must not stand in the body beside Basic.
    if !good || get("client_secret").is_some() {
        return refused(400, "invalid_grant");
    }
    let answer = json!({
        "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN, "token_type": "bearer", "bot_id": "b-1",
        "workspace_id": "w-1", "workspace_name": "Acme", "workspace_icon": null, "duplicated_template_id": null,
        "owner": {"type": "user", "user": {"id": "u-1"}},
    });
    Reply::json(200, &answer)
}

fn refused(status: u16, error: &str) -> Reply {
    Reply::json(status, &json!({"error": error}))
}
