//! The form: a key, a password, or what the sign-in address needs.

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
        match way {
            Way::SignIn => self.keep_for_sign_in(&context, inputs).await?,
            Way::Fields => {
                if self.advance(&context.dialog, Event::InputsAccepted(way)).await? {
                    let credential = context.definition.form_credential(inputs, self.clock.now());
                    let installation = Installation { credential, step: 0, chosen: None, attempt: None };
                    self.carry_out(&context, installation).await?;
                }
            }
        }
        let mut after = self.dialog(environment, bearer).await?;
        if let Some(after) = &mut after {
            after.entered = shown_again(after, typed);
        }
        Ok(after)
    }

    async fn keep_for_sign_in(&self, context: &DialogContext, inputs: Values) -> Result<(), Fault> {
        let mut held = self.held(&context.dialog).await?;
        held.inputs = inputs;
        self.hold(&context.dialog, &held).await?;
        self.advance(&context.dialog, Event::InputsAccepted(Way::SignIn)).await.map(drop)
    }
}

/// What the form shows again: never a secret.
fn shown_again(context: &DialogContext, typed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fields = context.definition.form_fields().iter().filter(|input| !input.secret);
    fields.filter_map(|input| Some((input.key.clone(), typed.get(&input.key)?.clone()))).collect()
}
