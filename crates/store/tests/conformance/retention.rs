//! Every table is in the list that the reference is written from, and what is said to be swept is swept.

use crate::on_both;
use crate::world::{NOW, World};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::retention::{BATCH, Marks, Swept, TABLES, sweep, sweep_on};
use store::sql;

on_both!(a_sweep_goes_on_until_nothing_is_left);

#[test]
fn every_table_says_how_long_it_keeps_its_rows() {
    let schema = include_str!("../../schema.postgres.sql");
    let made = schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.strip_suffix(" ("));
    let made: BTreeSet<&str> = made.collect();
    assert!(made.len() > 40, "{made:?}");
    let named: Vec<&str> = TABLES.iter().flat_map(|table| table.names.iter().copied()).collect();
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), made);
    assert_eq!(named.len(), made.len(), "each is named once");
}

#[test]
fn what_is_said_to_be_swept_is_swept() {
    // These go with the rows that they hang from.
    let with_others = ["notice_attempts", "notice_choices", "refresh_tokens", "session_apps"];
    let said =
        TABLES.iter().filter(|table| table.kept.is_some()).flat_map(|table| table.names.iter().copied());
    let said: BTreeSet<&str> = said.filter(|name| !with_others.contains(name)).collect();
    let swept = Swept::default().tables();
    assert_eq!(swept.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), said);
}

async fn a_sweep_goes_on_until_nothing_is_left(world: World) {
    let rows = 41 * BATCH + 1;
    let insert = "WITH RECURSIVE numbers (number) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT number + 1 FROM numbers
            WHERE number < $1)
        INSERT INTO revoked_tokens (jti, until_at) SELECT 'token-' || CAST(number AS TEXT), $2 FROM numbers";
    let query = sql(insert).bind(rows).bind(NOW);
    let inserted = world.write(move |tx| Box::pin(query.execute(tx))).await;
    let later = NOW.plus_seconds(1);
    // Whoever is told to stop does so between two units of work.
    let asked = AtomicUsize::new(0);
    let goes_on = || asked.fetch_add(1, Ordering::SeqCst) < 20;
    let some = sweep_on(&world.db, later, &mut Marks::default(), &goes_on).await.unwrap();
    let some = some.second_door.revoked_tokens;
    assert!(some < inserted && some % u64::try_from(BATCH).unwrap() == 0, "{some}");
    let rest = sweep(&world.db, later).await.unwrap().second_door.revoked_tokens;
    assert_eq!(some + rest, u64::try_from(rows).unwrap());
    assert_eq!(sweep(&world.db, later).await.unwrap(), Swept::default());
}
