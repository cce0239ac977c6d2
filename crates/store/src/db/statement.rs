//! A statement with its bound values, and the transaction it runs in.

use super::value::{IntoValue, Row, Value};
use super::{DbError, postgres, sqlite};
use crate::revision;
use std::borrow::Cow;

/// A statement to which values are bound in the order of its placeholders: `sql("..").bind(a).bind(b)`.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) text: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    /// Callers whose rows may go in one statement; see [`Query::for_many`].
    pub(super) most: usize,
    /// Where its row stands among those of others; see [`Query::in_turn_of`].
    pub(super) turn: i64,
}

/// Callers whose rows go to PostgreSQL in one statement at most.
pub(super) const MANY: usize = 64;
pub(super) const FEW: usize = 16;

/// Begins a statement. Placeholders are `$1`, `$2`, ...; each may occur more than once.
pub fn sql(text: impl Into<Cow<'static, str>>) -> Query {
    Query { text: text.into(), values: Vec::new(), most: 1, turn: 0 }
}

impl Query {
    /// Binds the next placeholder.
    #[must_use]
    pub fn bind(mut self, value: impl IntoValue) -> Self {
        self.values.push(value.into_value());
        self
    }

    /// Says that rows of many callers may go to PostgreSQL as one statement. Its text, a constant, must have these values
    /// in one `VALUES (..)`, and return the first of them, a text that names its row, as its first column.
    #[must_use]
    pub(crate) fn for_many(mut self) -> Self {
        self.most = MANY;
        self
    }

    /// The same, of few callers: for a statement that goes through all of its rows for each of them.
    #[must_use]
    pub(crate) fn for_few(mut self) -> Self {
        self.most = FEW;
        self
    }

    /// Where its row stands among those of others that go with it: for a statement for many that locks rows which others
    /// lock in this order too.
    #[must_use]
    pub(crate) fn in_turn_of(mut self, number: i64) -> Self {
        self.turn = number;
        self
    }

    pub(super) fn is_for_many(&self) -> bool {
        self.most > 1
    }

    /// Whether both are the same statement for values of the same types.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let mut pairs = self.values.iter().zip(&other.values);
        self.most == other.most
            && self.values.len() == other.values.len()
            && pairs.all(|(one, other)| std::mem::discriminant(one) == std::mem::discriminant(other))
            && self.text == other.text
    }

    /// Binds another value to the placeholder of this number, which is bound already.
    #[must_use]
    pub(crate) fn rebind(mut self, number: usize, value: impl IntoValue) -> Self {
        if let Some(bound) = self.values.get_mut(number.saturating_sub(1)) {
            *bound = value.into_value();
        }
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Runs it; how many rows it wrote.
    ///
    /// # Errors
    /// [`DbError`]; the unit of work is over then.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64, DbError> {
        tx.execute(&self).await
    }

    /// Runs it where it writes one row or none; whether it wrote one. For guards in the WHERE clause.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn wrote(self, tx: &mut Tx) -> Result<bool, DbError> {
        Ok(tx.execute(&self).await? > 0)
    }

    /// Every row.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn all(self, tx: &mut Tx) -> Result<Vec<Row>, DbError> {
        tx.rows(&self).await
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn maybe(self, tx: &mut Tx) -> Result<Option<Row>, DbError> {
        Ok(tx.rows(&self).await?.into_iter().next())
    }

    /// The one row of a statement that always has one.
    ///
    /// # Errors
    /// [`DbError::Bug`] where there is none.
    pub async fn one(self, tx: &mut Tx) -> Result<Row, DbError> {
        self.maybe(tx)
            .await?
            .ok_or_else(|| DbError::Bug("a statement had no row where one was due".to_owned()))
    }

    /// Whether it moves [`crate::revision`], which is a second statement of its unit of work.
    pub(super) fn moves(&self) -> bool {
        revision::is_moved_by(&self.text)
    }

    /// PostgreSQL's TEXT has no NUL and SQLite's has, so it is refused before either sees it.
    pub(super) fn checked(&self) -> Result<(), DbError> {
        let has_nul = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(has_nul) {
            return Err(DbError::Bug("a text with a NUL character was to be stored".to_owned()));
        }
        Ok(())
    }
}

/// A unit of work under way: one text for both databases.
///
/// Any error ends it: PostgreSQL has aborted the transaction by then, and so that both behave alike, later
/// statements are refused and nothing is committed, even where the body swallowed the error.
#[derive(Debug)]
pub struct Tx {
    pub(super) driver: Driver,
    pub(super) failed: bool,
    /// Whether the commit has been sent.
    pub(super) over: bool,
    /// Whether one of its statements moves [`crate::revision`].
    pub(super) moves: bool,
}

#[derive(Debug)]
pub(super) enum Driver {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

impl Tx {
    pub(super) fn new(driver: Driver) -> Self {
        Self { driver, failed: false, over: false, moves: false }
    }

    fn begin_statement(&mut self, query: &Query) -> Result<(), DbError> {
        if self.failed {
            return Err(DbError::Bug("a statement after a failed one in the same unit of work".to_owned()));
        }
        if self.over {
            return Err(DbError::Bug("a statement after the last one of a unit of work".to_owned()));
        }
        self.moves |= query.moves();
        query.checked()
    }

    async fn execute(&mut self, query: &Query) -> Result<u64, DbError> {
        self.begin_statement(query)?;
        let result = match &mut self.driver {
            Driver::Sqlite(session) => session.execute(query),
            Driver::Postgres(session) => session.execute(query).await,
        };
        self.failed |= result.is_err();
        result
    }

    async fn rows(&mut self, query: &Query) -> Result<Vec<Row>, DbError> {
        self.begin_statement(query)?;
        let result = match &mut self.driver {
            Driver::Sqlite(session) => session.rows(query),
            Driver::Postgres(session) => session.rows(query).await,
        };
        self.failed |= result.is_err();
        result
    }

    /// Runs statements of which none needs what another returns, in this order; the rows of each. They travel to
    /// PostgreSQL together: one round trip for all.
    ///
    /// # Errors
    /// [`DbError`] of the first that failed; the unit of work is over then.
    pub(crate) async fn together(&mut self, queries: &[Query]) -> Result<Vec<Vec<Row>>, DbError> {
        for query in queries {
            self.begin_statement(query)?;
        }
        let result = match &mut self.driver {
            Driver::Sqlite(session) => queries.iter().map(|query| session.rows(query)).collect(),
            Driver::Postgres(session) => session.together(queries).await,
        };
        self.failed |= result.is_err();
        result
    }

    /// As [`Self::together`], as the last of this unit of work: the commit travels with them. The body returns what they
    /// came to and can no longer refuse.
    ///
    /// # Errors
    /// [`DbError`]; nothing was kept then.
    pub(crate) async fn last(&mut self, queries: &[Query]) -> Result<Vec<Vec<Row>>, DbError> {
        // Where the revision moves, that is the last statement.
        let moves = self.moves || queries.iter().any(Query::moves);
        if moves || !self.is_postgres() {
            return self.together(queries).await;
        }
        for query in queries {
            self.begin_statement(query)?;
        }
        let Driver::Postgres(session) = &mut self.driver else { return Ok(Vec::new()) };
        let result = session.last(queries).await;
        self.over = true;
        self.failed |= result.is_err();
        result
    }

    /// Several statements without values, for migrations.
    pub(crate) async fn script(&mut self, text: &str) -> Result<(), DbError> {
        let result = match &mut self.driver {
            Driver::Sqlite(session) => session.script(text),
            Driver::Postgres(session) => session.script(text).await,
        };
        self.failed |= result.is_err();
        result
    }

    /// Checks that the database accepts the statement's text.
    pub(crate) async fn prepare(&mut self, text: &str) -> Result<(), DbError> {
        match &mut self.driver {
            Driver::Sqlite(session) => session.prepare(text),
            Driver::Postgres(session) => session.prepare(text).await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.driver, Driver::Postgres(_))
    }
}

/// The next published integer of a sequence (`tenants`, `integrations`, `triggers`, `releases`, `runs`). Numbers
/// are never given twice; a unit of work that is rolled back may leave a gap.
///
/// # Errors
/// [`DbError::Bug`] for a sequence that no migration made.
pub async fn next_id(tx: &mut Tx, sequence: &'static str) -> Result<i64, DbError> {
    let row = if tx.is_postgres() {
        sql(NEXT_ON_POSTGRES).bind(format!("{sequence}_ids")).maybe(tx).await?
    } else {
        sql(NEXT_ON_SQLITE).bind(sequence).maybe(tx).await?
    };
    let mut row = row.ok_or_else(|| DbError::Bug(format!("there is no sequence `{sequence}`")))?;
    row.take()
}

/// As [`next_id`], several at once, in ascending order.
///
/// # Errors
/// [`DbError::Bug`] for a sequence that no migration made.
pub async fn next_ids(tx: &mut Tx, sequence: &'static str, count: usize) -> Result<Vec<i64>, DbError> {
    let wanted = i64::try_from(count).map_err(|_| DbError::Bug("too many ids at once".to_owned()))?;
    if tx.is_postgres() {
        let rows = sql(SEVERAL_ON_POSTGRES).bind(format!("{sequence}_ids")).bind(wanted).all(tx).await?;
        let mut ids: Vec<i64> = rows.into_iter().map(|mut row| row.take()).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        return Ok(ids);
    }
    let row = sql(SEVERAL_ON_SQLITE).bind(sequence).bind(wanted).maybe(tx).await?;
    let mut row = row.ok_or_else(|| DbError::Bug(format!("there is no sequence `{sequence}`")))?;
    let last = row.take::<i64>()?;
    Ok((last - wanted + 1..=last).collect())
}

const SEVERAL_ON_POSTGRES: &str =
    "SELECT nextval(CAST(CAST($1 AS TEXT) AS regclass)) FROM generate_series(1, CAST($2 AS BIGINT))";
const SEVERAL_ON_SQLITE: &str = "UPDATE sequences SET value = value + $2 WHERE name = $1 RETURNING value";
const NEXT_ON_POSTGRES: &str = "SELECT nextval(CAST(CAST($1 AS TEXT) AS regclass))";
const NEXT_ON_SQLITE: &str = "UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value";
