//! A release's packed files, in parts.

use crate::db::{DbError, Tx, sql};
use crate::statements::statements;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::ids::ReleaseId;

/// How much of a release's packed files stands in one row, before base64.
pub const PART_BYTES: usize = 512 * 1024;

statements! {
    PUT = "INSERT INTO release_parts (release_id, part, body) VALUES ($1, $2, $3)
        ON CONFLICT (release_id, part) DO UPDATE SET body = excluded.body";
    PART = "SELECT body FROM release_parts WHERE release_id = $1 AND part = $2";
    DELETE = "DELETE FROM release_parts WHERE release_id = $1";
    DELETE_SOURCE = "DELETE FROM release_parts WHERE release_id = $1 AND part < 0";
}

/// Which packed files: those it is built from, until it is ready, and those it has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    Source,
    Built,
}

impl Files {
    /// The parts of the source have negative numbers, so that both can be there at once: a build that is broken off
    /// finds its source again.
    const fn number(self, part: i64) -> i64 {
        match self {
            Self::Source => -1 - part,
            Self::Built => part,
        }
    }
}

/// Writes one part of packed files, from 0 on, at most [`PART_BYTES`] each. Each part is a unit of work of its own:
/// 64 MiB at once would keep every other writer waiting.
///
/// # Errors
/// [`DbError`].
pub async fn put_part(
    tx: &mut Tx,
    id: ReleaseId,
    files: Files,
    part: i64,
    body: &[u8],
) -> Result<(), DbError> {
    let query = sql(PUT).bind(id).bind(files.number(part)).bind(STANDARD.encode(body));
    query.execute(tx).await.map(drop)
}

/// One part of packed files; `None` after the last one.
///
/// # Errors
/// [`DbError`].
pub async fn part(tx: &mut Tx, id: ReleaseId, files: Files, part: i64) -> Result<Option<Vec<u8>>, DbError> {
    let found = sql(PART).bind(id).bind(files.number(part)).maybe(tx).await?;
    let Some(mut row) = found else { return Ok(None) };
    let body: String = row.take()?;
    let bytes =
        STANDARD.decode(body).map_err(|_| DbError::Corrupt("a release's part is no base64".to_owned()))?;
    Ok(Some(bytes))
}

pub(super) async fn delete(tx: &mut Tx, id: ReleaseId) -> Result<(), DbError> {
    sql(DELETE).bind(id).execute(tx).await.map(drop)
}

/// What it was built from.
pub(super) async fn delete_source(tx: &mut Tx, id: ReleaseId) -> Result<(), DbError> {
    sql(DELETE_SOURCE).bind(id).execute(tx).await.map(drop)
}
