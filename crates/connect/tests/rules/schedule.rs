//! Schedules and their offsets.

use connect::schedule::{check, check_zone, next_after, with_offset};
use croner::parser::CronParser;
use croner::{Cron, Direction};
use jiff::tz::TimeZone;
use kernel::ids::TenantId;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn tenant(number: i64) -> TenantId {
    TenantId::new(number).unwrap()
}

fn cron(text: &str) -> Cron {
    CronParser::new().parse(&check(text).unwrap()).unwrap()
}

/// The firings in one day, as minutes from its start.
fn firings(text: &str) -> Vec<i64> {
    let start = jiff::civil::date(2026, 3, 4).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
    let minutes = |at: &jiff::Zoned| (at.timestamp().as_second() - start.timestamp().as_second()) / 60;
    let all = cron(text).iter_from(start.clone(), Direction::Forward).map(|at| minutes(&at));
    all.take_while(|minute| *minute < 24 * 60).collect()
}

/// The first minute, read off the text; what the text means to a cron library is tested below.
fn first_minute(text: &str) -> i64 {
    let minutes = text.split([' ', '-']).next().unwrap();
    if minutes.starts_with('*') { 0 } else { minutes.parse().unwrap() }
}

fn per_hour(text: &str) -> Vec<usize> {
    let mut hours = vec![0; 24];
    for minute in firings(text) {
        hours[usize::try_from(minute / 60).unwrap()] += 1;
    }
    hours
}

#[test]
fn five_fields_and_nothing_else() {
    for good in ["*/30 * * * *", "0 2 * * *", " 8-59/30  * * * * ", "0 9-17 * * MON-FRI", "15,45 * 1 1 *"] {
        assert!(check(good).is_ok(), "{good}");
    }
    assert_eq!(check(" 8-59/30  * * * * ").unwrap(), "8-59/30 * * * *");
    for bad in [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "@hourly * * * *",
        "60 * * * *",
        "*/0 * * * *",
        "* 24 * * *",
        "a b c d e",
        "0 0 32 * *",
        "-1 * * * *",
        "*/30 * * * * # x",
        "5-1-2 * * * *",
        "*/60 * * * *",
        "1,3-59/90 * * * *",
        "\u{0} * * * *",
        &"1,".repeat(200),
    ] {
        assert!(check(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_published_form_is_a_schedule() {
    assert_eq!(firings("8-59/30 * * * *").len(), 48);
    assert_eq!(firings("8-59/30 * * * *")[..3], [8, 38, 68]);
}

#[test]
fn what_need_not_move_stays() {
    for schedule in [
        "* * * * *",
        "*/1 * * * *",
        "0,30 * * * *",
        "5-10 * * * *",
        "8-59/30 * * * *",
        "no schedule",
        "",
        "*/90 * * * *",
    ] {
        for number in 1..50 {
            assert_eq!(with_offset(schedule, tenant(number), true), schedule);
        }
    }
    for number in 1..50 {
        for schedule in ["0 * * * *", "0 2 * * *"] {
            assert_eq!(with_offset(schedule, tenant(number), false), schedule);
        }
    }
}

#[test]
fn a_thousand_tenants_spread_evenly() {
    for (schedule, places, shift_all) in
        [("*/30 * * * *", 30, false), ("0 * * * *", 60, true), ("0 2 * * *", 60, true)]
    {
        let mut at: BTreeMap<i64, usize> = BTreeMap::new();
        let tenants = 1200;
        for number in 1..=tenants {
            *at.entry(first_minute(&with_offset(schedule, tenant(number), shift_all))).or_default() += 1;
        }
        assert_eq!(at.len(), places, "{schedule}");
        // Chi-squared: for 59 degrees of freedom 1 in 100,000 exceeds 116.
        let expected = tenants as f64 / places as f64;
        let spread: f64 = at.values().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
        assert!(spread < 116.0, "{schedule}: {spread}");
    }
}

#[test]
fn a_daily_schedule_stays_in_its_hour() {
    for number in 1..200 {
        let shifted = with_offset("45 2 * * *", tenant(number), true);
        let fired = firings(&shifted);
        assert!(fired.len() == 1 && (2 * 60 + 45..3 * 60).contains(&fired[0]), "{shifted}");
    }
}

proptest! {
    #[test]
    fn as_often_per_hour_as_before(step in 1u32..60, number in 1i64..1_000_000, hours in "(\\*|9-17|3)", shift_all: bool) {
        let schedule = format!("*/{step} {hours} * * *");
        let shifted = with_offset(&schedule, tenant(number), shift_all);
        prop_assert_eq!(per_hour(&shifted), per_hour(&schedule), "{}", shifted);
        prop_assert_eq!(with_offset(&schedule, tenant(number), shift_all), shifted);
    }

    #[test]
    fn a_fixed_minute_fires_as_often(minute in 0u32..60, hours in "(\\*|9-17|3|\\*/6)", number in 1i64..1_000_000) {
        let schedule = format!("{minute} {hours} * * *");
        let shifted = with_offset(&schedule, tenant(number), true);
        prop_assert_eq!(per_hour(&shifted), per_hour(&schedule), "{}", shifted);
    }

    #[test]
    fn any_text_is_judged_without_panic(text in "[0-9*/,\\-#LW?A-C@ ]{0,30}") {
        let _ = check(&text);
        let _ = with_offset(&text, tenant(3), true);
    }
}

fn at(text: &str) -> kernel::Time {
    kernel::Time::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// What fires after `from`, so many times, as UTC.
fn next(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let mut after = at(from);
    let mut out = Vec::new();
    for _ in 0..count {
        after = next_after(schedule, zone, after).unwrap();
        out.push(after.iso_seconds());
    }
    out
}

#[test]
fn the_next_firing_is_after_now_and_never_now() {
    assert_eq!(next("*/30 * * * *", "UTC", "2026-03-04T10:30:00Z", 1), ["2026-03-04T11:00:00Z"]);
    assert_eq!(next("*/30 * * * *", "UTC", "2026-03-04T10:29:59.999999Z", 1), ["2026-03-04T10:30:00Z"]);
    assert_eq!(
        next("8-59/30 * * * *", "UTC", "2026-03-04T10:08:00Z", 3),
        ["2026-03-04T10:38:00Z", "2026-03-04T11:08:00Z", "2026-03-04T11:38:00Z"]
    );
    assert_eq!(next("0 9 * * 1-5", "UTC", "2026-03-06T09:00:00Z", 1), ["2026-03-09T09:00:00Z"]);
}

/// As every cron since the seventh edition has it: a day of the month and a day of the week are alternatives where both
/// are restricted, Sunday is 0 and 7, months and days have names, and a month without the day is passed over.
#[test]
fn days_are_what_cron_says_they_are() {
    let days = |schedule: &str, from: &str, count: usize| -> Vec<String> {
        let all = next(schedule, "UTC", from, count);
        all.into_iter().map(|at| at.strip_suffix("T00:00:00Z").expect("at midnight").to_owned()).collect()
    };
    let april = "2026-04-09T12:00:00Z";
    assert_eq!(days("0 0 13 * 5", april, 3), ["2026-04-10", "2026-04-13", "2026-04-17"]);
    assert_eq!(days("0 0 13 * *", april, 2), ["2026-04-13", "2026-05-13"]);
    for sunday in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * * sun"] {
        assert_eq!(days(sunday, april, 2), ["2026-04-12", "2026-04-19"], "{sunday}");
    }
    assert_eq!(days("0 0 * * 5-7", april, 4), ["2026-04-10", "2026-04-11", "2026-04-12", "2026-04-17"]);
    assert_eq!(days("0 0 31 * *", april, 3), ["2026-05-31", "2026-07-31", "2026-08-31"]);
    assert_eq!(days("0 0 1 JAN,JUL *", april, 2), ["2026-07-01", "2027-01-01"]);
    assert_eq!(days("0 0 */10 * *", april, 3), ["2026-04-11", "2026-04-21", "2026-05-01"]);
}

#[test]
fn a_schedule_is_read_in_its_zone() {
    assert_eq!(next("0 9 * * *", "Europe/Berlin", "2026-01-10T00:00:00Z", 1), ["2026-01-10T08:00:00Z"]);
    assert_eq!(next("0 9 * * *", "Europe/Berlin", "2026-07-10T00:00:00Z", 1), ["2026-07-10T07:00:00Z"]);
    assert_eq!(next("0 9 * * *", "Asia/Kathmandu", "2026-07-10T00:00:00Z", 1), ["2026-07-10T03:15:00Z"]);
}

/// In Berlin on 29 March 2026 the clock goes from 2:00 to 3:00 at 1:00 UTC.
#[test]
fn where_an_hour_is_left_out_what_would_fire_in_it_fires_right_behind_it() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"]
    );
}

/// In Berlin on 25 October 2026 the hour from 2:00 to 3:00 comes twice, at 0:00 and at 1:00 UTC.
#[test]
fn in_an_hour_that_comes_twice_a_fixed_time_fires_once_and_an_interval_goes_on() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 5),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z"
        ]
    );
}

#[test]
fn what_never_fires_and_what_is_no_schedule_have_no_next() {
    let now = at("2026-03-04T00:00:00Z");
    for (schedule, zone) in
        [("0 0 30 2 *", "UTC"), ("x", "UTC"), ("* * * * * *", "UTC"), ("0 9 * * *", "Mars/Olympus")]
    {
        assert_eq!(next_after(schedule, zone, now), None, "{schedule} {zone}");
    }
    assert_eq!(next("0 0 29 2 *", "UTC", "2026-03-04T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
}

#[test]
fn zones_have_their_names() {
    assert_eq!(check_zone(" Europe/Berlin "), Ok("Europe/Berlin".to_owned()));
    assert_eq!(check_zone("utc"), Ok("UTC".to_owned()));
    for bad in ["", "Berlin", "Europe/../etc/passwd", "+02:00", "Europe/Berlin\0"] {
        assert!(check_zone(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    /// Whatever the moment: the next firing is later, on a whole minute, and nothing fires in between.
    #[test]
    fn the_next_firing_is_the_first(seconds in 1_500_000_000_i64..2_500_000_000, offset in 0_u64..30) {
        let (after, schedule) = (kernel::Time::from_seconds(seconds), format!("{offset}-59/30 * * * *"));
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"] {
            let next = next_after(&schedule, zone, after).unwrap();
            prop_assert!(next > after && next.micros() % 60_000_000 == 0);
            prop_assert!(next.seconds_since(after) <= 30 * 60, "{} {}", zone, next);
        }
    }
}
