//! The queue on both databases: what is asked for is done, by one at a time, and everyone has a turn.

use crate::on_both;
use crate::world::{NOW, World};
use kernel::Time;
use kernel::ids::{JobId, OrganizationId};
use std::collections::{BTreeMap, BTreeSet};
use store::Page;
use store::jobs::{self, Claim, Ended, Hold, Job, Kind, Letters, Outcome, State, Wish, birth};

on_both!(
    what_is_asked_for_is_claimed_once_and_done,
    what_is_asked_for_while_it_is_done_is_done_again,
    what_failed_waits_however_often_it_is_asked_for,
    what_waits_for_somebody_is_woken,
    the_dead_are_read_replayed_and_revived,
    a_job_that_is_put_has_exactly_that_time,
    what_is_handed_back_counts_no_try,
    a_lease_that_is_over_is_taken_by_another,
    a_removed_job_is_nobodys,
    what_is_born_is_held_and_what_was_there_is_asked_for,
    many_are_born_at_once,
    a_hundred_claimers_take_each_job_once,
    a_hundred_who_ask_while_it_is_done_get_one_more,
    nothing_asked_for_is_lost_between_asking_and_finishing,
    one_with_many_jobs_does_not_starve_one_with_few,
    who_is_alone_has_every_slot,
    who_has_its_part_and_more_to_do_is_told_of,
    more_organizations_than_slots_all_have_their_turn,
    the_depth_is_told,
);

async fn enqueue(world: &World, kind: Kind, organization: &OrganizationId, subject: &str, due: Time) {
    let (id, organization, subject) =
        (JobId::new(NOW, &world.chance), organization.clone(), subject.to_owned());
    world
        .write(move |tx| {
            Box::pin(async move {
                jobs::enqueue(tx, &Wish { kind, organization: &organization, subject, due }, id, NOW).await
            })
        })
        .await;
}

fn claim_of(holder: &str, free: usize) -> Claim {
    Claim {
        kind: Kind::Run,
        holder: holder.to_owned(),
        until: NOW.plus_seconds(60),
        free,
        slots: free,
        under_way: BTreeMap::new(),
        after: String::new(),
        is_left: false,
    }
}

async fn claim(world: &World, holder: &str, free: usize) -> Vec<Job> {
    go_on(world, claim_of(holder, free)).await.0
}

async fn go_on(world: &World, mut claim: Claim) -> (Vec<Job>, Claim) {
    world
        .write(move |tx| {
            Box::pin(async move { jobs::claim::claim(tx, &mut claim).await.map(|jobs| (jobs, claim)) })
        })
        .await
}

/// Whether the job may be ready then.
async fn keep(world: &World, holder: &str, id: &JobId, outcome: Outcome) -> bool {
    let (holder, ended) = (holder.to_owned(), [Ended { id: id.clone(), outcome }]);
    world.write(move |tx| Box::pin(async move { jobs::outcome::keep(tx, &holder, &ended, NOW).await })).await
}

async fn promote(world: &World, now: Time) -> u64 {
    world.write(move |tx| Box::pin(jobs::claim::promote(tx, now, 1000))).await
}

async fn of_subject(world: &World, subject: &'static str) -> Option<Job> {
    world.read(move |tx| Box::pin(jobs::of_subject(tx, Kind::Run, subject))).await
}

async fn what_is_asked_for_is_claimed_once_and_done(world: World) {
    let acme = world.organization("acme").await;
    for _ in 0..3 {
        enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    }
    enqueue(&world, Kind::Refresh, &acme, "7", NOW.plus_seconds(60)).await;
    let look = jobs::claim::look(&world.db).await.unwrap();
    assert_eq!(look.ready, [Kind::Run]);
    assert_eq!((look.next_due, look.first_lease_end), (Some(NOW.plus_seconds(60)), None));
    let claimed = claim(&world, "a", 10).await;
    assert_eq!(claimed.len(), 1, "asked for three times, it is one job");
    let job = &claimed[0];
    assert_eq!((job.kind, &job.organization, job.subject.as_str()), (Kind::Run, &acme, "7"));
    assert_eq!((job.state, job.attempts, job.again), (State::Held, 1, None));
    assert_eq!((job.holder.as_deref(), job.held_until), (Some("a"), Some(NOW.plus_seconds(60))));
    assert!(claim(&world, "b", 10).await.is_empty(), "it is held");
    assert!(!keep(&world, "b", &job.id, Outcome::Done).await);
    assert_eq!(
        of_subject(&world, "7").await.unwrap().state,
        State::Held,
        "who does not hold it cannot end it"
    );
    assert!(!keep(&world, "a", &job.id, Outcome::Done).await, "nobody asked for it meanwhile");
    assert_eq!(of_subject(&world, "7").await, None);
    assert_eq!(promote(&world, NOW.plus_seconds(59)).await, 0);
    assert_eq!(promote(&world, NOW.plus_seconds(60)).await, 1);
    assert_eq!(jobs::claim::look(&world.db).await.unwrap().ready, [Kind::Refresh]);
}

async fn what_is_asked_for_while_it_is_done_is_done_again(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    enqueue(&world, Kind::Run, &acme, "7", NOW.plus_seconds(50)).await;
    enqueue(&world, Kind::Run, &acme, "7", NOW.plus_seconds(30)).await;
    enqueue(&world, Kind::Run, &acme, "7", NOW.plus_seconds(40)).await;
    assert!(claim(&world, "b", 1).await.is_empty());
    assert!(keep(&world, "a", &job.id, Outcome::Done).await);
    let again = of_subject(&world, "7").await.unwrap();
    assert_eq!((again.state, again.due, again.again), (State::Waiting, NOW.plus_seconds(30), None));
    assert_eq!((again.attempts, again.holder, again.held_until), (0, None, None));
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    assert!(keep(&world, "a", &job.id, Outcome::Dead { failure: "no".to_owned() }).await);
    let again = of_subject(&world, "7").await.unwrap();
    assert_eq!((again.state, again.failure), (State::Ready, None), "what was asked for since is owed a try");
}

async fn what_failed_waits_however_often_it_is_asked_for(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let again = Outcome::Again { at: NOW.plus_seconds(30), failure: "weather".to_owned() };
    keep(&world, "a", &job.id, again).await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let kept = of_subject(&world, "7").await.unwrap();
    assert_eq!((kept.state, kept.due), (State::Waiting, NOW.plus_seconds(30)));
    assert_eq!((kept.attempts, kept.failure.as_deref()), (1, Some("weather")));
    assert!(world.write(|tx| Box::pin(jobs::move_due(tx, Kind::Run, "7", NOW))).await);
    assert_eq!(promote(&world, NOW).await, 1, "who moves it wants just that");
    let job = claim(&world, "a", 1).await.remove(0);
    assert_eq!((job.attempts, job.failure), (1, None), "its tries are counted anew");
}

async fn what_waits_for_somebody_is_woken(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    assert!(!keep(&world, "a", &job.id, Outcome::Wait { at: NOW.plus_seconds(600) }).await);
    let kept = of_subject(&world, "7").await.unwrap();
    assert_eq!((kept.state, kept.due, kept.attempts), (State::Waiting, NOW.plus_seconds(600), 0));
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    assert!(
        keep(&world, "a", &job.id, Outcome::Wait { at: NOW.plus_seconds(600) }).await,
        "it was asked for"
    );
    assert_eq!(claim(&world, "a", 1).await.len(), 1, "a call before the wait was kept is heard too");
}

async fn the_dead_are_read_replayed_and_revived(world: World) {
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    for (organization, subject) in [(&acme, "7"), (&acme, "8"), (&other, "9")] {
        enqueue(&world, Kind::Run, organization, subject, NOW).await;
    }
    for job in claim(&world, "a", 10).await {
        keep(&world, "a", &job.id, Outcome::Dead { failure: "it is gone".to_owned() }).await;
    }
    let list = |kind| {
        let which = Letters { organization: acme.clone(), environment: None, kind, page: Page::newest(10) };
        world.read(move |tx| Box::pin(async move { jobs::letters::list(tx, &which).await }))
    };
    let listed = list(None).await;
    assert_eq!((listed.rows.len(), listed.total), (2, 2));
    assert_eq!((list(Some(Kind::Refresh)).await.total, list(Some(Kind::Run)).await.rows.len()), (0, 2));
    let dead = listed.rows.iter().find(|job| job.subject == "7").unwrap().clone();
    assert_eq!(
        (dead.state, dead.failure.as_deref(), dead.died),
        (State::Dead, Some("it is gone"), Some(NOW))
    );
    let (id, of) = (dead.id.clone(), acme.clone());
    assert_eq!(
        world.read(move |tx| Box::pin(async move { jobs::letters::by_id(tx, &of, None, &id).await })).await,
        Some(dead.clone())
    );
    let replay = |of: &OrganizationId| {
        let (of, id) = (of.clone(), dead.id.clone());
        world.write(move |tx| Box::pin(async move { jobs::letters::replay(tx, &of, &id, NOW).await }))
    };
    assert!(!replay(&other).await, "another organization's");
    assert!(replay(&acme).await);
    assert!(!replay(&acme).await, "it lives");
    let job = claim(&world, "a", 10).await.remove(0);
    assert_eq!((&job.id, job.attempts, job.died), (&dead.id, 1, None));
    // A new wish revives the other one.
    enqueue(&world, Kind::Run, &acme, "8", NOW).await;
    assert_eq!(claim(&world, "a", 10).await.len(), 1);
    let nine = of_subject(&world, "9").await.unwrap().id;
    let delete = |of: &OrganizationId| {
        let (of, id) = (of.clone(), nine.clone());
        world.write(move |tx| Box::pin(async move { jobs::letters::delete(tx, &of, &id).await }))
    };
    assert!(!delete(&acme).await);
    assert!(delete(&other).await);
    assert_eq!(of_subject(&world, "9").await, None);
}

async fn a_job_that_is_put_has_exactly_that_time(world: World) {
    let acme = world.organization("acme").await;
    let put = |due: Time| {
        let (id, organization) = (JobId::new(NOW, &world.chance), acme.clone());
        world.write(move |tx| {
            Box::pin(async move {
                let wish =
                    Wish { kind: Kind::Run, organization: &organization, subject: "7".to_owned(), due };
                jobs::put(tx, &wish, id, NOW).await
            })
        })
    };
    put(NOW.plus_seconds(10)).await;
    put(NOW.plus_seconds(90)).await;
    let kept = of_subject(&world, "7").await.unwrap();
    assert_eq!((kept.state, kept.due), (State::Waiting, NOW.plus_seconds(90)));
    put(NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    put(NOW.plus_seconds(10)).await;
    put(NOW.plus_seconds(90)).await;
    keep(&world, "a", &job.id, Outcome::Done).await;
    let kept = of_subject(&world, "7").await.unwrap();
    assert_eq!((kept.state, kept.due, kept.again), (State::Waiting, NOW.plus_seconds(90), None));
}

async fn what_is_handed_back_counts_no_try(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    for _ in 0..3 {
        let job = claim(&world, "a", 1).await.remove(0);
        assert_eq!(job.attempts, 1);
        assert!(keep(&world, "a", &job.id, Outcome::HandBack).await);
    }
}

async fn a_lease_that_is_over_is_taken_by_another(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    let extend = |holder: &'static str, until: Time| {
        let (db, id) = (world.db.clone(), job.id.clone());
        async move { jobs::claim::extend(&db, &id, holder, until).await.unwrap() }
    };
    assert!(extend("a", NOW.plus_seconds(120)).await);
    assert!(!extend("b", NOW.plus_seconds(999)).await);
    assert_eq!(jobs::claim::look(&world.db).await.unwrap().first_lease_end, Some(NOW.plus_seconds(120)));
    let release =
        |before: Time| world.write(move |tx| Box::pin(jobs::claim::release_expired(tx, before, 10)));
    assert_eq!(release(NOW.plus_seconds(120)).await, 0);
    assert_eq!(release(NOW.plus_seconds(121)).await, 1);
    assert!(!extend("a", NOW.plus_seconds(999)).await, "it is nobody's");
    let again = claim(&world, "b", 1).await.remove(0);
    assert_eq!(
        (again.id.clone(), again.attempts),
        (job.id.clone(), 2),
        "a try that ended with its process counts"
    );
    for outcome in [
        Outcome::Done,
        Outcome::HandBack,
        Outcome::Wait { at: NOW },
        Outcome::Dead { failure: "late".to_owned() },
        Outcome::Again { at: NOW, failure: "late".to_owned() },
    ] {
        keep(&world, "a", &job.id, outcome).await;
        let kept = of_subject(&world, "7").await.unwrap();
        assert_eq!(
            (kept.holder.as_deref(), kept.failure),
            (Some("b"), None),
            "who comes late changes nothing"
        );
    }
}

async fn a_removed_job_is_nobodys(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let job = claim(&world, "a", 1).await.remove(0);
    assert!(world.write(|tx| Box::pin(jobs::remove(tx, Kind::Run, "7"))).await);
    assert!(!world.write(|tx| Box::pin(jobs::remove(tx, Kind::Run, "7"))).await);
    assert!(!jobs::claim::extend(&world.db, &job.id, "a", NOW).await.unwrap());
    keep(&world, "a", &job.id, Outcome::Again { at: NOW, failure: "no".to_owned() }).await;
    assert_eq!(of_subject(&world, "7").await, None);
}

async fn born(world: &World, organization: &OrganizationId, subject: &str) -> Option<Job> {
    let (id, organization, subject) =
        (JobId::new(NOW, &world.chance), organization.clone(), subject.to_owned());
    let hold = Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) };
    let write = world.write(move |tx| {
        Box::pin(async move {
            let wish = Wish { kind: Kind::Run, organization: &organization, subject, due: NOW };
            birth::enqueue_held(tx, wish, id, &hold).await
        })
    });
    write.await
}

async fn held_by(world: &World, id: &JobId, holder: &'static str) -> Option<Job> {
    let id = id.clone();
    world.read(move |tx| Box::pin(async move { birth::held_by(tx, &id, holder).await })).await
}

async fn what_is_born_is_held_and_what_was_there_is_asked_for(world: World) {
    let acme = world.organization("acme").await;
    let job = born(&world, &acme, "7").await.unwrap();
    assert_eq!(of_subject(&world, "7").await.as_ref(), Some(&job), "as it is kept");
    assert_eq!((job.state, job.attempts, job.due, job.created), (State::Held, 1, NOW, NOW));
    assert_eq!((job.holder.as_deref(), job.held_until), (Some("one"), Some(NOW.plus_seconds(60))));
    assert_eq!(held_by(&world, &job.id, "one").await.as_ref(), Some(&job));
    assert_eq!(held_by(&world, &job.id, "two").await, None);
    assert!(claim(&world, "two", 10).await.is_empty());
    // Asked for while it is held: once more afterwards, and held by nobody for it.
    assert_eq!(born(&world, &acme, "7").await, None);
    assert_eq!(of_subject(&world, "7").await.unwrap().again, Some(NOW));
    keep(&world, "one", &job.id, Outcome::Done).await;
    assert_eq!(of_subject(&world, "7").await.unwrap().state, State::Ready);
    assert_eq!(born(&world, &acme, "7").await, None, "it is ready");
    let again = claim(&world, "two", 10).await.remove(0);
    assert_eq!((again.id.clone(), again.attempts), (job.id.clone(), 1));
    // One that waits for its time is ready, one that failed keeps its back-off, a dead one is revived.
    let (later, failure) = (NOW.plus_seconds(9), || "no".to_owned());
    keep(&world, "two", &job.id, Outcome::Wait { at: later }).await;
    assert_eq!(born(&world, &acme, "7").await, None);
    let ready = of_subject(&world, "7").await.unwrap();
    assert_eq!((ready.state, ready.due, ready.holder), (State::Ready, NOW, None));
    claim(&world, "two", 10).await;
    keep(&world, "two", &job.id, Outcome::Again { at: later, failure: failure() }).await;
    assert_eq!(born(&world, &acme, "7").await, None);
    assert_eq!(of_subject(&world, "7").await.unwrap().state, State::Waiting);
    promote(&world, later).await;
    claim(&world, "two", 10).await;
    keep(&world, "two", &job.id, Outcome::Dead { failure: failure() }).await;
    assert_eq!(born(&world, &acme, "7").await, None);
    let revived = of_subject(&world, "7").await.unwrap();
    assert_eq!(
        (revived.state, revived.attempts, revived.holder, revived.died),
        (State::Ready, 0, None, None)
    );
    // Whoever was born with a lease loses it like any other.
    let lost = born(&world, &acme, "8").await.unwrap();
    let release = |before| world.write(move |tx| Box::pin(jobs::claim::release_expired(tx, before, 10)));
    assert_eq!(release(NOW.plus_seconds(60)).await, 0);
    assert_eq!(release(NOW.plus_seconds(61)).await, 1);
    assert_eq!(held_by(&world, &lost.id, "one").await, None);
    assert_eq!(of_subject(&world, "8").await.unwrap().state, State::Ready);
}

async fn many_are_born_at_once(world: World) {
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    enqueue(&world, Kind::Run, &acme, "105", NOW).await;
    let hold = Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) };
    let jobs = world.write({
        let (acme, other, chance) = (acme.clone(), other.clone(), kernel::SystemChance);
        move |tx| {
            Box::pin(async move {
                let of = |number: i32| if number % 3 == 0 { &other } else { &acme };
                let hold = |number: i32| Some(hold.clone()).filter(|_| number % 2 == 1);
                let subjects = (100..121).map(|number| (number.to_string(), (of(number), hold(number))));
                birth::enqueue_now(tx, Kind::Run, subjects.collect(), NOW, &chance).await
            })
        }
    });
    let jobs = jobs.await;
    let born: Vec<_> = jobs.iter().map(|job| job.subject.as_str()).collect();
    assert_eq!(born, ["101", "103", "107", "109", "111", "113", "115", "117", "119"], "105 was there");
    for job in &jobs {
        assert_eq!(held_by(&world, &job.id, "one").await.as_ref(), Some(job));
        assert_eq!(job.organization == other, job.subject.parse::<i32>().unwrap() % 3 == 0);
    }
    assert_eq!(claim(&world, "two", 100).await.len(), 12);
}

async fn a_hundred_claimers_take_each_job_once(world: World) {
    let mut organizations = Vec::new();
    for number in 0..10 {
        organizations.push(world.organization(&format!("o{number}")).await);
    }
    for number in 0..300 {
        enqueue(&world, Kind::Run, &organizations[number % 10], &number.to_string(), NOW).await;
    }
    let claimers = (0..100).map(|number| {
        let db = world.db.clone();
        tokio::spawn(async move {
            let holder = format!("node-{number}");
            let mut mine = Vec::new();
            for _ in 0..20 {
                let mut claim = Claim { until: NOW.plus_seconds(60), ..claim_of(&holder, 3) };
                let claimed =
                    db.write(move |tx| Box::pin(async move { jobs::claim::claim(tx, &mut claim).await }));
                mine.extend(claimed.await.unwrap());
            }
            mine
        })
    });
    let mut subjects = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        subjects.extend(claimer.await.unwrap().into_iter().map(|job| job.subject));
    }
    assert_eq!(subjects.len(), 300, "each is claimed");
    assert_eq!(subjects.iter().collect::<BTreeSet<_>>().len(), 300, "and by one");
}

async fn a_hundred_who_ask_while_it_is_done_get_one_more(world: World) {
    let acme = world.organization("acme").await;
    enqueue(&world, Kind::Run, &acme, "7", NOW).await;
    let mut job = claim(&world, "a", 1).await.remove(0);
    let world = std::sync::Arc::new(world);
    let asking = (0..100).map(|_| {
        let (world, acme) = (std::sync::Arc::clone(&world), acme.clone());
        tokio::spawn(async move { enqueue(&world, Kind::Run, &acme, "7", NOW).await })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    let mut times = 1;
    loop {
        keep(&world, "a", &job.id, Outcome::Done).await;
        let Some(next) = claim(&world, "a", 1).await.pop() else { break };
        job = next;
        times += 1;
    }
    assert_eq!(times, 2);
}

/// Those who ask first write what is to be done; whoever does it takes all that it sees. In the end nothing is left.
async fn nothing_asked_for_is_lost_between_asking_and_finishing(world: World) {
    let acme = world.organization("acme").await;
    let world = std::sync::Arc::new(world);
    world
        .write(|tx| {
            Box::pin(async move {
                store::sql("CREATE TABLE asked (number BIGINT NOT NULL PRIMARY KEY)").execute(tx).await
            })
        })
        .await;
    let asking = (0..100_i64).map(|number| {
        let (world, acme) = (std::sync::Arc::clone(&world), acme.clone());
        tokio::spawn(async move {
            let id = JobId::new(NOW, &world.chance);
            world
                .write(move |tx| {
                    Box::pin(async move {
                        store::sql("INSERT INTO asked (number) VALUES ($1)").bind(number).execute(tx).await?;
                        let wish =
                            Wish { kind: Kind::Run, organization: &acme, subject: "7".to_owned(), due: NOW };
                        jobs::enqueue(tx, &wish, id, NOW).await
                    })
                })
                .await;
        })
    });
    let mut asking: Vec<_> = asking.collect();
    let mut done = 0;
    while done < 100 {
        let claimed = claim(&world, "a", 1).await;
        let Some(job) = claimed.into_iter().next() else {
            // Everyone has asked and nothing is left in the queue: what is not done by now would never be.
            assert!(!asking.is_empty(), "{} were forgotten", 100 - done);
            for asked in asking.drain(..) {
                asked.await.unwrap();
            }
            continue;
        };
        done += world
            .write(|tx| Box::pin(async move { store::sql("DELETE FROM asked").execute(tx).await }))
            .await;
        keep(&world, "a", &job.id, Outcome::Done).await;
    }
}

async fn one_with_many_jobs_does_not_starve_one_with_few(world: World) {
    let (large, small) = (world.organization("large").await, world.organization("small").await);
    let (ids, of): (Vec<_>, _) =
        ((0..10_000).map(|_| JobId::new(NOW, &world.chance)).collect(), large.clone());
    world
        .write(move |tx| {
            Box::pin(async move {
                for (number, id) in ids.into_iter().enumerate() {
                    let wish =
                        Wish { kind: Kind::Run, organization: &of, subject: number.to_string(), due: NOW };
                    jobs::enqueue(tx, &wish, id, NOW).await?;
                }
                Ok(())
            })
        })
        .await;
    enqueue(&world, Kind::Run, &small, "small", NOW.plus_seconds(0)).await;
    let (claimed, after) = go_on(&world, claim_of("a", 8)).await;
    assert!(claimed.iter().any(|job| job.organization == small), "the small one has its turn at once");
    assert_eq!(claimed.len(), 8, "and no slot stays empty");
    // Every slot is the large one's; one becomes free while both have something.
    for subject in ["small-2", "small-3"] {
        enqueue(&world, Kind::Run, &small, subject, NOW).await;
    }
    let under_way = BTreeMap::from([(large.clone(), 7)]);
    let (claimed, _) = go_on(&world, Claim { free: 1, slots: 8, under_way, ..after }).await;
    assert_eq!(claimed.into_iter().map(|job| job.organization).collect::<Vec<_>>(), [small]);
}

async fn who_is_alone_has_every_slot(world: World) {
    let acme = world.organization("acme").await;
    for number in 0..10 {
        enqueue(&world, Kind::Run, &acme, &number.to_string(), NOW).await;
    }
    let (claimed, after) = go_on(&world, claim_of("a", 8)).await;
    assert_eq!((claimed.len(), after.is_left), (8, true));
    let (claimed, after) = go_on(&world, claim_of("a", 8)).await;
    assert_eq!((claimed.len(), after.is_left), (2, false));
}

async fn who_has_its_part_and_more_to_do_is_told_of(world: World) {
    let mut under_way = BTreeMap::new();
    for name in ["acme", "mole", "zinc"] {
        let organization = world.organization(name).await;
        for number in 0..9 {
            enqueue(&world, Kind::Run, &organization, &format!("{name} {number}"), NOW).await;
        }
        under_way.insert(organization, 2);
    }
    // The part of each is two of eight.
    let (claimed, after) =
        go_on(&world, Claim { free: 2, slots: 8, under_way: under_way.clone(), ..claim_of("a", 8) }).await;
    assert_eq!((claimed.len(), after.is_left), (0, true));
    for count in under_way.values_mut() {
        *count = 0;
    }
    let (claimed, after) = go_on(&world, Claim { free: 8, slots: 8, under_way, ..claim_of("a", 8) }).await;
    assert_eq!(
        (claimed.len(), after.is_left),
        (6, true),
        "fewer than asked for, and not because there are no more"
    );
}

async fn more_organizations_than_slots_all_have_their_turn(world: World) {
    let mut organizations = BTreeSet::new();
    for number in 0..50 {
        let organization = world.organization(&format!("o{number}")).await;
        for job in 0..5 {
            enqueue(&world, Kind::Run, &organization, &format!("{number}-{job}"), NOW).await;
        }
        organizations.insert(organization);
    }
    let mut turn = claim_of("a", 4);
    let mut served = Vec::new();
    while served.len() < 50 {
        let (claimed, next) = go_on(&world, Claim { free: 4, under_way: BTreeMap::new(), ..turn }).await;
        assert_eq!(claimed.len(), 4);
        served.extend(claimed.into_iter().map(|job| job.organization));
        turn = next;
    }
    assert_eq!(
        served.into_iter().take(50).collect::<BTreeSet<_>>(),
        organizations,
        "each once before one twice"
    );
}

async fn the_depth_is_told(world: World) {
    let acme = world.organization("acme").await;
    for number in 0..3 {
        enqueue(&world, Kind::Run, &acme, &number.to_string(), NOW.plus_seconds(-number)).await;
    }
    enqueue(&world, Kind::Notice, &acme, "later", NOW.plus_seconds(5)).await;
    let depth = world.read(|tx| Box::pin(jobs::letters::depth(tx))).await;
    assert!(depth.ready.contains(&(Kind::Run, 3, Some(NOW.plus_seconds(-2)))), "{depth:?}");
    assert!(depth.ready.contains(&(Kind::Notice, 0, None)), "{depth:?}");
    let job = claim(&world, "a", 1).await.remove(0);
    assert_eq!(job.subject, "2", "the oldest first");
    keep(&world, "a", &job.id, Outcome::Dead { failure: "no".to_owned() }).await;
    claim(&world, "a", 1).await;
    let depth = world.read(|tx| Box::pin(jobs::letters::depth(tx))).await;
    assert_eq!((depth.waiting, depth.held, depth.dead), (1, 1, 1));
    assert_eq!(depth.figures().len(), 7);
    let swept = world.write(|tx| Box::pin(jobs::letters::delete_died(tx, NOW, 10))).await;
    assert_eq!(swept, 0);
    let swept = world.write(|tx| Box::pin(jobs::letters::delete_died(tx, NOW.plus_seconds(1), 10))).await;
    assert_eq!(swept, 1);
}
