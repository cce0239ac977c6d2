//! The simple turns of a dialog: what a person does that needs no outgoing call.

use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::connector::{Definition, Way as DefinitionWay};
use ::connect::dialog::{Dialog, Event, Opening, Stage, Way};
use kernel::ids::{AttemptId, TenantId};
use kernel::{Environment, Plain};
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
        &self,
        environment: Environment,
        bearer: &Plain,
        turn: Turn,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        let has_inputs = context.dialog.inputs.is_some();
        let event = match turn {
            Turn::IdentityConfirmed => {
                let connected = self.connected(&context.dialog).await?;
                Event::IdentityConfirmed(opening(&context.definition, has_inputs, connected))
            }
            Turn::Retried => {
                let opening = opening(&context.definition, has_inputs, None);
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
        &self,
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
    pub(crate) async fn advance(&self, dialog: &Dialog, event: Event) -> Result<bool, Fault> {
        let Ok(next) = dialog.after(event, self.clock.now()) else { return Ok(false) };
        let given_up = given_up(&dialog.stage, &next).cloned();
        let moved = self.save_stage(dialog, next).await?;
        if let Some(attempt) = given_up.filter(|_| moved) {
            let owner = dialog.organization.clone();
            let forget = self.db.write(move |tx| {
                Box::pin(async move { attempts::forget_pending(tx, &owner, &attempt).await })
            });
            forget.await?;
        }
        Ok(moved)
    }

    /// Writes a stage by compare-and-swap on the dialog's version.
    pub(crate) async fn save_stage(&self, dialog: &Dialog, next: Stage) -> Result<bool, Fault> {
        let (id, version) = (dialog.id.clone(), dialog.version);
        let write = self
            .db
            .write(move |tx| Box::pin(async move { dialogs::save_stage(tx, &id, version, &next).await }));
        let moved = write.await?;
        self.bells.ring(&dialog.id);
        Ok(moved)
    }

    /// The tenant in which this dialog's user has the connection already.
    async fn connected(&self, dialog: &Dialog) -> Result<Option<TenantId>, Fault> {
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
