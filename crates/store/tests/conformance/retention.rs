//! Every table is in the list that the reference is written from, and what is said to be swept is swept.

use std::collections::BTreeSet;
use store::retention::{Swept, TABLES};

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
