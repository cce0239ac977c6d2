//! Schedules: five-field cron, and the offset that keeps a thousand tenants from one minute
//! (contract `connect.md`, section 5).

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use kernel::Time;
use kernel::ids::TenantId;

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleRefused {
    #[error(
        "`{0}` must have five fields: minute, hour, day of month, month, day of week, as in `*/30 * * * *`"
    )]
    Fields(String),
    #[error("`{text}` is no schedule: {why}")]
    Form { text: String, why: String },
    #[error("`{0}` is no time zone; expected a name as in `Europe/Berlin` or `UTC`")]
    Zone(String),
}

/// Checks a schedule and gives it back with single blanks between its fields.
///
/// # Errors
/// [`ScheduleRefused`]. Nicknames such as `@daily`, seconds and years are refused.
pub fn check(text: &str) -> Result<String, ScheduleRefused> {
    let shown = || text.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if fields.len() != 5 || text.len() > 200 || text.contains('@') {
        return Err(ScheduleRefused::Fields(shown()));
    }
    let tidy = fields.join(" ");
    // Cron libraries take a step beyond the hour and fire once an hour, which is never what was meant.
    let mut steps = fields
        .first()
        .into_iter()
        .flat_map(|minutes| minutes.split(','))
        .filter_map(|part| part.split_once('/'));
    if steps.any(|(_, step)| step.parse::<u32>().is_ok_and(|step| step > 59)) {
        let why =
            "a step of minutes is at most 59; for once an hour write a minute, as in `0 * * * *`".to_owned();
        return Err(ScheduleRefused::Form { text: shown(), why });
    }
    match parser().parse(&tidy) {
        Ok(_) => Ok(tidy),
        Err(error) => Err(ScheduleRefused::Form { text: shown(), why: error.to_string() }),
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build()
}

/// Checks the name of a time zone (IANA) and gives it back as the database of time zones spells it.
///
/// # Errors
/// [`ScheduleRefused::Zone`].
pub fn check_zone(text: &str) -> Result<String, ScheduleRefused> {
    let zone = TimeZone::get(text.trim()).ok();
    let name = zone.and_then(|zone| zone.iana_name().map(str::to_owned));
    name.ok_or_else(|| ScheduleRefused::Zone(text.chars().filter(|c| !c.is_control()).take(60).collect()))
}

/// When `schedule`, read in `zone`, fires next after `after`. Where clocks are put forward, what would fire in the hour
/// that is left out fires right behind it, unless it fires every hour anyway; where they are put back, a fixed time
/// fires once. `None` for a schedule that never fires (the 30th of February), and for what is no schedule or zone.
pub fn next_after(schedule: &str, zone: &str, after: Time) -> Option<Time> {
    let cron = parser().parse(schedule).ok()?;
    let from = jiff::Timestamp::from_microsecond(after.micros()).ok()?.to_zoned(TimeZone::get(zone).ok()?);
    let next = cron.find_next_occurrence(&from, false).ok()?;
    Some(Time::from_micros(next.timestamp().as_microsecond()))
}

/// The effective schedule of a tenant: `*/30 * * * *` becomes `8-59/30 * * * *`. It fires as often per hour as
/// `schedule` does, always at the same minutes for the same tenant.
///
/// With `shift_all` an hourly schedule (a fixed minute, any hour) moves to any minute, and one with a fixed
/// minute and fixed hours moves forward within its hour. Everything else, and what is no schedule, stays as it is.
pub fn with_offset(schedule: &str, tenant: TenantId, shift_all: bool) -> String {
    let unchanged = || schedule.to_owned();
    let (Ok(tidy), Some((minutes, rest))) =
        (check(schedule), schedule.trim().split_once(char::is_whitespace))
    else {
        return unchanged();
    };
    if let Some(step) = minutes.strip_prefix("*/").and_then(|step| step.parse::<u64>().ok()) {
        // An offset beyond 59 mod n would lose the last firing of each hour: `*/7` fires at 0, 7, .. 56.
        let places = 59u64.checked_rem(step).map_or(1, |last| last + 1);
        return match drawn(tenant, places) {
            0 => unchanged(),
            offset => format!("{offset}-59/{step} {}", rest.trim_start()),
        };
    }
    let fixed = minutes.parse::<u64>().ok().filter(|minute| shift_all && *minute < 60);
    let Some(minute) = fixed else { return unchanged() };
    let hourly = tidy.split(' ').nth(1) == Some("*");
    let moved = if hourly { (minute + drawn(tenant, 60)) % 60 } else { minute + drawn(tenant, 60 - minute) };
    format!("{moved} {}", rest.trim_start())
}

/// A number below `places`, spread evenly over tenants and always the same for one.
fn drawn(tenant: TenantId, places: u64) -> u64 {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("schedule:{tenant}").as_bytes());
    let first = hash.as_ref().iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    first.checked_rem(places).unwrap_or(0)
}
