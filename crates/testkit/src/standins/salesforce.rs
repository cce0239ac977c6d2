//! Salesforce: the API's address in the token's answer, no life stated, PKCE.

use super::{ACCESS_TOKEN, Call, REFRESH_TOKEN, Reply};
use serde_json::json;

pub(super) fn answer(call: &mut Call<'_>) -> Reply {
    match call.route() {
        ("GET", "/services/oauth2/authorize") => call.sign_in(),
        ("POST", "/services/oauth2/token") => token(call),
        ("GET", "/services/oauth2/userinfo") if call.is_known_token(call.seen.bearer()) => Reply::json(
            200,
            &json!({"user_id": "005A", "organization_id": "00DA", "preferred_username": "anna@acme.example", "name": "Anna"}),
        ),
        ("GET", "/services/oauth2/userinfo") => Reply {
            status: 403,
            content_type: "text/plain",
            body: "Bad_OAuth_Token".to_owned(),
            location: None,
        },
        ("POST", "/services/oauth2/revoke") => {
            call.memory.revoked = call.seen.form().get("token").is_some_and(|token| token == REFRESH_TOKEN);
            Reply { status: 200, content_type: "text/plain", body: String::new(), location: None }
        }
        _ => Reply::missing(),
    }
}

fn token(call: &mut Call<'_>) -> Reply {
    let form = call.seen.form();
    let get = |name: &str| form.get(name).map(String::as_str);
    let client =
        get("client_id").zip(get("client_secret")).map(|(id, secret)| (id.to_owned(), secret.to_owned()));
    if !call.is_known_client(client) {
        return refused("invalid_client", "invalid client credentials");
    }
    let refreshes = get("grant_type") == Some("refresh_token") && get("refresh_token") == Some(REFRESH_TOKEN);
    // PKCE is required here, as an administrator can do it there.
    let proven = get("code_verifier").is_some();
    let redeems = get("grant_type") == Some("authorization_code")
        && call.redeem(get("code"), get("redirect_uri"), get("code_verifier"))
        && proven;
    if !(refreshes && !call.memory.revoked || redeems) {
        return refused("invalid_grant", "expired authorization code");
    }
    // A refresh gives no new refresh token.
    let refresh_token = redeems.then_some(REFRESH_TOKEN);
    let body = json!({
        "access_token": ACCESS_TOKEN, "refresh_token": refresh_token, "instance_url": call.origin,
        "token_type": "Bearer", "signature": "c2ln", "issued_at": "1700000000000",
        "id": "https://login.salesforce.com/id/00DA/005A", "scope": "api id openid refresh_token",
    });
    Reply::json(200, &body)
}

fn refused(error: &str, description: &str) -> Reply {
    Reply::json(400, &json!({"error": error, "error_description": description}))
}
