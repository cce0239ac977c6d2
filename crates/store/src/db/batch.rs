//! PostgreSQL: what goes to it together.
//!
//! A statement that was made for many begins with `WITH new (..) AS (VALUES (..))`, a row for one caller. With a row
//! for each of them it costs little more than for one. It returns its rows' first value first, which names the row, so
//! that each caller gets its own answer.

use super::DbError;
use super::lanes::Wrote;
use super::postgres::{Plans, explain, forget_plans, parameter, statement, type_of, written};
use super::statement::{FEW, MANY, Query};
use super::value::Value;
use deadpool_postgres::Client;
use futures_util::future::Either;
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

/// Rows of one statement: any number up to the last of these, and above it the others. Each number is a statement of
/// its own, which PostgreSQL plans once for each connection.
const SIZES: [usize; 3] = [MANY, 32, FEW];

/// Callers whose rows go in one statement; of a statement that was not made for many, one.
pub(super) struct Group<'q> {
    queries: Vec<&'q Query>,
    /// Where each of them stands among all.
    places: Vec<usize>,
}

impl<'q> Group<'q> {
    pub(super) fn len(&self) -> usize {
        self.queries.len()
    }

    /// What its rows came to, with the places of their callers.
    fn placed(&self, wrote: Vec<Wrote>) -> impl Iterator<Item = (usize, Wrote)> {
        self.places.iter().copied().zip(wrote)
    }

    fn sort(&mut self) {
        if self.queries.is_sorted_by_key(|query| query.turn) {
            return;
        }
        let mut rows: Vec<_> = self.queries.iter().copied().zip(self.places.iter().copied()).collect();
        rows.sort_by_key(|(query, _)| query.turn);
        (self.queries, self.places) = rows.into_iter().unzip();
    }

    fn is_full(&self) -> bool {
        self.queries.first().is_some_and(|first| self.len() >= first.most)
    }

    /// The same in pieces of the sizes that there are, its rows in their turns.
    fn in_sizes(mut self) -> Vec<Self> {
        let mut pieces = Vec::new();
        self.sort();
        for size in SIZES {
            while self.len() >= size {
                let rest =
                    Self { queries: self.queries.split_off(size), places: self.places.split_off(size) };
                pieces.push(std::mem::replace(&mut self, rest));
            }
        }
        if self.len() > 0 {
            pieces.push(self);
        }
        pieces
    }
}

/// Puts together what can go as one statement. Nobody waits for anybody else's row, so their order is free but for those
/// that have turns.
pub(super) fn groups<'q>(queries: &[&'q Query]) -> Vec<Group<'q>> {
    let mut groups: Vec<Group<'q>> = Vec::new();
    for (place, query) in queries.iter().enumerate() {
        let fits = |group: &&mut Group<'q>| {
            let first = group.queries.first();
            query.is_for_many() && !group.is_full() && first.is_some_and(|first| query.is_like(first))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => {
                group.queries.push(query);
                group.places.push(place);
            }
            None => groups.push(Group { queries: vec![query], places: vec![place] }),
        }
    }
    groups.into_iter().flat_map(Group::in_sizes).collect()
}

/// The connection that writes, with what was prepared on it for many: by the text's place in memory, which is that of
/// a constant, its length, and the number of rows.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) client: Client,
    prepared: HashMap<(usize, usize, usize), Statement>,
    plans: Plans,
}

impl Line {
    pub(super) fn new(client: Client) -> Self {
        Self { client, prepared: HashMap::new(), plans: Plans::new() }
    }

    /// Has old plans made anew.
    pub(super) async fn renew(&mut self) -> Result<(), DbError> {
        if self.plans.are_due() {
            forget_plans(&self.client).await.map_err(|error| explain(&error))?;
        }
        Ok(())
    }

    async fn statement(&mut self, group: &Group<'_>) -> Result<Statement, DbError> {
        let query = group.queries.first().ok_or_else(nothing)?;
        if !query.is_for_many() {
            return statement(&self.client, query).await;
        }
        let types = || group.queries.iter().flat_map(|query| &query.values).map(type_of);
        let Cow::Borrowed(text) = query.text else {
            return Err(DbError::Bug("a statement for many must be a constant".to_owned()));
        };
        let name = (text.as_ptr().addr(), text.len(), group.len());
        if let Some(known) =
            self.prepared.get(&name).filter(|known| known.params().iter().cloned().eq(types()))
        {
            return Ok(known.clone());
        }
        let text = for_rows(text, query.values.len(), group.len())
            .ok_or_else(|| DbError::Bug("a statement for many has no row of values".to_owned()))?;
        let types: Vec<Type> = types().collect();
        let prepared = self.client.prepare_typed(&text, &types).await.map_err(|error| explain(&error))?;
        self.prepared.insert(name, prepared.clone());
        Ok(prepared)
    }

    /// Runs one group by itself; PostgreSQL keeps all of it or nothing. The outcomes stand in their places.
    pub(super) async fn run(&mut self, group: &Group<'_>) -> Result<Vec<Wrote>, DbError> {
        let statement = self.statement(group).await?;
        run(&self.client, &statement, group).await.map(|wrote| in_places(group.placed(wrote).collect()))
    }

    /// Sends BEGIN, every group and COMMIT without waiting in between. The inner error is what the server says of one
    /// of them: nothing was kept then. The outer one says that it is not known what was.
    pub(super) async fn in_one_transaction(
        &mut self,
        groups: &[Group<'_>],
    ) -> Result<Result<Vec<Wrote>, DbError>, DbError> {
        let mut statements = Vec::with_capacity(groups.len());
        for group in groups {
            match self.statement(group).await {
                Ok(statement) => statements.push(statement),
                Err(error) => return Ok(Err(error)),
            }
        }
        let client = &self.client;
        // They leave in this order.
        let begun = sent(client.batch_execute("BEGIN")).await;
        let mut writing = Vec::with_capacity(groups.len());
        for (group, statement) in groups.iter().zip(&statements) {
            writing.push(sent(run(client, statement, group)).await);
        }
        let committed = sent(client.batch_execute("COMMIT")).await;
        // The answers are taken in the order in which they come. While nobody takes the next part of one, the connection
        // reads nothing that stands behind it: whoever waited for COMMIT's first would wait for ever.
        let begun = begun.await;
        let mut results = Vec::with_capacity(writing.len());
        for writing in writing {
            results.push(writing.await);
        }
        let committed = committed.await;
        begun.and(committed).map_err(|error| explain(&error))?;
        let mut all: Vec<(usize, Wrote)> = Vec::new();
        for (group, result) in groups.iter().zip(results) {
            match result {
                Ok(wrote) => all.extend(group.placed(wrote)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(in_places(all)))
    }
}

/// Each caller's outcome, in the order of the callers.
fn in_places(mut all: Vec<(usize, Wrote)>) -> Vec<Wrote> {
    all.sort_unstable_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, wrote)| wrote).collect()
}

/// What a request answers, once it is sent.
async fn sent<F: Future>(request: F) -> Either<Ready<F::Output>, Pin<Box<F>>> {
    let mut request = Box::pin(request);
    match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
        Poll::Ready(answer) => Either::Left(ready(answer)),
        Poll::Pending => Either::Right(request),
    }
}

fn nothing() -> DbError {
    DbError::Bug("nothing was to be written".to_owned())
}

/// The statement is sent when this is first polled. What each caller's row came to, in the group's order.
async fn run(client: &Client, statement: &Statement, group: &Group<'_>) -> Result<Vec<Wrote>, DbError> {
    let values: Vec<&(dyn ToSql + Sync)> =
        group.queries.iter().flat_map(|query| &query.values).map(parameter).collect();
    let (count, rows) = written(client, statement, &values).await?;
    if !group.queries.first().ok_or_else(nothing)?.is_for_many() {
        return Ok(vec![Wrote { count, row: rows.into_iter().next() }]);
    }
    let named = rows.into_iter().map(|mut row| Ok((row.take::<String>()?, row)));
    let mut named = named.collect::<Result<HashMap<_, _>, DbError>>()?;
    let wrote = |query: &&Query| match query.values.first() {
        Some(Value::Text(Some(name))) => {
            named.remove(name).map_or_else(Wrote::default, |row| Wrote { count: 1, row: Some(row) })
        }
        _ => Wrote::default(),
    };
    Ok(group.queries.iter().map(wrote).collect())
}

/// The statement for `rows` rows of `width` values: its one row of values, repeated under other numbers.
fn for_rows(text: &str, width: usize, rows: usize) -> Option<String> {
    let (before, rest) = text.split_once("VALUES (")?;
    let mut depth = 1;
    let end = rest.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    })?;
    let (values, after) = rest.split_at_checked(end)?;
    let mut all = format!("{before}VALUES (");
    for row in 0..rows {
        all.push_str(if row == 0 { "" } else { "), (" });
        for (at, part) in values.split('$').enumerate() {
            let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at_checked(if at == 0 { 0 } else { digits })?;
            if at > 0 {
                all.push('$');
                all.push_str(&(number.parse::<usize>().ok()? + row * width).to_string());
            }
            all.push_str(rest);
        }
    }
    all.push_str(after);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sql;

    fn many(name: &str, number: i64) -> Query {
        sql("A").for_many().bind(name).bind(number)
    }

    fn places(queries: &[Query]) -> Vec<Vec<usize>> {
        let queries: Vec<&Query> = queries.iter().collect();
        groups(&queries).iter().map(|group| group.places.clone()).collect()
    }

    #[test]
    fn rows_of_one_statement_for_many_go_together_and_keep_their_places() {
        let other = sql("A").for_many().bind("other");
        let mixed = [many("x", 1), sql("B").bind("y"), many("z", 3), sql("B").bind("w"), other];
        assert_eq!(
            places(&mixed),
            [vec![0, 2], vec![1], vec![3], vec![4]],
            "other types are another statement"
        );
    }

    #[test]
    fn many_rows_go_in_few_sizes() {
        let sizes = |rows: usize| -> Vec<usize> {
            let queries: Vec<Query> = (0..rows).map(|_| many("x", 1)).collect();
            let places = places(&queries);
            assert_eq!(places.concat(), (0..rows).collect::<Vec<_>>());
            places.iter().map(Vec::len).collect()
        };
        assert_eq!((sizes(1), sizes(16), sizes(17)), (vec![1], vec![16], vec![16, 1]));
        assert_eq!((sizes(63), sizes(64)), (vec![32, 16, 15], vec![64]));
        assert_eq!(sizes(128), [64, 64]);
    }

    #[test]
    fn rows_that_have_turns_keep_them_over_all_pieces() {
        let turns = (0..20).map(|at| (at * 7) % 20);
        let all: Vec<Query> = turns.clone().map(|turn| many("x", turn).in_turn_of(turn)).collect();
        let all: Vec<&Query> = all.iter().collect();
        let groups = groups(&all);
        assert_eq!(groups.iter().map(Group::len).collect::<Vec<_>>(), [16, 4]);
        let rows = groups.iter().flat_map(|group| group.queries.iter().zip(&group.places));
        let rows: Vec<(i64, usize)> = rows.map(|(query, place)| (query.turn, *place)).collect();
        let expected = turns.enumerate().map(|(place, turn)| (turn, place));
        let expected: std::collections::BTreeMap<i64, usize> = expected.collect();
        assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_callers_send_in_turn_stays_in_turn_and_rows_for_few_go_in_small_groups() {
        let first = |name: &str| sql("A").for_few().bind(name);
        let second = |name: &str| sql("B").for_few().bind(name);
        let all: Vec<Query> =
            (0..80).flat_map(|at| [first(&at.to_string()), second(&at.to_string())]).collect();
        let places = places(&all);
        assert_eq!(places.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 16, 16, 16, 16, 16, 16, 16, 16]);
        let group_of = |place: usize| places.iter().position(|group| group.contains(&place));
        assert!((0..80).all(|at| group_of(2 * at) < group_of(2 * at + 1)));
    }

    #[test]
    fn a_row_of_values_is_repeated_under_other_numbers() {
        let one = "WITH new (a, b) AS (VALUES ($1, CAST($2 AS BIGINT))) INSERT .. WHERE c = 'x'";
        assert_eq!(for_rows(one, 2, 1).as_deref(), Some(one));
        let three = "WITH new (a, b) AS (VALUES ($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT)), \
                     ($5, CAST($6 AS BIGINT))) INSERT .. WHERE c = 'x'";
        assert_eq!(for_rows(one, 2, 3).as_deref(), Some(three));
        assert_eq!(for_rows("INSERT INTO a SELECT $1", 1, 2), None);
    }
}
