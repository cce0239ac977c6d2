//! `/oauth2/consents`: what the person has allowed apps to know, and taking it back.

use super::asked::Answered;
use super::shown::{Visitor, person};
use crate::Web;
use crate::answer;
use crate::pages::{AllowedView, EntryView};
use crate::who::Here;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enter::ids::ClientId;
use service::enter::consent::Allowed;
use service::enter::reply::Named;

/// The list.
pub async fn get(State(web): State<Web>, Here(place): Here, headers: HeaderMap) -> Response {
    let visitor = Visitor::new(&web, &place, &headers, "");
    let view = match web.service().allowed(&place, &visitor.browser()).await {
        Ok(Some((live, list))) => {
            let view =
                |Allowed { client, app, scopes, .. }| AllowedView { client: client.to_string(), app, scopes };
            let named = person(Named::of(&live.person));
            EntryView::Allowed { person: Some(named), list: list.into_iter().map(view).collect() }
        }
        Ok(None) => EntryView::Allowed { person: None, list: Vec::new() },
        Err(fault) => return answer::fault(&web, &headers, &fault),
    };
    visitor.page(200, view)
}

/// Takes one back.
pub async fn post(answered: Answered) -> Response {
    let client = answered.field("client").and_then(|id| ClientId::parse(&id).ok());
    let service = answered.web.service();
    let live = service.live_session(&answered.place, &answered.visitor().browser()).await;
    let taken = match (live, client) {
        (Ok(Some(live)), Some(client)) => service.take_consent_back(&live, &client).await.map(drop),
        (Ok(_), _) => Ok(()),
        (Err(fault), _) => Err(fault),
    };
    match taken {
        Ok(()) => (StatusCode::SEE_OTHER, [(header::LOCATION, "/oauth2/consents")]).into_response(),
        Err(fault) => answer::fault(&answered.web, &answered.headers, &fault),
    }
}
