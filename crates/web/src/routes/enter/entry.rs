//! `/enter`: a browser comes from its partner.

use super::asked::{Answered, Looked};
use axum::response::Response;

/// Redeems an entry code. `nextUrl` beside it is decoration: the one stored with the code counts.
pub async fn get(asked: Looked) -> Response {
    let code = asked.field("code");
    let visitor = asked.visitor();
    let service = asked.web.service();
    visitor.shown(service.arrive_by_entry(&asked.place, code.as_deref(), visitor.browser()).await)
}

/// The `nextUrl` that partners get. Only a browser that was sent there without a code comes here.
pub async fn without_code(asked: Looked) -> Response {
    let nonce = asked.field("pending");
    let visitor = asked.visitor();
    let service = asked.web.service();
    visitor.shown(service.come_without_code(&asked.place, nonce.as_deref(), visitor.browser()).await)
}

/// "Continue as B": yes. There is no no: whoever does not want it closes the page.
pub async fn confirm(answered: Answered) -> Response {
    let token = answered.field("token").unwrap_or_default();
    let visitor = answered.visitor();
    let service = answered.web.service();
    visitor.shown_after_form(service.answer_entry(&answered.place, &token, visitor.browser()).await)
}
