//! Stripe by key: the key as Basic's user name or as a bearer token, errors as an object.

use super::{Behaviour, Call, Reply, STRIPE_KEY};
use serde_json::json;

pub(super) fn answer(call: &mut Call<'_>) -> Reply {
    let basic = call.seen.basic().filter(|(_, password)| password.is_empty()).map(|(user, _)| user);
    let key = call.seen.bearer().map(ToOwned::to_owned).or(basic);
    if key.as_deref() != Some(STRIPE_KEY) || call.memory.behaviour == Behaviour::Forgets {
        let message = format!("Invalid API Key provided: {}", key.unwrap_or_default());
        return Reply::json(401, &json!({"error": {"message": message, "type": "invalid_request_error"}}));
    }
    match call.route() {
        ("GET", "/v1/account") => Reply::json(
            200,
            &json!({"id": "acct_1", "object": "account", "settings": {"dashboard": {"display_name": "Acme Shop"}}}),
        ),
        ("GET", "/v1/balance") => Reply::json(200, &json!({"object": "balance", "livemode": false})),
        _ => Reply::json(
            404,
            &json!({"error": {"message": "Unrecognized request URL", "type": "invalid_request_error"}}),
        ),
    }
}
