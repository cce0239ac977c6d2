//! The revision of what entries and tokens rest on: organizations, partners, accounts, people and their access, apps and
//! clients, service accounts.
//!
//! Decision: who decides from memory keeps the revision at which that was read, and the statement that reads or writes
//! next compares it. Every unit of work that changes or deletes a row of these tables moves it as the last thing
//! before its commit; this room sees to that by itself, so that no change can forget it. What was switched off is
//! refused by the very next request, on every node (lesson 14). New rows move nothing: nobody has decided by them yet,
//! and memory never refuses. Trade: such changes meet in one row, for as long as their commit takes; they are made by
//! people and by partners' backends, and by no entry as long as nothing about its user is new.

use crate::db::{DbError, Query, Tx, sql};
use crate::statements::statements;

/// The tables. Sessions, grants and revoked tokens change with every entry and every logout, and are looked at by
/// themselves.
const WATCHED: [&str; 11] = [
    "organizations",
    "partners",
    "accounts",
    "people",
    "associations",
    "activations",
    "apps",
    "clients",
    "client_secrets",
    "service_accounts",
    "service_keys",
];

/// The revision as a part of another statement.
macro_rules! present {
    () => {
        "(SELECT value FROM revisions WHERE name = 'second_door')"
    };
}

pub(crate) use present;

macro_rules! move_on {
    () => {
        "UPDATE revisions SET value = value + 1 WHERE name = 'second_door'"
    };
}

statements! {
    MOVE = move_on!();
    READ = "SELECT value FROM revisions WHERE name = 'second_door'";
}

/// Whether a statement changes or deletes rows of a watched table.
pub(crate) fn is_moved_by(text: &str) -> bool {
    let rest = text.strip_prefix("UPDATE ").or_else(|| text.strip_prefix("DELETE FROM "));
    let table = rest.and_then(|rest| rest.split_ascii_whitespace().next());
    table.is_some_and(|table| WATCHED.contains(&table))
}

/// What moves it.
pub(crate) fn moving() -> Query {
    sql(MOVE)
}

/// The end of a unit of work on PostgreSQL in which it moves: the row is locked last, and no longer than for this.
pub(crate) const MOVE_AND_COMMIT: &str = concat!(move_on!(), "; COMMIT");

/// As it is now.
///
/// # Errors
/// [`DbError`].
pub async fn read(tx: &mut Tx) -> Result<i64, DbError> {
    sql(READ).one(tx).await?.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_that_takes_something_away_is_seen() {
        for (place, text) in crate::all_statements() {
            let flat = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let writes = |table: &str| {
                let plain =
                    ["UPDATE ", "DELETE FROM "].iter().any(|verb| flat.contains(&format!("{verb}{table} ")));
                let replaces = flat.contains(&format!("INSERT INTO {table} ")) && flat.contains("DO UPDATE");
                plain || replaces
            };
            assert_eq!(is_moved_by(&text), WATCHED.iter().any(|table| writes(table)), "{place}: {text}");
        }
        assert!(is_moved_by("DELETE FROM people WHERE id = $1"));
        assert!(!is_moved_by("UPDATE sessions SET ended_at = $2"));
        assert!(!is_moved_by("INSERT INTO people (id) VALUES ($1)"));
    }
}
