//! Harbor's news: a deal was won, and whoever registered for it is told with a signed delivery.

use super::Harbor;
use super::books::{ACCOUNTS, Deal, Hook, Sent};
use crate::demo::story::{At, Line};
use aws_lc_rs::hmac;
use outbound::Request;
use serde_json::json;
use url::Url;

/// What became of a deal's news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Nobody is connected yet.
    NobodyListens,
    Sent,
}

impl Harbor {
    /// Wins a deal of the workspace that can be connected: the tour's button.
    pub(crate) async fn win_next(&self) -> News {
        let deal = self.books().next_deal();
        let [account, _] = ACCOUNTS;
        match deal {
            Some(deal) => self.win(account.id, deal).await,
            None => News::NobodyListens,
        }
    }

    /// Marks the deal as won and tells every address that the account's connections registered.
    pub(crate) async fn win(&self, account: &str, deal: u64) -> News {
        let (deal, hooks) = {
            let mut books = self.books();
            (books.win(deal), books.hooks_of(account))
        };
        let Some(deal) = deal.filter(|_| !hooks.is_empty()) else { return News::NobodyListens };
        for hook in hooks {
            self.send(&hook, &deal).await;
        }
        News::Sent
    }

    async fn send(&self, hook: &Hook, deal: &Deal) {
        let number = self.books().next_number();
        let now = self.stage.service.clock.now();
        let id = format!("dlv_{number:06}");
        let body = json!({
            "event": "deal.won",
            "deal": { "id": deal.id, "name": deal.name, "company": deal.company, "amount": deal.amount, "currency": "EUR" },
        })
        .to_string();
        let signature = signed(hook.secret.reveal(), &id, now.seconds(), &body);
        let text = format!("{} for {}: € {}.", deal.name, deal.company, deal.euros());
        let line = Line::new(At::Harbor, "Sent a webhook", text);
        let headers = format!(
            "Harbor-Delivery: {id}\nHarbor-Timestamp: {}\nHarbor-Signature: {signature}\n\n{body}",
            now.seconds()
        );
        self.stage.story.tell(line.shows("What was sent", headers));
        let (outcome, accepted) = match Url::parse(&hook.url) {
            Ok(url) => {
                let request = Request::post(url)
                    .body("application/json", body)
                    .header("harbor-delivery", id)
                    .header("harbor-timestamp", now.seconds().to_string())
                    .header("harbor-signature", signature);
                match self.stage.service.outbound.send(request).await {
                    Ok(answer) => (answer.status.to_string(), answer.is_success()),
                    Err(error) => (error.to_string(), false),
                }
            }
            Err(error) => (error.to_string(), false),
        };
        let time = now.iso_seconds().get(11..19).unwrap_or_default().to_owned();
        let event = "deal.won".to_owned();
        self.books().sent.push(Sent { time, event, outcome, accepted });
    }
}

/// HMAC-SHA256 over id, time and body, in hexadecimal.
fn signed(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}
