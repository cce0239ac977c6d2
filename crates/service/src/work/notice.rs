//! Delivers messages to endpoints: signed after Standard Webhooks, each try recorded, in order where that was asked for.

mod post;
pub(crate) mod seen;
mod tell;
pub(crate) mod windows;

use super::held::Known;
use super::jobs::Over;
use super::{Held, Outcome};
use crate::{Fault, Service};
use connect::notice::{After, Attempt, Heard, Subject};
use kernel::Time;
use metrics::counter;
use post::Try;
use std::time::Duration;
use store::notice_endpoints;
use store::notices::{self, Due, FirstTry};
use windows::Place;

/// What is left of a lease when another call begins: more than a call may take.
const ROOM: Duration = Duration::from_secs(25);
/// Messages of one lane in a row, before others have their turn.
const IN_A_ROW: usize = 64;

/// How it goes on with a job.
#[derive(Debug)]
enum Step {
    /// A lane's first message is no longer in the way.
    Next,
    End(Outcome),
    /// A message was delivered at its first try, which is kept with the end of its job.
    Delivered(FirstTry),
}

impl Service {
    /// Delivers the message that the job is about, or what waits in its lane, one after the other until one of them
    /// fails. A node that dies meanwhile loses its lease, and another one delivers again: an endpoint may hear twice, and
    /// knows it by the `webhook-id`.
    pub(super) async fn do_notice(&self, held: &Held, known: Known) -> Over {
        let Some(subject) = Subject::parse(held.subject()) else {
            return Outcome::Dead { failure: "the job names no message and no lane".to_owned() }.into();
        };
        let mut known = match known {
            Known::Notice(due) => Some(*due),
            Known::Nothing | Known::Run(_) => None,
        };
        for _ in 0..IN_A_ROW {
            match self.deliver_notice(held, &subject, known.take()).await {
                Ok(Step::Next) if self.stopping.has_begun() => return Outcome::HandBack.into(),
                Ok(Step::Next) => {}
                Ok(Step::End(outcome)) => return outcome.into(),
                Ok(Step::Delivered(first_try)) => {
                    return Over { outcome: Outcome::Done, first_try: Some(first_try), is_settled: false };
                }
                Err(fault) => return held.later(fault.to_string()).into(),
            }
        }
        Outcome::Wait { at: self.clock.now() }.into()
    }

    async fn deliver_notice(
        &self,
        held: &Held,
        subject: &Subject,
        known: Option<Due>,
    ) -> Result<Step, Fault> {
        let due = match known {
            Some(due) => Some(due),
            None => notices::due_of(&self.db, held.organization(), subject).await?,
        };
        let Some(due) = due else { return Ok(Step::End(Outcome::Done)) };
        if let Some(why) = over(&due) {
            return self.bury_notice(&due, why).await;
        }
        let now = self.clock.now();
        let rests = due.resume.into_iter().chain(due.message.next).max().filter(|at| *at > now);
        if let Some(at) = rests {
            let failure =
                due.message.failure.unwrap_or_else(|| "its endpoint asked to be left alone".to_owned());
            return Ok(Step::End(Outcome::Again { at, failure }));
        }
        if !has_room(held, now) && held.extend().await?.is_none() {
            return Ok(Step::End(Outcome::HandBack));
        }
        let place = match self.windows.enter(&due.message.endpoint, self.work.notice_slots).await {
            Place::Taken(place) => place,
            Place::None { stay_away_s } => {
                return Ok(Step::End(Outcome::Wait { at: now.plus_seconds(stay_away_s) }));
            }
        };
        let tried = tokio::select! {
            tried = self.post_notice(&due) => tried?,
            // Another may have it by now, and tells the endpoint itself.
            () = held.lost() => return Ok(Step::End(Outcome::HandBack)),
        };
        place.leave(tried.took, tried.heard.is_taken());
        self.settle_notice(&due, tried, subject).await
    }

    /// Keeps what became of a try.
    async fn settle_notice(&self, due: &Due, tried: Try, subject: &Subject) -> Result<Step, Fault> {
        let message = &due.message;
        let Try { at, took, heard } = tried;
        let attempt = Attempt {
            message: message.id.clone(),
            number: message.attempts.saturating_add(1),
            at,
            took_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            status: heard.status(),
            failure: heard.failure(),
        };
        let after = message.after(&heard, at, &*self.chance);
        counter!("vestibule_notices_total", "outcome" => label(after)).increment(1);
        let is_as_ever = due.failing.is_none() && due.resume.is_none();
        if after == After::Delivered && message.attempts == 0 && message.lane.is_none() && is_as_ever {
            let Attempt { message, at, took_us, status, .. } = attempt;
            return Ok(Step::Delivered(FirstTry { message, at, took_us, status }));
        }
        match after {
            After::Delivered => self.keep_delivered(due, attempt).await?,
            After::Again(_) | After::Dead => self.keep_failed(due, attempt, &heard, after).await?,
        }
        Ok(match (after, subject) {
            (After::Again(at), _) => {
                let failure = heard.failure().unwrap_or_default();
                Step::End(Outcome::Again { at, failure })
            }
            (After::Delivered | After::Dead, Subject::Lane(_)) => Step::Next,
            (After::Delivered | After::Dead, Subject::Message(_)) => Step::End(Outcome::Done),
        })
    }

    async fn keep_delivered(&self, due: &Due, attempt: Attempt) -> Result<(), Fault> {
        if due.message.attempts == 0 {
            notices::delivered_first(&self.db, &due.message, &attempt).await?;
        } else {
            let message = due.message.clone();
            let write = self
                .db
                .write(move |tx| Box::pin(async move { notices::delivered(tx, &message, &attempt).await }));
            write.await?;
        }
        if due.failing.is_some() || due.resume.is_some() {
            notice_endpoints::recovered(&self.db, &due.message.endpoint).await?;
        }
        Ok(())
    }

    async fn keep_failed(
        &self,
        due: &Due,
        attempt: Attempt,
        heard: &Heard,
        after: After,
    ) -> Result<(), Fault> {
        let (message, heard) = (due.message.clone(), heard.clone());
        let next = match after {
            After::Again(at) => Some(at),
            After::Delivered | After::Dead => None,
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                notices::failed(tx, &message, &attempt, next).await?;
                notice_endpoints::fails(tx, &message.endpoint, attempt.at).await?;
                match heard {
                    Heard::Gone => notice_endpoints::gone(tx, &message.endpoint, attempt.at).await.map(drop),
                    Heard::Busy { until, .. } => {
                        notice_endpoints::rest(tx, &message.endpoint, until).await.map(drop)
                    }
                    Heard::Taken { .. } | Heard::Refused { .. } | Heard::Nothing { .. } => Ok(()),
                }
            })
        });
        Ok(write.await?)
    }

    /// A message that can never be delivered is dead, without a try. A disabled endpoint's whole lane is.
    async fn bury_notice(&self, due: &Due, why: &'static str) -> Result<Step, Fault> {
        let (message, now) = (due.message.clone(), self.clock.now());
        let whole_lane = due.body.is_some();
        let lane = due.message.lane.is_some();
        let write = self
            .db
            .write(move |tx| Box::pin(async move { notices::die(tx, &message, whole_lane, why, now).await }));
        let died = write.await?;
        counter!("vestibule_notices_total", "outcome" => "dead").increment(died);
        Ok(if lane { Step::Next } else { Step::End(Outcome::Done) })
    }
}

/// Why a message can never be delivered.
fn over(due: &Due) -> Option<&'static str> {
    if due.deleted {
        Some("its endpoint was deleted")
    } else if due.disabled.is_some() {
        Some("its endpoint is disabled")
    } else if due.body.is_none() {
        Some("what it tells of is not kept any more")
    } else {
        None
    }
}

fn has_room(held: &Held, now: Time) -> bool {
    let left = held.until().micros().saturating_sub(now.micros());
    u128::try_from(left).is_ok_and(|left| left > ROOM.as_micros())
}

const fn label(after: After) -> &'static str {
    match after {
        After::Delivered => "delivered",
        After::Again(_) => "again",
        After::Dead => "dead",
    }
}
