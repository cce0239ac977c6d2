//! Phase two: the dialog takes the pending credential, and what follows until the tenant is installed.

use super::install::{Installation, Stopped};
use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::credential::{Credential, Values};
use ::connect::dialog::{Dialog, Event, Failure, Stage, reference};
use kernel::ids::AttemptId;
use kernel::{Environment, Plain, Sealed};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{attempts, dialogs};
use zeroize::Zeroizing;

/// What a dialog holds between its stages, as JSON, sealed for the place `dialog-inputs:{id}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    /// What was typed into the form.
    #[serde(default)]
    pub inputs: Values,
    /// The credential, while the person chooses.
    #[serde(default)]
    pub credential: Option<Credential>,
}

impl Service {
    /// Takes the pending credential of a dialog whose callback arrived; the call returns when the installation
    /// is done or has failed. A second confirmation of the same dialog finds it under way and changes nothing.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn confirm(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        self.confirm_dialog(&context).await?;
        self.dialog(environment, bearer).await
    }

    pub(crate) async fn confirm_dialog(self: &Arc<Self>, context: &DialogContext) -> Result<(), Fault> {
        let (service, context) = (Arc::clone(self), context.clone());
        self.stopping.to_its_end(async move { service.take_pending(&context).await }).await
    }

    async fn take_pending(self: &Arc<Self>, context: &DialogContext) -> Result<(), Fault> {
        let Stage::Arrived { attempt, code: None, .. } = &context.dialog.stage else { return Ok(()) };
        // Read before the dialog moves: one that says it is installing has what it installs. Where it is gone,
        // another confirmation was quicker.
        let Some(credential) = self.pending(&context.dialog, attempt).await? else { return Ok(()) };
        if !self.advance(&context.dialog, Event::Confirmed).await? {
            return Ok(());
        }
        let attempt = Some(attempt.clone());
        self.carry_out(context, Installation { credential, step: 0, chosen: None, attempt }).await
    }

    /// The person chose one of several.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn choose(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
        chosen: &str,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        self.choose_for(&context, chosen).await?;
        self.dialog(environment, bearer).await
    }

    pub(super) async fn choose_for(
        self: &Arc<Self>,
        context: &DialogContext,
        chosen: &str,
    ) -> Result<(), Fault> {
        let (service, context, chosen) = (Arc::clone(self), context.clone(), chosen.to_owned());
        self.stopping.to_its_end(async move { service.go_on_with(&context, chosen).await }).await
    }

    async fn go_on_with(self: &Arc<Self>, context: &DialogContext, chosen: String) -> Result<(), Fault> {
        let Stage::Choose { attempt, step, .. } = &context.dialog.stage else { return Ok(()) };
        let mut held = self.held(&context.dialog).await?;
        let Some(credential) = held.credential.take() else { return Ok(()) };
        let held = self.sealed(&context.dialog, &held).await?;
        if self.advance_holding(&context.dialog, Event::Chosen(chosen.clone()), Some(Some(held))).await? {
            let (step, chosen, attempt) = (*step, Some(chosen), attempt.clone());
            self.carry_out(context, Installation { credential, step, chosen, attempt }).await?;
        }
        Ok(())
    }

    /// The credential that waits on an attempt; `None` once it was taken or forgotten.
    pub(crate) async fn pending(
        &self,
        dialog: &Dialog,
        attempt: &AttemptId,
    ) -> Result<Option<Credential>, Fault> {
        let (organization, wanted) = (dialog.organization.clone(), attempt.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { attempts::by_id(tx, &organization, &wanted).await }));
        let Some(pending) = read.await?.and_then(|attempt| attempt.pending) else { return Ok(None) };
        let place = format!("attempt-pending:{attempt}");
        let opened = self.vault.open(&self.db, &dialog.organization, &place, &pending).await?;
        Ok(Some(serde_json::from_slice(&opened)?))
    }

    /// Runs an installation to its end. The dialog is at `Installing` already, written by the one caller who got
    /// there first, which runs in a task of its own: a page that is closed does not stop it half way.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        context: &DialogContext,
        installation: Installation,
    ) -> Result<(), Fault> {
        let id = context.dialog.id.clone();
        let read = self.db.read(move |tx| Box::pin(async move { dialogs::by_id(tx, &id).await }));
        let dialog =
            read.await?.ok_or_else(|| Fault::broken("the dialog vanished while it was installing"))?;
        let Some(context) = self.in_context(dialog).await? else { return Ok(()) };
        let attempt = installation.attempt.clone();
        let Err(stopped) = self.install(&context, installation).await else { return Ok(()) };
        let is_over = !matches!(stopped, Stopped::Choose { .. });
        let ended = self.stop(&context.dialog, stopped).await;
        if let Some(attempt) = attempt.filter(|_| is_over) {
            self.let_go(&context.dialog, &attempt, false).await?;
        }
        ended
    }

    /// Ends an installation that did not come through: the dialog says why and what can be done.
    async fn stop(self: &Arc<Self>, dialog: &Dialog, stopped: Stopped) -> Result<(), Fault> {
        match stopped {
            Stopped::Choose { attempt, step, choices, credential } => {
                let held = Held { inputs: self.held(dialog).await?.inputs, credential: Some(*credential) };
                let held = self.sealed(dialog, &held).await?;
                let event = Event::ChoiceOffered { attempt, step, choices };
                self.advance_holding(dialog, event, Some(Some(held))).await.map(drop)
            }
            Stopped::Failed { failure, at_input, detail } => {
                tracing::info!(
                    dialog = reference(&dialog.id),
                    ?failure,
                    detail = detail.as_deref(),
                    "an installation failed"
                );
                let event = Event::InstallFailed { failure, at_input, detail };
                self.advance(dialog, event).await.map(drop)
            }
            // Its time was over and the dialog went on without it: nothing of it may be written any more.
            Stopped::Overtaken => {
                tracing::info!(dialog = reference(&dialog.id), "an installation was overtaken");
                Ok(())
            }
            Stopped::Fault(fault) => {
                let failed =
                    Event::InstallFailed { failure: Failure::ServerError, at_input: None, detail: None };
                self.advance(dialog, failed).await?;
                Err(fault)
            }
        }
    }

    /// What the dialog is to hold, for [`Self::advance_holding`].
    pub(crate) async fn sealed(&self, dialog: &Dialog, held: &Held) -> Result<Sealed, Fault> {
        let place = format!("dialog-inputs:{}", dialog.id.as_str());
        let content = Zeroizing::new(serde_json::to_vec(held)?);
        self.vault.seal(&self.db, &dialog.organization, &place, &content).await
    }
}
