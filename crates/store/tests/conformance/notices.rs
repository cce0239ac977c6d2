//! Endpoints, events and messages on both databases.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, sealed};
use connect::notice::{
    Attempt, Disabled, Endpoint, EndpointUrl, EventType, Message, NewEvent, Place, State, Subject,
};
use futures_util::future::join_all;
use kernel::ids::{EndpointId, EventId, JobId, MessageId, OrganizationId, TenantId};
use kernel::{Actor, Environment, Time, audit};
use serde_json::json;
use store::jobs::{self, Hold, Kind};
use store::notices::replay::Span;
use store::notices::tell::{Telling, Told};
use store::notices::{self, Due, FirstTry, log, replay};
use store::retention::{EVENTS_S, NOTICES_S, sweep};
use store::{Page, events, notice_endpoints as endpoints, sql};

on_both!(
    an_endpoint_is_kept_changed_and_deleted,
    those_that_chose_an_event_hear_of_it,
    a_message_is_delivered_once,
    many_are_delivered_at_once,
    what_is_told_at_a_stroke_is_there_with_its_job,
    a_failed_try_is_logged_and_the_last_one_leaves_it_dead,
    a_lane_is_read_in_the_order_in_which_it_was_written,
    an_endpoint_fails_rests_recovers_and_is_gone,
    messages_and_tries_are_read_newest_first,
    what_is_replayed_begins_anew,
    what_is_over_is_swept,
    pages_of_tries_skip_nothing,
    a_hundred_tries_at_once_deliver_once,
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

fn url(text: &str) -> EndpointUrl {
    EndpointUrl::parse(text).unwrap()
}

fn new_endpoint(world: &World, organization: &OrganizationId, ordered: bool) -> Endpoint {
    Endpoint {
        id: EndpointId::new(NOW, &world.chance),
        organization: organization.clone(),
        environment: SANDBOX,
        url: url("https://hooks.example.com/in?x=1"),
        description: "our \"own\" – first".to_owned(),
        events: vec![EventType::TenantCreated, EventType::RunFailed],
        ordered,
        disabled: None,
        failing: None,
        resume: None,
        secret: sealed("secret"),
        previous: None,
        created: NOW,
        modified: NOW,
    }
}

async fn endpoint(world: &World, organization: &OrganizationId, ordered: bool) -> Endpoint {
    let new = new_endpoint(world, organization, ordered);
    let kept = new.clone();
    write!(world, |tx| endpoints::insert(tx, &new));
    kept
}

async fn all(world: &World, organization: &OrganizationId) -> Vec<Endpoint> {
    let owner = organization.clone();
    world.read(move |tx| Box::pin(async move { endpoints::list(tx, &owner, SANDBOX).await })).await
}

/// Writes an event and its message to this endpoint, in the lane of this order.
async fn message(world: &World, to: &Endpoint, order: Option<&str>, at: Time) -> MessageId {
    let (event, id) = (EventId::new(at, &world.chance), MessageId::new(at, &world.chance));
    let new = NewEvent {
        organization: to.organization.clone(),
        environment: SANDBOX,
        event: EventType::TenantCreated,
        tenant: TenantId::new(11).ok(),
        body: json!({ "n": 1 }),
    };
    let lane = order.map(|order| Subject::lane(&to.id, order).to_string());
    let (endpoint, made) = (to.id.clone(), id.clone());
    world
        .write(move |tx| {
            Box::pin(async move {
                events::insert(tx, &event, &new, &new.message(at), at).await?;
                notices::insert(tx, &made, &endpoint, &event, lane.as_deref(), at).await
            })
        })
        .await;
    id
}

async fn due(world: &World, organization: &OrganizationId, subject: &Subject) -> Option<Due> {
    notices::due_of(&world.db, organization, subject).await.unwrap()
}

async fn of_message(world: &World, organization: &OrganizationId, id: &MessageId) -> Due {
    due(world, organization, &Subject::Message(id.clone())).await.unwrap()
}

async fn shown(world: &World, organization: &OrganizationId, id: &MessageId) -> Message {
    let (owner, id) = (organization.clone(), id.clone());
    let found = world.read(move |tx| Box::pin(async move { log::one(tx, &owner, SANDBOX, &id).await })).await;
    found.unwrap().message
}

fn attempt(message: &Message, seconds: i64, status: u16) -> Attempt {
    Attempt {
        message: message.id.clone(),
        number: message.attempts + 1,
        at: NOW.plus_seconds(seconds),
        took_us: 1_500,
        status: Some(status),
        failure: (status >= 300).then(|| format!("it answered {status}")),
    }
}

async fn an_endpoint_is_kept_changed_and_deleted(world: World) {
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let kept = endpoint(&world, &acme, true).await;
    assert_eq!(all(&world, &acme).await, vec![kept.clone()]);
    assert!(all(&world, &other).await.is_empty());

    let mut changed = Endpoint {
        url: url("http://10.0.0.1:8080/x"),
        events: vec![EventType::SessionEnded],
        ordered: false,
        disabled: Some(Disabled::Asked),
        previous: Some((kept.secret.clone(), NOW.plus_seconds(60))),
        secret: sealed("new"),
        ..kept.clone()
    };
    let of = changed.clone();
    let saved = write!(world, |tx| endpoints::update(tx, &of, NOW)).unwrap();
    assert!(saved.modified > NOW, "each change is another revision");
    changed.modified = saved.modified;
    assert_eq!(all(&world, &acme).await, vec![changed.clone()]);
    let stale = kept.clone();
    assert_eq!(write!(world, |tx| endpoints::update(tx, &stale, NOW)), None);

    let (id, elsewhere) = (kept.id.clone(), other.clone());
    assert!(!write!(world, |tx| endpoints::delete(tx, &elsewhere, SANDBOX, &id, NOW)));
    let (id, owner) = (kept.id.clone(), acme.clone());
    assert!(!write!(world, |tx| endpoints::delete(tx, &owner, Environment::Production, &id, NOW)));
    let (id, owner) = (kept.id.clone(), acme.clone());
    assert!(write!(world, |tx| endpoints::delete(tx, &owner, SANDBOX, &id, NOW)));
    assert!(all(&world, &acme).await.is_empty());
    assert_eq!(write!(world, |tx| endpoints::update(tx, &changed, NOW)), None, "it is gone");
}

async fn those_that_chose_an_event_hear_of_it(world: World) {
    let acme = world.organization("acme").await;
    let (first, second) = (endpoint(&world, &acme, false).await, endpoint(&world, &acme, true).await);
    let listeners = |environment, event| {
        let owner = acme.clone();
        world.read(move |tx| {
            Box::pin(async move { endpoints::listeners(tx, &owner, environment, event).await })
        })
    };
    let mut ids = [(first.id.clone(), false), (second.id.clone(), true)];
    ids.sort();
    let heard = listeners(SANDBOX, EventType::RunFailed).await;
    assert_eq!(heard.into_iter().map(|it| (it.endpoint, it.ordered)).collect::<Vec<_>>(), ids);
    assert!(listeners(SANDBOX, EventType::SessionEnded).await.is_empty());
    assert!(listeners(Environment::Production, EventType::RunFailed).await.is_empty());

    let off = Endpoint { disabled: Some(Disabled::Asked), ..first.clone() };
    write!(world, |tx| endpoints::update(tx, &off, NOW)).unwrap();
    let (id, owner) = (second.id.clone(), acme.clone());
    write!(world, |tx| endpoints::delete(tx, &owner, SANDBOX, &id, NOW));
    assert!(listeners(SANDBOX, EventType::RunFailed).await.is_empty(), "one is off, one is gone");
}

async fn a_message_is_delivered_once(world: World) {
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    let to = endpoint(&world, &acme, false).await;
    let id = message(&world, &to, None, NOW).await;
    assert_eq!(due(&world, &other, &Subject::Message(id.clone())).await, None);
    let read = of_message(&world, &acme, &id).await;
    assert_eq!((&read.organization, &read.url, &read.secret), (&acme, &to.url, &to.secret));
    assert_eq!((read.deleted, read.disabled, read.message.lane.as_ref()), (false, None, None));
    let body: serde_json::Value = serde_json::from_str(read.body.as_ref().unwrap()).unwrap();
    assert_eq!(body["type"], "tenant.created");
    assert_eq!(body["data"], json!({ "n": 1 }));

    let tried = attempt(&read.message, 1, 204);
    assert!(notices::delivered_first(&world.db, &read.message, &tried).await.unwrap());
    assert!(!notices::delivered_first(&world.db, &read.message, &tried).await.unwrap(), "it was before");
    let message = read.message.clone();
    assert!(!write!(world, |tx| notices::failed(tx, &message, &tried, None)), "what is delivered stays so");
    assert_eq!(due(&world, &acme, &Subject::Message(id.clone())).await, None);
    let after = shown(&world, &acme, &id).await;
    assert_eq!((after.state, after.attempts, after.since), (State::Delivered, 1, NOW.plus_seconds(1)));
}

async fn many_are_delivered_at_once(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let mut messages = Vec::new();
    for _ in 0..37 {
        messages.push(of_message(&world, &acme, &message(&world, &to, None, NOW).await).await.message);
    }
    let (failed, dead) = (messages[3].clone(), messages[20].clone());
    let (again, over) = (attempt(&failed, 1, 500), attempt(&dead, 1, 500));
    write!(world, |tx| notices::failed(tx, &failed, &again, Some(NOW)));
    write!(world, |tx| notices::failed(tx, &dead, &over, None));
    let tries: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(number, message)| FirstTry {
            message: message.id.clone(),
            at: NOW.plus_seconds(i64::try_from(number).unwrap()),
            took_us: 7,
            status: Some(204),
        })
        .collect();
    write!(world, |tx| notices::delivered_at_once(tx, &tries));
    for (number, message) in messages.iter().enumerate() {
        let after = shown(&world, &acme, &message.id).await;
        let expected = match number {
            3 => (State::Waiting, 1, NOW),
            20 => (State::Dead, 1, NOW.plus_seconds(1)),
            _ => (State::Delivered, 1, NOW.plus_seconds(i64::try_from(number).unwrap())),
        };
        assert_eq!((after.state, after.attempts, after.since), expected, "{number}");
    }
    let id = messages[36].id.clone();
    let kept = world.read(move |tx| Box::pin(async move { log::of_message(tx, &id).await })).await;
    let kept: Vec<_> = kept.iter().map(|tried| (tried.number, tried.took_us, tried.status)).collect();
    assert_eq!(kept, [(1, 7, Some(204))]);
}

async fn tell(world: &World, to: &Endpoint, hold: Option<&Hold>) -> Option<(MessageId, Told)> {
    let chance = &world.chance;
    let (message, event) = (MessageId::new(NOW, chance), EventId::new(NOW, chance));
    let (job, owner) = (JobId::new(NOW, chance), to.organization.clone());
    let new = NewEvent {
        organization: owner.clone(),
        environment: SANDBOX,
        event: EventType::TenantCreated,
        tenant: None,
        body: json!({ "n": 1 }),
    };
    let line =
        audit::Event::new("endpoint.tested", to.id.as_str(), Some(owner), Actor::Operator, NOW, chance);
    let body = new.message(NOW);
    let telling = Telling {
        message: &message,
        event: &event,
        job: &job,
        hold,
        new: &new,
        body: &body,
        endpoint: to,
        line: &line,
        now: NOW,
    };
    store::notices::tell::tell(&world.db, &telling).await.unwrap().map(|told| (message, told))
}

async fn what_is_told_at_a_stroke_is_there_with_its_job(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let count = |what: &'static str| {
        let text = format!("SELECT COUNT(*) FROM {what}");
        let (db, query) = (world.db.clone(), sql(text));
        async move { db.maybe(query).await.unwrap().unwrap().take::<i64>().unwrap() }
    };
    let audited = count("audit").await;
    let hold = Hold { holder: "node".to_owned(), until: NOW.plus_seconds(60) };
    // Many at the same time: on PostgreSQL they are rows of few statements.
    let told = join_all((0..40).map(|n| tell(&world, &to, Some(&hold).filter(|_| n % 2 == 0)))).await;
    for (number, told) in told.into_iter().enumerate() {
        let (message, told) = told.unwrap();
        assert_eq!(told, Told { failing: None, resume: None });
        let due = of_message(&world, &acme, &message).await;
        assert_eq!((due.message.attempts, due.message.begun), (0, NOW));
        assert!(due.body.unwrap().contains("tenant.created"));
        let job = world.read(move |tx| {
            Box::pin(async move { jobs::of_subject(tx, Kind::Notice, message.as_str()).await })
        });
        let job = job.await.unwrap();
        let expected = if number % 2 == 0 {
            (jobs::State::Held, 1, Some("node".to_owned()), Some(NOW.plus_seconds(60)))
        } else {
            (jobs::State::Ready, 0, None, None)
        };
        assert_eq!((job.state, job.attempts, job.holder, job.held_until), expected);
        assert_eq!((job.organization, job.due, job.created), (acme.clone(), NOW, NOW));
    }
    assert_eq!(count("audit").await, audited + 40);
    let id = to.id.clone();
    write!(world, |tx| endpoints::fails(tx, &id, NOW));
    assert_eq!(tell(&world, &to, None).await.unwrap().1, Told { failing: Some(NOW), resume: None });
    // As it was known it is no more, and then there is nothing of it.
    let changed = Endpoint { description: "other".to_owned(), ..to.clone() };
    let now = write!(world, |tx| endpoints::update(tx, &changed, NOW)).unwrap();
    assert_eq!(tell(&world, &to, None).await, None);
    assert!(tell(&world, &now, None).await.is_some());
    let off = Endpoint { disabled: Some(Disabled::Asked), ..now.clone() };
    let off = write!(world, |tx| endpoints::update(tx, &off, NOW)).unwrap();
    assert_eq!(tell(&world, &off, None).await, None);
    let stranger = Endpoint { organization: world.organization("other").await, ..now };
    assert_eq!(tell(&world, &stranger, None).await, None);
    assert_eq!((count("notices").await, count("events").await, count("jobs").await), (42, 42, 42));
}

async fn a_failed_try_is_logged_and_the_last_one_leaves_it_dead(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let id = message(&world, &to, None, NOW).await;
    let first = of_message(&world, &acme, &id).await.message;
    let (tried, next) = (attempt(&first, 1, 500), NOW.plus_seconds(6));
    let message = first.clone();
    assert!(write!(world, |tx| notices::failed(tx, &message, &tried, Some(next))));
    let second = of_message(&world, &acme, &id).await.message;
    assert_eq!((second.attempts, second.failures, second.next), (1, 1, Some(next)));
    assert_eq!(second.failure.as_deref(), Some("it answered 500"));
    // Whoever still has the first reading was overtaken.
    let (stale, tried) = (first.clone(), attempt(&first, 2, 500));
    assert!(!write!(world, |tx| notices::failed(tx, &stale, &tried, None)));

    let (message, tried) = (second.clone(), attempt(&second, 6, 410));
    assert!(write!(world, |tx| notices::failed(tx, &message, &tried, None)));
    assert_eq!(due(&world, &acme, &Subject::Message(id.clone())).await, None);
    let dead = shown(&world, &acme, &id).await;
    assert_eq!((dead.state, dead.since, dead.next), (State::Dead, NOW.plus_seconds(6), None));
    let tries = world.read(move |tx| Box::pin(async move { log::of_message(tx, &id).await })).await;
    let seen: Vec<_> = tries.iter().map(|it| (it.number, it.status.unwrap(), it.took_us)).collect();
    assert_eq!(seen, [(1, 500, 1_500), (2, 410, 1_500)]);
}

async fn a_lane_is_read_in_the_order_in_which_it_was_written(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, true).await;
    let lane = Subject::lane(&to.id, "11");
    // All of one moment, so that the order is not that of the ids.
    let mut written = Vec::new();
    for _ in 0..8 {
        written.push(message(&world, &to, Some("11"), NOW).await);
    }
    let elsewhere = message(&world, &to, Some("12"), NOW).await;
    let mut read = Vec::new();
    while let Some(first) = due(&world, &acme, &lane).await {
        let tried = attempt(&first.message, 1, 200);
        assert!(notices::delivered_first(&world.db, &first.message, &tried).await.unwrap());
        read.push(first.message.id);
    }
    assert_eq!(read, written);
    assert_eq!(due(&world, &acme, &Subject::lane(&to.id, "12")).await.unwrap().message.id, elsewhere);

    // A disabled endpoint's lane dies as a whole.
    let (one, two) =
        (message(&world, &to, Some("11"), NOW).await, message(&world, &to, Some("11"), NOW).await);
    let first = due(&world, &acme, &lane).await.unwrap().message;
    assert_eq!(first.id, one);
    assert_eq!(write!(world, |tx| notices::die(tx, &first, true, "it is off", NOW)), 2);
    for id in [one, two] {
        let dead = shown(&world, &acme, &id).await;
        assert_eq!((dead.state, dead.failure.as_deref()), (State::Dead, Some("it is off")));
    }
    assert_eq!(shown(&world, &acme, &elsewhere).await.state, State::Waiting);
}

async fn an_endpoint_fails_rests_recovers_and_is_gone(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let later = NOW.plus_seconds(9);
    let id = to.id.clone();
    assert!(write!(world, |tx| endpoints::fails(tx, &id, NOW)));
    let id = to.id.clone();
    assert!(!write!(world, |tx| endpoints::fails(tx, &id, later)), "the first failure counts");
    let id = to.id.clone();
    assert!(write!(world, |tx| endpoints::rest(tx, &id, later)));
    let id = to.id.clone();
    assert!(!write!(world, |tx| endpoints::rest(tx, &id, NOW)), "the longest rest counts");
    let seen = all(&world, &acme).await.remove(0);
    assert_eq!((seen.failing, seen.resume), (Some(NOW), Some(later)));
    let failing = |before| world.read(move |tx| Box::pin(endpoints::failing(tx, before, 9)));
    assert_eq!(failing(later).await.len(), 1);
    assert!(failing(NOW).await.is_empty());

    assert!(endpoints::recovered(&world.db, &to.id).await.unwrap());
    assert!(!endpoints::recovered(&world.db, &to.id).await.unwrap());
    let seen = all(&world, &acme).await.remove(0);
    assert_eq!((seen.failing, seen.resume), (None, None));
    let id = to.id.clone();
    assert!(write!(world, |tx| endpoints::gone(tx, &id, later)));
    let id = to.id.clone();
    assert!(!write!(world, |tx| endpoints::gone(tx, &id, later)));
    assert_eq!(all(&world, &acme).await.remove(0).disabled, Some(Disabled::Gone));
}

async fn messages_and_tries_are_read_newest_first(world: World) {
    let acme = world.organization("acme").await;
    let (to, other) = (endpoint(&world, &acme, false).await, endpoint(&world, &acme, false).await);
    let mut ids = Vec::new();
    for seconds in 0..6 {
        ids.push(message(&world, &to, None, NOW.plus_seconds(seconds)).await);
        message(&world, &other, None, NOW.plus_seconds(seconds)).await;
    }
    for (place, status) in [(1, 200), (2, 500), (4, 204)] {
        let read = of_message(&world, &acme, &ids[place]).await.message;
        let tried = attempt(&read, 10 + i64::try_from(place).unwrap(), status);
        if status < 300 {
            assert!(notices::delivered_first(&world.db, &read, &tried).await.unwrap());
        } else {
            assert!(write!(world, |tx| notices::failed(tx, &read, &tried, None)));
        }
    }
    let list = |state, before: MessageId, page: Page<()>| {
        let endpoint = to.id.clone();
        world.read(move |tx| {
            Box::pin(async move {
                let found = log::list(tx, &endpoint, state, &before, page).await?;
                Ok(found.rows.into_iter().map(|it| it.message.id).collect::<Vec<_>>())
            })
        })
    };
    let end = MessageId::earliest(NOW.plus_seconds(99));
    let newest: Vec<MessageId> = ids.iter().rev().cloned().collect();
    assert_eq!(list(None, end.clone(), Page::newest(9)).await, newest);
    assert_eq!(list(None, end.clone(), Page::newest(2)).await, newest[..2]);
    assert_eq!(list(None, newest[1].clone(), Page::newest(2)).await, newest[2..4]);
    let of = |places: &[usize]| places.iter().map(|place| ids[*place].clone()).collect::<Vec<_>>();
    assert_eq!(list(Some(State::Delivered), end.clone(), Page::newest(9)).await, of(&[4, 1]));
    assert_eq!(list(Some(State::Dead), end.clone(), Page::newest(9)).await, of(&[2]));
    assert_eq!(list(Some(State::Waiting), end.clone(), Page::newest(2)).await, of(&[5, 3]));

    let tries = |failed_only, page: Page<()>| {
        let endpoint = to.id.clone();
        let before = Place::before(NOW.plus_seconds(99));
        world.read(move |tx| {
            Box::pin(async move {
                let found = log::attempts(tx, &endpoint, failed_only, &before, page).await?;
                assert_eq!(found.total, if failed_only { 1 } else { 3 });
                Ok(found.rows.into_iter().map(|(_, it)| (it.message, it.status.unwrap())).collect::<Vec<_>>())
            })
        })
    };
    // Those that were delivered at once stand where they were written, the others where they were tried.
    let all = [(ids[2].clone(), 500), (ids[4].clone(), 204), (ids[1].clone(), 200)];
    assert_eq!(tries(false, Page::newest(9)).await, all);
    assert_eq!(tries(false, Page::newest(2)).await, all[..2]);
    assert_eq!(tries(true, Page::newest(9)).await, all[..1]);
    let oldest = |limit, skip| Page { descending: false, skip, ..Page::newest(limit) };
    assert_eq!(list(None, end.clone(), oldest(2, 1)).await, ids[1..3]);
    assert_eq!(list(None, end.clone(), Page { skip: 4, ..Page::newest(9) }).await, newest[4..]);
    assert_eq!(list(Some(State::Waiting), end, oldest(1, 1)).await, of(&[3]));
    assert_eq!(tries(false, oldest(2, 1)).await, [all[1].clone(), all[0].clone()]);
    assert_eq!(tries(false, Page { skip: 1, ..Page::newest(1) }).await, all[1..2]);
    assert_eq!(tries(true, oldest(9, 0)).await, all[..1]);
}

/// Many tries of one moment, some that delivered and some that did not: no page skips one, and none shows one twice.
async fn pages_of_tries_skip_nothing(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let mut made = std::collections::BTreeSet::new();
    for number in 0..24_i64 {
        // Of the same microsecond, of the same millisecond, and of a later one.
        let after = [0, 0, 300, 1_000, 1_000, 1_700][usize::try_from(number).unwrap() % 6];
        let at = Time::from_micros(NOW.millis() * 1_000 + after);
        let id = message(&world, &to, None, at).await;
        let read = of_message(&world, &acme, &id).await.message;
        let tried = Attempt { at, ..attempt(&read, 0, if number % 4 < 2 { 200 } else { 500 }) };
        if tried.failure.is_none() {
            assert!(notices::delivered_first(&world.db, &read, &tried).await.unwrap());
        } else {
            assert!(write!(world, |tx| notices::failed(tx, &read, &tried, Some(at))));
        }
        made.insert(id);
    }
    for limit in [1, 2, 5, 24] {
        let (mut seen, mut before) = (Vec::new(), Place::before(NOW.plus_seconds(9)));
        loop {
            let (endpoint, from) = (to.id.clone(), before.clone());
            let page = world.read(move |tx| {
                Box::pin(async move { log::attempts(tx, &endpoint, false, &from, Page::newest(limit)).await })
            });
            let page = page.await.rows;
            let Some((last, _)) = page.last() else { break };
            // As it travels in a link.
            before = connect::notice::json::read_place(&last.to_string()).unwrap();
            assert_eq!(before, *last);
            seen.extend(page);
        }
        assert!(seen.is_sorted_by(|(one, _), (other, _)| one > other), "newest first");
        assert_eq!(seen.len(), made.len(), "pages of {limit}");
        assert_eq!(
            seen.into_iter().map(|(_, it)| it.message).collect::<std::collections::BTreeSet<_>>(),
            made
        );
    }
}

async fn what_is_replayed_begins_anew(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, true).await;
    let id = message(&world, &to, Some("11"), NOW).await;
    let lane = Subject::lane(&to.id, "11");
    let read = due(&world, &acme, &lane).await.unwrap().message;
    let tried = attempt(&read, 1, 200);
    assert!(notices::delivered_first(&world.db, &read, &tried).await.unwrap());
    let in_span = |state, from, to_s| {
        let endpoint = to.id.clone();
        let (after, to) =
            (MessageId::earliest(NOW.plus_seconds(from)), MessageId::earliest(NOW.plus_seconds(to_s)));
        let span = Span { state, after, to };
        world.read(move |tx| Box::pin(async move { replay::in_span(tx, &endpoint, &span, 9).await }))
    };
    assert!(in_span(State::Dead, -9, 9).await.is_empty());
    assert!(in_span(State::Delivered, -9, -1).await.is_empty());
    assert!(in_span(State::Delivered, 1, 9).await.is_empty());
    let found = in_span(State::Delivered, -9, 9).await;
    assert_eq!(
        found.iter().map(|it| (it.id.clone(), it.subject())).collect::<Vec<_>>(),
        [(id.clone(), lane.clone())]
    );

    let later = NOW.plus_seconds(100);
    let again = id.clone();
    write!(world, |tx| replay::revive(tx, &again, later));
    let second = due(&world, &acme, &lane).await.unwrap().message;
    assert_eq!((second.begun, second.failures, second.attempts, second.next), (later, 0, 1, None));
    let tried = attempt(&second, 101, 500);
    let message = second.clone();
    assert!(write!(world, |tx| notices::failed(tx, &message, &tried, Some(later))));
    let third = due(&world, &acme, &lane).await.unwrap().message;
    let tried = attempt(&third, 102, 204);
    assert!(write!(world, |tx| notices::delivered(tx, &third, &tried)));
    let tries = world.read(move |tx| Box::pin(async move { log::of_message(tx, &id).await })).await;
    let seen: Vec<_> = tries.iter().map(|it| (it.number, it.status.unwrap())).collect();
    assert_eq!(seen, [(1, 200), (2, 500), (3, 204)], "every try is recorded");
    // The same as the whole endpoint shows them.
    let endpoint = to.id.clone();
    let all = world.read(move |tx| {
        let before = Place::before(NOW.plus_seconds(999));
        Box::pin(async move { log::attempts(tx, &endpoint, false, &before, Page::newest(9)).await })
    });
    assert_eq!(all.await.rows.len(), 3);
}

async fn what_is_over_is_swept(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let (told, dead, waits) = (
        message(&world, &to, None, NOW).await,
        message(&world, &to, None, NOW).await,
        message(&world, &to, None, NOW).await,
    );
    let read = of_message(&world, &acme, &told).await.message;
    notices::delivered_first(&world.db, &read, &attempt(&read, 1, 200)).await.unwrap();
    let read = of_message(&world, &acme, &dead).await.message;
    let tried = attempt(&read, 1, 500);
    write!(world, |tx| notices::failed(tx, &read, &tried, None));
    let (id, owner) = (to.id.clone(), acme.clone());
    write!(world, |tx| endpoints::delete(tx, &owner, SANDBOX, &id, NOW));

    let swept = |after_s| {
        let db = world.db.clone();
        async move {
            let swept = sweep(&db, NOW.plus_seconds(after_s)).await.unwrap();
            (swept.work.notices, swept.work.events, swept.work.notice_endpoints)
        }
    };
    assert_eq!(swept(NOTICES_S - 1).await, (0, 0, 0));
    assert_eq!(swept(NOTICES_S + 1).await, (2, 0, 0), "one still waits");
    let left = of_message(&world, &acme, &waits).await;
    assert!(left.deleted && left.body.is_some());
    assert_eq!(swept(EVENTS_S + 1).await, (0, 3, 1));
}

async fn a_hundred_tries_at_once_deliver_once(world: World) {
    let acme = world.organization("acme").await;
    let to = endpoint(&world, &acme, false).await;
    let id = message(&world, &to, None, NOW).await;
    let read = of_message(&world, &acme, &id).await.message;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (db, message) = (world.db.clone(), read.clone());
            tokio::spawn(async move {
                let tried = attempt(&message, 1, 200);
                notices::delivered_first(&db, &message, &tried).await
            })
        })
        .collect();
    let mut delivered = 0;
    for task in tasks {
        delivered += usize::from(task.await.unwrap().unwrap());
    }
    assert_eq!(delivered, 1);
}
