//! The form: a key, a password, or what the sign-in address needs.

use super::confirm::Held;
use super::install::Installation;
use super::turn::way;
use super::view::{DialogContext, FormProblem};
use crate::{Fault, Service};
use ::connect::credential::Values;
use ::connect::dialog::{Event, Way};
use kernel::{Environment, Plain};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Service {
    /// Takes what was typed. Fields that are wrong are named and nothing is kept; a whole credential is checked
    /// at the outside system before it is stored.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn enter_inputs(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
        typed: &BTreeMap<String, String>,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(mut context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        let inputs = match context.definition.check_inputs(typed) {
            Ok(inputs) => inputs,
            Err(problems) => {
                context.problems =
                    problems.into_iter().map(|it| FormProblem { key: it.key, text: it.text }).collect();
                context.entered = shown_again(&context, typed);
                return Ok(Some(context));
            }
        };
        let way = way(&context.definition);
        if context.dialog.after(Event::InputsAccepted(way), self.clock.now()).is_err() {
            return Ok(Some(context));
        }
        let service = Arc::clone(self);
        self.stopping.to_its_end(async move { service.use_inputs(&context, way, inputs).await }).await?;
        let mut after = self.dialog(environment, bearer).await?;
        if let Some(after) = &mut after {
            after.entered = shown_again(after, typed);
        }
        Ok(after)
    }

    async fn use_inputs(
        self: &Arc<Self>,
        context: &DialogContext,
        way: Way,
        inputs: Values,
    ) -> Result<(), Fault> {
        let (dialog, event) = (&context.dialog, Event::InputsAccepted(way));
        match way {
            Way::SignIn => {
                let held = self.sealed(dialog, &Held { inputs, credential: None }).await?;
                self.advance_holding(dialog, event, Some(Some(held))).await?;
            }
            Way::Fields => {
                if self.advance(dialog, event).await? {
                    let credential = context.definition.form_credential(inputs, self.clock.now());
                    let installation = Installation { credential, step: 0, chosen: None, attempt: None };
                    self.carry_out(context, installation).await?;
                }
            }
        }
        Ok(())
    }
}

/// What the form shows again: never a secret.
fn shown_again(context: &DialogContext, typed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fields = context.definition.form_fields().iter().filter(|input| !input.secret);
    fields.filter_map(|input| Some((input.key.clone(), typed.get(&input.key)?.clone()))).collect()
}
