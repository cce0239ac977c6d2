//! `vestibule webhook-endpoint ..`

use super::{ACTOR, Desk, listed};
use crate::verbs::output::note;
use anyhow::bail;
use clap::builder::BoolishValueParser;
use connect::notice::{State, json};
use kernel::ids::MessageId;
use kernel::{Plain, Time};
use serde_json::{Value, json};
use service::work::endpoints::{EndpointChange, NewEndpoint};
use service::work::messages::Replay;
use std::time::Duration;
use store::Page;

const ENDPOINT: &[&str] = &["id", "url", "events", "ordered", "status", "failing_since"];
const MESSAGE: &[&str] =
    &["id", "type", "tenant_id", "state", "since", "attempts", "next_attempt_at", "failure"];
const ATTEMPT: &[&str] = &["at", "message_id", "number", "status", "took_ms", "failure"];
/// Between two looks at a test message.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Registers an address that hears of events; its secret is shown this once
    Create {
        /// An https URL
        url: String,
        /// For people
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// An event that it hears of (may be repeated). All of them where none is said
        #[arg(long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Vec<String>,
        /// Delivers the messages of each tenant in order: one that fails holds up those behind it
        #[arg(long)]
        ordered: bool,
    },
    /// All of them, and how they do
    List,
    /// One of them
    Show { endpoint: String },
    /// Changes what is given and leaves the rest
    Set {
        endpoint: String,
        /// Another https URL
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// For people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// An event that it hears of (may be repeated; replaces all)
        #[arg(long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Option<Vec<String>>,
        /// In order per tenant, or not, from now on
        #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
        ordered: Option<bool>,
        /// Delivers nothing to it from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back, and what a 410 did
        #[arg(long)]
        enable: bool,
    },
    /// Makes a new secret, shown this once; the old one signs as well for the overlap
    RotateSecret {
        endpoint: String,
        /// How long the old secret signs beside the new one
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "24h")]
        overlap: i64,
    },
    /// Sends a sample of an event; a serving process delivers it
    Test {
        endpoint: String,
        /// Which event the sample is of; the first that the endpoint hears of where none is said
        #[arg(long, value_name = "EVENT")]
        event: Option<String>,
        /// Waits so long for what becomes of the first try
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "20s")]
        wait: i64,
    },
    /// What was tried, newest first
    Attempts {
        endpoint: String,
        /// Only those that failed
        #[arg(long)]
        failed: bool,
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Its messages, newest first
    Messages {
        endpoint: String,
        /// Only these: waiting, delivered, dead
        #[arg(long, value_name = "STATE", value_parser = state)]
        state: Option<State>,
        /// Goes on before this one
        #[arg(long, value_name = "ID")]
        before: Option<String>,
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Delivers once more: one message, or all dead ones, or those of a span of time
    Replay {
        endpoint: String,
        /// This message, whatever became of it
        #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to", "state"])]
        message: Option<String>,
        /// Only those written from then on (2026-01-31T10:00:00Z)
        #[arg(long, value_name = "TIME", value_parser = moment)]
        from: Option<Time>,
        /// Only those written before then
        #[arg(long, value_name = "TIME", value_parser = moment)]
        to: Option<Time>,
        /// The dead ones, or those that were delivered
        #[arg(long, value_name = "dead|delivered", value_parser = state, default_value = "dead")]
        state: State,
    },
    /// Deletes one; what waits for it is not delivered
    Delete { endpoint: String },
}

fn state(text: &str) -> Result<State, String> {
    State::parse(text).ok_or_else(|| "expected waiting, delivered or dead".to_owned())
}

fn moment(text: &str) -> Result<Time, String> {
    json::read_moment(text).ok_or_else(|| "expected a time such as 2026-01-31T10:00:00Z".to_owned())
}

fn message_id(text: &str) -> anyhow::Result<MessageId> {
    Ok(MessageId::parse(text)?)
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    match action {
        Action::Create { .. } | Action::Set { .. } | Action::RotateSecret { .. } | Action::Delete { .. } => {
            change(action, desk).await
        }
        Action::List => {
            let holder = desk.holder().await?;
            let records: Vec<Value> =
                desk.service.endpoints(&holder).await?.iter().map(json::endpoint).collect();
            Ok(desk.out.list(&records, ENDPOINT)?)
        }
        Action::Show { endpoint } => {
            let holder = desk.holder().await?;
            Ok(desk.out.one(&json::endpoint(&desk.service.endpoint(&holder, &endpoint).await?))?)
        }
        Action::Test { endpoint, event, wait } => test(desk, &endpoint, event.as_deref(), wait).await,
        Action::Attempts { endpoint, failed, limit } => {
            let holder = desk.holder().await?;
            let found = desk.service.attempts(&holder, &endpoint, failed, None, Page::newest(limit)).await?;
            let records: Vec<Value> = found.rows.iter().map(|(_, attempt)| json::attempt(attempt)).collect();
            Ok(desk.out.list(&records, ATTEMPT)?)
        }
        Action::Messages { endpoint, state, before, limit } => {
            let holder = desk.holder().await?;
            let before = before.as_deref().map(message_id).transpose()?;
            let found = desk.service.messages(&holder, &endpoint, state, before, Page::newest(limit)).await?;
            let shown = found.rows.iter().map(|it| json::message(&it.message, it.event, it.tenant));
            Ok(desk.out.list(&shown.collect::<Vec<_>>(), MESSAGE)?)
        }
        Action::Replay { endpoint, message, from, to, state } => match message {
            Some(id) => replay_one(desk, &id).await,
            None => replay(desk, &endpoint, Replay { state, from, to, after: None }).await,
        },
    }
}

async fn change(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { url, description, events, ordered } => {
            let events = Some(listed(events)).filter(|events| !events.is_empty());
            let new = NewEndpoint { url, description, events, ordered };
            let (made, secret) = desk.service.create_endpoint(&ACTOR, &holder, new).await?;
            let said =
                format!("{} hears of events from now on. Keep its secret; it is not shown again:", made.id);
            desk.out.secret(json::endpoint(&made), &Plain::presented(secret.reveal()), &said)?;
        }
        Action::Set { endpoint, url, description, events, ordered, disable, enable } => {
            let disabled = (disable || enable).then_some(disable);
            let change = EndpointChange { url, description, events, ordered, disabled };
            let changed = desk.service.change_endpoint(&ACTOR, &holder, &endpoint, change).await?;
            desk.out.one(&json::endpoint(&changed))?;
        }
        Action::RotateSecret { endpoint, overlap } => {
            let made = desk.service.rotate_endpoint_secret(&ACTOR, &holder, &endpoint, Some(overlap)).await?;
            let (changed, secret) = made;
            let said = "The new secret signs from now on. Keep it; it is not shown again:";
            desk.out.secret(json::endpoint(&changed), &Plain::presented(secret.reveal()), said)?;
        }
        Action::Delete { endpoint } => {
            desk.service.delete_endpoint(&ACTOR, &holder, &endpoint).await?;
            let record = json!({ "id": endpoint, "deleted": true });
            desk.out.done(&record, &format!("{endpoint} hears of nothing any more"))?;
        }
        _ => {}
    }
    Ok(())
}

/// A serving process delivers; here is only waited for what it says.
async fn test(desk: &mut Desk<'_>, endpoint: &str, event: Option<&str>, wait_s: i64) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let id = desk.service.test_endpoint(&ACTOR, &holder, endpoint, event).await?;
    let until = desk.service.clock.now().plus_seconds(wait_s);
    loop {
        let (listed, attempts) = desk.service.message_with_attempts(&holder, &id).await?;
        if let Some(last) = attempts.last() {
            desk.out.one(&json::attempt(last))?;
            return match &last.failure {
                None => Ok(()),
                Some(failure) => bail!("the endpoint did not take it: {failure}"),
            };
        }
        if listed.message.state == State::Dead {
            bail!("{}", listed.message.failure.unwrap_or_default());
        }
        if desk.service.clock.now() >= until {
            note("nobody has delivered it yet; is `vestibule serve` or `vestibule work` running?");
            return Ok(desk.out.one(&json!({ "message_id": id, "state": listed.message.state.as_str() }))?);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn replay_one(desk: &mut Desk<'_>, id: &str) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let id = message_id(id)?;
    desk.service.replay_message(&ACTOR, &holder, &id).await?;
    Ok(desk.out.done(&json!({ "message_id": id }), &format!("{id} is delivered once more"))?)
}

async fn replay(desk: &mut Desk<'_>, endpoint: &str, mut wanted: Replay) -> anyhow::Result<()> {
    if wanted.state == State::Waiting {
        bail!("what waits is delivered anyway; say --state dead or --state delivered");
    }
    let holder = desk.holder().await?;
    let mut count = 0;
    loop {
        let done = desk.service.replay_endpoint(&ACTOR, &holder, endpoint, wanted.clone()).await?;
        count += done.count;
        match done.more_after {
            Some(last) => wanted.after = Some(last),
            None => break,
        }
    }
    Ok(desk.out.done(&json!({ "replayed": count }), &format!("{count} messages are delivered once more"))?)
}
