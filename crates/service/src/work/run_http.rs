//! A run at the integration's own URL: a signed message, and an answer that ends it or announces a report
//! (contract `runs.md`).

use super::options::seconds;
use super::run::{Contents, Task};
use super::run_end::{Done, End, Ended, Judged};
use super::run_log::RunLog;
use super::run_process::{every, time_of};
use super::run_told::NotBegun;
use super::{Held, Outcome, Why};
use crate::{Fault, Service};
use ::connect::notice::signature::sign;
use ::connect::release::Release;
use ::connect::run::message::{Answered, Message, Report, Reported, SentPayload, SentTrigger, read_answer};
use ::connect::run::{Failure, Run};
use kernel::{Plain, SecretText, Time};
use outbound::{CallError, Request, Response};
use std::sync::Arc;
use std::time::Duration;
use store::deliveries::Content;
use store::runs;
use url::Url;

/// What is read of an answer: a log and a state.
pub(super) const LARGEST_REPORT: usize = 11 << 20;
/// The header with the run's own token: it fetches credentials and reports, and stands in no body.
const TOKEN_HEADER: &str = "run-token";
/// Between two looks at whether somebody asked that the run end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the call ended.
enum Called {
    Answered(Answered),
    Cancelled,
    /// The process stops, or the lease is another's.
    Left(Why),
}

impl Service {
    pub(super) async fn run_http(self: &Arc<Self>, held: &Held, mut task: Task) -> Result<Done, Fault> {
        let time = time_of(&task, self.work.run_time);
        let until = task.run.phase.started().unwrap_or(self.clock.now()).plus_seconds(time);
        let called = match self.run_message(&mut task, time).await {
            Ok(request) => self.post_run(held, &task.run, request, time).await,
            Err(NotBegun::Fault(fault)) => return Err(fault),
            Err(NotBegun::Failed { why, reason }) => Called::Answered(Answered::Failed { why, reason }),
        };
        match called {
            Called::Left(Why::Lost) => Ok(self.lost_run().into()),
            Called::Left(Why::Stopping) => self.end_http(held, &task, End::GivenUp, None).await,
            Called::Cancelled => self.end_http(held, &task, End::Cancelled, None).await,
            Called::Answered(Answered::Failed { why, reason }) => {
                self.end_http(held, &task, End::Failed { why, reason }, None).await
            }
            Called::Answered(Answered::Ended(report)) => {
                let end = end_of(&report);
                self.end_http(held, &task, end, Some(report)).await
            }
            Called::Answered(Answered::Waits(report)) => {
                self.await_report(&task, report, until).await.map(Done::from)
            }
        }
    }

    /// The message of the contract, signed with the release's key after Standard Webhooks.
    async fn run_message(&self, task: &mut Task, time: i64) -> Result<Request, NotBegun> {
        let url = task.release.manifest.url.as_deref().and_then(|url| Url::parse(url).ok());
        let url = url.ok_or_else(|| NotBegun::platform("its release says no URL"))?;
        let place = self.places.of(task.run.environment);
        let place = place.ok_or_else(|| NotBegun::platform("this environment is not served"))?;
        let secret = self.release_secret(&task.release).await?;
        let secret = secret.ok_or_else(|| NotBegun::platform("its release has no key to sign with"))?;
        let opened = self.told_of_run(task).await?;
        let contents = std::mem::take(&mut task.contents);
        let sent = self.sent_triggers(task, contents).await?;
        let callback_url = place.link(&format!("/v1/runs/{}/report", task.run.id));
        let message = Message {
            run: task.run.id,
            mode: task.run.mode,
            environment: task.run.environment,
            tenant: (task.standing.tenant.id, &task.standing.tenant.name),
            integration: (task.integration.id, task.integration.name.as_str()),
            configs: &opened.configs,
            metadata: &opened.metadata,
            triggers: &sent,
            state: opened.last.as_ref().and_then(|past| past.state.as_deref()),
            callback_url: &callback_url,
        };
        let body = message.to_json().to_string().into_bytes();
        // The same for every attempt: whoever has carried it out can know it again.
        let (id, now) = (format!("run_{}", task.run.id), self.clock.now());
        let signature = sign([&secret], &id, now, &body);
        let request = Request::post(url)
            .body("application/json", body)
            .header("webhook-id", id)
            .header("webhook-timestamp", now.seconds().to_string())
            .header("webhook-signature", signature)
            .secret_header(TOKEN_HEADER, SecretText::new(task.token.reveal()))
            .timeout(Duration::from_secs(u64::try_from(time).unwrap_or(0)))
            .max_body(LARGEST_REPORT);
        Ok(request)
    }

    async fn sent_triggers(&self, task: &Task, mut contents: Contents) -> Result<Vec<SentTrigger>, Fault> {
        let mut sent = Vec::new();
        for trigger in &task.triggers {
            let payload = match trigger.delivery.clone() {
                None => trigger.payload.clone().map_or(SentPayload::Nothing, SentPayload::Given),
                Some(id) => {
                    let sent = self.take_content(&task.run, &mut contents, id).await?;
                    sent.map_or(SentPayload::Nothing, |Content { source, headers, body }| {
                        SentPayload::Delivery { source, headers, body }
                    })
                }
            };
            sent.push(SentTrigger { id: trigger.id, source: trigger.source, mode: trigger.mode, payload });
        }
        Ok(sent)
    }

    /// Calls, and extends the lease meanwhile.
    async fn post_run(&self, held: &Held, run: &Run, request: Request, time: i64) -> Called {
        let call = self.outbound.send(request);
        tokio::pin!(call);
        let mut look = every(LOOK_EVERY);
        let mut extend = every(self.work.lease / 3);
        loop {
            tokio::select! {
                answer = &mut call => return Called::Answered(answered(answer, time)),
                _ = look.tick() => {
                    if self.is_to_end(run).await {
                        return Called::Cancelled;
                    }
                }
                _ = extend.tick() => match held.extend().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Called::Left(Why::Lost),
                    Err(error) => tracing::warn!(%error, run = %run.id, "a lease could not be extended"),
                },
                why = held.lost_or_stopping() => return Called::Left(why),
            }
        }
    }

    /// The run goes on elsewhere until its report comes.
    async fn await_report(&self, task: &Task, report: Option<Report>, until: Time) -> Result<Outcome, Fault> {
        let log = self
            .masked_log(&task.run, Some(&task.release), &task.token, report.and_then(|report| report.log))
            .await?;
        let run = Run { waits: Some(until), ..task.run.clone() };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !log.is_empty() {
                    store::run_logs::append(tx, &run, &log).await?;
                }
                // Where the report was quicker than the answer, the run is over and stays so.
                runs::save(tx, &run).await
            })
        });
        let is_open: bool = write.await.map_err(|error: store::DbError| Fault::from(error))?;
        Ok(if is_open { Outcome::Wait { at: until } } else { Outcome::Done })
    }

    async fn end_http(
        &self,
        held: &Held,
        task: &Task,
        end: End,
        report: Option<Report>,
    ) -> Result<Done, Fault> {
        let (log, state) = report.map_or((None, None), |report| (report.log, report.state));
        let mut log = self.masked_log(&task.run, Some(&task.release), &task.token, log).await?;
        if let End::Failed { reason, .. } = &end {
            super::run_end::note_in(&mut log, reason);
        }
        let ended =
            Ended { end, said: state.unwrap_or_default().replace('\0', "\u{fffd}"), exit_code: None, log };
        self.end_held(held, Judged::from(task), ended).await
    }

    /// A log from outside, masked as a program's own is, and of what the run itself was given: its token, and the key
    /// that its message was signed with.
    pub(super) async fn masked_log(
        &self,
        run: &Run,
        release: Option<&Release>,
        token: &Plain,
        log: Option<String>,
    ) -> Result<String, Fault> {
        let Some(log) = log.filter(|log| !log.is_empty()) else { return Ok(String::new()) };
        let mut values = self.masked_values(&run.organization, run.tenant).await?;
        values.push(token.reveal().to_owned());
        if let Some(release) = release {
            values
                .extend(self.release_secret(release).await?.map(|secret| secret.text().reveal().to_owned()));
        }
        let mut masked = RunLog::new(run, &values);
        masked.push(log.as_bytes());
        let mut log = masked.finish();
        if !log.ends_with('\n') {
            log.push('\n');
        }
        Ok(log)
    }
}

pub(super) fn end_of(report: &Report) -> End {
    match report.phase {
        Reported::Succeeded | Reported::Running => End::Well,
        Reported::Cancelled => End::Cancelled,
        Reported::Failed(why) => End::Failed { why, reason: "the integration reported it".to_owned() },
    }
}

/// `time` is what the run may take, in seconds.
fn answered(answer: Result<Response, CallError>, time: i64) -> Answered {
    match answer {
        Ok(answer) => read_answer(answer.status, &answer.body),
        Err(error) => {
            let why = match &error {
                // A connection that is not made in time is weather.
                CallError::TimedOut { after, .. } if seconds(*after) >= time => Failure::Timeout,
                CallError::TooLarge { .. } | CallError::BadAnswer { .. } => Failure::Integration,
                _ => Failure::Platform,
            };
            Answered::Failed { why, reason: error.to_string() }
        }
    }
}
