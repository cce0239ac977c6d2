//! The start: a ticket becomes an attempt, and the browser goes to the outside system.

use super::turn::way;
use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::attempt::{Attempt, LIFETIME_S, Ticket, pkce_challenge, pkce_verifier};
use ::connect::connector::Pkce;
use ::connect::connector::flow::authorize_url;
use ::connect::dialog::{Event, Way};
use kernel::ids::AttemptId;
use kernel::{Environment, Hashed, Plain};
use store::{attempts, dialogs};
use url::Url;

/// A start link as it was opened.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    pub environment: Environment,
    pub ticket: &'a str,
    /// Opened by a page of our own (`Sec-Fetch-Site: same-origin`).
    pub same_origin: bool,
    /// Opened in the frame's own tab; the callback's page then goes on by itself.
    pub in_tab: bool,
}

/// Where the browser goes.
#[derive(Debug)]
pub struct Started {
    pub authorize_url: Url,
    pub cookie_name: String,
    /// The value of the binding cookie.
    pub cookie: Plain,
    /// Set where a page must first say whose connection this is.
    pub explain: Option<DialogContext>,
}

/// The binding cookie's name. It differs per attempt, so that two windows do not take it from each other.
pub fn cookie_name(state: &Hashed) -> String {
    format!("vst_{}", state.as_str().chars().take(16).collect::<String>())
}

impl Service {
    /// Uses a ticket up and begins an attempt. `None` where the ticket is forged, late or used, or the dialog
    /// takes no start now.
    ///
    /// Decision: only a start that a page of our own opened goes straight on. Attack: someone sends his own
    /// start link to another person, who connects *their* account to his tenant (connection fixation). Trade:
    /// browsers without `Sec-Fetch-Site` take one more step, and type a short code.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn start(&self, start: &Start<'_>) -> Result<Option<Started>, Fault> {
        let now = self.clock.now();
        let Ok(ticket) = Ticket::read(start.ticket, self.ticket_key(), now) else { return Ok(None) };
        let id = ticket.dialog.clone();
        let found = self.db.read(move |tx| Box::pin(async move { dialogs::by_id(tx, &id).await })).await?;
        let Some(dialog) = found.filter(|dialog| dialog.environment == start.environment) else {
            return Ok(None);
        };
        let Some(context) = self.in_context(dialog).await? else { return Ok(None) };
        // A page's link is there only where a sign-in can begin; a ticket can be asked for at any time.
        let asks =
            context.dialog.inputs.is_none() && !context.definition.inputs_before_authorize().is_empty();
        if way(&context.definition) != Way::SignIn || asks {
            return Ok(None);
        }
        let attempt_id = AttemptId::new(now, &*self.chance);
        let Ok(next) = context.dialog.after(Event::Started(attempt_id.clone()), now) else { return Ok(None) };
        let (state, cookie) = (Plain::new(&*self.chance), Plain::new(&*self.chance));
        let (attempt, authorize_url) = self.attempt(&context, start, attempt_id, (&state, &cookie)).await?;
        let (dialog_id, version) = (context.dialog.id.clone(), context.dialog.version);
        let begun = self.db.write(move |tx| {
            Box::pin(async move {
                // The ticket's unique hash is what makes it single-use.
                Ok::<_, Fault>(
                    attempts::insert(tx, &attempt).await?
                        && dialogs::save_stage(tx, &dialog_id, version, &next).await?,
                )
            })
        });
        if !begun.await? {
            return Ok(None);
        }
        self.bells.ring(&context.dialog.id);
        let cookie_name = cookie_name(&state.hashed());
        let explain = (!start.same_origin).then_some(context);
        Ok(Some(Started { authorize_url, cookie_name, cookie, explain }))
    }

    async fn attempt(
        &self,
        context: &DialogContext,
        start: &Start<'_>,
        id: AttemptId,
        (state, cookie): (&Plain, &Plain),
    ) -> Result<(Attempt, Url), Fault> {
        let DialogContext { dialog, config, definition, .. } = context;
        let now = self.clock.now();
        let app = config.apps.get(&dialog.connector);
        let app = app.ok_or_else(|| Fault::broken(format!("{} has no app credentials", dialog.connector)))?;
        let inputs = self.held(dialog).await?.inputs;
        let verifier = pkce_verifier(&*self.chance);
        let place = self.places.of(dialog.environment);
        let place = place.ok_or_else(|| Fault::broken("the dialog's environment is not served"))?;
        let challenge = match definition.authorize.as_ref().map(|authorize| authorize.pkce) {
            Some(Pkce::S256) => Some(pkce_challenge(&verifier)),
            Some(Pkce::Plain) => Some(verifier.reveal().to_owned()),
            Some(Pkce::Off) | None => None,
        };
        let url =
            authorize_url(definition, app, &inputs, state.reveal(), challenge.as_deref(), &place.callback())
                .map_err(|error| {
                    Fault::broken(format!("no address of {}: {}", dialog.connector, error.detail))
                })?;
        let sealing = format!("attempt-verifier:{id}");
        let verifier = match challenge {
            Some(_) => Some(
                self.vault
                    .seal(&self.db, &dialog.organization, &sealing, verifier.reveal().as_bytes())
                    .await?,
            ),
            None => None,
        };
        let attempt = Attempt {
            id,
            dialog: dialog.id.clone(),
            organization: dialog.organization.clone(),
            environment: dialog.environment,
            connector: dialog.connector.clone(),
            ticket: Ticket::hash_of(start.ticket),
            state: state.hashed(),
            cookie: cookie.hashed(),
            verifier,
            needs_code: !start.same_origin,
            in_tab: start.in_tab && start.same_origin,
            created: now,
            expires: now.plus_seconds(LIFETIME_S),
            used: None,
            outcome: None,
            pending: None,
        };
        Ok((attempt, url))
    }
}
