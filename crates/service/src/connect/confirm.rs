//! Phase two: the dialog takes the pending credential, and what follows until the tenant is installed.

use super::install::{Installation, Stopped};
use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::credential::{Credential, Values};
use ::connect::dialog::{Dialog, Event, Failure, Stage};
use kernel::ids::AttemptId;
use kernel::{Environment, Plain};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{attempts, dialogs};

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
        let Stage::Arrived { attempt, code: None, .. } = &context.dialog.stage else { return Ok(()) };
        if !self.advance(&context.dialog, Event::Confirmed).await? {
            return Ok(());
        }
        let credential = self.pending(&context.dialog, attempt).await?;
        self.carry_out(
            context,
            Installation { credential, step: 0, chosen: None, attempt: Some(attempt.clone()) },
        )
        .await
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
        if let Stage::Choose { attempt, step, .. } = &context.dialog.stage {
            let held = self.held(&context.dialog).await?;
            let event = Event::Chosen(chosen.to_owned());
            if let Some(credential) = held.credential
                && self.advance(&context.dialog, event).await?
            {
                let chosen = Some(chosen.to_owned());
                let installation = Installation { credential, step: *step, chosen, attempt: attempt.clone() };
                self.carry_out(&context, installation).await?;
            }
        }
        self.dialog(environment, bearer).await
    }

    async fn pending(&self, dialog: &Dialog, attempt: &AttemptId) -> Result<Credential, Fault> {
        let (organization, wanted) = (dialog.organization.clone(), attempt.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { attempts::by_id(tx, &organization, &wanted).await }));
        let pending = read.await?.and_then(|attempt| attempt.pending);
        let pending =
            pending.ok_or_else(|| Fault::broken(format!("attempt {attempt} has nothing pending")))?;
        let place = format!("attempt-pending:{attempt}");
        let opened = self.vault.open(&self.db, &dialog.organization, &place, &pending).await?;
        Ok(serde_json::from_slice(&opened)?)
    }

    /// Runs an installation to its end in a task of its own: a page that is closed does not stop it half way.
    /// The dialog is at `Installing` already, written by the one caller who got there first.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        context: &DialogContext,
        installation: Installation,
    ) -> Result<(), Fault> {
        let (service, id) = (Arc::clone(self), context.dialog.id.clone());
        let task = tokio::spawn(async move {
            let read = service.db.read(move |tx| Box::pin(async move { dialogs::by_id(tx, &id).await }));
            let dialog =
                read.await?.ok_or_else(|| Fault::broken("the dialog vanished while it was installing"))?;
            let Some(context) = service.in_context(dialog).await? else { return Ok(()) };
            let stopped = match service.install(&context, installation).await {
                Ok(()) => return Ok(()),
                Err(stopped) => stopped,
            };
            service.stop(&context.dialog, stopped).await
        });
        task.await.map_err(|error| Fault::broken(format!("the installation's task ended: {error}")))?
    }

    /// Ends an installation that did not come through: the dialog says why and what can be done.
    async fn stop(&self, dialog: &Dialog, stopped: Stopped) -> Result<(), Fault> {
        let event = match stopped {
            Stopped::Choose { attempt, step, choices, credential } => {
                let mut held = self.held(dialog).await?;
                held.credential = Some(credential);
                self.hold(dialog, &held).await?;
                Event::ChoiceOffered { attempt, step, choices }
            }
            Stopped::Failed { failure, at_input, detail } => {
                tracing::info!(dialog = %dialog.id.as_str().get(..10).unwrap_or_default(), ?failure, detail = detail.as_deref(), "an installation failed");
                Event::InstallFailed { failure, at_input, detail }
            }
            Stopped::Fault(fault) => {
                let failed =
                    Event::InstallFailed { failure: Failure::ServerError, at_input: None, detail: None };
                self.advance(dialog, failed).await?;
                return Err(fault);
            }
        };
        self.advance(dialog, event).await.map(drop)
    }

    /// Writes what the dialog holds.
    pub(crate) async fn hold(&self, dialog: &Dialog, held: &Held) -> Result<(), Fault> {
        let place = format!("dialog-inputs:{}", dialog.id.as_str());
        let content = serde_json::to_vec(held)?;
        let sealed = self.vault.seal(&self.db, &dialog.organization, &place, &content).await?;
        let id = dialog.id.clone();
        let write = self
            .db
            .write(move |tx| Box::pin(async move { dialogs::save_inputs(tx, &id, Some(&sealed)).await }));
        write.await?;
        Ok(())
    }
}
