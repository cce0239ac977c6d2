//! A dialog with everything its page shows.

use crate::{Fault, OrganizationConfig, Service};
use ::connect::attempt::Ticket;
use ::connect::connection::Connection;
use ::connect::connector::Definition;
use ::connect::dialog::{Dialog, Stage, id_of};
use kernel::{Environment, Plain, Slug};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{connections, dialogs};

/// What is wrong with one field of the form, in a sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    pub key: String,
    pub text: String,
}

/// A dialog in its effective stage, with whose it is and what it connects.
#[derive(Debug, Clone)]
pub struct DialogContext {
    /// `stage` is the one that counts now.
    pub dialog: Dialog,
    pub config: Arc<OrganizationConfig>,
    pub definition: Arc<Definition>,
    /// The connection, where the stage has one.
    pub connection: Option<Connection>,
    /// What is wrong with what was just typed.
    pub problems: Vec<FormProblem>,
    /// What was just typed, without secrets.
    pub entered: BTreeMap<String, String>,
}

impl DialogContext {
    /// Ten characters by which support finds the dialog. They open nothing.
    pub fn reference(&self) -> String {
        ::connect::dialog::reference(&self.dialog.id)
    }

    /// Whether messages for the parent window wait.
    pub fn has_announcement(&self) -> bool {
        match self.dialog.stage {
            Stage::Success { .. } | Stage::Cancelled => self.dialog.announced_to.is_none(),
            Stage::Failed { .. } => true,
            _ => false,
        }
    }
}

impl Service {
    /// The dialog whose bearer this is; `None` where there is none, it is over, or it belongs to another
    /// environment.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn dialog(
        &self,
        environment: Environment,
        bearer: &Plain,
    ) -> Result<Option<DialogContext>, Fault> {
        let id = id_of(bearer);
        if let Some((dialog, config)) = self.fresh.take(&id, self.clock.now()) {
            return if dialog.environment == environment {
                self.in_config(dialog, config).await
            } else {
                Ok(None)
            };
        }
        let found = dialogs::with_config(&self.db, &id).await?;
        let Some((dialog, slug, version)) = found.filter(|(dialog, ..)| dialog.environment == environment)
        else {
            return Ok(None);
        };
        match Box::pin(self.config_at(&slug, environment, version)).await? {
            Some(config) => self.in_config(dialog, config).await,
            None => Ok(None),
        }
    }

    /// The same for a dialog that was read already.
    pub(crate) async fn in_context(&self, dialog: Dialog) -> Result<Option<DialogContext>, Fault> {
        match self.config_of(&dialog.organization, dialog.environment).await? {
            Some(config) => self.in_config(dialog, config).await,
            None => Ok(None),
        }
    }

    async fn in_config(
        &self,
        mut dialog: Dialog,
        config: Arc<OrganizationConfig>,
    ) -> Result<Option<DialogContext>, Fault> {
        let Ok(stage) = dialog.stage_at(self.clock.now()) else { return Ok(None) };
        dialog.stage = stage;
        let definition = self.definition(&config, &dialog.connector);
        let definition = definition
            .ok_or_else(|| Fault::broken(format!("connector {} is no longer loaded", dialog.connector)))?;
        let connection = match dialog.stage {
            Stage::Connected { tenant } | Stage::Success { tenant } => {
                let (organization, connector) = (dialog.organization.clone(), dialog.connector.clone());
                let read = self.db.read(move |tx| {
                    Box::pin(
                        async move { connections::by_connector(tx, &organization, tenant, &connector).await },
                    )
                });
                read.await?
            }
            _ => None,
        };
        let (problems, entered) = (Vec::new(), BTreeMap::new());
        Ok(Some(DialogContext { dialog, config, definition, connection, problems, entered }))
    }

    /// A connector's definition: the organization's own before those that ship.
    pub fn definition(&self, config: &OrganizationConfig, connector: &Slug) -> Option<Arc<Definition>> {
        config.definitions.get(connector).cloned().or_else(|| self.catalogue.find(connector))
    }

    /// `/start/{ticket}` with a fresh ticket: nothing is written until it is used.
    pub fn start_path(&self, dialog: &Dialog) -> String {
        let ticket = Ticket::new(dialog.id.clone(), self.clock.now(), &*self.chance);
        format!("/start/{}", ticket.write(self.ticket_key()))
    }
}
