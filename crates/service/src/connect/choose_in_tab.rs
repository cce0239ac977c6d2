//! A choice after a sign-in in the frame's own tab: the frame that would ask is gone, so the callback's page asks.

use super::callback::{CameBack, Ended};
use super::start::cookie_name;
use crate::{Fault, Service};
use ::connect::attempt::CallbackRefused;
use ::connect::dialog::Stage;
use kernel::{Environment, Plain};
use std::sync::Arc;
use store::attempts;

impl Service {
    /// Takes one of several for the dialog whose sign-in had this state. `cookie` gives the value of the cookie of
    /// a name.
    ///
    /// Decision: the browser proves itself by state and cookie once more, as at the callback. Attack: somebody else's
    /// page chooses for the person, or goes on with a dialog that asks in its own frame. Trade: the state, used up as
    /// a callback, still names its sign-in for as long as that could have lasted.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn choose_in_tab(
        self: &Arc<Self>,
        environment: Environment,
        state: &Plain,
        cookie: &(dyn Fn(&str) -> Option<Plain> + Sync),
        chosen: &str,
    ) -> Result<CameBack, Fault> {
        let wanted = state.hashed();
        let name = cookie_name(&wanted);
        let read = self.db.read(move |tx| Box::pin(async move { attempts::by_state(tx, &wanted).await }));
        let Some(attempt) = read.await?.filter(|attempt| attempt.environment == environment) else {
            return Ok(self.turned_away(&CallbackRefused::StateUnknown, None));
        };
        let Some(context) = self.context_of(&attempt).await? else {
            return Ok(self.turned_away(&CallbackRefused::Late, None));
        };
        if cookie(&name).is_none_or(|value| value.hashed() != attempt.cookie) {
            return Ok(self.turned_away(&CallbackRefused::OtherBrowser, Some(context)));
        }
        let is_asked =
            matches!(&context.dialog.stage, Stage::Choose { attempt: Some(asks), .. } if *asks == attempt.id);
        if !attempt.in_tab || !is_asked {
            return Ok(self.turned_away(&CallbackRefused::StateUsed, Some(context)));
        }
        if self.clock.now() >= attempt.expires {
            return Ok(self.turned_away(&CallbackRefused::Late, Some(context)));
        }
        self.choose_for(&context, chosen).await?;
        let ended = self.stands_in_tab(&attempt, Ended::Pending { code: None }).await?;
        Ok(CameBack {
            reference: context.reference(),
            onwards: Some(self.onwards(&context)),
            spent_cookie: Some(name).filter(|_| !matches!(ended, Ended::Choose { .. })),
            context: Some(context),
            ended,
            state: Some(state.clone()),
        })
    }
}
