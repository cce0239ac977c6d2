//! Slack: comma scopes and `user_scope`, status 200 for every refusal, the person's token inside `authed_user`.

use super::{ACCESS_TOKEN, Call, Reply};
use serde_json::json;

pub(super) fn answer(call: &mut Call<'_>) -> Reply {
    match call.route() {
        ("GET", "/oauth/v2/authorize") => call.sign_in(),
        ("POST", "/api/oauth.v2.access") => token(call),
        ("POST", "/api/auth.test") if call.is_known_token(call.seen.bearer()) => Reply::json(
            200,
            &json!({"ok": true, "url": "https://acme.slack.com/", "team": "Acme", "user": "bot", "team_id": "T1", "user_id": "U0"}),
        ),
        ("POST", "/api/auth.test") => refused("invalid_auth"),
        ("POST", "/api/auth.revoke") => {
            call.memory.revoked = call.is_known_token(call.seen.bearer());
            Reply::json(200, &json!({"ok": true, "revoked": call.memory.revoked}))
        }
        _ => Reply::missing(),
    }
}

fn token(call: &mut Call<'_>) -> Reply {
    if !call.is_known_client(call.seen.basic()) {
        return refused("bad_client_secret");
    }
    let form = call.seen.form();
    let get = |name: &str| form.get(name).map(String::as_str);
    if !call.redeem(get("code"), get("redirect_uri"), None) {
        return refused("invalid_code");
    }
    let body = json!({
        "ok": true, "access_token": ACCESS_TOKEN, "token_type": "bot", "bot_user_id": "U0", "app_id": "A1",
        "scope": "chat:write,channels:read,users:read",
        "team": {"id": "T1", "name": "Acme"}, "enterprise": null, "is_enterprise_install": false,
        "authed_user": {"id": "U1", "scope": "search:read", "access_token": "standin-user-token-1", "token_type": "user"},
    });
    Reply::json(200, &body)
}

fn refused(error: &str) -> Reply {
    Reply::json(200, &json!({"ok": false, "error": error}))
}
