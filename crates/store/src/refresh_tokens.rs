//! Refresh tokens: the families of grants. They are read with what they rest on ([`crate::standings`]).

use crate::db::{Db, DbError, sql};
use crate::statements::statements;
use enter::ids::GrantId;
use kernel::{Hashed, Time};

statements! {
    // The primary key is the one thing that lets one of many uses at once win, on any node: each writes the number
    // after the last one that it saw. A grant that was revoked, or whose code was burnt, has no more tokens.
    INSERT = "INSERT INTO refresh_tokens (grant_id, number, hash, given_for, issued_at)
        SELECT g.id, $2, $3, $4, $5 FROM grants AS g WHERE g.id = $1 AND g.revoked_at IS NULL AND g.burnt_at IS NULL
        ON CONFLICT (grant_id, number) DO NOTHING";
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
}

/// `false` where another one has this number already, or the grant has ended: the decision was made from what is no
/// more.
///
/// # Errors
/// [`DbError`].
pub async fn insert(db: &Db, next: &Next, now: Time) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&next.grant).bind(next.number).bind(&next.hash).bind(next.given_for);
    Ok(db.execute(query.bind(now)).await? > 0)
}
