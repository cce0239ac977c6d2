//! Renewing credentials: one renewal of a connection at a time over all nodes.
//!
//! The lease is a guarded UPDATE of the connection's row, and the result is written only where the row still has the
//! version that was read. Those in this process who want the same connection stand in line behind one of them; those
//! in other processes look at the row until it has changed.

use super::credential::{Known, NoCredential, Which};
use super::events::{Disconnection, tell_disconnected};
use super::{Held, Outcome};
use crate::{Fault, Service};
use ::connect::connection::Status;
use ::connect::connector::Definition;
use ::connect::connector::flow::ProviderFailure;
use ::connect::credential::{App, Credential};
use ::connect::dialog::Failure;
use ::connect::refresh::{self, Freshness, Jitter, LEASE_S, Renewal};
use kernel::ids::{ConnectionId, JobId, OrganizationId, TenantId};
use kernel::{Actor, Chance, Plain, Time, audit};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use store::jobs::{self, Kind, Wish};
use store::{DbError, Tx, audit as audit_log, connections};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long somebody waits for a renewal that another one has begun.
const PATIENCE: Duration = Duration::from_secs(28);
/// Between two looks at the row while another process renews it.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a new credential is tried to be stored: an outside system may have ended the old one by then, so that it
/// must not be lost because the database is away for a moment.
const STORE_WITHIN: Duration = Duration::from_secs(30);
const STORE_AGAIN: Duration = Duration::from_millis(500);

/// How much a newer credential is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The one there is will do while somebody else renews it.
    Soon,
    /// Only a newer one will do.
    Now,
    /// The outside system has refused the one there is.
    Refused,
}

/// One line per connection, of those in this process who want it renewed.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<HashMap<ConnectionId, Weak<tokio::sync::Mutex<()>>>>);

impl Lines {
    fn of(&self, id: &ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(id).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::default();
        lines.insert(id.clone(), Arc::downgrade(&line));
        line
    }
}

/// When a connection's credential is renewed next, for the job that does it.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    due: Option<Time>,
    job: JobId,
}

impl Next {
    /// Writes it, in the transaction that writes the credential; the job goes where nothing is to be renewed.
    pub(crate) async fn put(
        &self,
        tx: &mut Tx,
        organization: &OrganizationId,
        connection: &ConnectionId,
        now: Time,
    ) -> Result<(), DbError> {
        let subject = connection.to_string();
        match self.due {
            Some(due) => {
                let wish = Wish { kind: Kind::Refresh, organization, subject, due };
                jobs::put(tx, &wish, self.job.clone(), now).await
            }
            None => jobs::remove(tx, Kind::Refresh, &subject).await.map(drop),
        }
    }
}

/// The renewals of a tenant that is archived end; those of one that is taken back are looked at anew.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn follow_tenant(
    tx: &mut Tx,
    (organization, tenant): (&OrganizationId, TenantId),
    is_archived: bool,
    now: Time,
    chance: &dyn Chance,
) -> Result<(), DbError> {
    for connection in connections::of_tenant(tx, organization, tenant).await? {
        if connection.status == Status::Connected {
            let due = (!is_archived).then_some(now);
            let next = Next { due, job: JobId::new(now, chance) };
            next.put(tx, organization, &connection.id, now).await?;
        }
    }
    Ok(())
}

/// What one look at a connection that shall be renewed comes to.
enum Turn {
    /// There is a newer one, or it needs none any more.
    Done,
    /// The lease is ours.
    Ours,
    /// Somebody else has the lease.
    Theirs,
    /// After a failure, until this time.
    Paused(Time),
}

/// What became of the wish for a newer credential.
enum Renewed {
    Newer(Box<Known>),
    /// Not now; it may be tried again at this time.
    AsItWas {
        known: Box<Known>,
        again: Time,
        why: String,
    },
}

const UNDER_WAY: &str = "another one is renewing it or has just failed to";

impl Service {
    /// When this credential, as it was just given, is renewed ahead of need.
    pub(crate) fn next_renewal(&self, definition: &Definition, credential: &Credential) -> Next {
        let due = refresh::due(definition, credential, Jitter::new(&*self.chance));
        Next { due, job: JobId::new(self.clock.now(), &*self.chance) }
    }

    /// The credential renewed, by us or by whoever is doing it already. Where that can't be done now, the old one to its
    /// end, and then none.
    pub(crate) async fn renewed(self: &Arc<Self>, known: Known, need: Need) -> Result<Known, NoCredential> {
        match self.renewal(known, need).await? {
            Renewed::Newer(known) => Ok(*known),
            Renewed::AsItWas { known, again, .. } => {
                let will_do = need != Need::Now || refresh::is_usable(&known.credential, self.clock.now());
                if will_do { Ok(*known) } else { Err(NoCredential::NotNow { again }) }
            }
        }
    }

    async fn renewal(self: &Arc<Self>, known: Known, need: Need) -> Result<Renewed, NoCredential> {
        let line = self.renewals.of(&known.connection.id);
        let as_it_was = |known: Known, again: Time, why: &str| Renewed::AsItWas {
            known: Box::new(known),
            again,
            why: why.to_owned(),
        };
        let a_moment = || self.clock.now().plus_seconds(refresh::pause_s(1, Jitter::NONE));
        let _first = match need {
            Need::Soon => match line.try_lock() {
                Ok(first) => first,
                Err(_) => return Ok(as_it_was(known, a_moment(), UNDER_WAY)),
            },
            Need::Now | Need::Refused => line.lock().await,
        };
        let until = Instant::now() + PATIENCE;
        let (mut known, seen) = (known.clone(), known.connection.version);
        let holder = Plain::new(&*self.chance).hashed().as_str().to_owned();
        let mut why = UNDER_WAY.to_owned();
        loop {
            match self.turn_of(&mut known, seen, need, &holder).await? {
                Turn::Done => return Ok(Renewed::Newer(Box::new(known))),
                Turn::Ours => {
                    let (service, held, holder) = (Arc::clone(self), known.clone(), holder.clone());
                    // To its end, because an outside system may end the old token when it gives the new one out.
                    let renew = async move { service.renew(held, &holder).await };
                    if let Some(failure) = self.stopping.to_its_end(renew).await? {
                        why = failure.detail;
                    }
                }
                Turn::Paused(again) => return Ok(as_it_was(known, again, &why)),
                Turn::Theirs if need == Need::Soon || Instant::now() >= until => {
                    return Ok(as_it_was(known, a_moment(), &why));
                }
                Turn::Theirs => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Renews one connection's credential ahead of need.
    pub(super) async fn do_refresh(self: &Arc<Self>, held: &Held) -> Outcome {
        let outcome = match ConnectionId::parse(held.subject()) {
            Ok(id) => self.refresh_ahead(held, id).await,
            Err(error) => return Outcome::Dead { failure: error.to_string() },
        };
        outcome.unwrap_or_else(|fault| held.later(fault.to_string()))
    }

    async fn refresh_ahead(self: &Arc<Self>, held: &Held, id: ConnectionId) -> Result<Outcome, Fault> {
        let known = match self.known(held.organization(), Which::Named(id)).await {
            Ok(known) => known,
            Err(NoCredential::Fault(fault)) => return Err(fault),
            // Whoever connects again asks for the job again.
            Err(_) => return Ok(Outcome::Done),
        };
        if !refresh::can_renew(&known.definition, &known.credential) {
            return Ok(Outcome::Done);
        }
        if known.freshness(self.clock.now()) == Freshness::Fresh {
            // Somebody who needed it has renewed it meanwhile.
            let (next, now) = (self.next_renewal(&known.definition, &known.credential), self.clock.now());
            let read = known.connection;
            let put = self.db.write(move |tx| {
                Box::pin(async move { next.put(tx, &read.organization, &read.id, now).await })
            });
            put.await?;
            return Ok(Outcome::Done);
        }
        match self.renewal(known, Need::Now).await {
            Ok(Renewed::Newer(_)) => Ok(Outcome::Done),
            Ok(Renewed::AsItWas { again, why, .. }) => Ok(Outcome::Again { at: again, failure: why }),
            Err(NoCredential::Fault(fault)) => Err(fault),
            Err(_) => Ok(Outcome::Done),
        }
    }

    /// Reads the connection again and tries to take the lease.
    async fn turn_of(
        &self,
        known: &mut Known,
        seen: i64,
        need: Need,
        holder: &str,
    ) -> Result<Turn, NoCredential> {
        let organization = known.connection.organization.clone();
        *known = self.known(&organization, Which::Named(known.connection.id.clone())).await?;
        let now = self.clock.now();
        // Another version than the one that was seen is newer, whatever its answer said of its life.
        let is_newer = known.connection.version != seen;
        let is_fresh = need != Need::Refused && known.freshness(now) == Freshness::Fresh;
        if is_newer || is_fresh || !refresh::can_renew(&known.definition, &known.credential) {
            return Ok(Turn::Done);
        }
        let (read, holder) = (known.connection.clone(), holder.to_owned());
        let take = self.db.write(move |tx| {
            Box::pin(async move {
                let lease = now.plus_seconds(LEASE_S);
                if connections::hold_refresh(tx, &read, &holder, now, lease).await? {
                    return Ok(Turn::Ours);
                }
                let found = connections::refreshing(tx, &read.organization, &read.id).await?;
                Ok::<_, Fault>(match found {
                    Some(refreshing) if refreshing.holder.is_none() => match refreshing.until {
                        Some(until) if until > now => Turn::Paused(until),
                        _ => Turn::Theirs,
                    },
                    _ => Turn::Theirs,
                })
            })
        });
        Ok(take.await?)
    }

    /// Renews once, with the lease in hand, and keeps what became of it: the failure, where it was one.
    async fn renew(&self, known: Known, holder: &str) -> Result<Option<ProviderFailure>, Fault> {
        let none = App::default();
        let app = known.app();
        let outcome = if app.is_none() && known.definition.needs_app() {
            Err(ProviderFailure::new(Failure::ServerError, "the organization has no app for this connector"))
        } else {
            let (definition, app) = (&known.definition, app.unwrap_or(&none));
            self.providers.refresh(definition, app, &known.credential, self.clock.now()).await
        };
        let renewal = refresh::judge(&known.credential, outcome);
        let (connection, connector) = (&known.connection.id, &known.connection.connector);
        let label = match &renewal {
            Renewal::Renewed(_) => "renewed",
            Renewal::Dead(failure) => {
                tracing::info!(%connection, %connector, detail = failure.detail, "a credential has ended for good");
                "dead"
            }
            Renewal::Again(failure) => {
                tracing::warn!(%connection, %connector, detail = failure.detail, "a credential could not be renewed");
                "again"
            }
        };
        metrics::counter!("vestibule_refreshes_total", "outcome" => label).increment(1);
        let until = Instant::now() + STORE_WITHIN;
        loop {
            let kept = match &renewal {
                Renewal::Renewed(after) => self.keep_renewed(&known, after).await,
                Renewal::Dead(failure) => self.keep_dead(&known, failure).await,
                Renewal::Again(failure) => self.keep_unrenewed(&known, holder, failure.rest_s).await,
            };
            match kept {
                Err(Fault::Store(error)) if Instant::now() < until => {
                    tracing::warn!(%connection, %error, "what became of a renewal could not be stored; once more");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
                Err(fault) => return Err(fault),
                Ok(()) => break,
            }
        }
        Ok(match renewal {
            Renewal::Renewed(_) => None,
            Renewal::Dead(failure) | Renewal::Again(failure) => Some(failure),
        })
    }

    async fn keep_renewed(&self, known: &Known, after: &Credential) -> Result<(), Fault> {
        let read = known.connection.clone();
        let place = format!("connection:{}", read.id);
        let content = Zeroizing::new(after.to_json());
        let sealed = self.vault.seal(&self.db, &read.organization, &place, content.as_bytes()).await?;
        let next = self.next_renewal(&known.definition, after);
        let (expires, now) = (after.expires, self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                // Whoever connected again or disconnected meanwhile has changed the version, and their word stands.
                if connections::renew(tx, &read, &sealed, expires).await? {
                    next.put(tx, &read.organization, &read.id, now).await?;
                }
                Ok::<_, Fault>(())
            })
        });
        write.await
    }

    async fn keep_dead(&self, known: &Known, failure: &ProviderFailure) -> Result<(), Fault> {
        let read = known.connection.clone();
        let now = self.clock.now();
        let (owner, subject) = (Some(read.organization.clone()), read.tenant.to_string());
        let code = failure.code.clone().unwrap_or_default();
        let detail = serde_json::json!({
            "connector": read.connector.as_str(), "reason": "refused at renewal", "code": code,
        });
        let event =
            audit::Event::new("tenant.disconnected", subject, owner, Actor::Gateway, now, &*self.chance);
        let event = event.with(detail);
        let (environment, chance) = (known.config.environment, Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if connections::set_disconnected(tx, &read, now).await? {
                    audit_log::insert(tx, &event).await?;
                    jobs::remove(tx, Kind::Refresh, read.id.as_str()).await?;
                    let (whose, what) =
                        ((&read.organization, environment), (&read.connector, Disconnection::Refused));
                    tell_disconnected(tx, whose, read.tenant, what, now, &*chance).await?;
                }
                Ok::<_, Fault>(())
            })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }

    async fn keep_unrenewed(&self, known: &Known, holder: &str, rest_s: Option<i64>) -> Result<(), Fault> {
        let (read, holder) = (known.connection.clone(), holder.to_owned());
        let (now, jitter) = (self.clock.now(), Jitter::new(&*self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let found = connections::refreshing(tx, &read.organization, &read.id).await?;
                let failures = found.map_or(1, |refreshing| refreshing.failures.saturating_add(1));
                let again = now.plus_seconds(refresh::next_try_s(failures, rest_s, jitter));
                connections::refresh_failed(tx, &read, &holder, again).await?;
                Ok::<_, Fault>(())
            })
        });
        write.await
    }
}
