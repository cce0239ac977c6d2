//! Pages of long lists: sorted by a known column, cut, and counted. And what is administered by reading it, changing
//! it and writing it back.

use kernel::Time;

/// Which part of a list, in which order. `S` names the columns that may be sorted by, so that no text from a
/// request ever becomes SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<S> {
    pub sort: S,
    pub descending: bool,
    /// At most this many rows.
    pub limit: i64,
    /// After skipping this many.
    pub skip: i64,
}

/// One part of a list and how long the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    pub total: i64,
}

/// What can be changed, with its revision: a change is written only where nobody else made one since it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    pub noun: T,
    pub revision: Time,
}

/// The revision that follows `seen`: also where the clock stands still or went back, it is another one.
pub(crate) fn next_revision(seen: Time, now: Time) -> Time {
    now.max(Time::from_micros(seen.micros().saturating_add(1)))
}

impl Page<()> {
    /// The newest, of what is sorted by nothing but when it was written.
    pub const fn newest(limit: i64) -> Self {
        Self { sort: (), descending: true, limit, skip: 0 }
    }
}

impl<S> Page<S> {
    /// The same part, sorted by something else.
    pub fn by<T>(self, sort: T) -> Page<T> {
        Page { sort, descending: self.descending, limit: self.limit, skip: self.skip }
    }

    /// `ORDER BY {column} DESC, id DESC LIMIT $n OFFSET $m`; the id makes the order total, so that pages do not
    /// overlap. `next` is the number of the first free placeholder.
    pub(crate) fn tail(&self, column: &'static str, next: usize) -> String {
        let direction = if self.descending { "DESC" } else { "ASC" };
        let by_id = if column == "id" { String::new() } else { format!(", id {direction}") };
        format!(" ORDER BY {column} {direction}{by_id} LIMIT ${next} OFFSET ${}", next + 1)
    }
}
