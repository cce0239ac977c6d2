//! The simple turns of a dialog: what a person does that needs no outgoing call.

use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::connector::{Definition, Way as DefinitionWay};
use ::connect::dialog::{Dialog, Event, Opening, Stage, Way};
use kernel::ids::{AttemptId, TenantId};
use kernel::{Environment, Plain, Sealed};
use std::sync::Arc;
use store::tenants::{self, Owner};
use store::{attempts, dialogs};

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    IdentityConfirmed,
    /// Once more, after a failure, while waiting, or to connect again what is connected.
    Retried,
    Cancelled,
}

/// What a dialog of this connector begins with.
pub(crate) fn opening(definition: &Definition, has_inputs: bool, connected: Option<TenantId>) -> Opening {
    let way = way(definition);
    let asks_inputs = !has_inputs && !definition.inputs_before_authorize().is_empty();
    Opening { way, asks_inputs, connected }
}

/// How the connector is connected, in the dialog's words.
pub(crate) fn way(definition: &Definition) -> Way {
    match definition.way() {
        DefinitionWay::SignIn => Way::SignIn,
        DefinitionWay::Form | DefinitionWay::Nothing | DefinitionWay::NotYet(_) => Way::Fields,
    }
}

/// The attempt whose pending credential nobody will take any more.
fn given_up<'a>(before: &'a Stage, next: &Stage) -> Option<&'a AttemptId> {
    match (before, next) {
        (
            _,
            Stage::Arrived { .. } | Stage::Choose { .. } | Stage::Installing { .. } | Stage::Success { .. },
        ) => None,
        (Stage::Arrived { attempt, .. }, _) => Some(attempt),
        (Stage::Choose { attempt, .. }, _) => attempt.as_ref(),
        _ => None,
    }
}

impl Service {
    /// Carries a turn out where the stage allows it. Where it does not (a click that came too late), nothing
    /// changes, and the page shows where the dialog stands.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn turn(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
        turn: Turn,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        let event = match turn {
            Turn::IdentityConfirmed => {
                let connected = self.connected(&context.dialog).await?;
                Event::IdentityConfirmed(opening(&context.definition, false, connected))
            }
            Turn::Retried => {
                // What was typed may be what was wrong, so it is asked again.
                let opening = opening(&context.definition, false, None);
                match context.dialog.stage {
                    Stage::Connected { .. } => Event::Reconnected(opening),
                    _ => Event::Retried(opening),
                }
            }
            Turn::Cancelled => Event::Cancelled,
        };
        self.advance(&context.dialog, event).await?;
        self.dialog(environment, bearer).await
    }

    /// The short code as typed into the waiting page.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn type_code(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
        typed: &str,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        self.advance(&context.dialog, Event::CodeTyped(typed.to_owned())).await?;
        self.dialog(environment, bearer).await
    }

    /// Moves a dialog on by one event, if its stage takes the event and nobody else moved it meanwhile. Tells
    /// whether it moved; those who wait are woken.
    pub(crate) async fn advance(self: &Arc<Self>, dialog: &Dialog, event: Event) -> Result<bool, Fault> {
        // Who begins anew is asked anew.
        let anew = matches!(event, Event::Retried(_) | Event::Reconnected(_) | Event::Disconnected(_));
        self.advance_holding(dialog, event, anew.then_some(None)).await
    }

    /// The same, with what the dialog holds from now on; `None` leaves that as it is. Stage and secrets are written
    /// together, so that a dialog which somebody else moved keeps what belongs to its stage.
    pub(crate) async fn advance_holding(
        self: &Arc<Self>,
        dialog: &Dialog,
        event: Event,
        held: Option<Option<Sealed>>,
    ) -> Result<bool, Fault> {
        let Ok(next) = dialog.after(event, self.clock.now()) else { return Ok(false) };
        let given_up = given_up(&dialog.stage, &next).cloned();
        let is_cancelled = matches!(next, Stage::Cancelled);
        let (id, version) = (dialog.id.clone(), dialog.version);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !dialogs::save_stage(tx, &id, version, &next).await? {
                    return Ok::<_, Fault>(false);
                }
                if is_cancelled {
                    dialogs::forget_secrets(tx, &id).await?;
                } else if let Some(held) = held {
                    dialogs::save_inputs(tx, &id, held.as_ref()).await?;
                }
                Ok(true)
            })
        });
        let moved = write.await?;
        self.bells.ring(&dialog.id);
        if let Some(attempt) = given_up.filter(|_| moved) {
            self.let_go(dialog, &attempt, is_cancelled).await?;
        }
        Ok(moved)
    }

    /// Forgets the pending credential of an attempt that nobody will take any more.
    ///
    /// Decision: it is also given back to the outside system where the person cancelled, and only forgotten where
    /// they begin anew. Many systems give one account the same token at each sign-in, and ending the old one would
    /// end the one that is about to be used. Trade: a failed sign-in may leave a token there that nobody holds.
    pub(crate) async fn let_go(
        self: &Arc<Self>,
        dialog: &Dialog,
        attempt: &AttemptId,
        is_cancelled: bool,
    ) -> Result<(), Fault> {
        let pending = if is_cancelled { self.pending(dialog, attempt).await? } else { None };
        let (owner, id) = (dialog.organization.clone(), attempt.clone());
        let forget =
            self.db.write(move |tx| Box::pin(async move { attempts::forget_pending(tx, &owner, &id).await }));
        let forgotten = forget.await?;
        if let Some(credential) = pending.filter(|_| forgotten) {
            // Nobody waits for the outside system to answer.
            let (service, dialog) = (Arc::clone(self), dialog.clone());
            tokio::spawn(async move {
                let back = Arc::clone(&service);
                let given =
                    service.stopping.to_its_end(async move { back.give_back(&dialog, &credential).await });
                if let Err(fault) = given.await {
                    tracing::warn!(error = %fault, "a credential that was not kept could not be given back");
                }
            });
        }
        Ok(())
    }

    /// The tenant in which this dialog's user has the connection already.
    pub(crate) async fn connected(&self, dialog: &Dialog) -> Result<Option<TenantId>, Fault> {
        let owner = Owner {
            organization: dialog.organization.clone(),
            environment: dialog.environment,
            integration: dialog.integration,
            username: dialog.visitor.username.clone(),
        };
        let connector = dialog.connector.clone();
        let read =
            self.db.read(move |tx| Box::pin(async move { tenants::connected(tx, &owner, &connector).await }));
        Ok(read.await?)
    }
}
