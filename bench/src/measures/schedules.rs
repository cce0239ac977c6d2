//! What schedules cost while nothing runs: tenants that fire twice an hour, spread over its minutes, without a release.

use super::Plan;
use super::tenants;
use crate::report::{Fact, Report};
use crate::world::World;
use anyhow::Result;
use kernel::{Clock as _, SystemClock, Time};
use std::time::Duration;
use store::{Query, sql};

/// Rows that one statement makes: PostgreSQL ends a statement after 15 s.
const CHUNK: i64 = 50_000;
/// One burst, at its beginning, and the quiet until the next one.
const WINDOW: Duration = Duration::from_secs(58);

const SCHEDULES: &str = "WITH RECURSIVE numbers(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL
        SELECT i + 1 FROM numbers WHERE i < $2)
     INSERT INTO schedules (tenant_id, organization_id, integration_id, cron, zone, next_at)
     SELECT 1000000000 + i, $3, $4, CAST((i + $5) % 30 AS TEXT) || '-59/30 * * * *', 'UTC',
        $6 + (i % 30) * 60000000 FROM numbers";

/// Climbs the ladder: makes the tenants and their schedules, then looks at what a minute costs.
///
/// # Errors
/// When the database does not take them.
pub async fn measure(world: &World, rungs: &[i64], plan: &Plan, report: &mut Report) -> Result<()> {
    let mut made = 0;
    for &count in rungs {
        while made < count {
            let to = count.min(made + CHUNK);
            plan.progress.set_message(format!("{} · making tenants · {to}", world.kind.name()));
            tenants::make(world, made + 1, to).await?;
            made = to;
        }
        plan.progress.set_message(format!("{} · {count} schedules", world.kind.name()));
        let begin = first_minute(count);
        schedule(world, count, begin).await?;
        world.service.db.execute(sql("ANALYZE")).await?;
        until(begin).await;
        let before = world.gateway.processor_time()?;
        tokio::time::sleep(WINDOW).await;
        let used = world.gateway.processor_time()?.saturating_sub(before).as_secs_f64();
        let fired = f64::from(u32::try_from(count / 30).unwrap_or(u32::MAX)).max(1.0);
        report.facts.push(Fact {
            what: format!(
                "{count} schedules, two an hour each, nothing runs, {}: CPU of one core",
                world.kind.name()
            ),
            value: format!(
                "{:.2} % ({:.3} ms each)",
                used / WINDOW.as_secs_f64() * 100.0,
                used * 1e3 / fired
            ),
            goal: "under 5 %".to_owned(),
        });
        plan.progress.suspend(|| {
            if let Some(fact) = report.facts.last() {
                println!("{} · {}", fact.what, fact.value);
            }
        });
        plan.progress.inc(1);
    }
    Ok(())
}

/// A minute that begins when all schedules are written.
fn first_minute(count: i64) -> Time {
    let minute = 60 * 1_000_000;
    let soon = SystemClock.now().plus_seconds(5 + count / 10_000);
    Time::from_micros((soon.micros().div_euclid(minute) + 1) * minute)
}

async fn schedule(world: &World, count: i64, begin: Time) -> Result<()> {
    world.service.db.execute(sql("DELETE FROM schedules")).await?;
    let mut from = 1;
    while from <= count {
        let to = count.min(from + CHUNK - 1);
        let query: Query =
            sql(SCHEDULES).bind(from).bind(to).bind(&world.organization).bind(world.integration);
        let query = query.bind(begin.seconds() / 60 % 60).bind(begin);
        world.service.db.execute(query).await?;
        from = to + 1;
    }
    Ok(())
}

async fn until(begin: Time) {
    // Half a second before, so that the burst is inside.
    let left = begin.micros() - SystemClock.now().micros() - 500_000;
    tokio::time::sleep(Duration::from_micros(u64::try_from(left).unwrap_or(0))).await;
}
