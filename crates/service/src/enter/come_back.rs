//! A browser comes back from its partner with nothing in its hands.

use super::arrive::ROUTE;
use super::refuse::Denial;
use super::reply::Reply;
use super::session::Browser;
use crate::{Fault, Place, Service};
use ::enter::entry::Nonce;
use store::pending_requests;

impl Service {
    /// A browser that came back to `nextUrl` itself, without an entry code.
    ///
    /// Where its person was vouched for meanwhile, the request goes on; otherwise a page says what happened, because
    /// another trip would end the same way.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn come_without_code(
        &self,
        place: &Place,
        nonce: Option<&str>,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let live = self.live_session(place, &browser).await?;
        let nonce = nonce.and_then(Nonce::parse).filter(|nonce| browser.waiting.contains(nonce));
        if let (Some(live), Some(nonce)) = (live, nonce) {
            let (environment, wanted) = (place.environment, nonce.clone());
            let read = self.db.read(move |tx| {
                Box::pin(async move { pending_requests::find(tx, environment, &wanted).await })
            });
            let waiting: Option<::enter::entry::Waiting> = read.await.map_err(Fault::from)?;
            let sent = waiting.and_then(|waiting| waiting.sent);
            if sent.is_some_and(|sent| live.session.authenticated >= sent) {
                return Box::pin(self.go_on(place, &nonce, browser)).await;
            }
        }
        let text = "the browser came back to nextUrl without an entry code; the session-transfer endpoint must call \
                    GetEntryURLWithCode and redirect to the entryUrl of its answer";
        self.denied(place, ROUTE, Denial::new("entry_code_missing", 400, text), browser).await
    }
}
