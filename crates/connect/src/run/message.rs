//! What an integration at a URL of its own is told, and what it answers (`http` runs, contract `runs.md`).

use super::environment::headers_json;
use super::{Failure, Mode, Source};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Environment;
use kernel::ids::{IntegrationId, RunId, TenantId, TriggerId};
use serde_json::{Map, Value, json};

/// A trigger as the message shows it. Bodies of deliveries travel inside: there is no folder to lay them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentTrigger {
    pub id: TriggerId,
    pub source: Source,
    pub mode: Mode,
    pub payload: SentPayload,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentPayload {
    Nothing,
    Given(Value),
    /// `source` is the connector at whose address it came, or `custom`.
    Delivery {
        source: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
}

/// What is posted.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    pub run: RunId,
    pub mode: Mode,
    pub environment: Environment,
    pub tenant: (TenantId, &'a str),
    pub integration: (IntegrationId, &'a str),
    pub configs: &'a Map<String, Value>,
    pub metadata: &'a Value,
    pub triggers: &'a [SentTrigger],
    /// What the run before handed on.
    pub state: Option<&'a str>,
    pub callback_url: &'a str,
}

impl Message<'_> {
    /// No credential stands in it: they are fetched with the run's own token.
    pub fn to_json(&self) -> Value {
        json!({
            "run_id": self.run,
            "mode": self.mode.as_str(),
            "environment": self.environment.as_str(),
            "tenant": { "id": self.tenant.0, "name": self.tenant.1 },
            "integration": { "id": self.integration.0, "name": self.integration.1 },
            "configs": self.configs,
            "metadata": self.metadata,
            "triggers": self.triggers.iter().map(SentTrigger::to_json).collect::<Vec<_>>(),
            "state": self.state,
            "callback_url": self.callback_url,
        })
    }
}

impl SentTrigger {
    fn to_json(&self) -> Value {
        let payload = match &self.payload {
            SentPayload::Nothing => json!({}),
            SentPayload::Given(given) => given.clone(),
            SentPayload::Delivery { source, headers, body } => {
                let (encoding, body) = match std::str::from_utf8(body) {
                    Ok(text) => ("utf-8", text.to_owned()),
                    Err(_) => ("base64", STANDARD.encode(body)),
                };
                json!({
                    "headers": headers_json(headers),
                    "body": body,
                    "body_encoding": encoding,
                    "source": source,
                })
            }
        };
        json!({
            "id": self.id,
            "source": self.source.told(),
            "mode": self.mode.as_str(),
            "payload": payload,
        })
    }
}

/// How a report says a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It goes on; what it says is added to the log.
    Running,
    Succeeded,
    Failed(Failure),
    Cancelled,
}

impl Reported {
    /// `Failed` alone is the integration's own failure. Nobody outside can say that a failure is ours, because those
    /// are tried again.
    fn parse(word: &str) -> Option<Self> {
        let failure = [Failure::Integration, Failure::Refresh].into_iter().find(|why| why.phase() == word);
        match word {
            "Running" => Some(Self::Running),
            "Succeeded" => Some(Self::Succeeded),
            "Failed" => Some(Self::Failed(Failure::Integration)),
            "Cancelled" => Some(Self::Cancelled),
            _ => failure.map(Self::Failed),
        }
    }
}

/// What an integration says of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub phase: Reported,
    pub log: Option<String>,
    /// What a program would have printed to stdout.
    pub state: Option<String>,
}

/// A report that cannot be read. `field` is the member that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Unreadable {
    pub field: &'static str,
    pub text: &'static str,
}

impl Report {
    /// Reads `{phase, log, state}`; the last two may be left out.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(body: &Value) -> Result<Self, Unreadable> {
        let refuse = |field, text| Unreadable { field, text };
        let members = body.as_object().ok_or(refuse("body", "a report is a JSON object"))?;
        let phase = members.get("phase").and_then(Value::as_str).and_then(Reported::parse);
        let phase = phase.ok_or(refuse(
            "phase",
            "phase is Running, Succeeded, Failed, Failed (Integration Issue), Failed (Refresh) or Cancelled",
        ))?;
        let log = match members.get("log") {
            None | Some(Value::Null) => None,
            Some(Value::String(log)) => Some(log.clone()),
            Some(_) => return Err(refuse("log", "log is a text")),
        };
        let state = match members.get("state") {
            None | Some(Value::Null) => None,
            Some(Value::String(state)) => Some(state.clone()),
            Some(other) => Some(other.to_string()),
        };
        Ok(Self { phase, log, state })
    }
}

/// What an answer to the message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Ended(Report),
    /// It was taken; a report follows.
    Waits(Option<Report>),
    Failed {
        why: Failure,
        reason: String,
    },
}

/// Reads an answer: 202 announces a report, any other 2xx ends the run, as its `phase` says or else well. 429 and 5xx
/// are weather and tried again; the others are the integration's own.
pub fn read_answer(status: u16, body: &[u8]) -> Answered {
    let failed = |why, reason: String| Answered::Failed { why, reason };
    match status {
        202 => match serde_json::from_slice(body).ok().map(|body: Value| Report::read(&body)) {
            Some(Ok(report)) if report.phase != Reported::Running => Answered::Ended(report),
            Some(Ok(report)) => Answered::Waits(Some(report)),
            _ => Answered::Waits(None),
        },
        200..=299 if body.iter().all(u8::is_ascii_whitespace) => {
            Answered::Ended(Report { phase: Reported::Succeeded, log: None, state: None })
        }
        200..=299 => {
            let report = serde_json::from_slice(body).ok().map(|body: Value| Report::read(&body));
            match report {
                Some(Ok(report)) if report.phase == Reported::Running => Answered::Waits(Some(report)),
                Some(Ok(report)) => Answered::Ended(report),
                Some(Err(unreadable)) => {
                    failed(Failure::Integration, format!("its answer cannot be read: {unreadable}"))
                }
                None => failed(Failure::Integration, "its answer is not JSON".to_owned()),
            }
        }
        429 | 500..=599 => failed(Failure::Platform, format!("it answered with status {status}")),
        _ => failed(Failure::Integration, format!("it answered with status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_the_contract() {
        let configs = json!({ "days": 3 }).as_object().cloned().unwrap();
        let delivery = |body: &[u8]| SentPayload::Delivery {
            source: "hubspot".to_owned(),
            headers: vec![("x-event".to_owned(), "created".to_owned())],
            body: body.to_vec(),
        };
        let trigger = |id, payload| SentTrigger {
            id: TriggerId::new(id).unwrap(),
            source: Source::Webhook,
            mode: Mode::Webhook,
            payload,
        };
        let triggers = [trigger(1, delivery(b"{\"a\":1}")), trigger(2, delivery(b"\xff\x00"))];
        let message = Message {
            run: RunId::new(9).unwrap(),
            mode: Mode::Webhook,
            environment: Environment::Production,
            tenant: (TenantId::new(12).unwrap(), "anna-orders"),
            integration: (IntegrationId::new(7).unwrap(), "orders"),
            configs: &configs,
            metadata: &json!({ "m": 1 }),
            triggers: &triggers,
            state: Some("{\"cursor\": 7}"),
            callback_url: "https://connect.example.com/v1/runs/9/report",
        };
        insta::assert_snapshot!(message.to_json(), @r#"{"run_id":9,"mode":"webhook","environment":"production","tenant":{"id":12,"name":"anna-orders"},"integration":{"id":7,"name":"orders"},"configs":{"days":3},"metadata":{"m":1},"triggers":[{"id":1,"source":"webhook","mode":"webhook","payload":{"headers":{"x-event":"created"},"body":"{\"a\":1}","body_encoding":"utf-8","source":"hubspot"}},{"id":2,"source":"webhook","mode":"webhook","payload":{"headers":{"x-event":"created"},"body":"/wA=","body_encoding":"base64","source":"hubspot"}}],"state":"{\"cursor\": 7}","callback_url":"https://connect.example.com/v1/runs/9/report"}"#);
    }

    #[test]
    fn what_an_answer_means() {
        let succeeded = Report { phase: Reported::Succeeded, log: None, state: None };
        assert_eq!(read_answer(204, b""), Answered::Ended(succeeded.clone()));
        assert_eq!(read_answer(200, b"{\"phase\":\"Succeeded\"}"), Answered::Ended(succeeded));
        assert_eq!(read_answer(202, b""), Answered::Waits(None));
        assert_eq!(read_answer(202, b"accepted"), Answered::Waits(None));
        let Answered::Waits(Some(report)) = read_answer(200, b"{\"phase\":\"Running\",\"log\":\"on\"}")
        else {
            panic!("it goes on")
        };
        assert_eq!(report.log.as_deref(), Some("on"));
        let Answered::Ended(report) = read_answer(200, br#"{"phase":"Failed","state":{"n":1}}"#) else {
            panic!("it ended")
        };
        assert_eq!(report.phase, Reported::Failed(Failure::Integration));
        assert_eq!(report.state.as_deref(), Some("{\"n\":1}"));
        for (status, body, own) in [
            (500, "", false),
            (503, "x", false),
            (429, "", false),
            (404, "", true),
            (302, "", true),
            (200, "<p>", true),
        ] {
            let Answered::Failed { why, .. } = read_answer(status, body.as_bytes()) else {
                panic!("{status}")
            };
            assert_eq!(why == Failure::Integration, own, "{status}");
        }
    }

    #[test]
    fn a_report_cannot_blame_us() {
        for bad in
            [json!({}), json!({ "phase": "Failed (Platform Issue)" }), json!({ "phase": "Done" }), json!([])]
        {
            assert!(Report::read(&bad).is_err(), "{bad}");
        }
        assert_eq!(Report::read(&json!({ "phase": "Running", "log": 1 })).unwrap_err().field, "log");
    }
}
