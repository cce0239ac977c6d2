//! The callback: the browser is back from the outside system. Phase one of two (decision 0005).

use super::confirm::Held;
use super::start::cookie_name;
use super::view::DialogContext;
use crate::{Fault, Service};
use ::connect::attempt::{Answer, Attempt, CallbackQuery, CallbackRefused, Outcome, short_code};
use ::connect::connector::flow::{self, Exchange, ProviderFailure};
use ::connect::credential::Credential;
use ::connect::dialog::{Choice, Event, Failure, Stage};
use kernel::ids::RefusalId;
use kernel::{Environment, Hashed, Plain, SecretText};
use std::sync::Arc;
use store::{attempts, dialogs};

/// How a callback ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A credential is pending until the dialog confirms it; with `code`, once that was typed there.
    Pending {
        code: Option<String>,
    },
    /// Opened in the frame's own tab: installed already.
    Installed,
    /// Opened there too, and a step after connecting offers several: with the state and the cookie of this sign-in
    /// one of them is chosen ([`Service::choose_in_tab`]).
    Choose {
        choices: Vec<Choice>,
    },
    Failed {
        failure: Failure,
        detail: Option<String>,
    },
}

/// What the callback's page shows.
#[derive(Debug)]
pub struct CameBack {
    /// `None` where the state is not known, so that nobody can be named.
    pub context: Option<DialogContext>,
    pub ended: Ended,
    /// Where the tab goes on to, where it is the frame's own.
    pub onwards: Option<String>,
    pub reference: String,
    /// The binding cookie that has done its work.
    pub spent_cookie: Option<String>,
    /// The state of the sign-in, where the page has to show it once more.
    pub state: Option<Plain>,
}

/// What the callback brought, once it may be used.
enum Brought {
    Code(SecretText),
    Nothing,
    Error(Failure, Option<String>),
}

impl Service {
    /// Checks the callback, uses its state up, swaps the code and leaves the credential pending.
    /// `cookie` gives the value of the cookie of a name.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn come_back(
        self: &Arc<Self>,
        environment: Environment,
        query: &str,
        cookie: &(dyn Fn(&str) -> Option<Plain> + Sync),
    ) -> Result<CameBack, Fault> {
        let query = match CallbackQuery::parse(query) {
            Ok(query) => query,
            Err(refused) => return Ok(self.turned_away(&refused, None)),
        };
        let Some((attempt, state, context)) = self.attempt_of(environment, &query).await? else {
            return Ok(self.turned_away(&CallbackRefused::StateUnknown, None));
        };
        let name = cookie_name(&state);
        let presented = cookie(&name).map(|value| value.hashed());
        let Some(context) = context else { return Ok(self.turned_away(&CallbackRefused::Late, None)) };
        let now = self.clock.now();
        if let Err(refused) = attempt.check_callback(&state, presented.as_ref(), now) {
            if refused == CallbackRefused::Late {
                self.advance(&context.dialog, Event::TimedOut(attempt.id.clone())).await?;
            }
            return Ok(self.turned_away(&refused, Some(context)));
        }
        let brought = match self.brought(&context, &query) {
            Ok(brought) => brought,
            Err(refused) => return Ok(self.turned_away(&refused, Some(context))),
        };
        // Decision: a sign-in that the dialog no longer waits for is not carried on. Swapping its code only to give
        // the credential back could end, at the outside system, the newer one that the person is about to use.
        let arrived = Event::CallbackArrived { attempt: attempt.id.clone(), code: None };
        if context.dialog.after(arrived, now).is_err() {
            return Ok(self.turned_away(&CallbackRefused::StateUsed, Some(context)));
        }
        // A window that is closed now must not lose the code that is about to be used up.
        let service = Arc::clone(self);
        self.stopping.to_its_end(Box::pin(service.claim(attempt, context, query, brought, name))).await
    }

    /// Uses the state up and goes on.
    async fn claim(
        self: Arc<Self>,
        attempt: Attempt,
        context: DialogContext,
        query: CallbackQuery,
        brought: Brought,
        cookie: String,
    ) -> Result<CameBack, Fault> {
        let (owner, id, now) = (attempt.organization.clone(), attempt.id.clone(), self.clock.now());
        // The guard in this statement is the one thing that makes a state single-use.
        let claimed = self
            .db
            .write(move |tx| Box::pin(async move { attempts::claim(tx, &owner, &id, now).await }))
            .await?;
        if !claimed {
            return Ok(self.turned_away(&CallbackRefused::StateUsed, Some(context)));
        }
        let mut values = query.all().iter().map(|(_, value)| Plain::presented(value.as_str()));
        let state = values.find(|value| value.hashed() == attempt.state);
        let came = self.finish(attempt, context, query, brought).await?;
        // What is still to be chosen needs the cookie once more.
        let spent_cookie = Some(cookie).filter(|_| !matches!(came.ended, Ended::Choose { .. }));
        Ok(CameBack { spent_cookie, state, ..came })
    }

    /// The attempt whose state this is, with whose it is. Some outside systems send `state` back under a name of
    /// their own, and which one is in its connector's definition, which may be the organization's own. So each
    /// value that looks like a state of ours is looked up, and counts only under its connector's name for it.
    async fn attempt_of(
        &self,
        environment: Environment,
        query: &CallbackQuery,
    ) -> Result<Option<(Attempt, Hashed, Option<DialogContext>)>, Fault> {
        for parameter in state_params(query) {
            let Ok(state) = query.state(parameter) else { continue };
            let wanted = state.clone();
            let read = self.db.read(move |tx| Box::pin(async move { attempts::by_state(tx, &wanted).await }));
            let Some(attempt) = read.await?.filter(|attempt| attempt.environment == environment) else {
                continue;
            };
            let context = self.context_of(&attempt).await?;
            let authorize = context.as_ref().and_then(|context| context.definition.authorize.as_ref());
            if authorize.map_or("state", |authorize| authorize.state_param.as_str()) == parameter {
                return Ok(Some((attempt, state, context)));
            }
        }
        Ok(None)
    }

    pub(super) async fn context_of(&self, attempt: &Attempt) -> Result<Option<DialogContext>, Fault> {
        let id = attempt.dialog.clone();
        let found = self.db.read(move |tx| Box::pin(async move { dialogs::by_id(tx, &id).await })).await?;
        match found {
            Some(dialog) => self.in_context(dialog).await,
            None => Ok(None),
        }
    }

    fn brought(&self, context: &DialogContext, query: &CallbackQuery) -> Result<Brought, CallbackRefused> {
        let authorize = context.definition.authorize.as_ref();
        let code_parameter = authorize.map_or("code", |authorize| authorize.code_param.as_str());
        let captures = !context.definition.capture.callback.is_empty();
        Ok(match query.answer(code_parameter, captures)? {
            Answer::Code(code) => Brought::Code(code),
            Answer::Captured => Brought::Nothing,
            Answer::Error(error) => Brought::Error(error.failure(), Some(error.detail())),
        })
    }

    async fn finish(
        self: Arc<Self>,
        attempt: Attempt,
        context: DialogContext,
        query: CallbackQuery,
        brought: Brought,
    ) -> Result<CameBack, Fault> {
        let swapped = match brought {
            Brought::Error(failure, detail) => Err((failure, detail)),
            Brought::Code(code) => {
                let swapped = self.swap(&attempt, &context, &query, &code).await?;
                swapped.map_err(|failure| (failure.failure, Some(failure.detail)))
            }
            Brought::Nothing => Err((
                Failure::ServerError,
                Some("the outside system sent no code, which this release needs".to_owned()),
            )),
        };
        match swapped {
            Ok(credential) => self.arrive(attempt, context, &credential).await,
            Err((failure, detail)) => self.fail(attempt, context, failure, detail).await,
        }
    }

    /// Swaps the code for a credential.
    async fn swap(
        &self,
        attempt: &Attempt,
        context: &DialogContext,
        query: &CallbackQuery,
        code: &SecretText,
    ) -> Result<Result<Credential, ProviderFailure>, Fault> {
        let DialogContext { dialog, config, definition, .. } = context;
        let app = config.apps.get(&dialog.connector);
        let app = app.ok_or_else(|| Fault::broken(format!("{} has no app credentials", dialog.connector)))?;
        let inputs = self.held(dialog).await?.inputs;
        let verifier = match &attempt.verifier {
            Some(sealed) => {
                let place = format!("attempt-verifier:{}", attempt.id);
                let opened = self.vault.open(&self.db, &attempt.organization, &place, sealed).await?;
                Some(SecretText::new(String::from_utf8_lossy(&opened)))
            }
            None => None,
        };
        let redirect_uri =
            self.places.of(attempt.environment).map(crate::Place::callback).unwrap_or_default();
        if let Err(failure) = flow::check_callback(definition, app, query.all()) {
            return Ok(Err(failure));
        }
        let captures = match flow::captures_from_callback(definition, query.all()) {
            Ok(captures) => captures,
            Err(failure) => return Ok(Err(failure)),
        };
        let exchange = Exchange { code, verifier: verifier.as_ref(), redirect_uri: &redirect_uri };
        let now = self.clock.now();
        Ok(self.providers.exchange_code(definition, app, inputs, captures, exchange, now).await)
    }

    async fn arrive(
        self: Arc<Self>,
        attempt: Attempt,
        context: DialogContext,
        credential: &Credential,
    ) -> Result<CameBack, Fault> {
        let code = attempt.needs_code.then(|| short_code(&*self.chance));
        let place = format!("attempt-pending:{}", attempt.id);
        let content = credential.to_json();
        let pending = self.vault.seal(&self.db, &attempt.organization, &place, content.as_bytes()).await?;
        let event = Event::CallbackArrived { attempt: attempt.id.clone(), code: code.clone() };
        let saved = self.save_outcome(&attempt, &context, event, Outcome::Arrived, Some(pending)).await?;
        if !saved {
            // The person cancelled or began anew meanwhile. What was given is not kept, and given back where
            // nothing newer may depend on it (`let_go`).
            let now = self.context_of(&attempt).await?;
            if now.is_none_or(|now| matches!(now.dialog.stage, Stage::Cancelled)) {
                self.give_back(&context.dialog, credential).await?;
            }
            let refused = CallbackRefused::StateUsed;
            return Ok(self.turned_away(&refused, Some(context)));
        }
        let mut ended = Ended::Pending { code };
        let mut onwards = None;
        if attempt.in_tab {
            onwards = Some(self.onwards(&context));
            ended = self.confirm_in_tab(&attempt, ended).await?;
        }
        Ok(CameBack {
            reference: context.reference(),
            context: Some(context),
            ended,
            onwards,
            spent_cookie: None,
            state: None,
        })
    }

    /// In the frame's own tab there is no frame left to confirm: the same browser does, by its cookie.
    async fn confirm_in_tab(self: &Arc<Self>, attempt: &Attempt, otherwise: Ended) -> Result<Ended, Fault> {
        let Some(context) = self.context_of(attempt).await? else { return Ok(otherwise) };
        self.confirm_dialog(&context).await?;
        self.stands_in_tab(attempt, otherwise).await
    }

    /// Where the dialog of a sign-in in the frame's own tab stands now.
    pub(super) async fn stands_in_tab(&self, attempt: &Attempt, otherwise: Ended) -> Result<Ended, Fault> {
        let Some(context) = self.context_of(attempt).await? else { return Ok(otherwise) };
        Ok(match context.dialog.stage {
            Stage::Success { .. } => Ended::Installed,
            Stage::Failed { failure, detail, .. } => Ended::Failed { failure, detail },
            Stage::Choose { choices, .. } => Ended::Choose { choices },
            _ => otherwise,
        })
    }

    async fn fail(
        &self,
        attempt: Attempt,
        context: DialogContext,
        failure: Failure,
        detail: Option<String>,
    ) -> Result<CameBack, Fault> {
        tracing::info!(attempt = %attempt.id, ?failure, detail = detail.as_deref(), "a sign-in came back without a credential");
        let event = Event::CallbackRefused { attempt: attempt.id.clone(), failure, detail: detail.clone() };
        let outcome = Outcome::Refused { failure, detail: detail.clone() };
        self.save_outcome(&attempt, &context, event, outcome, None).await?;
        let onwards = attempt.in_tab.then(|| self.onwards(&context));
        let ended = Ended::Failed { failure, detail };
        Ok(CameBack {
            reference: context.reference(),
            context: Some(context),
            ended,
            onwards,
            spent_cookie: None,
            state: None,
        })
    }

    /// Writes the attempt's outcome and the dialog's next stage together; `false` where the dialog no longer
    /// waits for this attempt.
    async fn save_outcome(
        &self,
        attempt: &Attempt,
        context: &DialogContext,
        event: Event,
        outcome: Outcome,
        pending: Option<kernel::Sealed>,
    ) -> Result<bool, Fault> {
        // The dialog may have moved while the code was swapped.
        let Some(context) = self.context_of(attempt).await?.filter(|now| now.dialog.id == context.dialog.id)
        else {
            return Ok(false);
        };
        let Ok(next) = context.dialog.after(event, self.clock.now()) else { return Ok(false) };
        let (owner, id) = (attempt.organization.clone(), attempt.id.clone());
        let (dialog, version) = (context.dialog.id.clone(), context.dialog.version);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !dialogs::save_stage(tx, &dialog, version, &next).await? {
                    return Ok::<_, Fault>(false);
                }
                attempts::save_outcome(tx, &owner, &id, &outcome, pending.as_ref()).await?;
                Ok(true)
            })
        });
        let saved = write.await?;
        self.bells.ring(&context.dialog.id);
        Ok(saved)
    }

    /// The embedding page, as far as we know it: a link for a tab whose frame is gone.
    ///
    /// Decision: only to a registered origin, or, in a sandbox that has none, to the page that framed us. Attack:
    /// a landing opened from somebody's page, whose Referer would become our link (lesson 25).
    pub(super) fn onwards(&self, context: &DialogContext) -> String {
        let (dialog, origins) = (&context.dialog, &context.config.origins);
        let anyone = origins.is_empty() && dialog.environment == Environment::Sandbox && dialog.framed;
        let parent = dialog.parent.as_ref().filter(|parent| anyone || origins.contains(parent));
        parent.or(origins.first()).map_or_else(|| "/".to_owned(), |origin| format!("{origin}/"))
    }

    /// What was typed and what is pending for this dialog.
    pub(crate) async fn held(&self, dialog: &::connect::dialog::Dialog) -> Result<Held, Fault> {
        let Some(sealed) = &dialog.inputs else { return Ok(Held::default()) };
        let place = format!("dialog-inputs:{}", dialog.id.as_str());
        let opened = self.vault.open(&self.db, &dialog.organization, &place, sealed).await?;
        Ok(serde_json::from_slice(&opened)?)
    }

    pub(super) fn turned_away(&self, refused: &CallbackRefused, context: Option<DialogContext>) -> CameBack {
        tracing::info!(code = refused.code(), "a callback was refused");
        metrics::counter!("vestibule_callbacks_refused_total", "code" => refused.code()).increment(1);
        let fresh = || RefusalId::new(self.clock.now(), &*self.chance).to_string();
        let reference = context.as_ref().map_or_else(fresh, DialogContext::reference);
        let ended = Ended::Failed { failure: refused.failure(), detail: Some(refused.to_string()) };
        CameBack { context, ended, onwards: None, reference, spent_cookie: None, state: None }
    }
}

/// The outside system's own words, for the folded detail.
/// How many parameters are looked at for a state.
const STATE_PARAMS: usize = 4;
/// A state of ours: 256 bits in base64url.
const STATE_CHARACTERS: usize = 43;

/// The parameters that may hold a state of ours, the one of the standard's name first. Bounded, because each is a
/// look at the database.
fn state_params(query: &CallbackQuery) -> Vec<&str> {
    let alike = query.all().iter().filter(|(_, value)| value.len() == STATE_CHARACTERS);
    let mut names: Vec<&str> = alike.map(|(name, _)| name.as_str()).collect();
    names.sort_by_key(|name| *name != "state");
    names.truncate(STATE_PARAMS);
    names
}
