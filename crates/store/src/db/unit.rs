//! A unit of work on SQLite: a body that is polled once, because every statement in it completes at once.

use super::DbError;
use super::statement::{Driver, Tx};
use crate::revision;
use futures_util::future::BoxFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use tokio::sync::oneshot;

/// Runs a body to its end or to the first real wait, which is a mistake: it would keep the one writer (or a
/// snapshot) waiting for something that is not the database.
pub(super) fn poll_once<T, E, F>(tx: &mut Tx, body: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<DbError>,
{
    (tx.failed, tx.over, tx.moves) = (false, false, false);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut future = body(tx);
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }));
    match polled {
        // As PostgreSQL would: a failed statement has ended the unit of work, whatever the body made of it.
        Ok(Poll::Ready(Ok(_))) if tx.failed => Err(bug("a unit of work went on after a failed statement")),
        Ok(Poll::Ready(Ok(done))) if tx.moves => move_on(tx).map(|()| done).map_err(E::from),
        Ok(Poll::Ready(result)) => result,
        Ok(Poll::Pending) => Err(bug("a unit of work waited for something that is not the database")),
        Err(_) => Err(bug("a unit of work panicked")),
    }
}

/// The last statement of a unit of work that takes something away.
fn move_on(tx: &mut Tx) -> Result<(), DbError> {
    match &mut tx.driver {
        Driver::Sqlite(session) => session.execute(&revision::moving()).map(drop),
        Driver::Postgres(_) => Ok(()),
    }
}

fn bug<E: From<DbError>>(text: &str) -> E {
    tracing::error!("{text}");
    E::from(DbError::Bug(text.to_owned()))
}

/// How much a unit of work writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Only its last statement writes, which SQLite undoes by itself where it fails.
    Single,
    /// Several statements write, of which none fails but together with the database: what it rests on was read first.
    Sure,
    /// Anything.
    Any,
}

/// What the writer does with a unit of work, whatever its types are.
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// How much of it there is to undo where it fails.
    fn size(&self) -> Size;
    /// Runs the body; whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Tells the caller: the body's own result, or why nothing of it was kept.
    fn answer(self: Box<Self>, failure: Option<&DbError>);
}

pub(super) struct Unit<F, T, E> {
    size: Size,
    body: Option<F>,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Unit<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
{
    pub(super) fn new(body: F, size: Size) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { size, body: Some(body), result: None, answer }, receiver)
    }
}

impl<F, T, E> Job for Unit<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn size(&self) -> Size {
        self.size
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        let Some(body) = self.body.take() else { return false };
        let result = poll_once(tx, body);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<&DbError>) {
        let result = match (failure, self.result) {
            (Some(error), _) => Err(E::from(error.clone())),
            (None, Some(result)) => result,
            (None, None) => Err(E::from(DbError::Bug("a unit of work was not run".to_owned()))),
        };
        // The caller may be gone by now; the change stands then, as after any lost answer.
        self.answer.send(result).ok();
    }
}
