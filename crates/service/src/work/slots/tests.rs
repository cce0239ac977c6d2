use super::*;
use kernel::Time;

const MOST: usize = 8;

#[test]
fn who_finds_every_slot_taken_gets_none_and_does_not_wait() {
    let (slots, _said) = open();
    slots.waits(Kind::Run, true);
    let all = slots.reserve(Kind::Run, MOST).unwrap();
    assert!(slots.reserve(Kind::Run, MOST).is_none());
    drop(all);
    assert!(slots.reserve(Kind::Run, MOST).is_some());
}

fn organizations() -> [OrganizationId; 3] {
    [1, 2, 3].map(|seed| OrganizationId::new(Time::from_seconds(0), &kernel::SeededChance::new(seed)))
}

fn open() -> (Arc<Slots>, mpsc::UnboundedReceiver<Said>) {
    let (say, said) = mpsc::unbounded_channel();
    let slots = Arc::new(Slots::default());
    slots.open(AtWork { service: Weak::new(), holder: Arc::from("node"), say, is_open: true });
    (slots, said)
}

/// How many of this organization are born until there is no slot for another.
fn born(slots: &Slots, organization: &OrganizationId) -> usize {
    (0..100).take_while(|_| slots.take(Pool::Of(Kind::Run), organization, MOST).is_some()).count()
}

#[test]
fn nothing_is_born_where_nobody_works() {
    let [acme, ..] = organizations();
    let slots = Slots::default();
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_none());
    let (slots, _said) = open();
    assert_eq!(slots.take(Pool::Of(Kind::Run), &acme, MOST).as_deref(), Some("node"));
    slots.close();
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_none(), "the process stops");
    assert!(!slots.are_empty());
    slots.give_back(Pool::Of(Kind::Run), &acme);
    assert!(slots.are_empty());
}

#[test]
fn who_is_alone_gets_all_and_then_others_have_their_turn() {
    let ([acme, other, _], (slots, _said)) = (organizations(), open());
    assert_eq!(born(&slots, &acme), MOST);
    assert!(slots.reserve(Kind::Run, MOST).is_none());
    assert!(slots.take(Pool::Of(Kind::Notice), &acme, MOST).is_some(), "each kind has its own");
    assert!(slots.take(Pool::Of(Kind::Run), &other, MOST).is_none());
    // The other one's job is ready now, and nobody is born ahead of it.
    slots.give_back(Pool::Of(Kind::Run), &acme);
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_none());
    assert!(slots.can_begin_what_waits(|_| MOST));
    let (mut reserved, under_way) = slots.reserve(Kind::Run, MOST).unwrap();
    assert_eq!((reserved.asked, under_way.get(&acme)), (1, Some(&(MOST - 1))));
    assert!(reserved.took(1, true), "as many as there were slots: there may be more");
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_none());
    drop(reserved);
    let (mut reserved, _) = slots.reserve(Kind::Run, MOST).unwrap();
    assert!(!reserved.took(0, false));
    drop(reserved);
    assert!(!slots.can_begin_what_waits(|_| MOST));
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_some(), "nobody waits any more");
}

#[test]
fn runs_at_a_url_have_slots_of_their_own_and_beyond_them_are_claimed() {
    let ([acme, other, _], (slots, _said)) = (organizations(), open());
    assert!((0..MOST).all(|_| slots.take(Pool::Of(Kind::Run), &acme, MOST).is_some()));
    assert!(slots.take(Pool::HttpRuns, &acme, 1).is_some(), "although programs take every slot of the kind");
    assert!(!slots.somebody_waits(Kind::Run));
    assert!(slots.take(Pool::HttpRuns, &other, 1).is_none());
    assert!(slots.somebody_waits(Kind::Run), "it is enqueued, and the next to be claimed");
    let id = JobId::new(Time::from_seconds(0), &kernel::SeededChance::new(7));
    let lease = Arc::new(Lease::new(Time::from_seconds(9)));
    slots.begins((id.clone(), Kind::Run, acme), Some(Pool::HttpRuns), Arc::clone(&lease));
    assert_eq!(slots.free(Kind::Run, MOST), 0);
    assert!(slots.ends(&id, &lease));
    assert_eq!(slots.free(Kind::Run, MOST), 0, "it was none of theirs");
    assert!(slots.take(Pool::HttpRuns, &other, 1).is_some());
}

#[test]
fn while_several_have_work_under_way_each_gets_its_part() {
    let ([acme, other, third], (slots, _said)) = (organizations(), open());
    assert!(slots.take(Pool::Of(Kind::Run), &other, MOST).is_some());
    assert_eq!(born(&slots, &acme), 4, "a half");
    assert!(slots.take(Pool::Of(Kind::Run), &third, MOST).is_some());
    assert_eq!(born(&slots, &other), 1, "a third is two");
    assert_eq!(born(&slots, &third), 1);
}

#[test]
fn who_has_its_part_and_more_to_do_still_waits() {
    let (slots, _said) = open();
    let (mut reserved, _) = slots.reserve(Kind::Run, MOST).unwrap();
    assert!(!reserved.took(1, true));
    drop(reserved);
    assert!(slots.somebody_waits(Kind::Run));
    let [acme, ..] = organizations();
    assert!(slots.take(Pool::Of(Kind::Run), &acme, MOST).is_none(), "nobody is born ahead of it");
}

#[test]
fn a_claim_leaves_room_for_what_is_born_meanwhile() {
    let ([acme, ..], (slots, _said)) = (organizations(), open());
    let (mut reserved, _) = slots.reserve(Kind::Run, MOST).unwrap();
    assert_eq!(reserved.asked, MOST / 2);
    assert_eq!(born(&slots, &acme), MOST / 2);
    assert!(!reserved.took(1, false));
    assert_eq!(slots.free(Kind::Run, MOST), MOST / 2 - 1, "what was not claimed is free again");
    drop(reserved);
    assert_eq!(slots.free(Kind::Run, MOST), MOST / 2);
}

#[test]
fn a_job_that_is_held_twice_counts_once_and_the_first_one_has_lost_it() {
    let ([acme, ..], (slots, _said)) = (organizations(), open());
    let id = JobId::new(Time::from_seconds(0), &kernel::SeededChance::new(7));
    let (first, second) =
        (Arc::new(Lease::new(Time::from_seconds(9))), Arc::new(Lease::new(Time::from_seconds(9))));
    for lease in [&first, &second] {
        slots.begins((id.clone(), Kind::Run, acme.clone()), None, Arc::clone(lease));
    }
    assert_eq!(slots.free(Kind::Run, MOST), MOST - 1);
    assert!(first.is_lost() && !second.is_lost());
    assert!(!slots.ends(&id, &first));
    assert!(slots.is_under_way(&id));
    assert!(slots.ends(&id, &second) && !slots.ends(&id, &second));
    assert!(slots.are_empty());
}
