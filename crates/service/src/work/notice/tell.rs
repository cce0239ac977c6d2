//! An event for one endpoint that is known from memory: written at a stroke, and begun as soon as it is committed.

use crate::Service;
use crate::work::held::Known;
use connect::notice::{Endpoint, Message, NewEvent};
use kernel::audit;
use kernel::ids::{EventId, JobId, MessageId};
use store::DbError;
use store::jobs::{Kind, Wish};
use store::notices::Due;
use store::notices::tell::{Telling, tell};

impl Service {
    /// Writes the event, its message, the job and the line of the audit log, where the endpoint is still as it is known
    /// here; `None` where it is not. What was written is delivered at once, where there is a slot.
    ///
    /// # Errors
    /// [`DbError`].
    pub(crate) async fn tell_at_a_stroke(
        &self,
        endpoint: &Endpoint,
        new: &NewEvent,
        line: &audit::Event,
    ) -> Result<Option<MessageId>, DbError> {
        let (now, chance) = (line.at, &*self.chance);
        let (message, event, job) =
            (MessageId::new(now, chance), EventId::new(now, chance), JobId::new(now, chance));
        let body = new.message(now);
        let mut births = self.births(Kind::Notice);
        let hold = births.hold(&new.organization);
        if let Some(hold) = &hold {
            let (subject, organization) = (message.to_string(), &new.organization);
            let wish = Wish { kind: Kind::Notice, organization, subject, due: now };
            births.expect(hold.born(wish, job.clone()));
        }
        let telling = Telling {
            message: &message,
            event: &event,
            job: &job,
            hold: hold.as_ref(),
            new,
            body: &body,
            endpoint,
            line,
            now,
        };
        let Some(told) = tell(&self.db, &telling).await? else {
            births.withdraw();
            return Ok(None);
        };
        births.know(Known::Notice(Box::new(Due {
            message: Message::new(message.clone(), endpoint.id.clone(), event, now),
            organization: new.organization.clone(),
            body: Some(body),
            url: endpoint.url.clone(),
            disabled: None,
            failing: told.failing,
            resume: told.resume,
            secret: endpoint.secret.clone(),
            previous: endpoint.previous.clone(),
            deleted: false,
        })));
        births.begin();
        Ok(Some(message))
    }
}
