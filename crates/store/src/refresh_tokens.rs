//! Refresh tokens: the families of grants. They are read with what they rest on ([`crate::standings`]).

use crate::db::{Db, DbError, sql};
use crate::revision::present;
use crate::statements::statements;
use enter::ids::GrantId;
use kernel::{Hashed, Time};

statements! {
    // The primary key is the one thing that lets one of many uses at once win, on any node: each writes the number
    // after the last one that it saw. A grant that was revoked, whose code was burnt or whose session has ended has no
    // more tokens (a logout does not see a grant that is being kept at the same moment); nor has one that was decided
    // about from memory, where that is of another revision than the present one, or the session of another cookie: a
    // renewed one has another, so that what is told of the sign-in is the present one's. SQLite does it in two
    // statements, of which the second writes one row and nothing else; PostgreSQL takes the tokens of all who ask
    // meanwhile in one.
    ALIVE = concat!("SELECT 1 FROM grants AS g JOIN sessions AS s ON s.id = g.session_id
        WHERE g.id = $1 AND g.revoked_at IS NULL AND g.burnt_at IS NULL AND s.ended_at IS NULL
        AND COALESCE($2, ", present!(), ") = ", present!(), " AND s.hash = COALESCE($3, s.hash)");
    INSERT = "INSERT INTO refresh_tokens (grant_id, number, hash, given_for, issued_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (grant_id, number) DO NOTHING";
    INSERT_MANY = "WITH new (hash, grant_id, number, given_for, issued_at, revision, cookie) AS (VALUES ($1, $2,
            CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), $7))
        INSERT INTO refresh_tokens (grant_id, number, hash, given_for, issued_at)
        SELECT g.id, new.number, new.hash, new.given_for, new.issued_at FROM new
        JOIN grants AS g ON g.id = new.grant_id AND g.revoked_at IS NULL AND g.burnt_at IS NULL
        JOIN sessions AS s ON s.id = g.session_id AND s.ended_at IS NULL AND s.hash = COALESCE(new.cookie, s.hash)
        JOIN revisions AS r ON r.name = 'second_door' AND r.value = COALESCE(new.revision, r.value)
        WHERE TRUE ON CONFLICT (grant_id, number) DO NOTHING RETURNING hash";
}

/// A token to be given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub grant: GrantId,
    /// After the last one of the family.
    pub number: i64,
    pub hash: Hashed,
    /// The number of the token that it is given out for; 0 is the code.
    pub given_for: i64,
    /// `None` where everything was just read.
    pub from_memory: Option<FromMemory>,
}

/// What has to be still so, where a token was decided about from memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromMemory {
    /// Of everything that is watched ([`crate::revision`]).
    pub revision: i64,
    /// The hash by which the session's cookie found it.
    pub cookie: Hashed,
}

/// `false` where another one has this number already, the grant has ended, or what is in memory is not so any more: the
/// decision was made from what is no more.
///
/// # Errors
/// [`DbError`].
pub async fn insert(db: &Db, next: &Next, now: Time) -> Result<bool, DbError> {
    let (revision, cookie) = next.from_memory.as_ref().map(|it| (it.revision, &it.cookie)).unzip();
    if db.engine() == "postgres" {
        let query = sql(INSERT_MANY).for_many().bind(&next.hash).bind(&next.grant).bind(next.number);
        return Ok(db.execute(query.bind(next.given_for).bind(now).bind(revision).bind(cookie)).await? > 0);
    }
    let alive = sql(ALIVE).bind(&next.grant).bind(revision).bind(cookie);
    let query =
        sql(INSERT).bind(&next.grant).bind(next.number).bind(&next.hash).bind(next.given_for).bind(now);
    Ok(db.write_after(alive, move |_| Ok((query, ()))).await?.is_some())
}
