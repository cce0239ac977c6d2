//! Endpoints, messages and tries as the REST API and the command line show them. Never a secret.

use super::endpoint::{Disabled, Endpoint};
use super::event::EventType;
use super::message::{Attempt, Message, Place};
use kernel::Time;
use kernel::ids::MessageId;
use serde_json::{Value, json};

fn moment(at: Option<Time>) -> Option<String> {
    at.map(|at| format!("{}Z", at.iso_micros()))
}

/// A time as RFC 3339 writes it, for which part of a list is meant.
pub fn read_moment(text: &str) -> Option<Time> {
    let read = text.parse::<jiff::Timestamp>().ok()?;
    Some(Time::from_micros(read.as_microsecond()))
}

/// Where a page of tries begins: a moment, or the place of the last one of the page before.
pub fn read_place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, ',');
    let at = read_moment(parts.next()?)?;
    match (parts.next(), parts.next()) {
        (None, None) => Some(Place::before(at)),
        (Some(message), Some(number)) => {
            Some(Place { at, one: Some((MessageId::parse(message).ok()?, number.parse().ok()?)) })
        }
        _ => None,
    }
}

pub fn endpoint(endpoint: &Endpoint) -> Value {
    json!({
        "id": endpoint.id,
        "url": endpoint.url.as_str(),
        "description": endpoint.description,
        "events": endpoint.events.iter().map(|event| event.as_str()).collect::<Vec<_>>(),
        "ordered": endpoint.ordered,
        "status": endpoint.standing().as_str(),
        "disabled_because": endpoint.disabled.map(Disabled::as_str),
        "failing_since": moment(endpoint.failing),
        "resumes_at": moment(endpoint.resume),
        "previous_secret_until": moment(endpoint.previous.as_ref().map(|(_, until)| *until)),
        "created_date": endpoint.created.iso_micros(),
        "modified_date": endpoint.modified.iso_micros(),
    })
}

/// `event` is `None` where the event is not kept any more.
pub fn message(message: &Message, event: Option<EventType>, tenant: Option<i64>) -> Value {
    json!({
        "id": message.id,
        "event_id": message.event,
        "type": event.map(EventType::as_str),
        "tenant_id": tenant,
        "state": message.state.as_str(),
        "since": moment(Some(message.since)),
        "attempts": message.attempts,
        "next_attempt_at": moment(message.next),
        "failure": message.failure,
    })
}

pub fn attempt(attempt: &Attempt) -> Value {
    json!({
        "message_id": attempt.message,
        "number": attempt.number,
        "at": moment(Some(attempt.at)),
        "took_ms": attempt.took_us / 1_000,
        "status": attempt.status,
        "failure": attempt.failure,
    })
}
