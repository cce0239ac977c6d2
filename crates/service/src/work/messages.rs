//! Messages to endpoints, looked at and delivered once more.

use crate::Service;
use crate::admin::{AdminRefused, Holder};
use connect::notice::{Attempt, Endpoint, EventType, NewEvent, Place, State};
use kernel::ids::{JobId, MessageId, OrganizationId};
use kernel::{Actor, Chance, Time};
use serde_json::json;
use std::sync::Arc;
use store::jobs::{Kind, Wish};
use store::notices::log::{self, Listed};
use store::notices::replay::{self, Replayable};
use store::{DbError, Page, Tx, audit, jobs};

const WHAT: &str = "message";
/// Messages of one unit of work: so few that no other writer waits long.
const TOGETHER: i64 = 200;
/// Messages of one call. Whoever has more calls again.
const MOST: usize = 10_000;

/// Which of an endpoint's messages are delivered once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Dead ones, or those that were delivered.
    pub state: State,
    /// Written from then on.
    pub from: Option<Time>,
    /// Written before then.
    pub to: Option<Time>,
    /// Those after this one: where an earlier call said that there are more.
    pub after: Option<MessageId>,
}

/// What a call did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    pub count: usize,
    /// The last one, where there may be more after it.
    pub more_after: Option<MessageId>,
}

/// Lets a message wait again and its job begin at once.
async fn again(
    tx: &mut Tx,
    organization: &OrganizationId,
    replayed: &Replayable,
    now: Time,
    chance: &dyn Chance,
) -> Result<(), DbError> {
    replay::revive(tx, &replayed.id, now).await?;
    let wish = Wish { kind: Kind::Notice, organization, subject: replayed.subject().to_string(), due: now };
    jobs::put(tx, &wish, JobId::new(now, chance), now).await
}

fn is_on(endpoint: &Endpoint) -> Result<(), AdminRefused> {
    if endpoint.disabled.is_none() {
        return Ok(());
    }
    Err(AdminRefused::Conflict(format!("webhook endpoint `{}` is disabled; switch it on first", endpoint.id)))
}

impl Service {
    /// A page of those before `before`, and how many there are in all.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn messages(
        &self,
        holder: &Holder,
        endpoint: &str,
        state: Option<State>,
        before: Option<MessageId>,
        page: Page<()>,
    ) -> Result<store::Listed<Listed>, AdminRefused> {
        let endpoint = self.endpoint(holder, endpoint).await?.id;
        let before = before.unwrap_or_else(|| MessageId::earliest(self.clock.now().plus_seconds(60)));
        let read = self
            .db
            .read(move |tx| Box::pin(async move { log::list(tx, &endpoint, state, &before, page).await }));
        Ok(read.await?)
    }

    /// A page of an endpoint's tries with their places, and how many there are in all; newest first those before
    /// `before`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn attempts(
        &self,
        holder: &Holder,
        endpoint: &str,
        failed_only: bool,
        before: Option<Place>,
        page: Page<()>,
    ) -> Result<store::Listed<(Place, Attempt)>, AdminRefused> {
        let endpoint = self.endpoint(holder, endpoint).await?.id;
        let before = before.unwrap_or_else(|| Place::before(self.clock.now().plus_seconds(60)));
        let read = self.db.read(move |tx| {
            Box::pin(async move { log::attempts(tx, &endpoint, failed_only, &before, page).await })
        });
        Ok(read.await?)
    }

    /// One message with its tries, first to last.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn message_with_attempts(
        &self,
        holder: &Holder,
        id: &MessageId,
    ) -> Result<(Listed, Vec<Attempt>), AdminRefused> {
        let (organization, environment, wanted) =
            (holder.organization.clone(), holder.environment, id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(listed) = log::one(tx, &organization, environment, &wanted).await? else {
                    return Ok(None);
                };
                Ok::<_, DbError>(Some((listed, log::of_message(tx, &wanted).await?)))
            })
        });
        read.await?.ok_or_else(|| AdminRefused::not_found(WHAT, id.as_str()))
    }

    /// Sends an endpoint a sample of an event, marked as a test, the same way as everything else. Its message's id says
    /// what became of it.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn test_endpoint(
        &self,
        actor: &Actor,
        holder: &Holder,
        endpoint: &str,
        event: Option<&str>,
    ) -> Result<MessageId, AdminRefused> {
        if let Some(known) = self.endpoints_seen.get(holder, endpoint) {
            let told = self.tell_sample(actor, &known, event).await?;
            if let Some(message) = told {
                return Ok(message);
            }
        }
        let endpoint = Arc::new(self.endpoint(holder, endpoint).await?);
        is_on(&endpoint)?;
        self.endpoints_seen.keep(&endpoint);
        let told = self.tell_sample(actor, &endpoint, event).await?;
        told.ok_or_else(|| AdminRefused::changed("webhook endpoint", &endpoint.id))
    }

    /// `None` where the endpoint is not as it is known here, or switched off.
    async fn tell_sample(
        &self,
        actor: &Actor,
        endpoint: &Endpoint,
        event: Option<&str>,
    ) -> Result<Option<MessageId>, AdminRefused> {
        let event = match event {
            Some(name) => EventType::parse(name)
                .ok_or_else(|| AdminRefused::Invalid(format!("`{name}` is not an event")))?,
            None => endpoint.events.first().copied().unwrap_or(EventType::TenantCreated),
        };
        let mut body = event.sample();
        if let Some(members) = body.as_object_mut() {
            members.insert("environment".to_owned(), json!(endpoint.environment.as_str()));
            members.insert("test".to_owned(), json!(true));
        }
        let (organization, environment) = (endpoint.organization.clone(), endpoint.environment);
        let new = NewEvent { organization, environment, event, tenant: None, body };
        let line = self.event(actor, "webhook_endpoint.tested", endpoint.id.as_str(), &endpoint.organization);
        Ok(self.tell_at_a_stroke(endpoint, &new, &line).await?)
    }

    /// Delivers one message once more, whatever became of it; one that waits is tried at once.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn replay_message(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &MessageId,
    ) -> Result<(), AdminRefused> {
        let (listed, _) = self.message_with_attempts(holder, id).await?;
        is_on(&self.endpoint(holder, listed.message.endpoint.as_str()).await?)?;
        let (now, chance, owner) = (self.clock.now(), Arc::clone(&self.chance), holder.organization.clone());
        let line = self.event(actor, "webhook_message.replayed", id.as_str(), &owner);
        let one = Replayable { id: listed.message.id, lane: listed.message.lane };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                audit::insert(tx, &line).await?;
                again(tx, &owner, &one, now, &*chance).await
            })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }

    /// Delivers many of an endpoint's messages once more, in bounded steps.
    ///
    /// # Errors
    /// [`AdminRefused`]; what was done until then stays done.
    pub async fn replay_endpoint(
        &self,
        actor: &Actor,
        holder: &Holder,
        endpoint: &str,
        wanted: Replay,
    ) -> Result<Replayed, AdminRefused> {
        let endpoint = self.endpoint(holder, endpoint).await?;
        is_on(&endpoint)?;
        let now = self.clock.now();
        let from = MessageId::earliest(wanted.from.unwrap_or(Time::from_seconds(0)));
        let to = MessageId::earliest(wanted.to.unwrap_or(now.plus_seconds(60)));
        let (mut count, mut after) = (0, wanted.after.clone());
        let mut more = true;
        while more && count < MOST {
            let begin = after.clone().unwrap_or_else(|| from.clone()).max(from.clone());
            let span = replay::Span { state: wanted.state, after: begin, to: to.clone() };
            let replayed = self.replay_some(&endpoint, span, now).await?;
            more = replayed.len() >= usize::try_from(TOGETHER).unwrap_or(usize::MAX);
            count += replayed.len();
            after = replayed.into_iter().next_back().map(|last| last.id).or(after);
            self.ring_work();
        }
        let detail = json!({ "state": wanted.state.as_str(), "messages": count });
        let line = self.event(actor, "webhook_endpoint.replayed", endpoint.id.as_str(), &holder.organization);
        let line = line.with(detail);
        self.db.write(move |tx| Box::pin(async move { audit::insert(tx, &line).await })).await?;
        Ok(Replayed { count, more_after: after.filter(|_| more) })
    }

    async fn replay_some(
        &self,
        endpoint: &Endpoint,
        span: replay::Span,
        now: Time,
    ) -> Result<Vec<Replayable>, DbError> {
        let (id, owner, chance) =
            (endpoint.id.clone(), endpoint.organization.clone(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let some = replay::in_span(tx, &id, &span, TOGETHER).await?;
                for one in &some {
                    again(tx, &owner, one, now, &*chance).await?;
                }
                Ok(some)
            })
        });
        write.await
    }
}
