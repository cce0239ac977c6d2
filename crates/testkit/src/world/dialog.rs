//! A dialog as its person sees it.

use super::person::{Answer, Person};
use crate::standins::STRIPE_KEY;
use serde_json::Value;

/// A dialog that was opened, in the browser of its person.
#[derive(Debug, Clone)]
pub struct Dialog {
    pub person: Person,
    /// `/dialogs/{bearer}`.
    pub path: String,
}

impl Dialog {
    /// The bearer, as it stands in the path.
    #[must_use]
    pub fn bearer(&self) -> &str {
        self.path.trim_start_matches("/dialogs/")
    }

    /// The same dialog in another browser.
    #[must_use]
    pub fn seen_by(&self, person: &Person) -> Self {
        Self { person: person.clone(), path: self.path.clone() }
    }

    /// The page of the present stage.
    pub async fn page(&self) -> Answer {
        self.person.get(&self.path).await
    }

    /// The state as JSON.
    ///
    /// # Panics
    /// When the dialog is over.
    pub async fn state(&self) -> Value {
        let answer = self.person.get(&format!("{}/state", self.path)).json().same_origin().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The stage's name.
    ///
    /// # Panics
    /// When the dialog is over.
    pub async fn stage(&self) -> String {
        self.state().await.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// What the page's script does: a POST that answers the state.
    pub async fn posts(&self, what: &str, fields: &[(&str, &str)]) -> Answer {
        self.person.post(&format!("{}/{what}", self.path)).json().form(fields).await
    }

    async fn turns(&self, what: &str, fields: &[(&str, &str)]) -> Value {
        let answer = self.posts(what, fields).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        answer.json()
    }

    /// A fresh start link: `/start/{ticket}`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start_link(&self) -> String {
        let answer = self.turns("start", &[]).await;
        answer.get("start_url").and_then(Value::as_str).expect("a start link").to_owned()
    }

    /// Clicks: the popup goes on to the outside system. Its sign-in page's URL.
    ///
    /// # Panics
    /// When it is not sent on.
    pub async fn starts(&self) -> String {
        let link = self.start_link().await;
        let answer = self.person.get(&link).same_origin().await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.location().to_owned()
    }

    /// Starts and signs in at the outside system: the callback's URL.
    ///
    /// # Panics
    /// When one of them does not send on.
    pub async fn signs_in(&self) -> String {
        let authorize = self.starts().await;
        self.person.signs_in_at(&authorize).await
    }

    /// Starts, signs in and comes back: the callback's page.
    ///
    /// # Panics
    /// When it is not sent on.
    pub async fn goes_and_comes_back(&self) -> Answer {
        let callback = self.signs_in().await;
        self.person.comes_back(&callback).await
    }

    /// The page takes the pending credential.
    ///
    /// # Panics
    /// When the dialog is over.
    pub async fn confirms(&self) -> Value {
        self.turns("confirm", &[]).await
    }

    /// Fills the form in.
    ///
    /// # Panics
    /// When the dialog is over.
    pub async fn types(&self, fields: &[(&str, &str)]) -> Value {
        self.turns("inputs", fields).await
    }

    /// # Panics
    /// When the dialog is over.
    pub async fn types_code(&self, code: &str) -> Value {
        self.turns("code", &[("code", code)]).await
    }

    /// "Yes, that is me".
    ///
    /// # Panics
    /// When the dialog is over.
    pub async fn confirms_identity(&self) -> Value {
        self.turns("identity", &[]).await
    }

    /// # Panics
    /// When the dialog is over.
    pub async fn cancels(&self) -> Value {
        self.turns("cancel", &[]).await
    }

    /// # Panics
    /// When the dialog is over.
    pub async fn retries(&self) -> Value {
        self.turns("retry", &[]).await
    }

    /// # Panics
    /// When the dialog is over.
    pub async fn disconnects(&self) -> Value {
        self.turns("disconnect", &[]).await
    }

    /// The messages for the parent window: `[{targetOrigin, data}]`; empty where none waits.
    ///
    /// # Panics
    /// When the answer is neither.
    pub async fn announcement(&self) -> Vec<Value> {
        let answer = self.posts("announcement", &[]).await;
        if answer.status == 204 {
            return Vec::new();
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let messages = answer.json().get("messages").and_then(Value::as_array).cloned();
        messages.expect("messages")
    }

    /// Does whatever is asked until the dialog is at `success`: the tenant in the v1 shape, from the message.
    ///
    /// # Panics
    /// When it does not come there.
    pub async fn succeeds(&self) -> Value {
        for _ in 0..8 {
            match self.stage().await.as_str() {
                "confirm_identity" => drop(self.confirms_identity().await),
                "connected" => drop(self.retries().await),
                "form" => drop(self.fills_in().await),
                "ready" => drop(self.goes_and_comes_back().await),
                "checking" => drop(self.confirms().await),
                "success" => return self.told_tenant().await,
                other => panic!("the dialog stands at {other}: {}", self.state().await),
            }
        }
        panic!("the dialog never came to success: {}", self.state().await);
    }

    async fn fills_in(&self) -> Value {
        let html = self.state().await.get("html").and_then(Value::as_str).unwrap_or_default().to_owned();
        if html.contains("name=\"api_key\"") {
            self.types(&[("api_key", STRIPE_KEY)]).await
        } else {
            self.types(&[("login", "login")]).await
        }
    }

    async fn told_tenant(&self) -> Value {
        let messages = self.announcement().await;
        let tenant = messages.first().and_then(|message| message.pointer("/data/tenant"));
        tenant.unwrap_or_else(|| panic!("no message of success: {messages:?}")).clone()
    }
}
